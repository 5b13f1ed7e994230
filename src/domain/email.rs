//! Email addresses. The comparison is case-insensitive.

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

/// Maximum length of an address in SMTP.
const MAX_LENGTH: usize = 254;

/// A syntactically valid email address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    address: String,
    key: String,
}

/// The text is not an email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an email address")]
pub struct InvalidEmail;

impl Email {
    /// Accepts the addresses that `format: email` of the contract accepts. Does not check whether mail can be delivered.
    ///
    /// # Errors
    /// [`InvalidEmail`].
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let address: String = text.trim().nfc().collect();
        if !is_email(&address) {
            return Err(InvalidEmail);
        }
        let key = address.to_lowercase();
        Ok(Self { address, key })
    }

    /// Returns the address as the client wrote it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the address in lower case, for comparisons.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.address.rsplit_once('@').map_or(&self.address, |(local, _)| local)
    }
}

/// Applies the same rule as `format: email` in request bodies (a test compares them).
fn is_email(text: &str) -> bool {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let is_forbidden = |c: char| c.is_control() || c.is_whitespace() || c == '"' || is_invisible(c);
    text.chars().count() <= MAX_LENGTH
        && !text.contains(is_forbidden)
        && EmailAddress::parse_with_options(text, options).is_ok()
}

/// Returns whether a character has no width or changes the direction of writing.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: [&str; 3] = ["a@b.c", "Ada.Lovelace+list@example.co.uk", "é@exämple.org"];
    const INVALID: [&str; 12] = [
        "",
        "a",
        "a@",
        "@b.c",
        "a@b",
        "a@b..c",
        "a@@b.c",
        "a b@c.d",
        "a\u{0}@b.c",
        "a@b.",
        "a\u{200B}@b.c",
        "\"a\"@b.c",
    ];

    #[test]
    fn valid_addresses_are_accepted_and_others_rejected() {
        for text in VALID {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for text in INVALID.into_iter().chain([long.as_str()]) {
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text}");
        }
    }

    #[test]
    fn rule_agrees_with_the_format_of_the_contract() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in VALID.into_iter().chain(INVALID).chain([long.as_str()]) {
            assert_eq!(is_email(text), openapi_model::is_email(text), "{text}");
        }
    }

    #[test]
    fn addresses_compare_without_case() {
        let (upper, lower) = (Email::parse("Demo@Example.COM"), Email::parse("demo@example.com"));
        assert_eq!(upper.map(|email| email.key), lower.map(|email| email.key));
    }
}
