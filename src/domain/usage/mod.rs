//! Usage: how often each consumer calls each operation, and with which results.

mod consumer;
mod latency;
mod rows;

pub use consumer::{Consumer, ConsumerFilter, ConsumerKind, InvalidConsumer, NamedConsumer};
pub use latency::LatencyHistogram;
pub use rows::{UsageFilter, UsageGroup, UsageGrouping, UsageRow, UsageRowKey};

use std::time::Duration;

use super::{ApiVersion, Timestamp};

/// Retention of hourly counters. Daily counters are retained for `USAGE_RETENTION`.
pub const HOURLY_RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// What requests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsageKey {
    /// Start of the hour in which the requests were received.
    pub hour: Timestamp,
    pub version: ApiVersion,
    pub operation: &'static str,
    pub consumer: Consumer,
    /// First digit of the status.
    pub status_class: u8,
}

/// The counters of a [`UsageKey`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageCounters {
    pub requests: i64,
    /// Bytes of request bodies.
    pub bytes_in: i64,
    /// Bytes of response bodies, as sent.
    pub bytes_out: i64,
    pub latency: LatencyHistogram,
    pub last_seen_at: Timestamp,
}

impl UsageCounters {
    /// Adds one request.
    pub fn record(&mut self, at: Timestamp, latency: Duration, bytes_in: u64, bytes_out: u64) {
        self.requests += 1;
        self.bytes_in = self.bytes_in.saturating_add_unsigned(bytes_in);
        self.bytes_out = self.bytes_out.saturating_add_unsigned(bytes_out);
        self.latency.record(latency);
        self.last_seen_at = self.last_seen_at.max(at);
    }

    /// Adds the counters of other requests.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.latency.add(&other.latency);
        self.last_seen_at = self.last_seen_at.max(other.last_seen_at);
    }
}
