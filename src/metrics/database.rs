//! Metrics of units of work in the database.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::Registry,
};

use super::requests::InFlight;

/// Upper bounds of the buckets of waiting times, in seconds.
const WAIT_BUCKETS: [f64; 9] = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0];
/// Upper bounds of the buckets of group sizes. A group has at most 64 units.
const GROUP_BUCKETS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Metrics of units of work; cheap to clone.
#[derive(Clone, Debug)]
pub struct DatabaseMetrics {
    read_wait: Histogram,
    write_wait: Histogram,
    in_use: Gauge,
    group_size: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug)]
struct NewWaitHistogram;

impl MetricConstructor<Histogram> for NewWaitHistogram {
    fn new_metric(&self) -> Histogram {
        Histogram::new(WAIT_BUCKETS)
    }
}

impl DatabaseMetrics {
    pub(super) fn register(registry: &mut Registry, has_groups: bool) -> Self {
        let wait = Family::<KindLabels, Histogram, NewWaitHistogram>::new_with_constructor(NewWaitHistogram);
        let metrics = Self {
            read_wait: wait.get_or_create_owned(&KindLabels { kind: "read" }),
            write_wait: wait.get_or_create_owned(&KindLabels { kind: "write" }),
            in_use: Gauge::default(),
            group_size: Histogram::new(GROUP_BUCKETS),
        };
        registry.register("db_pool_wait_seconds", "Time that a unit of work waits for a connection", wait);
        if has_groups {
            let help = "Units of work that share a commit";
            registry.register("sqlite_commit_group_size", help, metrics.group_size.clone());
        }
        metrics
    }

    /// Records the time that a unit of work has waited for a connection.
    pub fn record_wait(&self, is_write: bool, wait: Duration) {
        let histogram = if is_write { &self.write_wait } else { &self.read_wait };
        histogram.observe(wait.as_secs_f64());
    }

    /// Returns the number of connections that run a unit of work.
    #[must_use]
    pub fn connections_in_use(&self) -> u64 {
        u64::try_from(self.in_use.get()).unwrap_or_default()
    }

    /// Counts a connection as in use until the result is dropped.
    #[must_use]
    pub fn start_unit(&self) -> InFlight {
        InFlight::start(&self.in_use)
    }

    /// Records the number of units of work that share a commit.
    pub fn record_group(&self, size: usize) {
        #[expect(clippy::cast_precision_loss, reason = "at most 64")]
        self.group_size.observe(size as f64);
    }
}
