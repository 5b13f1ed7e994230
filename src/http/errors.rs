//! The one translation point: whatever went wrong becomes the version's body, and is logged once.

use std::error::Error as StdError;

use contract::{ApiError, Detail, ErrorCode, problem, problem::Problem, v1::schemas::ErrorEnvelope};
use document::Violation;
use poem::{
    Response,
    http::{HeaderValue, StatusCode, header},
};
use serde::Serialize;

use crate::capture;

/// What a framework's or a handler's error is in our words. `violations` are what is wrong with the parameters: if an
/// argument could not be read, that is why.
pub(super) fn translate(error: poem::Error, violations: Vec<Violation>) -> ApiError {
    match error.downcast::<ApiError>() {
        Ok(error) => error,
        Err(_) if !violations.is_empty() => ApiError::invalid(violations.into_iter().map(Detail::from).collect()),
        Err(error) => {
            let code = match error.status() {
                StatusCode::NOT_FOUND => ErrorCode::RouteNotFound,
                StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
                StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge,
                StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
                status if status.is_client_error() => ErrorCode::MalformedRequest,
                _ => ErrorCode::InternalError,
            };
            ApiError::new(code).with_source(error.to_string())
        }
    }
}

/// The answer that an error at `path` is: v1's envelope, or a problem.
pub(super) fn respond(error: &ApiError, has_envelope: bool, path: &str, request_id: &str) -> Response {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if has_envelope {
        body(status, "application/json", &ErrorEnvelope::new(error, request_id))
    } else {
        body(status, problem::MEDIA_TYPE, &Problem::new(error, path, request_id))
    };
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, challenge(error.code));
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// RFC 6750, section 3: without credentials no error is named; with bad ones it is `invalid_token`.
fn challenge(code: ErrorCode) -> HeaderValue {
    HeaderValue::from_static(match code {
        ErrorCode::InvalidToken => "Bearer realm=\"bucketlist\", error=\"invalid_token\"",
        _ => "Bearer realm=\"bucketlist\"",
    })
}

fn body(status: StatusCode, media_type: &str, value: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let length = HeaderValue::from(bytes.len());
    Response::builder().status(status).content_type(media_type).header(header::CONTENT_LENGTH, length).body(bytes)
}

/// Logs an error once: ours at error with everything behind it, the caller's at info.
pub(super) fn log(error: &ApiError) {
    let code = error.code.as_str();
    match error.code.status() {
        503 => tracing::warn!(code, causes = causes(error), "cannot answer"),
        500.. => tracing::error!(code, causes = causes(error), "failed"),
        _ => tracing::info!(code, causes = causes(error), "refused"),
    }
}

/// What went wrong, if anything did: for those who keep it.
#[derive(Debug, Default)]
pub(super) struct Failure(pub(super) Option<ApiError>);

impl Failure {
    /// The code as it travels.
    pub(super) fn code(&self) -> Option<&'static str> {
        self.0.as_ref().map(|error| error.code.as_str())
    }

    /// Where it went wrong, without values.
    pub(super) fn site(&self) -> String {
        capture::error_site(self.0.iter().flat_map(chain))
    }
}

fn causes(error: &ApiError) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn chain(error: &ApiError) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(StdError::source(error), |&cause| cause.source())
}
