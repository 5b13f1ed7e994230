//! Patterns of secrets in free text.
//!
//! Values that a schema or a name marks as sensitive are masked before the patterns apply. A false positive is harmless: its
//! placeholder fails in the same way.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

/// An additional check of a match.
type Condition = fn(&str) -> bool;

/// A pattern. The secret is the first group of a match, or the whole match.
struct Pattern {
    regex: Regex,
    condition: Condition,
}

/// Indexes of the patterns of keys and tokens.
const KEY_PATTERNS: Range<usize> = 6..8;

fn always(_: &str) -> bool {
    true
}

/// Without patterns that do not compile; a test checks that none is missing.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let all: [(&str, Condition); 9] = [
        // JWTs.
        (r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}", always),
        // Credentials of an Authorization header, in prose or in another header.
        (r"(?i)\bbearer[\s:=]+([A-Za-z0-9._~+/=-]{6,})", always),
        (r"(?i)\bbasic[\s:=]+([A-Za-z0-9+/=_-]{12,})", always),
        // User name and password in a URL.
        (r"://([^/\s@]+)@", always),
        // `password=…`, `"api_key": "…"`.
        (
            r#"(?i)(?:passw(?:or)?d|passwd|passphrase|pwd|secret|api[_-]?key|credential|[a-z_-]*token)["'\\]*(?:\s+is\s+|\s*(?:is\s*)?[:=]\s*)["'\\]*([^\s"'\\,;&{}<>]+)"#,
            always,
        ),
        // Email addresses.
        (r"[\p{L}\p{M}\p{N}.!#$%&'*+=?^_`{|}~-]+@[\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)+", always),
        // Keys and tokens: long, with letters and digits. Not UUIDs: request IDs must stay searchable.
        (r"[A-Za-z0-9_-]{20,}={0,2}", is_key),
        (r"[A-Za-z0-9+/]{32,}={0,2}", is_key),
        // Payment card numbers.
        (r"\b[0-9](?:[ -]?[0-9]){12,18}\b", is_card),
    ];
    all.into_iter()
        .filter_map(|(regex, condition)| Some(Pattern { regex: Regex::new(regex).ok()?, condition }))
        .collect()
});

static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$").ok());

fn is_key(text: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| text.bytes().any(|byte| kind(&byte));
    let is_uuid = UUID.as_ref().is_some_and(|uuid| uuid.is_match(text));
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && !is_uuid
}

/// Whether the check digit is that of a payment card (ISO/IEC 7812).
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|character| character.to_digit(10)).collect();
    let doubled = |(index, digit): (usize, &u32)| match index % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// Returns the ranges of characters that match a pattern, sorted and without overlaps. `finds_keys` includes long keys.
pub(super) fn find_secrets(text: &[char], finds_keys: bool) -> Vec<Range<usize>> {
    let string: String = text.iter().collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, pattern) in PATTERNS.iter().enumerate() {
        if !finds_keys && KEY_PATTERNS.contains(&index) {
            continue;
        }
        for captures in pattern.regex.captures_iter(&string) {
            let Some(matched) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            if (pattern.condition)(matched.as_str()) {
                found.push(matched.range());
            }
        }
    }
    merge(found).into_iter().map(|range| to_characters(&string, &range)).collect()
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn to_characters(text: &str, range: &Range<usize>) -> Range<usize> {
    let start = text[..range.start].chars().count();
    start..start + text[range.clone()].chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        find_secrets(&characters, true).into_iter().map(|range| characters[range].iter().collect()).collect()
    }

    #[test]
    fn secrets_are_found() {
        assert_eq!(PATTERNS.len(), 9);
        for (text, secret) in [
            ("see eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2ln!", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2ln"),
            ("authorization: BEARER abc.def-ghi", "abc.def-ghi"),
            ("Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
            ("at postgres://joe:hunter2@db/x", "joe:hunter2"),
            ("my password: hunter2, ok", "hunter2"),
            ("The password is hunter2", "hunter2"),
            ("{\"api_key\": \"k\"}", "k"),
            ("x=1&refresh_token=abc&y", "abc"),
            ("mail Ada.Lovelace+x@mail.example.com.", "Ada.Lovelace+x@mail.example.com"),
            ("é jürgen@exämple.de", "jürgen@exämple.de"),
            ("kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs", "kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs"),
            ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
            ("pay 4111 1111 1111 1111 now", "4111 1111 1111 1111"),
        ] {
            assert_eq!(found(text), [secret], "{text}");
        }
    }

    #[test]
    fn ordinary_text_is_not_a_secret() {
        for text in [
            "Watch the northern lights",
            "See the cherry trees bloom in Kyoto, early in April.",
            "019b76da-a800-7000-8000-000000000001",
            "4111 1111 1111 1112",
            "9223372036854775807",
            "2026-11-24T23:59:59.000001Z",
            "internationalisation-and-localisation",
            "\"kJ3v0m7wq2Yx5sT8\"",
            "https://example.com/a/b?c=d",
            "Learn basic Portuguese",
            "",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn overlapping_ranges_are_merged() {
        assert_eq!(found("token=eyJhbGciOiJIUzI1NiJ9.x"), ["eyJhbGciOiJIUzI1NiJ9.x"]);
        assert_eq!(merge(vec![5..9, 0..3, 2..6, 9..10]), [0..9, 9..10]);
    }
}
