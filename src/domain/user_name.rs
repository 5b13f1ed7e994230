//! Names of users.

use unicode_normalization::UnicodeNormalization;

use super::invisible::is_blank;

/// Maximum number of characters of a name.
const MAX_CHARACTERS: usize = 100;

/// The name of a user: one line of 1 to 100 characters, trimmed and in Unicode normal form C.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

/// The reason why a text is not a valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserName {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most 100 characters")]
    TooLong,
    #[error("must not contain control characters or line breaks")]
    ControlCharacter,
}

impl UserName {
    /// Normalizes and checks a name, with the rules that the API has for the field `name`.
    ///
    /// # Errors
    /// [`InvalidUserName`].
    pub fn parse(text: &str) -> Result<Self, InvalidUserName> {
        if text.chars().any(|character| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')) {
            return Err(InvalidUserName::ControlCharacter);
        }
        let name: String = text.nfc().collect::<String>().trim().to_owned();
        match name.chars().count() {
            _ if is_blank(&name) => Err(InvalidUserName::Empty),
            1..=MAX_CHARACTERS => Ok(Self(name)),
            _ => Err(InvalidUserName::TooLong),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_trimmed_and_normalized() {
        let name = |text: &str| UserName::parse(text).map(|name| name.0);
        assert_eq!(name("  Zu\u{308}rich\u{a0}"), Ok("Zürich".to_owned()));
        assert_eq!(name(&"é".repeat(100)), Ok("é".repeat(100)));
    }

    #[test]
    fn invalid_names_are_rejected() {
        for (text, error) in [
            ("", InvalidUserName::Empty),
            (" \u{3000}", InvalidUserName::Empty),
            ("\u{2060}\u{feff}", InvalidUserName::Empty),
            (" \u{3164} ", InvalidUserName::Empty),
            (&*"x".repeat(101), InvalidUserName::TooLong),
            ("Ada\nL.", InvalidUserName::ControlCharacter),
            ("Ada\0", InvalidUserName::ControlCharacter),
            ("Ada\u{85}", InvalidUserName::ControlCharacter),
            ("Ada\u{2028}L.", InvalidUserName::ControlCharacter),
            ("Ada\u{2029}L.", InvalidUserName::ControlCharacter),
        ] {
            assert_eq!(UserName::parse(text), Err(error), "{text:?}");
        }
    }
}
