//! One line for each request. Names no query, no body, no address, and of the path what routes are made of: the rest may
//! be personal.

use std::time::Duration;

use poem::{
    Response,
    http::{Method, header::CONTENT_LENGTH},
};

/// What is known of a request when it ends.
pub(super) struct Entry<'a> {
    pub(super) method: &'a Method,
    /// Without what the client made up.
    pub(super) path: &'a str,
    pub(super) operation: Option<&'a str>,
    pub(super) user: Option<i64>,
    pub(super) trace_id: Option<&'a str>,
}

impl Entry<'_> {
    /// Writes the line; the request's span adds its id.
    pub(super) fn write(&self, response: &Response, took: Duration) {
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        tracing::info!(
            target: "bucketlist::access",
            method = if is_registered(self.method) { self.method.as_str() } else { "*" },
            path = self.path,
            operation = self.operation,
            status = response.status().as_u16(),
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            bytes = length,
            user = self.user,
            trace_id = self.trace_id,
            "answered"
        );
    }
}

/// Whether it is a method of HTTP, and no word of the client's.
fn is_registered(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ]
    .contains(method)
}
