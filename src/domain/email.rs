//! Email addresses. The comparison is case-insensitive, and `bücher.example` equals `xn--bcher-kva.example`.

use email_address::{EmailAddress, Options};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use super::invisible::is_invisible;

/// Maximum length of an address in SMTP.
const MAX_LENGTH: usize = 254;

/// A syntactically valid email address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    address: String,
    smtp_address: String,
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
        let smtp_address = to_ascii_domain(&address).ok_or(InvalidEmail)?;
        let key = smtp_address.to_lowercase();
        Ok(Self { address, smtp_address, key })
    }

    /// Returns the address as the client wrote it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the address with its domain in Punycode, because mail servers without SMTPUTF8 accept no other.
    #[must_use]
    pub fn smtp_address(&self) -> &str {
        &self.smtp_address
    }

    /// Returns the address in lower case with its domain in Punycode, for comparisons.
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

/// Applies the same rule as `format: email` in request bodies (a test compares them). Returns the address with its domain in
/// Punycode, if it is valid.
fn to_ascii_domain(text: &str) -> Option<String> {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let is_forbidden = |c: char| c.is_control() || c.is_whitespace() || c == '"' || is_invisible(c);
    if text.contains(is_forbidden) || EmailAddress::parse_with_options(text, options).is_err() {
        return None;
    }
    let (local, domain) = text.rsplit_once('@')?;
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Verify);
    let address = format!("{local}@{}", ascii.ok()?);
    (text.chars().count().max(address.chars().count()) <= MAX_LENGTH).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: [&str; 4] = ["a@b.c", "Ada.Lovelace+list@example.co.uk", "é@exämple.org", "a@xn--bcher-kva.example"];
    const INVALID: [&str; 15] = [
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
        "a@xn--a.example",
        "a\u{3164}@b.c",
        "a@\u{3164}.example",
    ];

    #[test]
    fn valid_addresses_are_accepted_and_others_rejected() {
        for text in VALID {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        // In Punycode, a label has at most 63 characters.
        let long_label = format!("a@{}.example", "ü".repeat(62));
        for text in INVALID.into_iter().chain([long.as_str(), &long_label]) {
            assert_eq!(openapi_model::is_email(text), Email::parse(text).is_ok(), "{text}");
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text}");
        }
    }

    #[test]
    fn rule_agrees_with_the_format_of_the_contract() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in VALID.into_iter().chain(INVALID).chain([long.as_str()]) {
            assert_eq!(to_ascii_domain(text).is_some(), openapi_model::is_email(text), "{text}");
        }
    }

    #[test]
    fn addresses_compare_without_case() {
        let (upper, lower) = (Email::parse("Demo@Example.COM"), Email::parse("demo@example.com"));
        assert_eq!(upper.map(|email| email.key), lower.map(|email| email.key));
    }

    #[test]
    fn unicode_and_punycode_domains_are_equal() {
        for text in
            ["Ada@Bücher.example", "ada@BÜCHER.EXAMPLE", "ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example"]
        {
            let email = Email::parse(text).unwrap();
            assert_eq!(email.key(), "ada@xn--bcher-kva.example", "{text}");
            assert!(email.smtp_address().ends_with("da@xn--bcher-kva.example"), "{text}");
        }
        // The local part is the concern of its mail server.
        assert_eq!(Email::parse("É@exämple.org").unwrap().smtp_address(), "É@xn--exmple-cua.org");
    }
}
