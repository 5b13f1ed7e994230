//! Percent-decoding of query strings and path segments.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The text is not UTF-8 or contains U+0000 after decoding.
#[derive(Debug, PartialEq)]
pub(super) struct Undecodable;

/// Decodes a path segment. A `%` without two hexadecimal digits is literal, as in browsers.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Undecodable> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| Undecodable)?;
    if decoded.contains('\0') { Err(Undecodable) } else { Ok(decoded) }
}

/// Decodes a name or value of a query string, where `+` is a space.
pub(super) fn decode_query(text: &str) -> Result<Cow<'_, str>, Undecodable> {
    if !text.contains('+') {
        return decode(text);
    }
    decode(&text.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()))
}

/// Returns the encoded pairs of a query string. `a` is a name with an empty value. Empty pairs are skipped.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
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
