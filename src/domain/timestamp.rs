//! Points in time.

use std::{ops::Add, time::Duration};

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates a timestamp from microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Creates a timestamp from seconds since 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Formats the time in UTC without separators, for file names: `20260131T120000Z`.
    #[must_use]
    pub fn compact_utc(self) -> String {
        chrono::DateTime::from_timestamp_micros(self.0).unwrap_or_default().format("%Y%m%dT%H%M%SZ").to_string()
    }

    /// Returns a reference to the microseconds since 1970, for bind parameters.
    #[must_use]
    pub const fn as_micros(&self) -> &i64 {
        &self.0
    }

    /// Returns the timestamp `duration` earlier; the earliest one if it is out of range.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// Returns the latest multiple of `period` since 1970 that is not after this timestamp, such as the start of its hour or day.
    #[must_use]
    pub fn floor(self, period: Duration) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(micros(period).max(1))))
    }

    /// `self`, or the microsecond after `previous` if that is later. Used for `updated_at`: two states of a row never have the
    /// same timestamp, even where clocks disagree.
    #[must_use]
    pub fn later_than(self, previous: Self) -> Self {
        self.max(Self(previous.0.saturating_add(1)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the latest timestamp.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let latest = Timestamp::from_micros(i64::MAX);
        assert_eq!(latest + Duration::from_secs(1), latest);
        assert_eq!(Timestamp::from_micros(0) + Duration::MAX, latest);
        assert_eq!(Timestamp::from_micros(i64::MIN).before(Duration::MAX), Timestamp::from_micros(i64::MIN));
    }

    #[test]
    fn floor_is_the_start_of_the_period() {
        let day = Duration::from_secs(86_400);
        for (seconds, start) in [(0, 0), (86_399, 0), (86_400, 86_400), (-1, -86_400)] {
            assert_eq!(Timestamp::from_seconds(seconds).floor(day), Timestamp::from_seconds(start), "{seconds}");
        }
    }

    #[test]
    fn update_is_later_than_the_previous_one() {
        let (early, late) = (Timestamp::from_micros(5), Timestamp::from_micros(9));
        assert_eq!(late.later_than(early), late);
        assert_eq!(early.later_than(late), Timestamp::from_micros(10));
        assert_eq!(late.later_than(late), Timestamp::from_micros(10));
    }
}
