//! Percent-decoding of query strings and path segments.

use std::borrow::Cow;

/// The text is not UTF-8 or contains U+0000 after decoding.
#[derive(Debug, PartialEq)]
pub(super) struct Undecodable;

/// Decodes a path segment.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Undecodable> {
    unescape(text, false)
}

/// Decodes a name or value of a query string, where `+` is a space.
pub(super) fn decode_query(text: &str) -> Result<Cow<'_, str>, Undecodable> {
    unescape(text, true)
}

/// Returns the encoded pairs of a query string. `a` is a name with an empty value. Empty pairs are skipped.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn unescape(text: &str, plus_is_space: bool) -> Result<Cow<'_, str>, Undecodable> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+' | 0)) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match byte {
            b'+' if plus_is_space => b' ',
            // A `%` without two hexadecimal digits is literal, as in browsers.
            b'%' => match tail {
                [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    rest = after;
                    hex(*high) << 4 | hex(*low)
                }
                _ => b'%',
            },
            other => other,
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(Cow::Owned(text)),
        _ => Err(Undecodable),
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn decodes() {
        for (sent, path, query) in [
            ("plain", Ok("plain"), Ok("plain")),
            ("a+b", Ok("a+b"), Ok("a b")),
            ("%2B%20%c3%A9", Ok("+ é"), Ok("+ é")),
            ("100%", Ok("100%"), Ok("100%")),
            ("%zz%4", Ok("%zz%4"), Ok("%zz%4")),
            ("%00", Err(Undecodable), Err(Undecodable)),
            ("%ff", Err(Undecodable), Err(Undecodable)),
            ("%ed%a0%80", Err(Undecodable), Err(Undecodable)),
        ] {
            assert_eq!(decode(sent).as_deref(), path.as_ref().copied(), "{sent}");
            assert_eq!(decode_query(sent).as_deref(), query.as_ref().copied(), "{sent}");
        }
        assert!(matches!(decode("plain"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn splits_pairs() {
        let found: Vec<_> = pairs("a=1&&b&c==&=x&").collect();
        assert_eq!(found, [("a", "1"), ("b", ""), ("c", "="), ("", "x")]);
        assert_eq!(pairs("").count(), 0);
    }
}
