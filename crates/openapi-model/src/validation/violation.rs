//! What can be wrong with a request, in words for its sender. Owns the codes; knows no schema.

use std::collections::HashSet;
use std::fmt;

/// No more violations than this are reported at once: a small request must not cause a huge answer.
pub const MAX_VIOLATIONS: usize = 1000;

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where.
    pub location: Location,
    /// What, for programs.
    pub code: ViolationCode,
    /// What, for people: a sentence without its subject, such as "must have at most 100 characters".
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.location, self.message)
    }
}

/// The part of a request that a violation is about.
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
        /// What is wrong, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ViolationCode { $($(#[$doc])* $name,)* }

        impl ViolationCode {
            /// Every code there is.
            pub const ALL: &'static [ViolationCode] = &[$(ViolationCode::$name,)*];

            /// The code as it is published.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(ViolationCode::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// Something that must be there is not.
    Required = "REQUIRED",
    /// A field of the body that the schema does not have.
    UnknownField = "UNKNOWN_FIELD",
    /// A query parameter that the operation does not have.
    UnknownParameter = "UNKNOWN_PARAMETER",
    /// A parameter with one value, given more than once.
    Repeated = "REPEATED",
    /// Another type of value is needed; null where it is not allowed, too.
    WrongType = "WRONG_TYPE",
    /// Text with too few characters.
    TooShort = "TOO_SHORT",
    /// Text with too many characters.
    TooLong = "TOO_LONG",
    /// A number below its minimum.
    TooSmall = "TOO_SMALL",
    /// A number above its maximum.
    TooLarge = "TOO_LARGE",
    /// An array or object with too few members.
    TooFew = "TOO_FEW",
    /// An array or object with too many members.
    TooMany = "TOO_MANY",
    /// The same item twice where each must be unique.
    NotUnique = "NOT_UNIQUE",
    /// Text that does not have the form it must have: a date, an email address, a pattern.
    InvalidFormat = "INVALID_FORMAT",
    /// Text with control characters, U+0000 or bytes that are not UTF-8.
    InvalidCharacters = "INVALID_CHARACTERS",
    /// A value that is not one of those allowed.
    NotAllowed = "NOT_ALLOWED",
}

impl fmt::Display for ViolationCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Collects violations: one per location and code, never more than [`MAX_VIOLATIONS`].
#[derive(Default)]
pub(crate) struct Violations {
    list: Vec<Violation>,
    seen: HashSet<(Location, ViolationCode)>,
    places: HashSet<Location>,
}

impl Violations {
    pub(crate) fn push(&mut self, location: Location, code: ViolationCode, message: impl Into<String>) {
        if self.list.len() < MAX_VIOLATIONS && self.seen.insert((location.clone(), code)) {
            self.places.insert(location.clone());
            self.list.push(Violation { location, code, message: message.into() });
        }
    }

    /// Whether anything is wrong at `location` already.
    pub(crate) fn has(&self, location: &Location) -> bool {
        self.places.contains(location)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_VIOLATIONS
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
    fn one_violation_per_place_and_code() {
        let mut violations = Violations::default();
        let place = Location::Body("/a".to_owned());
        violations.push(place.clone(), ViolationCode::TooLong, "1");
        violations.push(place.clone(), ViolationCode::TooLong, "2");
        violations.push(place.clone(), ViolationCode::WrongType, "3");
        assert!(violations.has(&place));
        let messages: Vec<_> = violations.into_vec().into_iter().map(|v| v.message).collect();
        assert_eq!(messages, ["1", "3"]);
    }
}
