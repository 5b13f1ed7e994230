//! Which failures are kept: `INCIDENTS`.

use std::str::FromStr;

use contract::ErrorCode;

/// Classes of statuses, single statuses, and error codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureFilter {
    classes: Vec<u16>,
    statuses: Vec<u16>,
    codes: Vec<&'static str>,
}

/// What is wrong with a selection: a sentence without its subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither 4xx, 5xx, a status from 400 to 599, nor an error code such as EMAIL_TAKEN")]
pub struct InvalidCaptureFilter(String);

impl CaptureFilter {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an answer with this status and error code is kept.
    #[must_use]
    pub fn has(&self, status: u16, code: Option<&str>) -> bool {
        self.classes.contains(&(status / 100))
            || self.statuses.contains(&status)
            || code.is_some_and(|code| self.codes.contains(&code))
    }
}

impl FromStr for CaptureFilter {
    type Err = InvalidCaptureFilter;

    /// `off`, or a list of `5xx`, `4xx`, `409`, `EMAIL_TAKEN`, … between commas.
    fn from_str(text: &str) -> Result<Self, InvalidCaptureFilter> {
        let mut selection = Self::default();
        if text.eq_ignore_ascii_case("off") {
            return Ok(selection);
        }
        for word in text.split(',').map(str::trim) {
            let code = ErrorCode::ALL.iter().map(|code| code.as_str()).find(|code| *code == word);
            match (word.to_ascii_lowercase().as_str(), word.parse(), code) {
                ("4xx", ..) => selection.classes.push(4),
                ("5xx", ..) => selection.classes.push(5),
                (_, Ok(status @ 400..=599), _) => selection.statuses.push(status),
                (_, _, Some(code)) => selection.codes.push(code),
                _ => return Err(InvalidCaptureFilter(word.to_owned())),
            }
        }
        Ok(selection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_what_it_names() {
        let has = |text: &str, status, code| text.parse::<CaptureFilter>().unwrap().has(status, code);
        assert!(has("5xx", 500, None) && has("5xx", 503, Some("SERVICE_UNAVAILABLE")) && !has("5xx", 499, None));
        assert!(has("4XX, 5xx", 404, None) && has("4xx,5xx", 599, None) && !has("4xx,5xx", 302, None));
        assert!(has("409", 409, None) && !has("409", 410, None));
        assert!(has("5xx,EMAIL_TAKEN", 409, Some("EMAIL_TAKEN")) && !has("EMAIL_TAKEN", 409, Some("LAST_ADMIN")));
        assert!("off".parse::<CaptureFilter>().unwrap().is_empty() && !has("off", 500, None));
        for wrong in ["", "all", "5xx,", "200", "600", "email_taken", "5xx;4xx"] {
            assert!(wrong.parse::<CaptureFilter>().is_err(), "{wrong}");
        }
    }
}
