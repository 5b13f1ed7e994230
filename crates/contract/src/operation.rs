//! What an endpoint trait declares of an operation beyond poem-openapi's own attributes.

use chrono::NaiveDate;

use crate::ErrorCode;

/// The declaration of one operation; built by `#[operation(…)]` on the trait's method.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The operationId.
    pub id: &'static str,
    /// The errors of its own, besides those every operation of its kind can answer with.
    pub errors: &'static [ErrorCode],
    /// The rate limit that applies besides the caller's general one.
    pub limit: Limit,
    /// That it is going away, and when.
    pub deprecation: Option<Deprecation>,
    /// Whether its answers may be kept in memory until their caller writes something.
    pub is_cached: bool,
    /// Whether it may be made to depend on the state it changes (`If-Match`).
    pub is_conditional: bool,
    /// Whether it may be named, so that repeating it does nothing new (`Idempotency-Key`).
    pub is_idempotent: bool,
}

/// A rate limit by name; the numbers are configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Only the caller's general limit.
    #[default]
    General,
    /// Creating accounts, per address.
    Register,
    /// Proving who one is, per account and per address.
    Login,
    /// Continuing sessions, per address.
    Refresh,
    /// Asking for a password reset, per account and per address.
    PasswordReset,
    /// Searching, per caller.
    Search,
    /// Exporting, per caller.
    Exports,
}

/// The end of an operation, announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprecation {
    /// Since when nobody should begin to use it.
    pub since: NaiveDate,
    /// From when on it is gone.
    pub sunset: NaiveDate,
    /// The path template of what takes its place: `/v2/bucketlists/{bucketlist_id}/items`.
    pub successor: &'static str,
}

/// A day as the traits spell it: year, month, day.
pub type Day = (i32, u32, u32);

impl Operation {
    /// An operation with nothing declared.
    #[must_use]
    pub const fn new(id: &'static str) -> Self {
        Self {
            id,
            errors: &[],
            limit: Limit::General,
            deprecation: None,
            is_cached: false,
            is_conditional: false,
            is_idempotent: false,
        }
    }

    /// Declares errors of its own.
    #[must_use]
    pub const fn errors(mut self, errors: &'static [ErrorCode]) -> Self {
        self.errors = errors;
        self
    }

    /// Declares a rate limit of its own.
    #[must_use]
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// Declares since when it is deprecated, when it ends, and what takes its place.
    #[must_use]
    pub const fn deprecated(mut self, since: Day, sunset: Day, successor: &'static str) -> Self {
        self.deprecation = Some(Deprecation { since: date(since), sunset: date(sunset), successor });
        self
    }

    /// Declares that its answers depend on nothing but the request and the caller's own data, so that they may be kept.
    #[must_use]
    pub const fn cached(mut self) -> Self {
        self.is_cached = true;
        self
    }

    /// Declares that it takes `If-Match`.
    #[must_use]
    pub const fn conditional(mut self) -> Self {
        self.is_conditional = true;
        self
    }

    /// Declares that it takes an `Idempotency-Key`.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }
}

/// A day that no calendar has becomes one that no trait means; a test looks for it.
const fn date((year, month, day): Day) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

impl Deprecation {
    /// The `Deprecation` field: a date as `@` and seconds since 1970 (RFC 9745).
    #[must_use]
    pub fn deprecation_header(&self) -> String {
        format!("@{}", midnight(self.since))
    }

    /// The `Sunset` field: an HTTP-date (RFC 8594).
    #[must_use]
    pub fn sunset_header(&self) -> String {
        self.sunset.format("%a, %d %b %Y 00:00:00 GMT").to_string()
    }

    /// Whether it is gone at this instant, in seconds since 1970.
    #[must_use]
    pub fn is_past_sunset(&self, now: i64) -> bool {
        now >= midnight(self.sunset)
    }

    /// The sentence the document adds to the operation's description.
    #[must_use]
    pub fn notice(&self) -> String {
        format!(
            "Deprecated since {}: use `{}`. From {} on it answers 410 `GONE`.",
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
    fn a_deprecation_is_spelled_as_the_standards_say() {
        let operation = Operation::new("x").deprecated((2026, 11, 20), (2027, 11, 20), "/v2/x");
        let deprecation = operation.deprecation.unwrap();
        assert_eq!(deprecation.deprecation_header(), "@1795132800");
        assert_eq!(deprecation.sunset_header(), "Sat, 20 Nov 2027 00:00:00 GMT");
        assert!(!deprecation.is_past_sunset(1_826_668_799));
        assert!(deprecation.is_past_sunset(1_826_668_800));
    }
}
