//! Violations of a request, with their codes and messages.

use std::collections::HashSet;
use std::fmt;

/// A violation of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The location of the invalid value.
    pub location: Location,
    /// The code of the violated rule.
    pub code: ViolationCode,
    /// A sentence without its subject, such as "must have at most 100 characters".
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.location, self.message)
    }
}

/// The location of a violation in a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// JSON pointer into the body; empty for the whole body.
    Body(String),
    /// Name of a query parameter.
    Query(String),
    /// Name of a path parameter.
    Path(String),
    /// Name of a header.
    Header(String),
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Body(pointer) if pointer.is_empty() => out.write_str("the body"),
            Location::Body(pointer) => out.write_str(pointer),
            Location::Query(name) => write!(out, "query parameter {name}"),
            Location::Path(name) => write!(out, "path parameter {name}"),
            Location::Header(name) => write!(out, "header {name}"),
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The code of a violated rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ViolationCode { $($(#[$doc])* $name,)* }

        impl ViolationCode {
            /// All codes.
            pub const ALL: &'static [ViolationCode] = &[$(ViolationCode::$name,)*];

            /// Returns the published code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(ViolationCode::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// A required value is missing.
    Required = "REQUIRED",
    /// The schema does not have this field of the body.
    UnknownField = "UNKNOWN_FIELD",
    /// The operation does not have this query parameter.
    UnknownParameter = "UNKNOWN_PARAMETER",
    /// A parameter that accepts one value was sent more than once.
    Repeated = "REPEATED",
    /// The value has the wrong type, or is null and must not be.
    WrongType = "WRONG_TYPE",
    /// The text has too few characters.
    TooShort = "TOO_SHORT",
    /// The text has too many characters.
    TooLong = "TOO_LONG",
    /// The number is below its minimum.
    TooSmall = "TOO_SMALL",
    /// The number is above its maximum.
    TooLarge = "TOO_LARGE",
    /// The array or object has too few members.
    TooFew = "TOO_FEW",
    /// The array or object has too many members.
    TooMany = "TOO_MANY",
    /// The array contains an item more than once.
    NotUnique = "NOT_UNIQUE",
    /// The text does not have the required format, such as a date, an email address or a pattern.
    InvalidFormat = "INVALID_FORMAT",
    /// The text has control characters other than allowed line breaks and tabs, or is not valid UTF-8.
    InvalidCharacters = "INVALID_CHARACTERS",
    /// The value is not one of the allowed values.
    NotAllowed = "NOT_ALLOWED",
}

impl fmt::Display for ViolationCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A list of violations: one per location and code, up to a maximum number.
pub(crate) struct Violations {
    max: usize,
    list: Vec<Violation>,
    seen: HashSet<(Location, ViolationCode)>,
    places: HashSet<Location>,
}

impl Violations {
    pub(crate) fn new(max: usize) -> Self {
        Violations { max, list: Vec::new(), seen: HashSet::new(), places: HashSet::new() }
    }

    pub(crate) fn push(&mut self, location: Location, code: ViolationCode, message: impl Into<String>) {
        if self.list.len() < self.max && self.seen.insert((location.clone(), code)) {
            self.places.insert(location.clone());
            self.list.push(Violation { location, code, message: message.into() });
        }
    }

    /// Returns whether a violation at `location` was reported.
    pub(crate) fn has(&self, location: &Location) -> bool {
        self.places.contains(location)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= self.max
    }

    pub(crate) fn into_vec(self) -> Vec<Violation> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn codes_are_distinct_and_spelled_as_published() {
        let texts: HashSet<_> = ViolationCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ViolationCode::ALL.len());
        let spelled = |text: &&str| text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        assert!(texts.iter().all(spelled));
    }

    #[test]
    fn violations_are_unique_per_location_and_code() {
        let mut violations = Violations::new(10);
        let place = Location::Body("/a".to_owned());
        violations.push(place.clone(), ViolationCode::TooLong, "1");
        violations.push(place.clone(), ViolationCode::TooLong, "2");
        violations.push(place.clone(), ViolationCode::WrongType, "3");
        assert!(violations.has(&place));
        let messages: Vec<_> = violations.into_vec().into_iter().map(|v| v.message).collect();
        assert_eq!(messages, ["1", "3"]);
    }
}
