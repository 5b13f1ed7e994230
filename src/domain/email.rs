//! Email addresses, compared without case.

use unicode_normalization::UnicodeNormalization;

/// An address that mail can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    address: String,
    key: String,
}

/// The text is no email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an email address")]
pub struct InvalidEmail;

impl Email {
    /// Takes an address that the contract's `format: email` takes. Whether mail arrives is for mail to find out.
    ///
    /// # Errors
    /// [`InvalidEmail`].
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let address: String = text.trim().nfc().collect();
        if !document::is_email(&address) {
            return Err(InvalidEmail);
        }
        let key = address.to_lowercase();
        Ok(Self { address, key })
    }

    /// The address as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address in lower case: what is compared.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.address.rsplit_once('@').map_or(&self.address, |(local, _)| local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_text() {
        for good in ["a@b.c", "Ada.Lovelace+list@example.co.uk", "é@exämple.org"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in ["", "a", "a@", "@b.c", "a@b", "a@b..c", "a@@b.c", "a b@c.d", "a\u{0}@b.c", "a@b.", &long] {
            assert_eq!(Email::parse(bad), Err(InvalidEmail), "{bad}");
        }
    }

    #[test]
    fn addresses_compare_without_case() {
        let (upper, lower) = (Email::parse("Demo@Example.COM"), Email::parse("demo@example.com"));
        assert_eq!(upper.map(|email| email.key), lower.map(|email| email.key));
    }
}
