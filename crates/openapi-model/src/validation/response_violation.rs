//! What in a response the document does not say. Owns the words; keeps what was sent apart from what may be logged.

use std::fmt;

/// One difference between a response and its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseViolation {
    /// Where: `status`, `header ETag`, `content type`, a JSON pointer into the body, `line 3: /name`.
    pub place: String,
    /// What is wrong there: a sentence without its subject, of the document's words only.
    pub problem: String,
    /// What was sent, to end the sentence with. It may be somebody's data: for tests, never for a log.
    sent: String,
}

impl ResponseViolation {
    pub(super) fn new(place: impl fmt::Display, problem: impl Into<String>) -> Self {
        Self { place: place.to_string(), problem: problem.into(), sent: String::new() }
    }

    /// Adds what is there instead.
    pub(super) fn but_is(mut self, sent: impl fmt::Display) -> Self {
        self.sent = format!(", but is {sent}");
        self
    }

    /// Adds the name it is about, which is of the response's making.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.sent = format!(": {name:?}");
        self
    }

    /// The place without the numbers in it, so that the same mistake in each row of a page is one: `/data/*/name`.
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
    fn what_was_sent_is_in_the_sentence_and_nowhere_else() {
        let drift = ResponseViolation::new("/data/0/name", "must be a string").but_is("7");
        assert_eq!(drift.to_string(), "/data/0/name must be a string, but is 7");
        assert_eq!((drift.place.as_str(), drift.problem.as_str()), ("/data/0/name", "must be a string"));
        assert_eq!(
            ResponseViolation::new("the CSV", "has a column twice").named("a").to_string(),
            "the CSV has a column twice: \"a\""
        );
    }

    #[test]
    fn the_same_mistake_in_each_row_is_of_one_kind() {
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
