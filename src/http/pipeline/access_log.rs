//! Logs one line per request, without query, body and address. Path segments that are not part of a route are masked: they
//! may contain personal data.

use std::{borrow::Cow, time::Duration};

use poem::{
    Response,
    http::{Method, header::CONTENT_LENGTH},
};

use super::context::RequestContext;
use crate::{domain::UserId, http::versions};

/// Writes the line; the span of the request adds the request ID.
pub(super) fn write(context: &RequestContext, response: &Response, duration: Duration) {
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    // The paths of unversioned routes are constants.
    let path = match context.is_unversioned {
        true => Cow::Borrowed(context.uri.path()),
        false => Cow::Owned(versions::mask_path(context.uri.path())),
    };
    tracing::info!(
        target: "bucketlist::access",
        method = if is_registered(&context.method) { context.method.as_str() } else { "*" },
        path = &*path,
        operation = context.operation_id(),
        status = response.status().as_u16(),
        took_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        bytes = length,
        user = context.identity.user_id().map(UserId::get),
        api_client = context.identity.api_client().map(|client| client.id),
        trace_id = context.trace.id(),
        "request completed"
    );
}

/// Returns whether a method is registered. Other methods are arbitrary text from the client and are not logged.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_methods_are_logged() {
        assert!(is_registered(&Method::PATCH));
        assert!(!is_registered(&Method::from_bytes(b"BREW").unwrap()));
    }
}
