//! The texts, numbers and words in JSON, and where they are; also in what is not quite JSON.
//!
//! Owns a reader that never gives up: what is malformed was sent all the same, and has secrets like everything else.

use std::ops::Range;

use openapi_model::PathSegment;

use super::units;

/// What a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The name of a field.
    Key,
    /// A string.
    Text,
    /// A number.
    Number,
    /// Anything else that is no `true`, `false` or `null`: only where the JSON is malformed.
    Word,
}

/// A key, a string, a number or a stray word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) kind: Kind,
    /// Its bytes, those of a string without the quotes.
    pub(super) range: Range<usize>,
    /// Where it is; the path of a key leads to its value.
    pub(super) path: Vec<PathSegment>,
}

/// Where the reader is in an object or array.
enum Level {
    Object { key: Option<String>, wants_key: bool },
    Array,
}

const LITERALS: [&[u8]; 3] = [b"true", b"false", b"null"];

/// How deep the paths are that are told; below it, they are all the same.
const DEPTH: usize = 64;

/// Everything in `bytes` that could hold a secret.
pub(super) fn leaves(bytes: &[u8]) -> Vec<Leaf> {
    let mut reader = Reader { bytes, levels: Vec::new(), leaves: Vec::new() };
    let mut at = 0;
    while at < bytes.len() {
        at = reader.step(at);
    }
    reader.leaves
}

struct Reader<'b> {
    bytes: &'b [u8],
    levels: Vec<Level>,
    leaves: Vec<Leaf>,
}

impl Reader<'_> {
    /// Reads what is at this place; returns where the next thing is.
    fn step(&mut self, at: usize) -> usize {
        match self.bytes[at] {
            b'{' => self.levels.push(Level::Object { key: None, wants_key: true }),
            b'[' => self.levels.push(Level::Array),
            b'}' | b']' => drop(self.levels.pop()),
            b',' => {
                if let Some(Level::Object { key, wants_key }) = self.levels.last_mut() {
                    (*key, *wants_key) = (None, true);
                }
            }
            b':' => {
                if let Some(Level::Object { wants_key, .. }) = self.levels.last_mut() {
                    *wants_key = false;
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
        self.leaf(Kind::Text, at + 1..end, |bytes, range| {
            units::json(bytes, range).iter().map(|unit| unit.character).collect()
        });
        end + 1
    }

    fn word(&mut self, at: usize) -> usize {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"{}[],:\"".contains(byte);
        let end = self.bytes[at..].iter().position(ends).map_or(self.bytes.len(), |length| at + length);
        let word = &self.bytes[at..end];
        let wants_key = matches!(self.levels.last(), Some(Level::Object { wants_key: true, .. }));
        let kind = match word {
            // Half of one is malformed in its own way, and no secret.
            word if !wants_key && LITERALS.iter().any(|literal| literal.starts_with(word)) => return end,
            word if is_number(word) => Kind::Number,
            _ => Kind::Word,
        };
        self.leaf(kind, at..end, |bytes, range| String::from_utf8_lossy(&bytes[range]).into_owned());
        end
    }

    fn leaf(&mut self, kind: Kind, range: Range<usize>, name: impl FnOnce(&[u8], Range<usize>) -> String) {
        let mut kind = kind;
        if let Some(Level::Object { key, wants_key }) = self.levels.last_mut()
            && *wants_key
        {
            *key = Some(name(self.bytes, range.clone()));
            // A second text before the colon is no key.
            *wants_key = false;
            kind = Kind::Key;
        }
        let path = self.levels.iter().take(DEPTH).map(|level| match level {
            Level::Object { key, .. } => PathSegment::Key(key.clone().unwrap_or_default()),
            Level::Array => PathSegment::Index,
        });
        let path = path.collect();
        self.leaves.push(Leaf { kind, range, path });
    }
}

/// Whether this is a number as JSON writes it, or nearly.
fn is_number(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_digit) && word.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, as `kind path text`.
    fn found(text: &str) -> Vec<String> {
        let shown = |leaf: Leaf| {
            let path: Vec<String> = leaf
                .path
                .iter()
                .map(|step| match step {
                    PathSegment::Key(key) => key.clone(),
                    PathSegment::Index => "*".to_owned(),
                })
                .collect();
            format!("{:?} /{} {}", leaf.kind, path.join("/"), &text[leaf.range])
        };
        leaves(text.as_bytes()).into_iter().map(shown).collect()
    }

    #[test]
    fn everything_is_found_where_it_is() {
        assert_eq!(
            found(r#"{"a": "x", "b": [1.0, {"c\u0041": "y\""}, true], "a": null} "#),
            [
                "Key /a a",
                "Text /a x",
                "Key /b b",
                "Number /b/* 1.0",
                "Key /b/*/cA c\\u0041",
                "Text /b/*/cA y\\\"",
                "Key /a a",
            ]
        );
        assert_eq!(found("\"x\""), ["Text / x"]);
        assert_eq!(found("-1e5"), ["Number / -1e5"]);
    }

    #[test]
    fn what_is_malformed_is_read_as_far_as_it_goes() {
        for (text, expected) in [
            (r#"{"a": "open"#, &["Key /a a", "Text /a open"][..]),
            (r#"{"a" "b"}"#, &["Key /a a", "Text /a b"]),
            ("{a: 'x y', b: z}", &["Key /a a", "Word /a 'x", "Word /a y'", "Key /b b", "Word /b z"]),
            (r#"{"a: "b", "c": 1}"#, &["Key /a:  a: ", "Word /a:  b", "Text /a:  , ", "Word /a:  c", "Text /a:  : 1}"]),
            ("]]}{\"a\":1,,\"b\":2", &["Key /a a", "Number /a 1", "Key /b b", "Number /b 2"]),
            ("12ab", &["Word / 12ab"]),
            ("", &[]),
            ("\"\\", &["Text / \\"]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = "[".repeat(100_000) + "\"x\"";
        let found = leaves(deep.as_bytes());
        assert_eq!((found.len(), found[0].path.len()), (1, DEPTH));
        let wide = "{\"a\":".repeat(10_000) + "1";
        assert_eq!(leaves(wide.as_bytes()).len(), 10_001);
    }
}
