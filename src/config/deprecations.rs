//! Parses the settings of deprecated operations.

use std::time::Duration;

use contract::{operation::Deprecation, v1, v2};

use super::{Environment, parse::VariableParser};
use crate::domain::{Brownout, Timestamp};

/// Deprecated operations.
#[derive(Clone, Debug)]
pub struct DeprecationSettings {
    /// Periods in which deprecated operations return 410.
    pub brownouts: Vec<Brownout>,
    /// Whether consumers of deprecated operations are notified by email.
    pub sends_notices: bool,
    /// URL of the migration guide.
    pub guide: Option<String>,
}

/// Maximum duration of a brownout.
const MAX_DURATION: Duration = Duration::from_secs(86_400);

impl VariableParser<'_> {
    pub(super) fn parse_deprecations(&mut self, environment: Environment) -> DeprecationSettings {
        DeprecationSettings {
            brownouts: self.parse_brownouts("BROWNOUTS"),
            sends_notices: self.parse_boolean("DEPRECATION_NOTICES"),
            guide: self.parse_https_url("DEPRECATION_GUIDE", environment),
        }
    }

    /// Parses `OPERATION@START/DURATION`, separated by commas.
    fn parse_brownouts(&mut self, name: &'static str) -> Vec<Brownout> {
        let mut brownouts = Vec::new();
        for text in self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match parse_brownout(text) {
                Ok(brownout) => brownouts.push(brownout),
                Err(problem) => self.add_error(name, format!("`{text}` {problem}")),
            }
        }
        brownouts
    }
}

fn parse_brownout(text: &str) -> Result<Brownout, String> {
    let parts = text.split_once('@').and_then(|(operation, window)| Some((operation, window.split_once('/')?)));
    let Some((operation, (start, duration))) = parts else {
        return Err("is not OPERATION@START/DURATION, such as listItems@2027-01-10T12:00:00Z/PT1H".to_owned());
    };
    let deprecated: Vec<(&str, Deprecation)> = v1::document::operations()
        .chain(v2::document::operations())
        .filter_map(|operation| Some((operation.id, operation.deprecation?)))
        .collect();
    let Some((_, deprecation)) = deprecated.iter().find(|(id, _)| *id == operation) else {
        let mut ids: Vec<&str> = deprecated.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        return Err(format!("does not start with a deprecated operation: {}", ids.join(", ")));
    };
    let start = contract::values::Timestamp::parse(start)
        .map_err(|_| format!("starts at `{start}`, which is not a time such as 2027-01-10T12:00:00Z"))?;
    let duration = parse_iso_8601_duration(duration)
        .filter(|duration| !duration.is_zero() && *duration <= MAX_DURATION)
        .ok_or_else(|| format!("lasts `{duration}`, which is not a duration from PT1S to PT24H"))?;
    let starts_at = Timestamp::from_micros(start.micros());
    let brownout = Brownout { operation: operation.to_owned(), starts_at, duration };
    if brownout.ends_at() > Timestamp::from_seconds(deprecation.sunset_seconds()) {
        return Err(format!("ends after the sunset of {operation} on {}", deprecation.sunset));
    }
    Ok(brownout)
}

/// Parses the hours, minutes and seconds of an ISO 8601 duration: `PT1H30M`.
fn parse_iso_8601_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix("PT").filter(|rest| !rest.is_empty())?;
    let mut seconds: u64 = 0;
    for (unit, length) in [('H', 3_600), ('M', 60), ('S', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            if !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(length)?)?;
            rest = after;
        }
    }
    rest.is_empty().then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_hours_minutes_and_seconds() {
        for (text, seconds) in [
            ("PT1H", Some(3_600)),
            ("PT1H30M", Some(5_400)),
            ("PT90M", Some(5_400)),
            ("PT1M1S", Some(61)),
            ("PT", None),
            ("P1D", None),
            ("PT1", None),
            ("PTH", None),
            ("PT1S1H", None),
            ("PT-1H", None),
            ("PT+1H", None),
            ("1h", None),
            ("PT99999999999999999999S", None),
        ] {
            assert_eq!(parse_iso_8601_duration(text), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn brownout_is_a_window_of_a_deprecated_operation() {
        let parsed = parse_brownout("listItems@2027-01-10T13:00:00+01:00/PT1H").unwrap();
        assert_eq!(parsed.starts_at, Timestamp::from_seconds(1_799_582_400));
        assert_eq!((parsed.operation.as_str(), parsed.duration), ("listItems", Duration::from_secs(3_600)));
        for (text, problem) in [
            ("listItems", "is not OPERATION@START/DURATION"),
            ("listItems@2027-01-10T12:00:00Z", "is not OPERATION@START/DURATION"),
            ("getItem@2027-01-10T12:00:00Z/PT1H", "deprecated operation: listBucketlists, listItems, listUsers"),
            ("listItems@2027-01-10/PT1H", "starts at `2027-01-10`"),
            ("listItems@2027-01-10T12:00:00Z/PT25H", "lasts `PT25H`"),
            ("listItems@2027-11-19T23:30:00Z/PT1H", "ends after the sunset of listItems on 2027-11-20"),
        ] {
            let error = parse_brownout(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
