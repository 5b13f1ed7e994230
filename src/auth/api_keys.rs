//! Keys of API clients: `blk_<prefix>_<random><checksum>`.
//!
//! The prefix finds the stored digest of the key. The random part has 256 bits. The checksum, as in the tokens of other services,
//! lets secret scanners recognize a key without asking the server, and rejects mistyped keys without a query.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::digest;
use crate::{db::repositories::api_clients::NewKey, domain::Random};

/// The prefix of every key.
const SCHEME: &str = "blk_";
/// Number of characters of the public part.
const PREFIX_LENGTH: usize = 8;
/// Number of random characters: 62^43 is more than 2^256.
const RANDOM_LENGTH: usize = 43;
/// Number of characters of a CRC-32 in base 62.
const CHECKSUM_LENGTH: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key in the correct format. It may be unknown, expired or revoked.
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// Omits the key, except for its public part.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({SCHEME}{}_…)", self.prefix())
    }
}

impl ApiKey {
    /// Generates a key.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let prefix = random_text(random, PREFIX_LENGTH);
        let body = format!("{SCHEME}{prefix}_{}", random_text(random, RANDOM_LENGTH));
        let checksum = checksum(&body);
        Self(format!("{body}{checksum}").into())
    }

    /// Returns whether the text begins like a key.
    #[must_use]
    pub fn is_recognized(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Parses a key. Returns `None` if the format or the checksum is wrong.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, rest) = text.strip_prefix(SCHEME)?.split_once('_')?;
        let is_base62 = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if prefix.len() != PREFIX_LENGTH || rest.len() != RANDOM_LENGTH + CHECKSUM_LENGTH {
            return None;
        }
        if !is_base62(prefix) || !is_base62(rest) {
            return None;
        }
        let (body, claimed) = text.split_at(text.len() - CHECKSUM_LENGTH);
        (checksum(body) == claimed).then(|| Self(text.to_owned().into()))
    }

    /// Returns the public part, by which the key is found.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0.expose_secret()[SCHEME.len()..SCHEME.len() + PREFIX_LENGTH]
    }

    /// Returns the digest that is stored.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        digest(self.0.expose_secret())
    }

    /// Returns the form that is stored.
    #[must_use]
    pub fn to_stored(&self) -> NewKey {
        NewKey { prefix: self.prefix().to_owned(), digest: self.digest() }
    }

    /// Returns whether this key has the stored digest. The time does not depend on the digest.
    #[must_use]
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.digest().ct_eq(stored).into()
    }

    /// Returns the key, to show it once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Returns random characters of the alphabet, each with the same probability.
fn random_text(random: &dyn Random, length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // Six bits have two values too many.
        let characters = random.secret().into_iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
        text.extend(characters.take(length - text.len()).map(|character| char::from(*character)));
    }
    text
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{SeededRandom, SystemRandom};

    #[test]
    fn generated_keys_are_valid_and_distinct() {
        let (first, second) = (ApiKey::generate(&SystemRandom), ApiKey::generate(&SystemRandom));
        assert_ne!(first.expose(), second.expose());
        let parsed = ApiKey::parse(first.expose()).unwrap();
        assert_eq!((parsed.prefix(), parsed.digest()), (first.prefix(), first.digest()));
        assert!(parsed.matches(&first.digest()) && !parsed.matches(&second.digest()) && !parsed.matches(b""));
        assert_eq!(format!("{first:?}"), format!("ApiKey(blk_{}_…)", first.prefix()));
    }

    #[test]
    fn format_of_released_keys_does_not_change() {
        let key = ApiKey::generate(&SeededRandom::new(7));
        assert_eq!(key.expose().len(), 62);
        assert_eq!(checksum("blk_abc"), "1LZMtf");
    }

    #[test]
    fn malformed_and_mistyped_keys_are_rejected() {
        let key = ApiKey::generate(&SeededRandom::new(7)).expose().to_owned();
        let swapped = if key.ends_with('0') { "1" } else { "0" };
        for text in [
            String::new(),
            "blk_".to_owned(),
            key[..61].to_owned(),
            format!("{key}0"),
            format!("{}{swapped}", &key[..61]),
            key.replacen("blk_", "BLK_", 1),
            key.replacen("blk_", "blk-", 1),
            format!("{}é{}", &key[..20], &key[22..]),
            format!("{}_{}", &key[..20], &key[21..]),
        ] {
            assert!(ApiKey::parse(&text).is_none(), "{text}");
        }
        assert!(ApiKey::is_recognized(&key) && !ApiKey::is_recognized("eyJhbGciOi"));
    }
}
