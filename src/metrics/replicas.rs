//! Metrics of reads on replicas of the database.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// Metrics of replicas; cheap to clone. The replicas are those of the configuration.
#[derive(Clone, Debug)]
pub struct ReplicaMetrics {
    reads: Family<TargetLabels, Counter>,
    fallbacks: Family<ReasonLabels, Counter>,
    is_available: Family<ReplicaLabels, Gauge>,
    lag: Family<ReplicaLabels, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReplicaLabels {
    replica: String,
}

impl ReplicaMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reads: Family::default(),
            fallbacks: Family::default(),
            is_available: Family::default(),
            lag: Family::default(),
        };
        let help = "Reads of a user's data, by the replica that ran them, or primary";
        registry.register("db_reads", help, metrics.reads.clone());
        let help = "Reads that ran on the primary because no replica could run them, by reason";
        registry.register("db_replica_fallbacks", help, metrics.fallbacks.clone());
        let help = "Whether reads run on the replica (1) or not (0)";
        registry.register("db_replica_available", help, metrics.is_available.clone());
        let help = "Age of the oldest change that the replica has not replayed";
        registry.register_with_unit("db_replica_lag", help, Unit::Seconds, metrics.lag.clone());
        metrics
    }

    /// Counts a read that a replica has run.
    pub fn count_read(&self, replica: &str) {
        self.reads.get_or_create(&TargetLabels { target: replica.to_owned() }).inc();
    }

    /// Counts a read that ran on the primary because of `reason`.
    pub fn count_fallback(&self, reason: &'static str) {
        self.reads.get_or_create(&TargetLabels { target: "primary".to_owned() }).inc();
        self.fallbacks.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Removes the series of a replica, because it is the primary now.
    pub fn remove(&self, replica: &str) {
        let labels = ReplicaLabels { replica: replica.to_owned() };
        self.is_available.remove(&labels);
        self.lag.remove(&labels);
    }

    /// Records the result of a check. `lag` is `None` if it is not known; then it has no series.
    pub fn record_check(&self, replica: &str, is_available: bool, lag: Option<Duration>) {
        let labels = ReplicaLabels { replica: replica.to_owned() };
        self.is_available.get_or_create(&labels).set(i64::from(is_available));
        if let Some(lag) = lag {
            self.lag.get_or_create(&labels).set(lag.as_secs_f64());
        } else {
            self.lag.remove(&labels);
        }
    }
}
