//! Counts completed requests.

use std::time::Duration;

use poem::{Response, http::Method};

use super::context::RequestContext;
use crate::metrics::{CompletedRequest, RequestMetrics};

/// Counts a completed request by its operation, method and status.
pub(super) fn record(metrics: &RequestMetrics, context: &RequestContext, response: &Response, duration: Duration) {
    let unknown = if context.is_unversioned { "unversioned" } else { "none" };
    metrics.complete(&CompletedRequest {
        operation: context.operation_id().unwrap_or(unknown),
        version: context.version.map_or("", |version| version.number),
        method: method_label(&context.method),
        status: response.status().as_u16(),
        duration,
        error_code: context.error_code(),
        exceeded_limit: context
            .rate_limit
            .filter(|decision| decision.retry_after.is_some())
            .map(|decision| decision.limit.as_str()),
        request_id: &context.request_id,
        trace_id: context.trace.sampled_id(),
    });
}

/// Returns the method, or `other` if a route cannot have it: clients may send any text.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_methods_share_a_label() {
        assert_eq!(method_label(&Method::PATCH), "PATCH");
        assert_eq!(method_label(&Method::TRACE), "other");
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
