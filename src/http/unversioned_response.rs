//! Small responses of routes without a version.

use poem::{
    IntoResponse, Response,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, LOCATION},
    },
};
use serde_json::json;

/// Adds the length of the body.
pub(super) fn with_length(mut response: Response, length: usize) -> Response {
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Redirects to another path with the same query.
pub(super) fn redirect(path: &str, query: Option<&str>) -> Response {
    let location = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    match HeaderValue::try_from(location) {
        Ok(location) => with_length(StatusCode::PERMANENT_REDIRECT.with_header(LOCATION, location).into_response(), 0),
        Err(_) => StatusCode::NOT_FOUND.into(),
    }
}

/// Returns the response of `/health/live`.
pub(super) fn live() -> Response {
    health(&json!({"status": "pass"}))
}

/// Returns a response with the media type of draft-inadarei-api-health-check.
pub(super) fn health(value: &serde_json::Value) -> Response {
    json_response("application/health+json", value)
}

pub(super) fn json_response(media_type: &str, value: &serde_json::Value) -> Response {
    let text = value.to_string();
    let length = text.len();
    with_length(Response::builder().content_type(media_type).body(text), length)
}
