//! Reports: usage of a period, grouped.

use serde::{Deserialize, Serialize};

use super::{Consumer, ConsumerFilter, ConsumerKind, LatencyHistogram, NamedConsumer};
use crate::domain::{ApiVersion, KeysetPosition, SortValue, Timestamp};

/// A property that rows of a report are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageGroup {
    Hour,
    Day,
    Version,
    Operation,
    Consumer,
    Status,
}

/// The properties that distinguish the rows of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageGrouping {
    /// Whether the report reads hourly counters and has a row for each hour.
    pub by_hour: bool,
    pub by_day: bool,
    pub by_version: bool,
    pub by_operation: bool,
    pub by_consumer: bool,
    /// By the first digit of the status.
    pub by_status: bool,
}

impl UsageGrouping {
    /// One row per day, version, operation and consumer.
    pub const FULL: Self = Self {
        by_hour: false,
        by_day: true,
        by_version: true,
        by_operation: true,
        by_consumer: true,
        by_status: false,
    };

    /// Groups by these properties; by all except hours and statuses if there are none.
    #[must_use]
    pub fn new(groups: &[UsageGroup]) -> Self {
        if groups.is_empty() {
            return Self::FULL;
        }
        let by = |group| groups.contains(&group);
        Self {
            by_hour: by(UsageGroup::Hour),
            by_day: by(UsageGroup::Day),
            by_version: by(UsageGroup::Version),
            by_operation: by(UsageGroup::Operation),
            by_consumer: by(UsageGroup::Consumer),
            by_status: by(UsageGroup::Status),
        }
    }

    /// Returns whether rows have the start of their hour or day.
    #[must_use]
    pub const fn has_start(self) -> bool {
        self.by_hour || self.by_day
    }
}

/// Selects and groups the counters of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageFilter {
    /// Start of the first hour or day.
    pub from: Timestamp,
    /// End of the last hour or day, exclusive.
    pub until: Timestamp,
    pub version: Option<ApiVersion>,
    pub operation: Option<String>,
    pub consumer: Option<ConsumerFilter>,
    /// First digit of the status.
    pub status_class: Option<u8>,
    /// Only deprecated (`true`) or only other operations.
    pub deprecated: Option<bool>,
    pub grouping: UsageGrouping,
    /// Whether the rows with the most requests are first, instead of those of the latest period.
    pub by_requests: bool,
    /// Selects the remaining consumers: counts only requests that were not rejected for the credentials, the permissions or a rate limit of the
    /// consumer. Omits deleted API clients and accounts, and sorts anonymous consumers after the others.
    pub who_is_left: bool,
}

impl UsageFilter {
    /// Selects all requests of a period.
    #[must_use]
    pub const fn of_period(from: Timestamp, until: Timestamp, grouping: UsageGrouping) -> Self {
        Self {
            from,
            until,
            version: None,
            operation: None,
            consumer: None,
            status_class: None,
            deprecated: None,
            grouping,
            by_requests: false,
            who_is_left: false,
        }
    }
}

/// A row of a report. The properties that it is not grouped by are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Start of the hour or day.
    pub starts_at: Option<Timestamp>,
    pub version: Option<ApiVersion>,
    pub operation: Option<String>,
    pub consumer: Option<NamedConsumer>,
    /// First digit of the status.
    pub status_class: Option<u8>,
    pub requests: i64,
    /// Requests with a status of 400 or more.
    pub errors: i64,
    pub bytes_in: i64,
    pub bytes_out: i64,
    pub latency: LatencyHistogram,
    pub last_seen_at: Timestamp,
}

/// The grouped properties of a row, which order the rows: the latest period first, then by version, operation and consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRowKey {
    pub starts_at: i64,
    pub version: String,
    pub operation: String,
    pub consumer_kind: String,
    pub consumer_id: i64,
    pub user_agent: String,
    #[serde(default)]
    pub status_class: i64,
}

impl UsageRow {
    /// Returns the properties that order the rows.
    #[must_use]
    pub fn key(&self) -> UsageRowKey {
        let consumer = self.consumer.as_ref().map(|named| &named.consumer);
        UsageRowKey {
            starts_at: self.starts_at.unwrap_or_default().micros(),
            version: self.version.map(ApiVersion::as_str).unwrap_or_default().to_owned(),
            operation: self.operation.clone().unwrap_or_default(),
            consumer_kind: consumer.map(Consumer::kind).map(ConsumerKind::as_str).unwrap_or_default().to_owned(),
            consumer_id: consumer.and_then(Consumer::id).unwrap_or_default(),
            user_agent: consumer.and_then(Consumer::user_agent).unwrap_or_default().to_owned(),
            status_class: self.status_class.map(i64::from).unwrap_or_default(),
        }
    }

    /// Returns the position of this row in its report, with the number of requests as the ID.
    #[must_use]
    pub fn position(&self) -> KeysetPosition {
        // Strings and integers can always be serialized.
        let key = serde_json::to_string(&self.key()).unwrap_or_default();
        KeysetPosition { value: SortValue::Text(key), id: self.requests }
    }
}

impl UsageRowKey {
    /// Returns the key in a position; `None` if the position belongs to another list.
    #[must_use]
    pub fn from_position(position: &KeysetPosition) -> Option<Self> {
        match &position.value {
            SortValue::Text(key) => serde_json::from_str(key).ok(),
            SortValue::Timestamp(_) => None,
        }
    }
}
