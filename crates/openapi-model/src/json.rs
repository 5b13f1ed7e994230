//! Strict JSON parser: rejects duplicate keys and deep nesting, which `serde_json` accepts, and reports their position.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::pointer;

/// The deepest nesting of objects and arrays in a document, slightly below the limit of `serde_json`.
const MAX_DOCUMENT_DEPTH: usize = 120;

/// The reason why bytes are not valid JSON. `Display` is a sentence for clients of an API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The bytes are not UTF-8.
    #[error("The body is not valid UTF-8.")]
    InvalidUtf8,
    /// The text is not JSON.
    #[error("The body is not valid JSON: {reason} (line {line}, column {column}).")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The violated rule of the syntax.
        reason: String,
    },
    /// A number is valid JSON, but too large for the parser.
    #[error("The body contains a number that is too large (line {line}, column {column}).")]
    NumberOutOfRange {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// An object names a key twice, so that its meaning depends on who reads it.
    #[error("The body contains the key {pointer} more than once.")]
    DuplicateKey {
        /// JSON pointer of the repeated field.
        pointer: String,
    },
    /// Objects and arrays are nested too deeply.
    #[error("The body is nested more than {limit} levels deep.")]
    TooDeep {
        /// The deepest nesting allowed.
        limit: usize,
    },
}

/// Parses a request body. Rejects duplicate keys and nesting deeper than `max_depth`.
pub(crate) fn parse(bytes: &[u8], max_depth: usize) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::InvalidUtf8)?;
    let reader = Reader {
        max_depth,
        duplicates: OnDuplicate::Reject,
        rejected: RefCell::default(),
        repeated: RefCell::default(),
    };
    reader.run(text)
}

/// Replaces the numbers that are too large for the parser by the largest number.
pub(crate) fn limit_numbers(bytes: &[u8]) -> Vec<u8> {
    let mut limited = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest[0] {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => {
                rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).count()
            }
            _ => 1,
        };
        let token = &rest[..length];
        let number = std::str::from_utf8(token).ok().and_then(|text| text.parse::<f64>().ok());
        match number.filter(|number| number.is_infinite()) {
            Some(number) => limited.extend(format!("{:e}", f64::MAX.copysign(number)).bytes()),
            None => limited.extend(token),
        }
        at += length;
    }
    limited
}

/// Returns the length of the string at the beginning, with its quotes.
fn string_length(bytes: &[u8]) -> usize {
    let mut end = 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

/// Parses a document of up to 120 levels and returns it with JSON pointers to its duplicate keys.
///
/// # Errors
/// If the text is not JSON or is nested too deeply.
pub fn parse_document(text: &str, duplicates: DuplicateKeys) -> Result<(Value, Vec<String>), JsonError> {
    let reader = Reader {
        max_depth: MAX_DOCUMENT_DEPTH,
        duplicates: OnDuplicate::Collect(duplicates),
        rejected: RefCell::default(),
        repeated: RefCell::default(),
    };
    let value = reader.run(text)?;
    Ok((value, reader.repeated.into_inner()))
}

/// The handling of duplicate keys in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateKeys {
    /// Uses the first value and reports the key.
    Report,
    /// Like [`DuplicateKeys::Report`], but merges objects with the same key in this top-level object.
    MergeIn(&'static str),
}

enum OnDuplicate {
    Reject,
    Collect(DuplicateKeys),
}

struct Reader {
    max_depth: usize,
    duplicates: OnDuplicate,
    /// The typed error. Serde errors contain only text.
    rejected: RefCell<Option<JsonError>>,
    repeated: RefCell<Vec<String>>,
}

impl Reader {
    fn run(&self, text: &str) -> Result<Value, JsonError> {
        let mut source = serde_json::Deserializer::from_str(text);
        let root = Seed { reader: self, parent: None, step: Step::Root, depth: 0 };
        let read = root.deserialize(&mut source).and_then(|value| source.end().map(|()| value));
        read.map_err(|error| self.rejected.borrow_mut().take().unwrap_or_else(|| syntax(&error)))
    }

    fn reject<E: serde::de::Error>(&self, reason: JsonError) -> E {
        *self.rejected.borrow_mut() = Some(reason);
        E::custom("rejected")
    }
}

fn syntax(error: &serde_json::Error) -> JsonError {
    if error.to_string().starts_with("number out of range") {
        return JsonError::NumberOutOfRange { line: error.line(), column: error.column() };
    }
    JsonError::Syntax { line: error.line(), column: error.column(), reason: syntax_reason(error).to_owned() }
}

/// Returns the reason for a syntax error in the terms of RFC 8259. The parser has only text, without a kind.
fn syntax_reason(error: &serde_json::Error) -> &'static str {
    if error.is_eof() {
        return "it ends before it is complete";
    }
    let text = error.to_string();
    let reason = SYNTAX_REASONS.iter().find(|(start, _)| text.starts_with(start));
    reason.map_or("it contains a character that is not allowed here", |(_, reason)| reason)
}

/// The reasons by the beginning of the message of serde_json.
const SYNTAX_REASONS: &[(&str, &str)] = &[
    ("expected value", "it contains a character that does not start a value"),
    ("expected ident", "a literal is not true, false or null"),
    ("expected `:`", "a colon is missing after a key"),
    ("expected `,` or `}`", "a comma or a closing brace is missing"),
    ("expected `,` or `]`", "a comma or a closing bracket is missing"),
    ("trailing comma", "a comma is not followed by a value or a key"),
    ("trailing characters", "text follows the end of the value"),
    ("key must be a string", "a key is not in double quotes"),
    ("control character", "a string contains a control character that is not escaped"),
    ("invalid escape", "a string contains an invalid escape sequence"),
    ("invalid unicode code point", "a string contains an invalid escape sequence"),
    ("lone leading surrogate", "an escape sequence contains one half of a surrogate pair"),
    ("unexpected end of hex escape", "an escape sequence contains one half of a surrogate pair"),
    ("invalid number", "a number is malformed"),
];

enum Step<'k> {
    Root,
    Key(&'k str),
    Index(usize),
}

/// The position of the parser: a linked list on the stack, so that the path is built only when it is needed.
struct Seed<'r, 'p> {
    reader: &'r Reader,
    parent: Option<&'p Seed<'r, 'p>>,
    step: Step<'p>,
    depth: usize,
}

impl Seed<'_, '_> {
    fn write_pointer(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write_pointer(out);
        }
        match self.step {
            Step::Root => {}
            Step::Key(key) => pointer::push(out, key),
            Step::Index(index) => pointer::push(out, &index.to_string()),
        }
    }

    fn pointer_to(&self, key: &str) -> String {
        let mut out = String::new();
        self.write_pointer(&mut out);
        pointer::push(&mut out, key);
        out
    }

    fn enter<E: serde::de::Error>(&self) -> Result<usize, E> {
        let limit = self.reader.max_depth;
        if self.depth >= limit {
            return Err(self.reader.reject(JsonError::TooDeep { limit }));
        }
        Ok(self.depth + 1)
    }

    /// Handles a key that the object already contains.
    fn repeat<E: serde::de::Error>(&self, map: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), E> {
        let reader = self.reader;
        let OnDuplicate::Collect(duplicates) = reader.duplicates else {
            let pointer = self.pointer_to(key);
            return Err(reader.reject(JsonError::DuplicateKey { pointer }));
        };
        let is_merged = self.depth == 1
            && matches!((duplicates, &self.step), (DuplicateKeys::MergeIn(name), Step::Key(key)) if name == *key);
        match (map.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) if is_merged => {
                for (method, operation) in new {
                    if old.contains_key(&method) {
                        let pointer = pointer::join(&self.pointer_to(key), &method);
                        reader.repeated.borrow_mut().push(pointer);
                    } else {
                        old.insert(method, operation);
                    }
                }
            }
            _ => reader.repeated.borrow_mut().push(self.pointer_to(key)),
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &Seed<'_, '_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Seed<'_, '_> {
    type Value = Value;
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let mut list = Vec::new();
        while let Some(value) = source.next_element_seed(&Seed {
            reader: self.reader,
            parent: Some(self),
            step: Step::Index(list.len()),
            depth,
        })? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let mut map = Map::new();
        while let Some(key) = source.next_key::<String>()? {
            let value = source.next_value_seed(&Seed {
                reader: self.reader,
                parent: Some(self),
                step: Step::Key(&key),
                depth,
            })?;
            if map.contains_key(&key) {
                self.repeat(&mut map, &key, value)?;
            } else {
                map.insert(key, value);
            }
        }
        Ok(Value::Object(map))
    }
}
