//! What stands in for a secret: text of the same shape that fails in the same way.
//!
//! Owns the choice of it. A stand-in has the length of its secret in characters and in bytes, a letter for each letter (of
//! the same case), a digit for each digit, and everything else unchanged. The same secret has the same stand-in, and without
//! the key nobody comes back. What the rules of accounts ask stays true or false: whether it is an email address, whether
//! it is one of the common passwords, whether one text is another or a part of it before the `@`, apart from case.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use hmac::{Hmac, Mac};
use rand::{Rng, SeedableRng, rngs::StdRng};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use super::units::NO_TEXT;

/// How often to look for a stand-in that is as valid as its secret.
const TRIES: u8 = 16;

/// The passwords that the server rejects as too common.
#[derive(Clone, Copy, Debug)]
pub struct CommonPasswords {
    /// Whether the list contains a password in lower case.
    pub contains: fn(&str) -> bool,
    /// The list, in lower case.
    pub list: fn() -> Vec<&'static str>,
}

/// Chooses stand-ins by a key.
#[derive(Clone)]
pub(super) struct StandIns {
    mac: Option<Hmac<Sha256>>,
    common: CommonPasswords,
    /// Common passwords by their shape.
    by_shape: Arc<OnceLock<HashMap<String, Vec<&'static str>>>>,
}

/// What a text looks like: two of the same look are each other's stand-ins.
fn look(text: &str) -> String {
    let class = |character: char| match character {
        'a'..='z' | 'A'..='Z' => 'a',
        '0'..='9' => '0',
        character if character.is_ascii() => character,
        character => ['é', '山', '\u{1f400}'][character.len_utf8() - 2],
    };
    text.chars().map(class).collect()
}

impl StandIns {
    /// With a key of its own, derived from `secret`.
    pub(super) fn new(secret: &SecretString, common: CommonPasswords) -> Self {
        // HMAC takes a key of any length.
        let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok().and_then(|mut derive| {
            derive.update(b"stand-ins of incidents");
            Hmac::new_from_slice(&derive.finalize().into_bytes()).ok()
        });
        Self { mac, common, by_shape: Arc::default() }
    }

    fn is_common(&self, password: &str) -> bool {
        (self.common.contains)(password)
    }

    fn by_shape(&self) -> &HashMap<String, Vec<&'static str>> {
        self.by_shape.get_or_init(|| {
            let mut all = HashMap::<String, Vec<&'static str>>::new();
            for password in (self.common.list)() {
                all.entry(look(password)).or_default().push(password);
            }
            all
        })
    }

    /// The stand-in of a secret.
    pub(super) fn of(&self, secret: &[char]) -> Vec<char> {
        // White space around it is no part of what is compared.
        let ink = |character: &char| !character.is_whitespace();
        let (Some(start), Some(end)) = (secret.iter().position(ink), secret.iter().rposition(ink)) else {
            return secret.to_vec();
        };
        let mut stand_in = secret.to_vec();
        stand_in.splice(start..=end, self.of_word(&secret[start..=end]));
        stand_in
    }

    fn of_word(&self, secret: &[char]) -> Vec<char> {
        let text: String = secret.iter().collect();
        if is_email(&text) {
            return self.of_email(secret);
        }
        if let Some(common) = self.of_common(secret, &text) {
            return common;
        }
        let good = |candidate: &[char]| {
            let candidate: String = candidate.iter().collect();
            !is_email(&candidate) && !self.is_common(&candidate.to_lowercase())
        };
        self.first("word", secret, good)
    }

    /// The part before the `@` as a word of its own would be; reserved domains stay, nobody has a mailbox there.
    fn of_email(&self, secret: &[char]) -> Vec<char> {
        let at = secret.iter().rposition(|character| *character == '@').unwrap_or(0);
        let (local, domain) = secret.split_at(at);
        let local_text: String = local.iter().collect();
        let domain = if is_reserved(&domain.iter().collect::<String>()) {
            domain.to_vec()
        } else {
            self.first("domain", domain, |_| true)
        };
        let whole = |local: &[char]| -> Vec<char> { local.iter().chain(&domain).copied().collect() };
        let is_good = |local: &[char]| is_email(&whole(local).iter().collect::<String>());
        if let Some(common) = self.of_common(local, &local_text).filter(|common| is_good(common)) {
            return whole(&common);
        }
        whole(&self.first("word", local, is_good))
    }

    /// Another common password of the same look; `None` if this is none.
    fn of_common(&self, secret: &[char], text: &str) -> Option<Vec<char>> {
        let lower = text.to_lowercase();
        if !self.is_common(&lower) || lower.chars().count() != secret.len() {
            return None;
        }
        let others = |look: &str| -> Vec<&'static str> {
            self.by_shape().get(look).into_iter().flatten().copied().filter(|other| *other != lower).collect()
        };
        let mut candidates = others(&look(&lower));
        if candidates.is_empty() && lower.is_ascii() {
            // The only one of its look: then one of letters, of the same length.
            candidates = others(&"a".repeat(secret.len()));
        }
        let chosen = match candidates.len() {
            0 => return Some(secret.to_vec()),
            count => candidates[self.chance("common", 0, &lower).random_range(0..count)],
        };
        let cased = secret.iter().zip(chosen.chars()).map(|(secret, chosen)| match secret.is_ascii_uppercase() {
            true => chosen.to_ascii_uppercase(),
            false => chosen,
        });
        Some(cased.collect())
    }

    /// The first stand-in that is good; the last that was tried if none is.
    fn first(&self, purpose: &str, secret: &[char], good: impl Fn(&[char]) -> bool) -> Vec<char> {
        let lower = secret.iter().collect::<String>().to_lowercase();
        let mut candidate = Vec::new();
        for attempt in 0..TRIES {
            candidate = disguised(secret, &mut self.chance(purpose, attempt, &lower));
            if good(&candidate) {
                break;
            }
        }
        candidate
    }

    /// The stand-in of digits as JSON writes numbers: what begins with a zero goes on doing so, and what does not does not.
    pub(super) fn of_number(&self, number: &[char]) -> Vec<char> {
        let text: String = number.iter().collect();
        let is_same_kind = |other: &str| {
            let finite = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
            (finite(other), other.parse::<i64>().is_ok(), other.parse::<u64>().is_ok())
                == (finite(&text), text.parse::<i64>().is_ok(), text.parse::<u64>().is_ok())
        };
        let mut candidate = number.to_vec();
        for attempt in 0..TRIES {
            let mut chance = self.chance("number", attempt, &text);
            let mut is_exponent = false;
            for (old, new) in number.iter().zip(&mut candidate) {
                is_exponent |= matches!(old, 'e' | 'E');
                if !is_exponent && matches!(old, '1'..='9') {
                    *new = shifted(*old, '1', 9, &mut chance);
                }
            }
            if is_same_kind(&candidate.iter().collect::<String>()) {
                return candidate;
            }
        }
        number.to_vec()
    }

    /// Chance that repeats itself for the same text.
    fn chance(&self, purpose: &str, attempt: u8, text: &str) -> StdRng {
        let Some(mut mac) = self.mac.clone() else { return StdRng::from_seed([0; 32]) };
        mac.update(purpose.as_bytes());
        mac.update(&[0, attempt]);
        mac.update(text.as_bytes());
        StdRng::from_seed(mac.finalize().into_bytes().into())
    }
}

/// Whether the accounts take it for an email address.
fn is_email(text: &str) -> bool {
    text.contains('@') && openapi_model::is_email(&text.nfc().collect::<String>())
}

/// Domains that nobody has (RFC 2606, RFC 6761), with the `@` before them.
fn is_reserved(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let is = |name: &str| domain == format!("@{name}") || domain.ends_with(&format!(".{name}"));
    ["example.com", "example.net", "example.org"].into_iter().any(is)
        || [".example", ".test", ".invalid", ".localhost"].into_iter().any(|tld| domain.ends_with(tld))
}

/// Every letter and digit another one.
fn disguised(text: &[char], chance: &mut StdRng) -> Vec<char> {
    let disguise = |(index, character): (usize, &char)| {
        let next = text.get(index + 1);
        // What an accent is put on stays: another letter may not melt with it, and the length would be another one.
        let is_base = next.is_some_and(|next| !next.is_ascii() && is_mark(*next));
        if is_base { *character } else { other(*character, chance) }
    };
    text.iter().enumerate().map(disguise).collect()
}

fn is_mark(character: char) -> bool {
    matches!(get_general_category(character), GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark)
}

/// Another character of the same kind and length.
fn other(character: char, chance: &mut StdRng) -> char {
    use GeneralCategory::{DecimalNumber, LowercaseLetter, OtherLetter, OtherSymbol, UppercaseLetter};
    match character {
        'a'..='z' => shifted(character, 'a', 26, chance),
        'A'..='Z' => shifted(character, 'A', 26, chance),
        '0'..='9' => shifted(character, '0', 10, chance),
        NO_TEXT => NO_TEXT,
        character if character.is_ascii() => character,
        character => match (get_general_category(character), character.len_utf8()) {
            // Cyrillic without й, which comes apart.
            (LowercaseLetter, 2) => shifted(character, 'к', 22, chance),
            (UppercaseLetter, 2) => shifted(character, 'К', 22, chance),
            (OtherLetter, 2) => shifted(character, 'א', 27, chance),
            (DecimalNumber, 2) => shifted(character, '\u{660}', 10, chance),
            // Glagolitic, CJK, Devanagari.
            (LowercaseLetter, 3) => shifted(character, '\u{2c30}', 47, chance),
            (UppercaseLetter, 3) => shifted(character, '\u{2c00}', 47, chance),
            (OtherLetter, 3) => shifted(character, '\u{4e00}', 20_000, chance),
            (DecimalNumber, 3) => shifted(character, '\u{966}', 10, chance),
            (OtherSymbol, 3) => shifted(character, '\u{2600}', 56, chance),
            // Deseret, CJK, animals.
            (LowercaseLetter, 4) => shifted(character, '\u{10428}', 40, chance),
            (UppercaseLetter, 4) => shifted(character, '\u{10400}', 40, chance),
            (OtherLetter, 4) => shifted(character, '\u{20000}', 40_000, chance),
            (OtherSymbol, 4) => shifted(character, '\u{1f400}', 63, chance),
            _ => character,
        },
    }
}

/// One of the `count` characters from `first` on, and not the one it was.
fn shifted(character: char, first: char, count: u32, chance: &mut StdRng) -> char {
    let place = u32::from(character).wrapping_sub(u32::from(first));
    let chosen =
        if place < count { (place + chance.random_range(1..count)) % count } else { chance.random_range(0..count) };
    char::from_u32(u32::from(first) + chosen).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_ins(secret: &str) -> StandIns {
        StandIns::new(&secret.into(), super::super::tests::COMMON)
    }

    fn stand_in(text: &str) -> String {
        stand_ins("a key").of(&text.chars().collect::<Vec<_>>()).into_iter().collect()
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
    fn a_stand_in_has_the_shape_of_its_secret() {
        for secret in SECRETS {
            let other = stand_in(secret);
            assert_eq!(other.chars().count(), secret.chars().count(), "{secret} {other}");
            assert_eq!(other.len(), secret.len(), "{secret} {other}");
            assert_eq!(is_email(&other), is_email(secret), "{secret} {other}");
            assert_eq!(
                stand_ins("").is_common(&other.to_lowercase()),
                stand_ins("").is_common(&secret.to_lowercase()),
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
    fn nothing_of_a_secret_is_left_in_place() {
        for secret in SECRETS {
            let other = stand_in(secret);
            let kept = secret.chars().zip(other.chars()).filter(|(old, new)| old == new && old.is_ascii_alphanumeric());
            let kept: String = kept.map(|(old, _)| old).collect();
            let allowed =
                ["e\u{301}te\u{301}", "demo@example.com", "Password123", "password1@firm.io", "12345678", "pass@word1"];
            assert!(kept.is_empty() || allowed.contains(&secret), "{secret}: {kept}");
        }
        assert!(stand_in("demo@example.com").ends_with("@example.com"));
    }

    #[test]
    fn the_same_secret_has_the_same_stand_in_and_others_have_others() {
        let all: std::collections::BTreeSet<String> = SECRETS.iter().map(|secret| stand_in(secret)).collect();
        assert_eq!(all.len(), SECRETS.len());
        let text: Vec<char> = SECRETS[0].chars().collect();
        assert_eq!(stand_ins("a key").of(&text), stand_ins("a key").of(&text));
        assert_ne!(stand_ins("a key").of(&text), stand_ins("another key").of(&text));
    }

    #[test]
    fn numbers_stay_numbers_of_their_kind() {
        for number in
            ["0", "-1", "12345678", "1.50", "-0.007e-12", "9223372036854775807", "18446744073709551615", "1e400"]
        {
            let digits: Vec<char> = number.chars().collect();
            let other: String = stand_ins("a key").of_number(&digits).into_iter().collect();
            assert_eq!(other.len(), number.len());
            assert_eq!(other.parse::<i64>().is_ok(), number.parse::<i64>().is_ok(), "{number} {other}");
            assert_eq!(
                serde_json::from_str::<f64>(&other).is_ok(),
                serde_json::from_str::<f64>(number).is_ok(),
                "{number} {other}"
            );
        }
        let digits: Vec<char> = "4111111111111111".chars().collect();
        assert_ne!(stand_ins("a key").of_number(&digits), digits);
    }
}
