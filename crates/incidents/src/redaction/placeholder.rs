//! Placeholders: text of the same shape as the value it replaces, so that the request fails in the same way.
//!
//! A placeholder has the length of the value in characters and in bytes. Letters replace letters of the same case, digits replace
//! digits, and everything else is unchanged. The same value always has the same placeholder, and without the key the value
//! cannot be recovered. Checks of account rules give the same result for both: email syntax, common passwords, and equality with
//! another text or the local part of an address, ignoring case.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use hkdf::Hkdf;
use hmac::{
    Hmac, Mac,
    digest::{Key, KeyInit},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use super::encoding::UNDECODABLE;

/// Maximum number of attempts to generate a candidate that passes the same checks as the value.
const MAX_ATTEMPTS: u8 = 16;

/// HKDF info of the key of placeholders.
const KEY_INFO: &[u8] = b"bucketlist/incidents/placeholders";

/// The passwords that the server rejects as too common.
#[derive(Clone, Copy, Debug)]
pub struct CommonPasswords {
    /// Whether the list contains a password in lower case.
    pub contains: fn(&str) -> bool,
    /// Returns the list, in lower case.
    pub list: fn() -> Vec<&'static str>,
}

/// Generates placeholders with a secret key.
#[derive(Clone)]
pub(super) struct PlaceholderGenerator {
    mac: Hmac<Sha256>,
    common: CommonPasswords,
    /// Common passwords by their [`shape`].
    common_by_shape: Arc<OnceLock<HashMap<String, Vec<&'static str>>>>,
}

/// Returns the shape of a text. Common passwords of the same shape can replace each other.
fn shape(text: &str) -> String {
    let class = |character: char| match character {
        'a'..='z' | 'A'..='Z' => 'a',
        '0'..='9' => '0',
        character if character.is_ascii() => character,
        // One representative for each UTF-8 length from 2 to 4.
        character => ['é', '山', '\u{1f400}'][character.len_utf8() - 2],
    };
    text.chars().map(class).collect()
}

impl PlaceholderGenerator {
    /// Derives the key from `secret`.
    pub(super) fn new(secret: &SecretString, common: CommonPasswords) -> Self {
        let mut key = Key::<Hmac<Sha256>>::default();
        let derived = Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes()).expand(KEY_INFO, &mut key);
        debug_assert!(derived.is_ok(), "HKDF-SHA256 expands to 64 bytes");
        Self { mac: <Hmac<Sha256> as KeyInit>::new(&key), common, common_by_shape: Arc::default() }
    }

    fn is_common(&self, password: &str) -> bool {
        (self.common.contains)(password)
    }

    fn common_by_shape(&self) -> &HashMap<String, Vec<&'static str>> {
        self.common_by_shape.get_or_init(|| {
            let mut by_shape = HashMap::<String, Vec<&'static str>>::new();
            for password in (self.common.list)() {
                by_shape.entry(shape(password)).or_default().push(password);
            }
            by_shape
        })
    }

    /// Returns the placeholder of a text.
    pub(super) fn for_text(&self, value: &[char]) -> Vec<char> {
        // The rules for accounts ignore surrounding whitespace.
        let is_visible = |character: &char| !character.is_whitespace();
        let (Some(start), Some(end)) = (value.iter().position(is_visible), value.iter().rposition(is_visible)) else {
            return value.to_vec();
        };
        let mut placeholder = value.to_vec();
        placeholder.splice(start..=end, self.for_trimmed(&value[start..=end]));
        placeholder
    }

    fn for_trimmed(&self, value: &[char]) -> Vec<char> {
        let text: String = value.iter().collect();
        if is_email(&text) {
            return self.for_email(value);
        }
        if let Some(common) = self.for_common_password(value, &text) {
            return common;
        }
        let is_valid = |candidate: &[char]| {
            let candidate: String = candidate.iter().collect();
            !is_email(&candidate) && !self.is_common(&candidate.to_lowercase())
        };
        self.first_valid("word", value, is_valid)
    }

    /// Replaces the local part as if it were a separate value. Reserved domains stay: they have no mailboxes.
    fn for_email(&self, value: &[char]) -> Vec<char> {
        let at = value.iter().rposition(|character| *character == '@').unwrap_or(0);
        let (local, domain) = value.split_at(at);
        let local_text: String = local.iter().collect();
        let domain = if is_reserved(&domain.iter().collect::<String>()) {
            domain.to_vec()
        } else {
            self.first_valid("domain", domain, |_| true)
        };
        let address = |local: &[char]| -> Vec<char> { local.iter().chain(&domain).copied().collect() };
        let is_valid = |local: &[char]| is_email(&address(local).iter().collect::<String>());
        if let Some(common) = self.for_common_password(local, &local_text).filter(|common| is_valid(common)) {
            return address(&common);
        }
        address(&self.first_valid("word", local, is_valid))
    }

    /// Returns another common password of the same shape; `None` if the text is not a common password.
    fn for_common_password(&self, value: &[char], text: &str) -> Option<Vec<char>> {
        let lower = text.to_lowercase();
        if !self.is_common(&lower) || lower.chars().count() != value.len() {
            return None;
        }
        let others = |shape: &str| -> Vec<&'static str> {
            self.common_by_shape().get(shape).into_iter().flatten().copied().filter(|other| *other != lower).collect()
        };
        let mut candidates = others(&shape(&lower));
        if candidates.is_empty() && lower.is_ascii() {
            // The only common password of its shape: use one of the same length that consists of letters.
            candidates = others(&"a".repeat(value.len()));
        }
        let chosen = match candidates.len() {
            0 => return Some(value.to_vec()),
            count => candidates[self.rng("common", 0, &lower).random_range(0..count)],
        };
        let cased = value.iter().zip(chosen.chars()).map(|(original, chosen)| match original.is_ascii_uppercase() {
            true => chosen.to_ascii_uppercase(),
            false => chosen,
        });
        Some(cased.collect())
    }

    /// Returns the first valid candidate, or the last one if none is valid.
    fn first_valid(&self, purpose: &str, value: &[char], is_valid: impl Fn(&[char]) -> bool) -> Vec<char> {
        let lower = value.iter().collect::<String>().to_lowercase();
        let mut candidate = Vec::new();
        for attempt in 0..MAX_ATTEMPTS {
            candidate = replace_characters(value, &mut self.rng(purpose, attempt, &lower));
            if is_valid(&candidate) {
                break;
            }
        }
        candidate
    }

    /// Returns the placeholder of a JSON number. Zeros are unchanged, and the result fits the same integer types.
    pub(super) fn for_number(&self, number: &[char]) -> Vec<char> {
        let text: String = number.iter().collect();
        let has_same_type = |other: &str| {
            let is_finite = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
            (is_finite(other), other.parse::<i64>().is_ok(), other.parse::<u64>().is_ok())
                == (is_finite(&text), text.parse::<i64>().is_ok(), text.parse::<u64>().is_ok())
        };
        let mut candidate = number.to_vec();
        for attempt in 0..MAX_ATTEMPTS {
            let mut rng = self.rng("number", attempt, &text);
            let mut is_exponent = false;
            for (old, new) in number.iter().zip(&mut candidate) {
                is_exponent |= matches!(old, 'e' | 'E');
                if !is_exponent && matches!(old, '1'..='9') {
                    *new = another_of(*old, '1', 9, &mut rng);
                }
            }
            if has_same_type(&candidate.iter().collect::<String>()) {
                return candidate;
            }
        }
        number.to_vec()
    }

    /// Returns a generator that is deterministic for the same key and text.
    fn rng(&self, purpose: &str, attempt: u8, text: &str) -> StdRng {
        let mut mac = self.mac.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0, attempt]);
        mac.update(text.as_bytes());
        StdRng::from_seed(mac.finalize().into_bytes().into())
    }
}

/// Whether the server accepts the text as an email address.
fn is_email(text: &str) -> bool {
    text.contains('@') && openapi_model::is_email(&text.nfc().collect::<String>())
}

/// Whether a domain, with the `@` before it, is reserved (RFC 2606, RFC 6761).
fn is_reserved(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let is = |name: &str| domain == format!("@{name}") || domain.ends_with(&format!(".{name}"));
    ["example.com", "example.net", "example.org"].into_iter().any(is)
        || [".example", ".test", ".invalid", ".localhost"].into_iter().any(|tld| domain.ends_with(tld))
}

/// Replaces every letter and digit with another one.
fn replace_characters(text: &[char], rng: &mut StdRng) -> Vec<char> {
    let replace = |(index, character): (usize, &char)| {
        let next = text.get(index + 1);
        // The base of a combining mark stays: another letter may not compose with the mark, which would change the length after
        // normalization.
        let is_base = next.is_some_and(|next| !next.is_ascii() && is_mark(*next));
        if is_base { *character } else { replace_character(*character, rng) }
    };
    text.iter().enumerate().map(replace).collect()
}

fn is_mark(character: char) -> bool {
    matches!(get_general_category(character), GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark)
}

/// Returns another character of the same category and encoded length.
fn replace_character(character: char, rng: &mut StdRng) -> char {
    use GeneralCategory::{DecimalNumber, LowercaseLetter, OtherLetter, OtherSymbol, UppercaseLetter};
    match character {
        'a'..='z' => another_of(character, 'a', 26, rng),
        'A'..='Z' => another_of(character, 'A', 26, rng),
        '0'..='9' => another_of(character, '0', 10, rng),
        UNDECODABLE => UNDECODABLE,
        character if character.is_ascii() => character,
        character => match (get_general_category(character), character.len_utf8()) {
            // Cyrillic without й, which can be decomposed.
            (LowercaseLetter, 2) => another_of(character, 'к', 22, rng),
            (UppercaseLetter, 2) => another_of(character, 'К', 22, rng),
            (OtherLetter, 2) => another_of(character, 'א', 27, rng),
            (DecimalNumber, 2) => another_of(character, '\u{660}', 10, rng),
            // Glagolitic, CJK, Devanagari.
            (LowercaseLetter, 3) => another_of(character, '\u{2c30}', 47, rng),
            (UppercaseLetter, 3) => another_of(character, '\u{2c00}', 47, rng),
            (OtherLetter, 3) => another_of(character, '\u{4e00}', 20_000, rng),
            (DecimalNumber, 3) => another_of(character, '\u{966}', 10, rng),
            (OtherSymbol, 3) => another_of(character, '\u{2600}', 56, rng),
            // Deseret, CJK, animal symbols.
            (LowercaseLetter, 4) => another_of(character, '\u{10428}', 40, rng),
            (UppercaseLetter, 4) => another_of(character, '\u{10400}', 40, rng),
            (OtherLetter, 4) => another_of(character, '\u{20000}', 40_000, rng),
            (OtherSymbol, 4) => another_of(character, '\u{1f400}', 63, rng),
            _ => character,
        },
    }
}

/// Returns one of the `count` characters from `first` on, other than `character`.
fn another_of(character: char, first: char, count: u32, rng: &mut StdRng) -> char {
    let index = u32::from(character).wrapping_sub(u32::from(first));
    let chosen = if index < count { (index + rng.random_range(1..count)) % count } else { rng.random_range(0..count) };
    char::from_u32(u32::from(first) + chosen).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator(secret: &str) -> PlaceholderGenerator {
        PlaceholderGenerator::new(&secret.into(), super::super::tests::COMMON)
    }

    fn placeholder(text: &str) -> String {
        generator("a key").for_text(&text.chars().collect::<Vec<_>>()).into_iter().collect()
    }

    const SECRETS: [&str; 22] = [
        "harbour-lantern-42",
        "Tr0ub4dor&3",
        "x",
        "  spaces around  ",
        "pässwörter ☃ 😀 пароль ПАРОЛЬ",
        "山田太郎のひみつ",
        "e\u{301}te\u{301}",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2lnbmF0dXJl",
        "kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs",
        "ada@lovelace.org",
        "Ada.Lovelace+x@Mail.Lovelace.org",
        "jürgen@exämple.de",
        "demo@example.com",
        "password1@firm.io",
        "not an email @ all",
        "a@b",
        "Password123",
        "12345678",
        "їїїїїїїї",
        "pass@word1",
        "\u{0}\u{1b}nul and escape",
        "٣٤٥ ١٢",
    ];

    #[test]
    fn placeholder_has_the_shape_of_the_value() {
        for secret in SECRETS {
            let other = placeholder(secret);
            assert_eq!(other.chars().count(), secret.chars().count(), "{secret} {other}");
            assert_eq!(other.len(), secret.len(), "{secret} {other}");
            assert_eq!(is_email(&other), is_email(secret), "{secret} {other}");
            assert_eq!(
                generator("").is_common(&other.to_lowercase()),
                generator("").is_common(&secret.to_lowercase()),
                "{other}"
            );
            assert_eq!(other.nfc().count(), secret.nfc().count(), "{secret} {other}");
            let classes = |text: &str| -> Vec<_> {
                text.chars()
                    .map(|c| (c.is_uppercase(), c.is_lowercase(), c.is_numeric(), c.is_control(), c.len_utf8()))
                    .collect()
            };
            if secret != "pass@word1" && secret != "їїїїїїїї" {
                assert_eq!(classes(&other), classes(secret), "{secret} {other}");
                assert_ne!(other, secret);
            }
        }
    }

    #[test]
    fn no_character_of_the_value_is_left() {
        for secret in SECRETS {
            let other = placeholder(secret);
            let unchanged =
                secret.chars().zip(other.chars()).filter(|(old, new)| old == new && old.is_ascii_alphanumeric());
            let unchanged: String = unchanged.map(|(old, _)| old).collect();
            let allowed =
                ["e\u{301}te\u{301}", "demo@example.com", "Password123", "password1@firm.io", "12345678", "pass@word1"];
            assert!(unchanged.is_empty() || allowed.contains(&secret), "{secret}: {unchanged}");
        }
        assert!(placeholder("demo@example.com").ends_with("@example.com"));
    }

    #[test]
    fn placeholders_are_deterministic_and_distinct() {
        let all: std::collections::BTreeSet<String> = SECRETS.iter().map(|secret| placeholder(secret)).collect();
        assert_eq!(all.len(), SECRETS.len());
        let text: Vec<char> = SECRETS[0].chars().collect();
        assert_eq!(generator("a key").for_text(&text), generator("a key").for_text(&text));
        assert_ne!(generator("a key").for_text(&text), generator("another key").for_text(&text));
    }

    #[test]
    fn number_placeholder_has_the_same_type() {
        for number in
            ["0", "-1", "12345678", "1.50", "-0.007e-12", "9223372036854775807", "18446744073709551615", "1e400"]
        {
            let digits: Vec<char> = number.chars().collect();
            let other: String = generator("a key").for_number(&digits).into_iter().collect();
            assert_eq!(other.len(), number.len());
            assert_eq!(other.parse::<i64>().is_ok(), number.parse::<i64>().is_ok(), "{number} {other}");
            assert_eq!(
                serde_json::from_str::<f64>(&other).is_ok(),
                serde_json::from_str::<f64>(number).is_ok(),
                "{number} {other}"
            );
        }
        let digits: Vec<char> = "4111111111111111".chars().collect();
        assert_ne!(generator("a key").for_number(&digits), digits);
    }
}
