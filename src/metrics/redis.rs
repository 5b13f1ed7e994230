//! Metrics of Redis.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Upper bounds of the buckets of round trips, in seconds.
const BUCKETS: [f64; 9] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.1];

/// Metrics of Redis; cheap to clone.
#[derive(Clone, Debug)]
pub struct RedisMetrics {
    up: Gauge,
    round_trip: Histogram,
    commands: Family<ResultLabels, Counter>,
    fallbacks: Family<UseLabels, Counter>,
}

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisResult {
    Ok,
    Timeout,
    Error,
}

/// What Redis is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisUse {
    /// A request that was counted by the server itself.
    RateLimit,
    /// A request whose token or API key was read from the database.
    TokenStatus,
    /// A change that waited until cached entries had expired.
    CacheInvalidation,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UseLabels {
    used_for: &'static str,
}

impl RedisResult {
    const ALL: [Self; 3] = [Self::Ok, Self::Timeout, Self::Error];

    const fn labels(self) -> ResultLabels {
        let result = match self {
            Self::Ok => "ok",
            Self::Timeout => "timeout",
            Self::Error => "error",
        };
        ResultLabels { result }
    }
}

impl RedisUse {
    const ALL: [Self; 3] = [Self::RateLimit, Self::TokenStatus, Self::CacheInvalidation];

    const fn labels(self) -> UseLabels {
        let used_for = match self {
            Self::RateLimit => "rate_limit",
            Self::TokenStatus => "token_status",
            Self::CacheInvalidation => "cache_invalidation",
        };
        UseLabels { used_for }
    }
}

impl RedisMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            up: Gauge::default(),
            round_trip: Histogram::new(BUCKETS),
            commands: Family::default(),
            fallbacks: Family::default(),
        };
        registry.register("redis_up", "Whether the server is connected to Redis", metrics.up.clone());
        registry.register("redis_round_trip_seconds", "Time of a command of Redis", metrics.round_trip.clone());
        registry.register("redis_commands", "Commands sent to Redis, by result", metrics.commands.clone());
        registry.register(
            "redis_fallbacks",
            "Operations that ran without Redis because it was unavailable",
            metrics.fallbacks.clone(),
        );
        // So that the first failure is an increase.
        for result in RedisResult::ALL {
            drop(metrics.commands.get_or_create(&result.labels()));
        }
        for used_for in RedisUse::ALL {
            drop(metrics.fallbacks.get_or_create(&used_for.labels()));
        }
        metrics
    }

    /// Records whether there is a connection.
    pub fn set_up(&self, is_up: bool) {
        self.up.set(i64::from(is_up));
    }

    /// Records a command.
    pub fn record_command(&self, result: RedisResult, round_trip: Duration) {
        self.round_trip.observe(round_trip.as_secs_f64());
        self.commands.get_or_create(&result.labels()).inc();
    }

    /// Counts an operation that ran without Redis.
    pub fn record_fallback(&self, used_for: RedisUse) {
        self.fallbacks.get_or_create(&used_for.labels()).inc();
    }
}
