//! Traces of requests and jobs, in the model of OpenTelemetry and with the headers of W3C Trace Context.
//!
//! A request or a job starts a root span with the [`Tracer`]. The spans within it are started by [`start`], which finds the current span
//! of the task or thread and does nothing if it is not recorded. Spans that have ended are exported in the background (`OTEL_*`): no
//! request waits for the collector.

mod collector;
mod export;
mod ids;
mod parent;
mod settings;
mod span;

use std::{sync::Arc, time::Duration};

pub use opentelemetry::{
    Context, KeyValue, Value,
    context::FutureExt,
    trace::{SpanKind, Status},
};
use opentelemetry::{
    InstrumentationScope,
    trace::{SpanBuilder, TraceContextExt as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};

pub use export::ExportStats;
use ids::PresetIdGenerator;
pub use parent::TraceParent;
pub use settings::{TraceSampler, TraceSettings};
pub use span::{ActiveSpan, RootSpan, TraceHeader, is_recorded, record, set_count, set_milliseconds, start};

/// Name of the instrumentation scope.
const SCOPE: &str = "bucketlist";

/// An error while preparing the export of traces.
#[derive(Debug, thiserror::Error)]
#[error("cannot export traces: {0}")]
pub struct TraceError(String);

/// Starts root spans, and exports all spans. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tracer {
    tracer: SdkTracer,
    sampler: TraceSampler,
    provider: SdkTracerProvider,
    stats: Arc<ExportStats>,
}

impl Tracer {
    /// Starts a thread that exports spans. `version` is the version of the service.
    ///
    /// # Errors
    /// Fails if the endpoint is invalid.
    pub fn new(settings: &TraceSettings, version: &'static str) -> Result<Self, TraceError> {
        let stats = Arc::<ExportStats>::default();
        let processor = export::processor(settings, &stats)?;
        let attributes = settings.resource_attributes.iter();
        let attributes = attributes.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let resource = Resource::builder_empty()
            .with_attribute(KeyValue::new("service.version", version))
            .with_attribute(KeyValue::new("telemetry.sdk.name", "opentelemetry"))
            .with_attribute(KeyValue::new("telemetry.sdk.language", "rust"))
            .with_attributes(attributes)
            .with_service_name(settings.service_name.clone())
            .build();
        let provider = SdkTracerProvider::builder()
            // The tracer decides which traces are recorded, before it starts a span.
            .with_sampler(Sampler::AlwaysOn)
            .with_id_generator(PresetIdGenerator)
            .with_resource(resource)
            .with_span_processor(processor)
            .build();
        let scope = InstrumentationScope::builder(SCOPE).with_version(version).build();
        Ok(Self { tracer: provider.tracer_with_scope(scope), sampler: settings.sampler, provider, stats })
    }

    /// Returns the numbers of exported and lost spans.
    #[must_use]
    pub fn stats(&self) -> Arc<ExportStats> {
        Arc::clone(&self.stats)
    }

    /// Starts the span of a request or a job. It continues the trace of `parent`, or starts a new one; the sampler decides whether it is
    /// recorded.
    #[must_use]
    pub fn start_root(&self, name: &'static str, kind: SpanKind, parent: Option<&TraceParent>) -> RootSpan {
        let trace_id = parent.map_or_else(ids::random_trace_id, |parent| parent.span_context().trace_id());
        if !self.sampler.is_sampled(trace_id, parent) {
            return RootSpan::not_recorded(trace_id, parent);
        }
        let span = ids::with_trace_id(trace_id, || {
            let context = match parent {
                Some(parent) => Context::new().with_remote_span_context(parent.span_context().clone()),
                None => Context::new(),
            };
            self.tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind), &context)
        });
        RootSpan::new(span, &self.tracer)
    }

    /// Runs a job in a new trace.
    ///
    /// # Errors
    /// The error of the job.
    pub async fn run_job<T, E>(
        &self,
        kind: &str,
        attributes: [KeyValue; 2],
        job: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let root = self.start_root("job", SpanKind::Consumer, None);
        let result = job.with_context(root.context().unwrap_or_default()).await;
        if let Some(span) = root.span {
            span.set_name(format!("job {kind}"));
            span.set_attributes(attributes);
            if result.is_err() {
                // The error can contain data of users. It is in the log and in the queue.
                span.set_error("");
            }
        }
        result
    }

    /// Exports the spans that have ended, for at most `limit`. Spans that end later are lost.
    pub async fn shut_down(&self, limit: Duration) {
        let provider = self.provider.clone();
        // Waits for the export thread.
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!(pending = self.stats.pending(), "cannot export the last spans");
        }
    }

    /// Exports the spans that have ended.
    pub async fn flush(&self) {
        let provider = self.provider.clone();
        // The result is in the statistics.
        let _ = tokio::task::spawn_blocking(move || provider.force_flush()).await;
    }
}
