//! Spans that are recorded, and the current span of a task or thread.

use std::{
    borrow::Cow,
    ops::Range,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, Tracer as _,
    },
};
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::{TraceParent, ids};

/// The span of a request or a job.
#[derive(Debug)]
pub struct RootSpan {
    trace: SpanContext,
    /// `None` if the sampler has decided not to record it.
    pub span: Option<ActiveSpan>,
}

impl RootSpan {
    /// Creates the span of a trace that is recorded.
    pub(super) fn new(span: Span, tracer: &SdkTracer) -> Self {
        let trace = span.span_context().clone();
        // After the export has ended, no span is recorded.
        let is_recorded = span.is_recording();
        let active = is_recorded.then(|| ActiveSpan(Context::new().with_value(tracer.clone()).with_span(span)));
        Self { trace, span: active }
    }

    /// Creates the span of a trace that is not recorded.
    pub(super) fn not_recorded(trace_id: TraceId, parent: Option<&TraceParent>) -> Self {
        let state = parent.map(|parent| parent.span_context().trace_state().clone()).unwrap_or_default();
        let trace = SpanContext::new(trace_id, ids::random_span_id(), TraceFlags::NOT_SAMPLED, false, state);
        Self { trace, span: None }
    }

    /// Returns the value of `traceresponse`, from which a caller learns the span of its request.
    #[must_use]
    pub fn header(&self) -> TraceHeader {
        TraceHeader::new(&self.trace)
    }

    /// Returns the context of the spans within this one; `None` if this one is not recorded.
    #[must_use]
    pub fn context(&self) -> Option<Context> {
        self.span.as_ref().map(ActiveSpan::context)
    }
}

/// The value of `traceresponse`: version, trace ID, span ID and flags.
#[derive(Clone, Copy, Debug)]
pub struct TraceHeader([u8; 55]);

impl TraceHeader {
    fn new(span: &SpanContext) -> Self {
        // Every request has one: this takes a tenth of the time of `format!`.
        let mut header = *b"00-________________________________-________________-__";
        let parts = [
            (Self::TRACE_ID, &span.trace_id().to_bytes()[..]),
            (Self::SPAN_ID, &span.span_id().to_bytes()[..]),
            (Self::FLAGS, &[span.trace_flags().to_u8()][..]),
        ];
        for (range, bytes) in parts {
            // Each range has two digits for each byte.
            let _ = header.get_mut(range).map(|digits| hex::encode_to_slice(bytes, digits));
        }
        Self(header)
    }

    const TRACE_ID: Range<usize> = 3..35;
    const SPAN_ID: Range<usize> = 36..52;
    const FLAGS: Range<usize> = 53..55;

    /// Returns the trace ID in hexadecimal.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.as_str().get(Self::TRACE_ID).unwrap_or_default()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A span that is recorded. It ends when this is dropped.
#[derive(Debug)]
pub struct ActiveSpan(Context);

impl ActiveSpan {
    /// Returns the context of the spans within this one.
    #[must_use]
    pub fn context(&self) -> Context {
        self.0.clone()
    }

    pub fn set_name(&self, name: impl Into<Cow<'static, str>>) {
        self.0.span().update_name(name);
    }

    pub fn set_attributes(&self, attributes: impl IntoIterator<Item = KeyValue>) {
        self.0.span().set_attributes(attributes);
    }

    /// Marks the span as failed. The description must not contain data of users.
    pub fn set_error(&self, description: impl Into<Cow<'static, str>>) {
        self.0.span().set_status(Status::error(description));
    }
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        // A context that a database thread still holds does not delay the end.
        self.0.span().end();
    }
}

/// Starts a span within the current one; `None` if that is not recorded. The name and the attributes are computed only if it is.
pub fn start<N: Into<Cow<'static, str>>>(
    kind: SpanKind,
    describe: impl FnOnce() -> (N, Vec<KeyValue>),
) -> Option<ActiveSpan> {
    Context::map_current(|context| {
        let tracer = context.get::<SdkTracer>()?;
        let (name, attributes) = describe();
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
        let span = tracer.build_with_context(builder, context);
        Some(ActiveSpan(context.with_span(span)))
    })
}

/// Records a span within the current one that began at `started` and ends now.
pub fn record<N: Into<Cow<'static, str>>>(
    kind: SpanKind,
    started: SystemTime,
    describe: impl FnOnce() -> (N, Vec<KeyValue>, Status),
) {
    Context::map_current(|context| {
        let Some(tracer) = context.get::<SdkTracer>() else { return };
        let (name, attributes, status) = describe();
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
        let mut span = tracer.build_with_context(builder.with_start_time(started), context);
        span.set_status(status);
        span.end();
    });
}

/// Returns whether the current span is recorded.
#[must_use]
pub fn is_recorded() -> bool {
    Context::map_current(|context| context.get::<SdkTracer>().is_some())
}

/// Sets an attribute of the span of a context to a number.
pub fn set_count(context: &Context, name: &'static str, count: usize) {
    context.span().set_attribute(KeyValue::new(name, i64::try_from(count).unwrap_or(i64::MAX)));
}

/// Sets an attribute of the span of a context to a duration in milliseconds.
pub fn set_milliseconds(context: &Context, name: &'static str, duration: Duration) {
    context.span().set_attribute(KeyValue::new(name, duration.as_secs_f64() * 1e3));
}
