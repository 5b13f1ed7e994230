//! Differences between a response and its document. Received values are separate from the parts that may be logged.

use std::fmt;

/// A difference between a response and its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseViolation {
    /// The location: `status`, `header ETag`, `content type`, a JSON pointer into the body, or `line 3: /name`.
    pub place: String,
    /// The violated rule, without received values. The location is the subject of the sentence.
    pub problem: String,
    /// The received value, for tests. It may contain user data and must not be logged.
    sent: String,
}

impl ResponseViolation {
    pub(super) fn new(place: impl fmt::Display, problem: impl Into<String>) -> Self {
        Self { place: place.to_string(), problem: problem.into(), sent: String::new() }
    }

    /// Adds the received value.
    pub(super) fn but_is(mut self, sent: impl fmt::Display) -> Self {
        self.sent = format!(", but is {sent}");
        self
    }

    /// Adds a name from the response.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.sent = format!(": {name:?}");
        self
    }

    /// Returns the location with `*` for numbers, such as `/data/*/name`, to group equal violations.
    #[must_use]
    pub fn location_pattern(&self) -> String {
        let is_number = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
        let words = self.place.split(' ').map(|word| {
            let (word, colon) = word.strip_suffix(':').map_or((word, ""), |word| (word, ":"));
            let tokens: Vec<&str> = word.split('/').map(|token| if is_number(token) { "*" } else { token }).collect();
            tokens.join("/") + colon
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for ResponseViolation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}{}", self.place, self.problem, self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_values_are_only_in_the_displayed_text() {
        let drift = ResponseViolation::new("/data/0/name", "must be a string").but_is("7");
        assert_eq!(drift.to_string(), "/data/0/name must be a string, but is 7");
        assert_eq!((drift.place.as_str(), drift.problem.as_str()), ("/data/0/name", "must be a string"));
        assert_eq!(
            ResponseViolation::new("the CSV", "has a column twice").named("a").to_string(),
            "the CSV has a column twice: \"a\""
        );
    }

    #[test]
    fn equal_violations_of_rows_have_one_location_pattern() {
        for (place, kind) in [
            ("/data/12/name", "/data/*/name"),
            ("line 3: /tags/0", "line *: /tags/*"),
            ("line 3", "line *"),
            ("/v1/a2", "/v1/a2"),
            ("header ETag", "header ETag"),
            ("", ""),
        ] {
            assert_eq!(ResponseViolation::new(place, "is wrong").location_pattern(), kind);
        }
    }
}
