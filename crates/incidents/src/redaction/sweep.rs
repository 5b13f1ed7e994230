//! The second net: secrets by their look, wherever they are.
//!
//! Owns the patterns. They know no place: what a schema or a name gives away has been replaced before. A pattern that takes
//! something harmless for a secret costs nothing: its stand-in fails as it would.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

/// Whether what a pattern finds is one for sure.
type Condition = fn(&str) -> bool;

/// What a pattern finds: the whole of it, or its first group.
struct Pattern {
    regex: Regex,
    also: Condition,
}

fn always(_: &str) -> bool {
    true
}

/// Empty if a pattern were malformed; a test sees that all of them are there.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let all: [(&str, Condition); 9] = [
        // JWTs.
        (r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}", always),
        // Credentials of the Authorization header, in prose or in another header.
        (r"(?i)\bbearer[\s:=]+([A-Za-z0-9._~+/=-]{6,})", always),
        (r"(?i)\bbasic[\s:=]+([A-Za-z0-9+/=_-]{12,})", always),
        // A user's name and password in a URL.
        (r"://([^/\s@]+)@", always),
        // `password=…`, `"api_key": "…"`.
        (
            r#"(?i)(?:passw(?:or)?d|passwd|passphrase|pwd|secret|api[_-]?key|credential|[a-z_-]*token)["'\\]*(?:\s+is\s+|\s*(?:is\s*)?[:=]\s*)["'\\]*([^\s"'\\,;&{}<>]+)"#,
            always,
        ),
        // Email addresses.
        (r"[\p{L}\p{M}\p{N}.!#$%&'*+=?^_`{|}~-]+@[\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)+", always),
        // Keys and tokens: long, of letters and digits. Not the name of a request, which people look for it by.
        (r"[A-Za-z0-9_-]{20,}={0,2}", is_key),
        (r"[A-Za-z0-9+/]{32,}={0,2}", is_key),
        // Numbers of payment cards.
        (r"\b[0-9](?:[ -]?[0-9]){12,18}\b", is_card),
    ];
    all.into_iter().filter_map(|(regex, also)| Some(Pattern { regex: Regex::new(regex).ok()?, also })).collect()
});

/// A UUID, also one of a request.
static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$").ok());

fn is_key(text: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| text.bytes().any(|byte| kind(&byte));
    let is_uuid = UUID.as_ref().is_some_and(|uuid| uuid.is_match(text));
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && !is_uuid
}

/// Whether the digits have the check digit of a card (ISO/IEC 7812).
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|character| character.to_digit(10)).collect();
    let doubled = |(index, digit): (usize, &u32)| match index % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// Where in `text` something looks like a secret: ranges of characters, in order, none within another. `with_keys` looks for
/// long keys, too.
pub(super) fn secrets(text: &[char], with_keys: bool) -> Vec<Range<usize>> {
    let string: String = text.iter().collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, pattern) in PATTERNS.iter().enumerate() {
        if !with_keys && (6..8).contains(&index) {
            continue;
        }
        for captures in pattern.regex.captures_iter(&string) {
            let Some(matched) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            if (pattern.also)(matched.as_str()) {
                found.push(matched.range());
            }
        }
    }
    merged(found).into_iter().map(|range| in_characters(&string, &range)).collect()
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
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

fn in_characters(text: &str, range: &Range<usize>) -> Range<usize> {
    let start = text[..range.start].chars().count();
    start..start + text[range.clone()].chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        secrets(&characters, true).into_iter().map(|range| characters[range].iter().collect()).collect()
    }

    #[test]
    fn secrets_are_known_by_their_look() {
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
    fn what_people_write_stays() {
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
    fn ranges_that_overlap_are_one() {
        assert_eq!(found("token=eyJhbGciOiJIUzI1NiJ9.x"), ["eyJhbGciOiJIUzI1NiJ9.x"]);
        assert_eq!(merged(vec![5..9, 0..3, 2..6, 9..10]), [0..9, 9..10]);
    }
}
