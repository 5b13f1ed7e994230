//! The setting `INCIDENTS`: which failures are captured.

use std::{fmt, str::FromStr};

use contract::ErrorCode;

/// Status classes, statuses and error codes of the failures to capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureFilter {
    classes: Vec<u16>,
    statuses: Vec<u16>,
    codes: Vec<&'static str>,
}

/// A value of `INCIDENTS` is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not 4xx, 5xx, a status from 400 to 599, or an error code such as EMAIL_TAKEN")]
pub struct InvalidCaptureFilter(String);

impl CaptureFilter {
    /// Whether nothing is captured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a response with this status and error code is captured.
    #[must_use]
    pub fn matches(&self, status: u16, code: Option<&str>) -> bool {
        self.classes.contains(&(status / 100))
            || self.statuses.contains(&status)
            || code.is_some_and(|code| self.codes.contains(&code))
    }
}

/// The value of the setting.
impl fmt::Display for CaptureFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("off");
        }
        let classes = self.classes.iter().map(|class| format!("{class}xx"));
        let statuses = self.statuses.iter().map(u16::to_string);
        let codes = self.codes.iter().map(|code| (*code).to_owned());
        f.write_str(&classes.chain(statuses).chain(codes).collect::<Vec<_>>().join(", "))
    }
}

impl FromStr for CaptureFilter {
    type Err = InvalidCaptureFilter;

    /// Parses `off`, or a comma-separated list such as `5xx,409,EMAIL_TAKEN`.
    fn from_str(text: &str) -> Result<Self, InvalidCaptureFilter> {
        let (mut filter, mut invalid) = (Self::default(), Vec::new());
        if text.eq_ignore_ascii_case("off") {
            return Ok(filter);
        }
        for word in text.split(',').map(str::trim) {
            let code = ErrorCode::ALL.iter().map(|code| code.as_str()).find(|code| *code == word);
            match (word.to_ascii_lowercase().as_str(), word.parse(), code) {
                ("4xx", ..) => filter.classes.push(4),
                ("5xx", ..) => filter.classes.push(5),
                (_, Ok(status @ 400..=599), _) => filter.statuses.push(status),
                (_, _, Some(code)) => filter.codes.push(code),
                _ => invalid.push(format!("`{word}`")),
            }
        }
        if invalid.is_empty() { Ok(filter) } else { Err(InvalidCaptureFilter(invalid.join(" or "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_invalid_elements_are_reported() {
        let error = "foo,5xx,6xx,200".parse::<CaptureFilter>().unwrap_err().to_string();
        assert!(error.starts_with("`foo` or `6xx` or `200` is not 4xx, 5xx, a status"), "{error}");
    }

    #[test]
    fn text_of_a_filter_is_the_same_filter() {
        for text in ["off", "5xx", "4xx, 503, EMAIL_TAKEN"] {
            let filter: CaptureFilter = text.parse().unwrap();
            assert_eq!(filter.to_string(), text);
        }
    }

    #[test]
    fn filter_matches_classes_statuses_and_codes() {
        let matches = |text: &str, status, code| text.parse::<CaptureFilter>().unwrap().matches(status, code);
        assert!(matches("5xx", 500, None) && matches("5xx", 503, Some("SERVICE_UNAVAILABLE")));
        assert!(!matches("5xx", 499, None));
        assert!(matches("4XX, 5xx", 404, None) && matches("4xx,5xx", 599, None) && !matches("4xx,5xx", 302, None));
        assert!(matches("409", 409, None) && !matches("409", 410, None));
        assert!(matches("5xx,EMAIL_TAKEN", 409, Some("EMAIL_TAKEN")));
        assert!(!matches("EMAIL_TAKEN", 409, Some("LAST_ADMIN")));
        assert!("off".parse::<CaptureFilter>().unwrap().is_empty() && !matches("off", 500, None));
        for invalid in ["", "all", "5xx,", "200", "600", "email_taken", "5xx;4xx"] {
            assert!(invalid.parse::<CaptureFilter>().is_err(), "{invalid}");
        }
    }
}
