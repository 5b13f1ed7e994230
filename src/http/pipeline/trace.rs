//! The trace of a request: read from `traceparent` and `tracestate`, and recorded as a span with the attributes of the semantic conventions
//! of OpenTelemetry for HTTP servers.
//!
//! The span contains nothing that identifies a person: path segments that are not part of a route are masked, and query, client address and
//! user agent are omitted.

use std::borrow::Cow;

use opentelemetry::Context;
use poem::{
    Request, Response,
    http::{HeaderName, HeaderValue, Method, Version, header::CONTENT_LENGTH},
};

use super::context::RequestContext;
use crate::{
    http::versions,
    traces::{ActiveSpan, KeyValue, RootSpan, SpanKind, TraceHeader, TraceParent, Tracer},
};

/// Header of the span that a response belongs to, from the draft of level 2 of W3C Trace Context.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// The trace of a request.
#[derive(Debug, Default)]
pub(super) struct RequestTrace {
    /// ID of the trace that the caller continues. Only set if traces are not exported.
    parent_id: Option<String>,
    is_sampled: bool,
    /// `None` if traces are not exported.
    root: Option<RootSpan>,
    header: Option<TraceHeader>,
    http_version: &'static str,
}

impl RequestTrace {
    /// Reads the trace that the caller continues. With a tracer, also starts the span of the request.
    pub(super) fn start(tracer: Option<&Tracer>, request: &Request) -> Self {
        let parent = parent(request);
        let Some(tracer) = tracer else {
            let is_sampled = parent.as_ref().is_some_and(TraceParent::is_sampled);
            return Self { parent_id: parent.map(|parent| parent.trace_id()), is_sampled, ..Self::default() };
        };
        let root = tracer.start_root("HTTP", SpanKind::Server, parent.as_ref());
        let http_version = match request.version() {
            Version::HTTP_2 => "2",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        };
        let (is_sampled, header) = (root.span.is_some(), Some(root.header()));
        Self { parent_id: None, is_sampled, root: Some(root), header, http_version }
    }

    /// Returns the context of the spans within the request; `None` if the request is not recorded.
    pub(super) fn context(&self) -> Option<Context> {
        self.root.as_ref()?.context()
    }

    /// Returns the trace ID.
    pub(super) fn id(&self) -> Option<&str> {
        self.header.as_ref().map(TraceHeader::trace_id).or(self.parent_id.as_deref())
    }

    /// Returns the ID of a trace that is recorded, here or by the caller.
    pub(super) fn sampled_id(&self) -> Option<&str> {
        self.id().filter(|_| self.is_sampled)
    }

    /// Returns the value of `traceresponse`.
    fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.header.as_ref()?.as_str()).ok()
    }
}

/// Returns the trace that the caller continues. Several `traceparent` headers are invalid.
fn parent(request: &Request) -> Option<TraceParent> {
    let headers = request.headers();
    let mut values = headers.get_all("traceparent").iter();
    let traceparent = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let state = headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok());
    TraceParent::parse(traceparent, state)
}

/// Describes the completed request in its span. Returns the span, which ends with the body of the response.
pub(super) fn complete(context: &mut RequestContext, response: &mut Response, is_https: bool) -> Option<ActiveSpan> {
    if let Some(header) = context.trace.header() {
        response.headers_mut().insert(TRACERESPONSE, header);
    }
    let span = context.trace.root.as_mut()?.span.take()?;
    let method = method(&context.method);
    let route = match context.operation {
        Some(operation) => Some(operation.documented.path.as_str()),
        // The paths of unversioned routes are constants.
        None => context.is_unversioned.then(|| context.uri.path()),
    };
    let known_method = if method == "_OTHER" { "HTTP" } else { method };
    span.set_name(route.map_or_else(|| Cow::Borrowed(known_method), |route| format!("{known_method} {route}").into()));
    let status = response.status();
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
        KeyValue::new("url.scheme", if is_https { "https" } else { "http" }),
        KeyValue::new("url.path", versions::mask_path(context.uri.path())),
        KeyValue::new("network.protocol.version", context.trace.http_version),
        KeyValue::new("http.request.body.size", i64::try_from(context.body_bytes).unwrap_or(i64::MAX)),
        KeyValue::new("bucketlist.request_id", context.request_id.clone()),
    ];
    attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
    attributes.extend(context.operation_id().map(|operation| KeyValue::new("bucketlist.operation", operation)));
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    attributes.extend(length.map(|length| KeyValue::new("http.response.body.size", length)));
    if let Some(code) = context.error_code() {
        attributes.push(KeyValue::new("bucketlist.error_code", code));
    }
    if status.is_server_error() {
        // Errors of the client are not errors of the span of a server.
        let error_type = context.error_code().map_or_else(|| status.as_str().to_owned(), str::to_owned);
        attributes.push(KeyValue::new("error.type", error_type));
        span.set_error("");
    }
    span.set_attributes(attributes);
    Some(span)
}

/// Returns the method, or `_OTHER` if it is not known: clients may send any text.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn trace_of_the_caller_is_known_without_a_tracer() {
        for (flags, is_sampled) in [("01", true), ("00", false)] {
            let header = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
            let request = Request::builder().header("traceparent", header).finish();
            let trace = RequestTrace::start(None, &request);
            assert_eq!((trace.id(), trace.sampled_id()), (Some(TRACE), is_sampled.then_some(TRACE)));
            assert!(trace.header().is_none());
        }
    }

    #[test]
    fn repeated_parent_is_ignored() {
        let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let request = Request::builder().header("traceparent", &*header).header("traceparent", &*header).finish();
        assert_eq!(RequestTrace::start(None, &request).id(), None);
    }
}
