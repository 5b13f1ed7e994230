//! Metrics of the server in the formats of OpenMetrics and Prometheus.
//!
//! Counters and histograms on the path of a request are updated by the code that serves it. Everything else, such as the
//! size of a cache, is read when Prometheus scrapes the server, so it costs nothing between two scrapes.

mod database;
mod endpoint;
mod jobs;
mod mail;
mod process;
mod redis;
mod replicas;
mod requests;
mod sampled;

use prometheus_client::{
    encoding::{prometheus_text, text},
    metrics::info::Info,
    registry::Registry,
};

pub use database::DatabaseMetrics;
pub use endpoint::MetricsEndpoint;
pub use jobs::{JobMetrics, JobResult};
pub use mail::MeteredMailer;
pub use redis::{RedisMetrics, RedisResult, RedisUse};
pub use replicas::ReplicaMetrics;
pub use requests::{CompletedRequest, InFlight, RequestMetrics};
pub use sampled::{Kind, Sample};

/// The metrics of a server, before it starts.
#[derive(Debug, Default)]
pub struct Metrics(Registry);

impl Metrics {
    /// Creates the metrics of the process and of the build.
    #[must_use]
    pub fn new(version: &'static str, commit: &'static str) -> Self {
        let mut registry = Registry::default();
        registry.register(
            "build",
            "Version and commit of the server",
            Info::new([("version", version), ("commit", commit)]),
        );
        process::register(&mut registry);
        Self(registry)
    }

    /// Registers the metrics of requests, with the names of the rate limits.
    pub fn requests(&mut self, limits: impl IntoIterator<Item = &'static str>) -> RequestMetrics {
        RequestMetrics::register(&mut self.0, limits)
    }

    /// Registers the metrics of background jobs.
    pub fn jobs(&mut self) -> JobMetrics {
        JobMetrics::register(&mut self.0)
    }

    /// Registers the metrics of units of work in the database; `has_groups` if they share commits.
    pub fn database(&mut self, has_groups: bool) -> DatabaseMetrics {
        DatabaseMetrics::register(&mut self.0, has_groups)
    }

    /// Registers the metrics of Redis.
    pub fn redis(&mut self) -> RedisMetrics {
        RedisMetrics::register(&mut self.0)
    }

    /// Registers the metrics of replicas of the database.
    pub fn replicas(&mut self) -> ReplicaMetrics {
        ReplicaMetrics::register(&mut self.0)
    }

    /// Registers values that are read at each scrape.
    pub fn sample(&mut self, name: &'static str, help: &'static str, kind: Kind, samples: Vec<Sample>) {
        self.0.register_collector(Box::new(sampled::Sampled { name, help, kind, samples }));
    }

    /// Registers a value without labels that is read at each scrape.
    pub fn sample_one(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.sample(name, help, kind, vec![Sample::new([], read)]);
    }

    /// Returns the metrics in the OpenMetrics text format.
    fn to_openmetrics(&self) -> Result<String, std::fmt::Error> {
        let mut encoded = String::new();
        text::encode(&mut encoded, &self.0)?;
        Ok(encoded)
    }

    /// Returns the metrics in the text format of Prometheus, which has no exemplars.
    fn to_prometheus_text(&self) -> Result<String, std::fmt::Error> {
        let mut encoded = String::new();
        prometheus_text::encode(&mut encoded, &self.0)?;
        Ok(encoded)
    }
}
