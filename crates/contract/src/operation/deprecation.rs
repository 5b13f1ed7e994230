//! Deprecation and sunset of operations.

use chrono::NaiveDate;

/// Deprecation and sunset of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprecation {
    /// First day on which the operation is deprecated.
    pub since: NaiveDate,
    /// First day on which the operation returns 410.
    pub sunset: NaiveDate,
    /// Path template of the successor: `/v2/bucketlists/{bucketlist_id}/items`.
    pub successor: &'static str,
}

/// Year, month and day.
pub type Day = (i32, u32, u32);

/// Creates a date. An invalid date is a compile error, because declarations are constants.
#[expect(clippy::panic, reason = "evaluated at compile time")]
pub(super) const fn date((year, month, day): Day) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => panic!("invalid date"),
    }
}

impl Deprecation {
    /// Returns the `Deprecation` header: `@` and seconds since 1970 (RFC 9745).
    #[must_use]
    pub fn deprecation_header(&self) -> String {
        format!("@{}", self.since_seconds())
    }

    /// Returns the `Sunset` header: an HTTP date (RFC 8594).
    #[must_use]
    pub fn sunset_header(&self) -> String {
        self.sunset.format("%a, %d %b %Y 00:00:00 GMT").to_string()
    }

    /// Returns whether the sunset has passed at `now`, in seconds since 1970.
    #[must_use]
    pub fn is_past_sunset(&self, now: i64) -> bool {
        now >= self.sunset_seconds()
    }

    /// Returns the start of the first day on which the operation is deprecated, in seconds since 1970.
    #[must_use]
    pub fn since_seconds(&self) -> i64 {
        midnight(self.since)
    }

    /// Returns the start of the first day on which the operation returns 410, in seconds since 1970.
    #[must_use]
    pub fn sunset_seconds(&self) -> i64 {
        midnight(self.sunset)
    }

    /// Returns the sentence that the document adds to the description of the operation.
    #[must_use]
    pub fn notice(&self) -> String {
        format!(
            "Deprecated since {}: use `{}` instead. Returns 410 `GONE` from {}.",
            self.since, self.successor, self.sunset
        )
    }
}

fn midnight(date: NaiveDate) -> i64 {
    date.and_hms_opt(0, 0, 0).map_or(0, |time| time.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deprecation_headers_follow_the_rfcs() {
        let deprecation = Deprecation { since: date((2026, 11, 20)), sunset: date((2027, 11, 20)), successor: "/v2/x" };
        assert_eq!(deprecation.deprecation_header(), "@1795132800");
        assert_eq!(deprecation.sunset_header(), "Sat, 20 Nov 2027 00:00:00 GMT");
        assert!(!deprecation.is_past_sunset(1_826_668_799));
        assert!(deprecation.is_past_sunset(1_826_668_800));
    }
}
