//! A JSON scanner that accepts malformed input.
//!
//! A request body that is not valid JSON can contain secrets like any other, so the scanner never fails.

use std::ops::Range;

use openapi_model::PathSegment;

use super::encoding;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// The name of a field.
    Key,
    /// A string value.
    String,
    /// A number.
    Number,
    /// Anything else except `true`, `false` and `null`; occurs in malformed JSON only.
    Word,
}

/// A token that can contain sensitive data, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonToken {
    pub(super) kind: TokenKind,
    /// Its bytes, without the quotes of a string.
    pub(super) range: Range<usize>,
    /// Path of the value. A key has the path of its value.
    pub(super) path: Vec<PathSegment>,
}

/// An object or array that the scanner is in.
enum Container {
    Object { key: Option<String>, expects_key: bool },
    Array,
}

const LITERALS: [&[u8]; 3] = [b"true", b"false", b"null"];

/// Maximum length of a path. Deeper tokens have the path of their ancestor at this depth.
const MAX_DEPTH: usize = 64;

/// Returns the tokens of `bytes` that can contain sensitive data.
pub(super) fn tokens(bytes: &[u8]) -> Vec<JsonToken> {
    let mut scanner = Scanner { bytes, containers: Vec::new(), tokens: Vec::new() };
    let mut at = 0;
    while at < bytes.len() {
        at = scanner.advance(at);
    }
    scanner.tokens
}

struct Scanner<'b> {
    bytes: &'b [u8],
    containers: Vec<Container>,
    tokens: Vec<JsonToken>,
}

impl Scanner<'_> {
    /// Reads the token at this position. Returns the position after it.
    fn advance(&mut self, at: usize) -> usize {
        match self.bytes[at] {
            b'{' => self.containers.push(Container::Object { key: None, expects_key: true }),
            b'[' => self.containers.push(Container::Array),
            b'}' | b']' => drop(self.containers.pop()),
            b',' => {
                if let Some(Container::Object { key, expects_key }) = self.containers.last_mut() {
                    (*key, *expects_key) = (None, true);
                }
            }
            b':' => {
                if let Some(Container::Object { expects_key, .. }) = self.containers.last_mut() {
                    *expects_key = false;
                }
            }
            b'"' => return self.string(at),
            byte if byte.is_ascii_whitespace() => {}
            _ => return self.word(at),
        }
        at + 1
    }

    fn string(&mut self, at: usize) -> usize {
        let mut end = at + 1;
        while end < self.bytes.len() && self.bytes[end] != b'"' {
            end += if self.bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(self.bytes.len());
        self.push(TokenKind::String, at + 1..end, |bytes, range| {
            encoding::characters(&encoding::decode_json(bytes, range)).into_iter().collect()
        });
        end + 1
    }

    fn word(&mut self, at: usize) -> usize {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"{}[],:\"".contains(byte);
        let end = self.bytes[at..].iter().position(ends).map_or(self.bytes.len(), |length| at + length);
        let word = &self.bytes[at..end];
        let expects_key = matches!(self.containers.last(), Some(Container::Object { expects_key: true, .. }));
        let kind = match word {
            // A truncated literal is not a secret either.
            word if !expects_key && LITERALS.iter().any(|literal| literal.starts_with(word)) => return end,
            word if is_number(word) => TokenKind::Number,
            _ => TokenKind::Word,
        };
        self.push(kind, at..end, |bytes, range| String::from_utf8_lossy(&bytes[range]).into_owned());
        end
    }

    fn push(&mut self, kind: TokenKind, range: Range<usize>, name: impl FnOnce(&[u8], Range<usize>) -> String) {
        let mut kind = kind;
        if let Some(Container::Object { key, expects_key }) = self.containers.last_mut()
            && *expects_key
        {
            *key = Some(name(self.bytes, range.clone()));
            // A second string before the colon is not a key.
            *expects_key = false;
            kind = TokenKind::Key;
        }
        let path = self.containers.iter().take(MAX_DEPTH).map(|container| match container {
            Container::Object { key, .. } => PathSegment::Key(key.clone().unwrap_or_default()),
            Container::Array => PathSegment::Index,
        });
        let path = path.collect();
        self.tokens.push(JsonToken { kind, range, path });
    }
}

/// Whether the word consists of the characters of a JSON number.
fn is_number(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_digit) && word.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tokens as `kind path text`.
    fn scan(text: &str) -> Vec<String> {
        let shown = |token: JsonToken| {
            let path: Vec<String> = token
                .path
                .iter()
                .map(|segment| match segment {
                    PathSegment::Key(key) => key.clone(),
                    PathSegment::Index => "*".to_owned(),
                })
                .collect();
            format!("{:?} /{} {}", token.kind, path.join("/"), &text[token.range])
        };
        tokens(text.as_bytes()).into_iter().map(shown).collect()
    }

    #[test]
    fn tokens_have_paths() {
        assert_eq!(
            scan(r#"{"a": "x", "b": [1.0, {"c\u0041": "y\""}, true], "a": null} "#),
            [
                "Key /a a",
                "String /a x",
                "Key /b b",
                "Number /b/* 1.0",
                "Key /b/*/cA c\\u0041",
                "String /b/*/cA y\\\"",
                "Key /a a",
            ]
        );
        assert_eq!(scan("\"x\""), ["String / x"]);
        assert_eq!(scan("-1e5"), ["Number / -1e5"]);
    }

    #[test]
    fn malformed_json_is_scanned() {
        for (text, expected) in [
            (r#"{"a": "open"#, &["Key /a a", "String /a open"][..]),
            (r#"{"a" "b"}"#, &["Key /a a", "String /a b"]),
            ("{a: 'x y', b: z}", &["Key /a a", "Word /a 'x", "Word /a y'", "Key /b b", "Word /b z"]),
            (
                r#"{"a: "b", "c": 1}"#,
                &["Key /a:  a: ", "Word /a:  b", "String /a:  , ", "Word /a:  c", "String /a:  : 1}"],
            ),
            ("]]}{\"a\":1,,\"b\":2", &["Key /a a", "Number /a 1", "Key /b b", "Number /b 2"]),
            ("12ab", &["Word / 12ab"]),
            ("", &[]),
            ("\"\\", &["String / \\"]),
        ] {
            assert_eq!(scan(text), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_scanned() {
        let deep = "[".repeat(100_000) + "\"x\"";
        let scanned = tokens(deep.as_bytes());
        assert_eq!((scanned.len(), scanned[0].path.len()), (1, MAX_DEPTH));
        let wide = "{\"a\":".repeat(10_000) + "1";
        assert_eq!(tokens(wide.as_bytes()).len(), 10_001);
    }
}
