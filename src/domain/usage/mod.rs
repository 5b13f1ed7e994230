//! Usage: how often each consumer calls each operation, and with which results.

mod consumer;
mod latency;
mod rows;

pub use consumer::{Consumer, ConsumerFilter, ConsumerKind, InvalidConsumer, NamedConsumer};
pub use latency::LatencyHistogram;
pub use rows::{UsageFilter, UsageGroup, UsageGrouping, UsageRow, UsageRowKey};

use std::time::Duration;

use super::{ApiVersion, Timestamp};

/// A set of the declared query parameters and body fields of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputSet {
    /// Names of the declared inputs: `query.sort`, `body.name`.
    pub declared: &'static [String],
    /// A bit for each name that the set contains.
    pub bits: u64,
}

impl InputSet {
    /// Adds the inputs of another request to the same operation.
    pub fn add(&mut self, other: Self) {
        if self.declared.is_empty() {
            self.declared = other.declared;
        }
        self.bits |= other.bits;
    }

    /// Lists the names in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let is_set = move |index: usize| {
            u32::try_from(index).is_ok_and(|index| self.bits.checked_shr(index).unwrap_or(0) & 1 == 1)
        };
        self.declared.iter().enumerate().filter(move |(index, _)| is_set(*index)).map(|(_, name)| name.as_str())
    }
}

/// An input that a consumer has sent to an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SentInput {
    pub operation: String,
    pub consumer: Consumer,
    /// `query.sort` or `body.name`.
    pub input: String,
}

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
    /// Requests that were rejected with 401, 403 or 429, or that had no valid credentials although the operation requires them.
    pub rejected: i64,
    /// Bytes of request bodies.
    pub bytes_in: i64,
    /// Bytes of response bodies, as sent.
    pub bytes_out: i64,
    pub latency: LatencyHistogram,
    pub last_seen_at: Timestamp,
    /// The inputs of the requests that were not rejected.
    pub inputs: InputSet,
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

    /// Adds the inputs of a request, or its rejection.
    pub fn record_inputs(&mut self, inputs: InputSet, is_rejected: bool) {
        if is_rejected {
            self.rejected += 1;
        } else {
            self.inputs.add(inputs);
        }
    }

    /// Adds the counters of other requests.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.rejected = self.rejected.saturating_add(other.rejected);
        self.inputs.add(other.inputs);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.latency.add(&other.latency);
        self.last_seen_at = self.last_seen_at.max(other.last_seen_at);
    }
}
