//! Conditional requests: the entity tags in `If-Match` and `If-None-Match` (RFC 9110, section 13.1).
//!
//! A compressed representation has its own strong entity tag: that of the resource with the encoding as a suffix. Parsing
//! removes the suffix, so that clients that accept compression can use strong comparison.

use std::fmt;

use poem::http::HeaderValue;

/// Maximum number of entity tags in one request.
const MAX_TAGS: usize = 100;

/// Maximum length of the header in bytes.
pub const MAX_LENGTH: usize = 8192;

/// Content codings that an entity tag can have as a suffix.
const ENCODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ETagCondition {
    /// `*`: any existing representation.
    Any,
    /// A list of entity tags.
    Listed(Vec<Tag>),
}

/// An entity tag without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Whether it is weak (`W/`).
    pub weak: bool,
    /// Opaque value without the suffix of the encoding.
    pub opaque: String,
    /// The encoding in the suffix.
    encoding: Option<&'static str>,
}

/// The header is not a valid list of entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedETags;

impl fmt::Display for MalformedETags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "must be * or a list of at most {MAX_TAGS} entity tags in double quotes, such as \"abc\"")?;
        write!(out, ", with a total length of at most {MAX_LENGTH} bytes")
    }
}

impl std::error::Error for MalformedETags {}

/// Parses the lines of a conditional header; `None` if the request has none.
///
/// # Errors
/// Fails if the value is neither `*` nor a list of at most 100 entity tags, or if it is longer than [`MAX_LENGTH`].
pub fn parse<'a>(values: impl IntoIterator<Item = &'a HeaderValue>) -> Result<Option<ETagCondition>, MalformedETags> {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    let (mut is_any, mut tags, mut length) = (false, Vec::new(), 0);
    for value in values {
        length += value.len();
        if length > MAX_LENGTH {
            return Err(MalformedETags);
        }
        let mut rest = value.as_bytes().trim_ascii();
        // Recipients ignore empty list elements (section 5.6.1.2).
        while let Some((&first, after)) = rest.split_first() {
            rest = match first {
                b',' => after,
                b'*' if !is_any => {
                    is_any = true;
                    element_end(after)?
                }
                _ => {
                    let (tag, after) = Tag::read(rest)?;
                    tags.push(tag);
                    element_end(after)?
                }
            }
            .trim_ascii_start();
            if tags.len() > MAX_TAGS {
                return Err(MalformedETags);
            }
        }
    }
    match (is_any, tags.is_empty()) {
        (true, true) => Ok(Some(ETagCondition::Any)),
        (false, false) => Ok(Some(ETagCondition::Listed(tags))),
        _ => Err(MalformedETags),
    }
}

/// Checks that the element is followed by a comma or by the end of the line.
fn element_end(rest: &[u8]) -> Result<&[u8], MalformedETags> {
    let rest = rest.trim_ascii_start();
    matches!(rest.first(), None | Some(b',')).then_some(rest).ok_or(MalformedETags)
}

impl ETagCondition {
    /// Returns the `ETag` for a 304 response if a tag matches `opaque` by weak comparison, as `If-None-Match` requires. It has
    /// the encoding of the representation that the client has, so that caches find it.
    #[must_use]
    pub fn not_modified(&self, opaque: &str) -> Option<String> {
        match self {
            Self::Any => Some(format!("\"{opaque}\"")),
            Self::Listed(tags) => {
                let known = tags.iter().find(|tag| tag.opaque == opaque)?;
                let plain = format!("\"{opaque}\"");
                Some(known.encoding.map_or_else(|| plain.clone(), |encoding| with_encoding(&plain, encoding)))
            }
        }
    }
}

impl Tag {
    /// Parses the tag at the start of `text`, and returns the rest.
    fn read(text: &[u8]) -> Result<(Self, &[u8]), MalformedETags> {
        let (weak, text) = text.strip_prefix(b"W/").map_or((false, text), |text| (true, text));
        let text = text.strip_prefix(b"\"").ok_or(MalformedETags)?;
        let end = text.iter().position(|byte| *byte == b'"').ok_or(MalformedETags)?;
        let (opaque, after) = text.split_at(end);
        // The RFC also allows non-ASCII bytes.
        if !opaque.iter().all(|byte| matches!(byte, 0x21..=0x7e | 0x80..)) {
            return Err(MalformedETags);
        }
        let mut opaque: String = opaque.iter().copied().map(char::from).collect();
        let encoding =
            ENCODINGS.into_iter().find(|name| opaque.strip_suffix(name).is_some_and(|rest| rest.ends_with('-')));
        if let Some(name) = encoding {
            opaque.truncate(opaque.len() - name.len() - 1);
        }
        Ok((Self { weak, opaque, encoding }, after.get(1..).unwrap_or_default()))
    }
}

/// Returns the entity tag of the representation with this encoding. `etag` is quoted, as in the header.
#[must_use]
pub fn with_encoding(etag: &str, encoding: &str) -> String {
    etag.strip_suffix('"').map_or_else(|| etag.to_owned(), |open| format!("{open}-{encoding}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&[u8]]) -> Result<Option<ETagCondition>, MalformedETags> {
        let lines: Vec<HeaderValue> = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap()).collect();
        parse(&lines)
    }

    fn listed(tags: &[(bool, &str)]) -> Result<Option<ETagCondition>, MalformedETags> {
        let tag = |(weak, opaque): &(bool, &str)| Tag { weak: *weak, opaque: (*opaque).to_owned(), encoding: None };
        Ok(Some(ETagCondition::Listed(tags.iter().map(tag).collect())))
    }

    #[test]
    fn entity_tag_lists_are_parsed() {
        for (lines, expected) in [
            (&[][..], Ok(None)),
            (&[&b"*"[..]], Ok(Some(ETagCondition::Any))),
            (&[b" * "], Ok(Some(ETagCondition::Any))),
            (&[b"*,"], Ok(Some(ETagCondition::Any))),
            (&[b"\"a\""], listed(&[(false, "a")])),
            (&[b"W/\"a\""], listed(&[(true, "a")])),
            (&[b"\"\""], listed(&[(false, "")])),
            (&[b"\"a\", W/\"b\"  ,\"c\""], listed(&[(false, "a"), (true, "b"), (false, "c")])),
            (&[b"\"a\"", b"\"b\""], listed(&[(false, "a"), (false, "b")])),
            (&[b"", b",, \"a\" ,,"], listed(&[(false, "a")])),
            (&[b"\"a,b\""], listed(&[(false, "a,b")])),
            (&[b"\"W/\\\""], listed(&[(false, "W/\\")])),
            (&[b"\"*\""], listed(&[(false, "*")])),
            (&[b"\"\xe9\""], listed(&[(false, "\u{e9}")])),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn malformed_entity_tag_lists_are_rejected() {
        for line in [
            &b""[..],
            b",",
            b"a",
            b"\"a",
            b"a\"",
            b"'a'",
            b"w/\"a\"",
            b"W/ \"a\"",
            b"W/a",
            b"W/",
            b"\"a b\"",
            b"\"a\tb\"",
            b"\"a\" \"b\"",
            b"\"a\"\"b\"",
            b"\"a\";\"b\"",
            b"*, \"a\"",
            b"\"a\", *",
            b"*, *",
            b"**",
            b"* *",
            b"\xe9",
        ] {
            assert_eq!(read(&[line]), Err(MalformedETags), "{line:?}");
        }
        assert_eq!(read(&[b"*", b"*"]), Err(MalformedETags));
        assert_eq!(read(&[b"\"a\"", b"*"]), Err(MalformedETags));
        let many = |count: usize| vec!["\"a\""; count].join(",");
        assert!(read(&[many(100).as_bytes()]).is_ok());
        assert_eq!(read(&[many(101).as_bytes()]), Err(MalformedETags));
        assert_eq!(read(&[many(60).as_bytes(), many(41).as_bytes()]), Err(MalformedETags));
        let long = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
        assert!(read(&[long(MAX_LENGTH).as_bytes()]).is_ok());
        assert_eq!(read(&[long(MAX_LENGTH + 1).as_bytes()]), Err(MalformedETags));
        assert_eq!(read(&[long(MAX_LENGTH / 2).as_bytes(), long(MAX_LENGTH / 2 + 1).as_bytes()]), Err(MalformedETags));
    }

    #[test]
    fn not_modified_uses_weak_comparison() {
        for (line, not_modified) in [
            (&b"*"[..], Some("\"abc\"")),
            (b"\"abc\"", Some("\"abc\"")),
            (b"W/\"abc\"", Some("\"abc\"")),
            (b"\"x\", \"abc\"", Some("\"abc\"")),
            (b"W/\"abc\", \"abc\"", Some("\"abc\"")),
            (b"\"abc-gzip\"", Some("\"abc-gzip\"")),
            (b"\"abc-br\"", Some("\"abc-br\"")),
            (b"W/\"abc-zstd\"", Some("\"abc-zstd\"")),
            (b"\"ABC\"", None),
            (b"\"abc-deflate\"", None),
            (b"\"abcgzip\"", None),
            (b"\"abc-gzip-gzip\"", None),
            (b"\"-gzip\"", None),
            (b"\"abc-GZIP\"", None),
        ] {
            let tags = read(&[line]).unwrap().unwrap();
            assert_eq!(tags.not_modified("abc").as_deref(), not_modified, "{line:?}");
        }
    }

    #[test]
    fn with_encoding_adds_a_suffix() {
        for (etag, expected) in
            [("\"abc\"", "\"abc-gzip\""), ("W/\"abc\"", "W/\"abc-gzip\""), ("\"\"", "\"-gzip\""), ("abc", "abc")]
        {
            assert_eq!(with_encoding(etag, "gzip"), expected);
        }
    }
}
