//! From a service's words to the contract's codes.

use contract::{ApiError, Detail, ErrorCode};
use document::Location;

use crate::services::{Conflict, Error, Field, Forbidden, Resource, Unauthenticated, codes};

/// How long to wait when the server is busy, in seconds.
const RETRY_AFTER: u32 = 5;

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(what) => Self::new(match what {
                Resource::User => ErrorCode::UserNotFound,
                Resource::Bucketlist => ErrorCode::BucketlistNotFound,
                Resource::Item => ErrorCode::ItemNotFound,
                Resource::Session => ErrorCode::SessionNotFound,
                Resource::Export => ErrorCode::ExportNotFound,
                Resource::Incident => ErrorCode::IncidentNotFound,
            }),
            Error::Conflict(what) => {
                let code = match what {
                    Conflict::EmailTaken => ErrorCode::EmailTaken,
                    Conflict::BucketlistNameTaken => ErrorCode::BucketlistNameTaken,
                    Conflict::LastAdmin => ErrorCode::LastAdmin,
                    Conflict::PreconditionFailed => ErrorCode::PreconditionFailed,
                    Conflict::ExportNotReady { .. } => ErrorCode::ExportNotReady,
                    Conflict::IncidentSealed => ErrorCode::IncidentSealed,
                    Conflict::IdempotencyKeyInFlight => ErrorCode::IdempotencyKeyInFlight,
                };
                // Who is at the same creation, or at the file, is soon done.
                let is_soon =
                    matches!(what, Conflict::IdempotencyKeyInFlight | Conflict::ExportNotReady { is_final: false });
                let retry_after = is_soon.then_some(1);
                Self { retry_after, ..Self::new(code) }
            }
            Error::Unauthenticated(what) => Self::new(match what {
                Unauthenticated::Credentials => ErrorCode::InvalidCredentials,
                Unauthenticated::RefreshToken => ErrorCode::InvalidRefreshToken,
                Unauthenticated::Session => ErrorCode::InvalidToken,
            }),
            Error::Forbidden(Forbidden::AccountDisabled) => Self::new(ErrorCode::AccountDisabled),
            Error::Invalid(fields) => invalid(fields),
            Error::Throttled(throttled) => Self {
                retry_after: throttled.0.retry_after,
                ..Self::new(ErrorCode::RateLimitExceeded).with_source(throttled)
            },
            Error::Unavailable(source) => {
                Self { retry_after: Some(RETRY_AFTER), ..Self::new(ErrorCode::ServiceUnavailable).with_source(source) }
            }
            Error::Internal(source) => Self::new(ErrorCode::InternalError).with_source(source),
        }
    }
}

fn invalid(fields: Vec<Field>) -> ApiError {
    if let [Field { code: codes::KEY_REUSED, message, .. }] = fields.as_slice() {
        let location = Location::Header("Idempotency-Key".to_owned());
        let detail = Detail { location, code: codes::KEY_REUSED, message: message.clone() };
        return ApiError { details: vec![detail], ..ApiError::new(ErrorCode::IdempotencyKeyReused) };
    }
    let code = match fields.as_slice() {
        [Field { code: codes::WRONG_PASSWORD, .. }] => ErrorCode::WrongPassword,
        [Field { code: codes::INVALID_RESET_TOKEN, .. }] => ErrorCode::InvalidResetToken,
        _ => ErrorCode::ValidationFailed,
    };
    let details = fields.into_iter().map(|field| Detail {
        location: Location::Body(format!("/{}", field.name)),
        code: field.code,
        message: field.message,
    });
    ApiError { details: details.collect(), ..ApiError::new(code) }
}
