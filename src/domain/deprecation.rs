//! Deprecated operations, their brownouts, and the notices to their consumers.

use std::time::Duration;

use super::{ApiVersion, Consumer, NamedConsumer, Timestamp, text_enum::text_enum};

const DAY: Duration = Duration::from_secs(86_400);

/// A deprecated operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeprecatedOperation {
    pub version: ApiVersion,
    pub operation: &'static str,
    pub method: &'static str,
    /// Path template, with the prefix of the version.
    pub path: String,
    /// Start of the first day on which the operation is deprecated.
    pub since: Timestamp,
    /// Start of the first day on which the operation returns 410.
    pub sunset: Timestamp,
    /// Path template of the successor.
    pub successor: &'static str,
    /// Path of the documentation of the successor, if this server has one.
    pub reference: Option<String>,
    /// Scheduled brownouts, earliest first.
    pub brownouts: Vec<Brownout>,
}

/// A period in which a deprecated operation returns 410 before its sunset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brownout {
    pub operation: String,
    pub starts_at: Timestamp,
    pub duration: Duration,
}

impl Brownout {
    /// Returns the first timestamp after the brownout.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at + self.duration
    }

    /// Returns whether the operation returns 410 at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        (self.starts_at..self.ends_at()).contains(&now)
    }
}

text_enum! {
    /// The occasion of a notice to a consumer of a deprecated operation.
    #[derive(PartialOrd, Ord)]
    DeprecationNotice {
        /// The consumer has called the operation for the first time.
        FirstUse "first_use"
        /// The sunset is in 90 days.
        Days90 "90_days"
        /// The sunset is in 30 days.
        Days30 "30_days"
        /// The sunset is in 7 days.
        Days7 "7_days"
        /// The sunset is in 1 day.
        Day1 "1_day"
        /// A brownout was scheduled.
        Brownout "brownout"
    }
}

impl DeprecationNotice {
    /// Number of days before the sunset.
    const fn days(self) -> Option<u32> {
        match self {
            Self::FirstUse | Self::Brownout => None,
            Self::Days90 => Some(90),
            Self::Days30 => Some(30),
            Self::Days7 => Some(7),
            Self::Day1 => Some(1),
        }
    }

    /// Returns the notices by date that are due at `now`, in order; none after the sunset. A notice that is due covers those before it.
    #[must_use]
    pub fn due(now: Timestamp, sunset: Timestamp) -> Vec<Self> {
        if now >= sunset {
            return Vec::new();
        }
        let is_due =
            |notice: &Self| *notice != Self::Brownout && notice.days().is_none_or(|days| sunset <= now + DAY * days);
        Self::ALL.iter().copied().filter(is_due).collect()
    }
}

/// A notice to a consumer about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerNotice {
    pub consumer: Consumer,
    pub version: ApiVersion,
    pub operation: String,
    pub notice: DeprecationNotice,
    /// Start of the brownout that a notice of a brownout announces.
    pub brownout_at: Option<Timestamp>,
}

text_enum! {
    /// The state of the mail with a notice.
    NoticeState {
        /// The mail waits for a worker or for its next attempt.
        Queued "queued"
        /// The mail server has accepted the mail.
        Sent "sent"
        /// The mail exhausted its attempts, or the consumer has no address any more.
        Failed "failed"
        /// No mail was sent, because an administrator has disabled the notices to the consumer.
        Suppressed "suppressed"
    }
}

/// A notice that was due, and the state of its mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedNotice {
    pub notice: DeprecationNotice,
    /// When the mail was enqueued or suppressed.
    pub created_at: Timestamp,
    pub state: NoticeState,
}

/// A deprecated operation and its consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeprecationReport {
    pub operation: DeprecatedOperation,
    /// The consumers with the most requests.
    pub consumers: Vec<DeprecationConsumer>,
    /// Number of all consumers.
    pub consumers_total: i64,
}

/// A consumer of a deprecated operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeprecationConsumer {
    pub consumer: NamedConsumer,
    pub requests: i64,
    pub last_seen_at: Timestamp,
    /// Notices, in order.
    pub notices: Vec<RecordedNotice>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_due_by_the_days_before_the_sunset() {
        use DeprecationNotice::{Day1, Days7, Days30, Days90, FirstUse};
        let sunset = Timestamp::from_seconds(1_826_668_800);
        for (days, due) in [
            (365, vec![FirstUse]),
            (91, vec![FirstUse]),
            (90, vec![FirstUse, Days90]),
            (31, vec![FirstUse, Days90]),
            (30, vec![FirstUse, Days90, Days30]),
            (7, vec![FirstUse, Days90, Days30, Days7]),
            (1, vec![FirstUse, Days90, Days30, Days7, Day1]),
            (0, vec![]),
        ] {
            assert_eq!(DeprecationNotice::due(sunset.before(DAY * days), sunset), due, "{days} days");
        }
        assert_eq!(DeprecationNotice::due(sunset.before(Duration::from_micros(1)), sunset).len(), 5);
        assert!(DeprecationNotice::due(sunset + DAY, sunset).is_empty());
    }
}
