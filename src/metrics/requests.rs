//! Metrics of requests.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use foldhash::fast::RandomState;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        exemplar::HistogramWithExemplars,
        family::{Family, MetricConstructor},
        gauge::Gauge,
    },
    registry::Registry,
};

/// Upper bounds of the buckets of response times, in seconds.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Maximum length of an ID in an exemplar: OpenMetrics allows 128 characters for names and values together.
const MAX_EXEMPLAR_LEN: usize = 100;

/// Metrics of requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, HistogramWithExemplars<Exemplar>, NewHistogram>,
    /// The metrics above by their labels: every request needs them, and the hash function of a family is slow.
    series: Arc<RwLock<HashMap<RequestLabels, RequestSeries, RandomState>>>,
    in_flight: Gauge,
    error_responses: Family<CodeLabels, Counter>,
    rate_limit_rejections: Family<LimitLabels, Counter>,
}

/// The properties of a completed request. All of them have a bounded number of values.
#[derive(Clone, Copy, Debug)]
pub struct CompletedRequest<'a> {
    /// The operation's `operationId`; `unversioned` for other routes and `none` for unknown ones.
    pub operation: &'static str,
    /// `v1`, `v2` or empty.
    pub version: &'static str,
    pub method: &'static str,
    pub status: u16,
    pub duration: Duration,
    /// Code of the error response.
    pub error_code: Option<&'static str>,
    /// Name of the exceeded rate limit.
    pub exceeded_limit: Option<&'static str>,
    pub request_id: &'a str,
    pub trace_id: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    method: &'static str,
    status: u16,
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    operation: &'static str,
    status: u16,
    version: &'static str,
}

/// The metrics of completed requests with the same labels.
#[derive(Clone, Debug)]
struct RequestSeries {
    requests: Counter,
    durations: HistogramWithExemplars<Exemplar>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

/// The trace, or else the request, that a bucket of a histogram refers to.
type Exemplar = [(&'static str, String); 1];

#[derive(Clone, Debug)]
struct NewHistogram;

impl MetricConstructor<HistogramWithExemplars<Exemplar>> for NewHistogram {
    fn new_metric(&self) -> HistogramWithExemplars<Exemplar> {
        HistogramWithExemplars::new(BUCKETS.into_iter())
    }
}

impl RequestMetrics {
    pub(super) fn register(registry: &mut Registry, limits: impl IntoIterator<Item = &'static str>) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(NewHistogram),
            series: Arc::default(),
            in_flight: Gauge::default(),
            error_responses: Family::default(),
            rate_limit_rejections: Family::default(),
        };
        registry.register("http_requests", "Requests", metrics.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from the head of a request to the head of its response",
            metrics.durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests that have no response yet", metrics.in_flight.clone());
        registry.register("http_error_responses", "Error responses by error code", metrics.error_responses.clone());
        registry.register(
            "rate_limit_rejections",
            "Requests rejected by a rate limit",
            metrics.rate_limit_rejections.clone(),
        );
        // So that the first rejection is an increase.
        for limit in limits {
            drop(metrics.rate_limit_rejections.get_or_create(&LimitLabels { limit }));
        }
        metrics
    }

    /// Counts a request as in flight until the result is dropped.
    #[must_use]
    pub fn start(&self) -> InFlight {
        InFlight::start(&self.in_flight)
    }

    /// Counts a completed request.
    pub fn complete(&self, request: &CompletedRequest<'_>) {
        let exemplar = match request.trace_id {
            Some(id) => Some(("trace_id", id)),
            None => Some(("request_id", request.request_id)),
        };
        let exemplar = exemplar.filter(|(_, id)| id.len() <= MAX_EXEMPLAR_LEN);
        let exemplar = exemplar.map(|(name, id)| [(name, id.to_owned())]);
        self.with_series(request, |series| {
            series.requests.inc();
            series.durations.observe(request.duration.as_secs_f64(), exemplar, None);
        });
        if let Some(code) = request.error_code {
            self.error_responses.get_or_create(&CodeLabels { code }).inc();
        }
        if let Some(limit) = request.exceeded_limit {
            self.rate_limit_rejections.get_or_create(&LimitLabels { limit }).inc();
        }
    }

    fn with_series(&self, request: &CompletedRequest<'_>, record: impl FnOnce(&RequestSeries)) {
        let CompletedRequest { operation, version, method, status, .. } = *request;
        let labels = RequestLabels { operation, method, status, version };
        if let Some(series) = self.series.read().unwrap_or_else(PoisonError::into_inner).get(&labels) {
            return record(series);
        }
        let series = RequestSeries {
            requests: self.requests.get_or_create_owned(&labels),
            durations: self.durations.get_or_create_owned(&DurationLabels { operation, status, version }),
        };
        record(&series);
        self.series.write().unwrap_or_else(PoisonError::into_inner).insert(labels, series);
    }
}

/// A request or a unit of work that is counted in a gauge until this is dropped.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl InFlight {
    pub(super) fn start(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
