//! Exports spans in batches. The queue is bounded: if the collector is too slow or does not respond, spans are dropped and counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use secrecy::ExposeSecret;

use super::{TraceError, TraceSettings, collector::CollectorClient};

/// Maximum number of spans that wait for their export: a few megabytes.
const MAX_PENDING: usize = 8_192;
/// Maximum number of spans in an export.
const MAX_BATCH: usize = 512;
/// Interval between exports.
const INTERVAL: Duration = Duration::from_secs(2);

/// Numbers of exported and lost spans since the start.
#[derive(Debug, Default)]
pub struct ExportStats {
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    pending: AtomicUsize,
    /// Whether the last export failed.
    is_failing: AtomicBool,
}

impl ExportStats {
    /// Returns the number of spans that the collector has accepted.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.exported.load(Ordering::Relaxed)
    }

    /// Returns the number of spans that the collector has not accepted.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Returns the number of spans that were dropped because too many waited.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns the number of spans that wait for their export.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Takes a place in the queue; `false` if it is full.
    fn enqueue(&self) -> bool {
        if self.pending.fetch_add(1, Ordering::Relaxed) < MAX_PENDING {
            return true;
        }
        self.pending.fetch_sub(1, Ordering::Relaxed);
        if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("spans dropped, because the collector is too slow or does not respond");
        }
        false
    }

    fn complete(&self, count: usize, result: &OTelSdkResult) {
        self.pending.fetch_sub(count, Ordering::Relaxed);
        let counter = if result.is_ok() { &self.exported } else { &self.failed };
        counter.fetch_add(count as u64, Ordering::Relaxed);
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => tracing::warn!(%error, "cannot export traces; spans are lost"),
            Ok(()) if was_failing => tracing::info!(lost = self.failed(), "exporting traces again"),
            _ => {}
        }
    }
}

/// Starts the thread that exports spans.
pub(super) fn processor(settings: &TraceSettings, stats: &Arc<ExportStats>) -> Result<BoundedProcessor, TraceError> {
    let client = CollectorClient::new(settings.timeout, settings.endpoint.starts_with("https:"));
    let headers = settings.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
    let exporter = OtlpExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(&settings.endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(settings.timeout)
        .with_headers(headers)
        // A retry delays the next batch, and spans are worth little later.
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|error| TraceError(error.to_string()))?;
    let exporter = CountingExporter { exporter, stats: Arc::clone(stats) };
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(MAX_PENDING)
        .with_max_export_batch_size(MAX_BATCH)
        .with_scheduled_delay(INTERVAL)
        .build();
    Ok(BoundedProcessor { batches: BatchSpanProcessor::new(exporter, config), stats: Arc::clone(stats) })
}

/// Passes spans to the batch processor while fewer than [`MAX_PENDING`] wait.
#[derive(Debug)]
pub(super) struct BoundedProcessor {
    batches: BatchSpanProcessor,
    stats: Arc<ExportStats>,
}

impl SpanProcessor for BoundedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.stats.enqueue() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Counts the spans that another exporter exports.
#[derive(Debug)]
struct CountingExporter {
    exporter: OtlpExporter,
    stats: Arc<ExportStats>,
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let result = self.exporter.export(batch).await;
        self.stats.complete(count, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
