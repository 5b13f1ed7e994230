//! Maps every error to the response of the request's API version, and logs it once.

use std::{any::Any, error::Error as StdError};

use contract::{
    ApiError, ErrorCode,
    operation::Scope,
    payload::{CompressedBody, SerializationFailure},
    problem,
    problem::Problem,
    v1::schemas::ErrorEnvelope,
};
use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
use serde::Serialize;

use super::{context::RequestContext, deadline::DeadlineExceeded};
use crate::{capture, db::panic_message, domain::Throttled};

/// Seconds after which to retry a request that exceeded its deadline.
const RETRY_AFTER: u32 = 5;

/// Media types of POST requests (W3C Linked Data Platform, section 7.1).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// An error that ends a request.
#[derive(Debug)]
pub(super) enum RequestError {
    /// An error of a stage, a service or an endpoint.
    Api(ApiError),
    /// An error of the framework: its router or an argument.
    Framework(poem::Error),
    /// The work took too long.
    DeadlineExceeded(DeadlineExceeded),
    /// A panic, with its payload.
    Panic(Box<dyn Any + Send>),
}

impl From<ApiError> for RequestError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<ErrorCode> for RequestError {
    fn from(code: ErrorCode) -> Self {
        Self::Api(code.into())
    }
}

impl From<poem::Error> for RequestError {
    fn from(error: poem::Error) -> Self {
        Self::Framework(error)
    }
}

impl From<DeadlineExceeded> for RequestError {
    fn from(error: DeadlineExceeded) -> Self {
        Self::DeadlineExceeded(error)
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Api(error) => error,
            RequestError::Framework(error) => from_framework(error),
            RequestError::DeadlineExceeded(error) => {
                Self { retry_after: Some(RETRY_AFTER), ..Self::new(ErrorCode::ServiceUnavailable).with_source(error) }
            }
            RequestError::Panic(payload) => {
                Self::new(ErrorCode::InternalError).with_source(format!("panic: {}", panic_message(&*payload)))
            }
        }
    }
}

fn from_framework(error: poem::Error) -> ApiError {
    match error.downcast::<ApiError>() {
        Ok(error) => error,
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

/// Rejects a response whose body could not be serialized.
pub(super) fn reject_unserialized(response: Response) -> Result<Response, ApiError> {
    if let Some(SerializationFailure(reason)) = response.extensions().get() {
        let source = format!("cannot serialize the response: {reason}");
        return Err(ApiError::new(ErrorCode::InternalError).with_source(source));
    }
    Ok(response)
}

/// Rejects an unknown path; with a page, for a browser.
pub(super) fn route_not_found(page: Option<Response>, context: &mut RequestContext) -> Result<Response, RequestError> {
    let error = ApiError::new(ErrorCode::RouteNotFound);
    let Some(page) = page else { return Err(error.into()) };
    log(&error);
    context.error = Some(error);
    Ok(page)
}

/// Logs the error and returns its response; the error remains in the context.
pub(super) fn into_response(error: RequestError, context: &mut RequestContext) -> Response {
    let error = ApiError::from(error);
    log(&error);
    // Services check the limits per account, because they read the account.
    if let Some(Throttled(decision)) = error.source.as_deref().and_then(|source| source.downcast_ref()) {
        context.rate_limit = Some(*decision);
    }
    let has_envelope = context.version.is_some_and(|version| version.has_error_envelopes);
    let mut response = error_response(&error, has_envelope, context.uri.path(), &context.request_id);
    if error.code == ErrorCode::UnsupportedMediaType {
        write_accepted(&error, context, response.headers_mut());
    }
    context.error = Some(error);
    response
}

/// Names the encodings or the media types that the operation accepts (RFC 9110, sections 12.5.3 and 15.5.16). All responses of a
/// path with PATCH have `Accept-Patch`.
fn write_accepted(error: &ApiError, context: &RequestContext, headers: &mut HeaderMap) {
    if error.source.as_deref().is_some_and(|source| source.is::<CompressedBody>()) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    } else if let Some(operation) = context.operation.filter(|_| context.method == Method::POST)
        && let Ok(media_types) = HeaderValue::try_from(operation.documented.request_media_types.join(", "))
    {
        headers.insert(ACCEPT_POST, media_types);
    }
}

/// Returns the response for an error at `path`: the error envelope of v1, or problem details.
pub(in crate::http) fn error_response(error: &ApiError, has_envelope: bool, path: &str, request_id: &str) -> Response {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if has_envelope {
        json_response(status, "application/json", &ErrorEnvelope::new(error, request_id))
    } else {
        json_response(status, problem::MEDIA_TYPE, &Problem::new(error, path, request_id))
    };
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, challenge(error.code));
    }
    if let Some(scope) = error.required_scope {
        headers.insert(header::WWW_AUTHENTICATE, scope_challenge(scope));
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// RFC 6750, section 3: the challenge names an error only if the request had credentials.
fn challenge(code: ErrorCode) -> HeaderValue {
    HeaderValue::from_static(match code {
        ErrorCode::InvalidToken => "Bearer realm=\"bucketlist\", error=\"invalid_token\"",
        _ => "Bearer realm=\"bucketlist\"",
    })
}

/// RFC 6750, section 3.1: the challenge names the missing scope.
fn scope_challenge(scope: Scope) -> HeaderValue {
    HeaderValue::from_static(match scope {
        Scope::Read => "Bearer realm=\"bucketlist\", error=\"insufficient_scope\", scope=\"read\"",
        Scope::Write => "Bearer realm=\"bucketlist\", error=\"insufficient_scope\", scope=\"write\"",
        Scope::Admin => "Bearer realm=\"bucketlist\", error=\"insufficient_scope\", scope=\"admin\"",
    })
}

fn json_response(status: StatusCode, media_type: &str, value: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(value).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot serialize an error response");
        b"{}".to_vec()
    });
    let length = HeaderValue::from(bytes.len());
    Response::builder().status(status).content_type(media_type).header(header::CONTENT_LENGTH, length).body(bytes)
}

/// Logs an error with its causes: server errors at `error`, unavailability at `warn`, client errors at `info`.
pub(in crate::http) fn log(error: &ApiError) {
    let code = error.code.as_str();
    match error.code.status() {
        503 => tracing::warn!(code, causes = causes(error), "service unavailable"),
        500.. => tracing::error!(code, causes = causes(error), "request failed"),
        _ => tracing::info!(code, causes = causes(error), "request rejected"),
    }
}

/// Returns where an error comes from, without the values in its messages. Used to group incidents.
pub(super) fn site(error: Option<&ApiError>) -> String {
    capture::error_site(error.into_iter().flat_map(chain))
}

fn causes(error: &ApiError) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn chain(error: &ApiError) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(StdError::source(error), |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use poem::{IntoResponse, Request, error::NotFoundError};

    use super::*;

    #[test]
    fn every_kind_of_error_has_a_code() {
        for (error, code, retry_after) in [
            (RequestError::from(ErrorCode::ItemNotFound), ErrorCode::ItemNotFound, None),
            (poem::Error::from(ApiError::new(ErrorCode::EmailTaken)).into(), ErrorCode::EmailTaken, None),
            (poem::Error::from(NotFoundError).into(), ErrorCode::RouteNotFound, None),
            (poem::Error::from_status(StatusCode::IM_A_TEAPOT).into(), ErrorCode::MalformedRequest, None),
            (poem::Error::from_status(StatusCode::BAD_GATEWAY).into(), ErrorCode::InternalError, None),
            (DeadlineExceeded.into(), ErrorCode::ServiceUnavailable, Some(5)),
            (RequestError::Panic(Box::new("index out of bounds")), ErrorCode::InternalError, None),
            (RequestError::Panic(Box::new(7)), ErrorCode::InternalError, None),
        ] {
            let error = ApiError::from(error);
            assert_eq!((error.code, error.retry_after), (code, retry_after));
        }
        let panic = ApiError::from(RequestError::Panic(Box::new("index out of bounds")));
        assert!(causes(&panic).contains("index out of bounds"));
    }

    #[test]
    fn response_that_cannot_be_serialized_becomes_an_error() {
        // The keys of a JSON object are strings.
        let unserializable = std::collections::BTreeMap::from([([1], 2)]);
        let error = reject_unserialized(contract::Json(unserializable).into_response()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InternalError);
        assert!(causes(&error).starts_with("cannot serialize the response: "), "{}", causes(&error));
        assert!(reject_unserialized(contract::Json(1).into_response()).is_ok());
    }

    #[tokio::test]
    async fn response_has_the_error_format_of_the_version() {
        let mut context = RequestContext::new(&Request::builder().uri_str("/v2/nothing").finish(), 0);
        let response = into_response(ErrorCode::InvalidToken.into(), &mut context);
        assert_eq!(context.error_code(), Some("INVALID_TOKEN"));
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers()["www-authenticate"].to_str().unwrap().ends_with("error=\"invalid_token\""));
        let envelope = error_response(&ErrorCode::AuthenticationRequired.into(), true, "/v1/x", "r");
        assert_eq!(envelope.headers()["content-type"], "application/json");
        assert_eq!(envelope.headers()["www-authenticate"], "Bearer realm=\"bucketlist\"");
        assert!(envelope.into_body().into_string().await.unwrap().contains("\"request_id\":\"r\""));
    }
}
