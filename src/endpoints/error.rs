//! Maps service errors to error codes of the contract.

use contract::{ApiError, Detail, ErrorCode};
use openapi_model::Location;

use crate::services::{Conflict, Error, Forbidden, Resource, Unauthenticated};

/// Seconds after which to retry when the service is unavailable.
const RETRY_AFTER: u32 = 5;

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(resource) => Self::new(match resource {
                Resource::User => ErrorCode::UserNotFound,
                Resource::Bucketlist => ErrorCode::BucketlistNotFound,
                Resource::Item => ErrorCode::ItemNotFound,
                Resource::Session => ErrorCode::SessionNotFound,
                Resource::Export => ErrorCode::ExportNotFound,
                Resource::Incident => ErrorCode::IncidentNotFound,
                Resource::ApiClient => ErrorCode::ApiClientNotFound,
                Resource::Job => ErrorCode::JobNotFound,
                Resource::JobSchedule => ErrorCode::JobScheduleNotFound,
            }),
            Error::Conflict(Conflict::JobState(state)) => {
                Self::new(ErrorCode::JobStateConflict).with_message(format!("The job is {state}."))
            }
            Error::Conflict(Conflict::UnwantedState) => {
                Self::new(ErrorCode::PreconditionFailed).with_message("The resource exists and matches If-None-Match.")
            }
            Error::Conflict(Conflict::ExportNotReady { is_final: true }) => Self::new(ErrorCode::ExportNotReady)
                .with_message("The export has failed and has no file. Create another export."),
            Error::Conflict(conflict) => {
                let code = match conflict {
                    Conflict::EmailTaken => ErrorCode::EmailTaken,
                    Conflict::BucketlistNameTaken => ErrorCode::BucketlistNameTaken,
                    Conflict::LastAdmin => ErrorCode::LastAdmin,
                    Conflict::PreconditionFailed | Conflict::UnwantedState => ErrorCode::PreconditionFailed,
                    Conflict::ExportNotReady { .. } => ErrorCode::ExportNotReady,
                    Conflict::IncidentKeyMissing => ErrorCode::IncidentKeyMissing,
                    Conflict::ProfileInProgress => ErrorCode::ProfileInProgress,
                    Conflict::IdempotencyKeyInFlight => ErrorCode::IdempotencyKeyInFlight,
                    Conflict::JobState(_) => ErrorCode::JobStateConflict,
                    Conflict::JobScheduleRunning => ErrorCode::JobScheduleRunning,
                };
                // The other request, or the export, completes within seconds.
                let is_transient =
                    matches!(conflict, Conflict::IdempotencyKeyInFlight | Conflict::ExportNotReady { is_final: false });
                let retry_after = is_transient.then_some(1);
                Self { retry_after, ..Self::new(code) }
            }
            Error::Unauthenticated(reason) => Self::new(match reason {
                Unauthenticated::Credentials => ErrorCode::InvalidCredentials,
                Unauthenticated::RefreshToken => ErrorCode::InvalidRefreshToken,
                Unauthenticated::Session => ErrorCode::InvalidToken,
            }),
            Error::Forbidden(Forbidden::AccountDisabled) => Self::new(ErrorCode::AccountDisabled),
            Error::Invalid(fields) => {
                let details = fields.into_iter().map(|field| body_detail(&field.name, field.code, field.message));
                Self { details: details.collect(), ..Self::new(ErrorCode::ValidationFailed) }
            }
            Error::NamesTaken(records) => {
                let detail = |record| {
                    let name = format!("records/{record}/name");
                    body_detail(&name, "BUCKETLIST_NAME_TAKEN", "is the name of another bucketlist")
                };
                Self { details: records.into_iter().map(detail).collect(), ..Self::new(ErrorCode::BucketlistNameTaken) }
            }
            Error::WrongPassword { field } => {
                let detail = body_detail(field, "WRONG_PASSWORD", "does not match the current password");
                Self { details: vec![detail], ..Self::new(ErrorCode::WrongPassword) }
            }
            Error::InvalidResetToken => {
                let detail = body_detail("token", "INVALID_RESET_TOKEN", "is unknown, expired or already used");
                Self { details: vec![detail], ..Self::new(ErrorCode::InvalidResetToken) }
            }
            Error::ProfilingDisabled => Self::new(ErrorCode::ProfilingDisabled),
            Error::HeapProfilingUnavailable(reason) => Self::new(ErrorCode::ProfilingDisabled).with_message(reason),
            Error::IdempotencyKeyReused => {
                let detail = Detail {
                    location: Location::Header("Idempotency-Key".to_owned()),
                    code: "IDEMPOTENCY_KEY_REUSED",
                    message: "was used for a different request".to_owned(),
                };
                Self { details: vec![detail], ..Self::new(ErrorCode::IdempotencyKeyReused) }
            }
            Error::Throttled(throttled) => Self {
                retry_after: throttled.0.retry_after,
                ..Self::new(ErrorCode::RateLimitExceeded).with_source(throttled)
            },
            Error::Unavailable(source) => {
                Self { retry_after: Some(RETRY_AFTER), ..Self::new(ErrorCode::ServiceUnavailable).with_source(source) }
            }
            Error::StorageFull(source) => Self::new(ErrorCode::InsufficientStorage).with_source(source),
            Error::Internal(source) => Self::new(ErrorCode::InternalError).with_source(source),
        }
    }
}

fn body_detail(field: &str, code: &'static str, message: impl Into<String>) -> Detail {
    Detail { location: Location::Body(format!("/{field}")), code, message: message.into() }
}
