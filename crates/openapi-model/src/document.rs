//! Reading and writing documents.
//!
//! A [`Document`] is OpenAPI 3.0 in canonical key order, so that two documents with the same content have the same text.
//!
//! `serde-saphyr` writes YAML: `serde_yaml` is archived, and saphyr quotes strings that YAML 1.1 parsers read as booleans or
//! dates.

use serde_json::Value;

use crate::json::{self, DuplicateKeys, JsonError};
use crate::{key_order, media_types, traverse};

/// An OpenAPI 3.0 document in canonical key order.
///
/// ```
/// use openapi_model::Document;
///
/// let text = r#"{"paths": {}, "info": {"title": "Lists", "version": "1.0.0"}, "openapi": "3.0.3"}"#;
/// let document = Document::from_json(text)?;
/// assert!(document.to_yaml().starts_with("openapi: "));
/// # Ok::<(), openapi_model::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    value: Value,
}

/// The reason why a text is not an OpenAPI 3.0 document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is not JSON.
    #[error("the document is not valid JSON: {reason} (line {line}, column {column}); is the file complete?")]
    Syntax {
        /// The message of the parser.
        reason: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Objects and arrays are nested too deeply.
    #[error("the document is nested more than {limit} levels deep")]
    TooDeep {
        /// The deepest nesting allowed.
        limit: usize,
    },
    /// An object contains a key more than once. Parsers differ in which value they use.
    #[error("the document has duplicate keys: {}", .pointers.join(", "))]
    DuplicateKeys {
        /// JSON pointers of the repeated keys.
        pointers: Vec<String>,
    },
    /// The text is valid JSON, but not an object.
    #[error("the document is not a JSON object")]
    NotAnObject,
    /// The document is in Swagger format, the predecessor of OpenAPI 3.
    #[error("this is a Swagger {version} document; only OpenAPI 3.0 is supported")]
    Swagger {
        /// The version in the document.
        version: String,
    },
    /// The document has no `openapi` field.
    #[error("the document has no \"openapi\" field: this is not an OpenAPI document")]
    NoVersion,
    /// The document has another version of OpenAPI.
    #[error("the document has \"openapi\": {version}; only 3.0 is supported")]
    Version {
        /// The version in the document, as JSON.
        version: String,
    },
    /// A required part is missing.
    #[error("the document has no \"{part}\" object; is the file complete?")]
    Missing {
        /// Name of the part.
        part: &'static str,
    },
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// If the text is not JSON, contains duplicate keys, or is not an OpenAPI 3.0 document.
    pub fn from_json(text: &str) -> Result<Document, ReadError> {
        let (value, pointers) = json::parse_document(text, DuplicateKeys::Report).map_err(ReadError::from)?;
        if !pointers.is_empty() {
            return Err(ReadError::DuplicateKeys { pointers });
        }
        check_kind(&value)?;
        Ok(Document::canonical(value))
    }

    /// Creates a document from a JSON value and sorts its keys into canonical order.
    ///
    /// # Errors
    /// If the value is not an OpenAPI 3.0 document.
    pub fn from_value(value: Value) -> Result<Document, ReadError> {
        check_kind(&value)?;
        Ok(Document::canonical(value))
    }

    fn canonical(mut value: Value) -> Document {
        key_order::document(&mut value);
        Document { value }
    }

    /// Returns the document as JSON, in canonical order.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the document with `application/json` for every JSON media type and without alternatives to it, for tools that
    /// support no other media type.
    #[must_use]
    pub fn json_only(&self) -> Document {
        let mut value = self.value.clone();
        media_types::plain_json(&mut value);
        Document::canonical(value)
    }

    /// Returns the references that do not resolve within the document.
    #[must_use]
    pub fn unresolved_references(&self) -> Vec<&str> {
        traverse::unresolved_references(&self.value).collect()
    }

    /// Returns the document as canonical JSON text, indented with two spaces and with a final newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        json_text(&self.value)
    }

    /// Returns the document as YAML text with the same content in the same order.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml_text(&self.value)
    }
}

pub(crate) fn json_text(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Returns a JSON value as YAML text.
#[must_use]
pub fn yaml_text(value: &Value) -> String {
    // JSON values have only string keys and finite numbers, which YAML can represent. If the writer fails anyway, JSON
    // is valid YAML.
    serde_saphyr::to_string(value).unwrap_or_else(|_| json_text(value))
}

impl From<JsonError> for ReadError {
    fn from(malformed: JsonError) -> Self {
        match malformed {
            JsonError::Syntax { line, column, reason } => ReadError::Syntax { reason, line, column },
            JsonError::NumberOutOfRange { line, column } => {
                ReadError::Syntax { reason: "a number is too large".to_owned(), line, column }
            }
            JsonError::TooDeep { limit } => ReadError::TooDeep { limit },
            JsonError::DuplicateKey { pointer } => ReadError::DuplicateKeys { pointers: vec![pointer] },
            JsonError::InvalidUtf8 => ReadError::Syntax { reason: "invalid UTF-8".to_owned(), line: 1, column: 1 },
        }
    }
}

fn check_kind(value: &Value) -> Result<(), ReadError> {
    let map = value.as_object().ok_or(ReadError::NotAnObject)?;
    if let Some(version) = map.get("swagger") {
        let version = version.to_string().replace('"', "");
        return Err(ReadError::Swagger { version });
    }
    match map.get("openapi") {
        None => return Err(ReadError::NoVersion),
        Some(Value::String(version)) if version.starts_with("3.0.") => {}
        Some(version) => {
            let version = version.to_string();
            return Err(ReadError::Version { version });
        }
    }
    for part in ["info", "paths"] {
        if !map.get(part).is_some_and(Value::is_object) {
            return Err(ReadError::Missing { part });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture;

    #[test]
    fn invalid_documents_are_rejected() {
        for (text, expected) in [
            ("", "is the file complete?"),
            (r#"{"openapi":"3.0.3","info":{"#, "ends before it is complete"),
            ("[]", "not a JSON object"),
            ("{}", "no \"openapi\" field"),
            (r#"{"swagger":"2.0"}"#, "Swagger 2.0"),
            (r#"{"openapi":"3.1.0"}"#, "only 3.0"),
            (r#"{"openapi":3}"#, "\"openapi\": 3;"),
            (r#"{"openapi":"3.0.3","info":{}}"#, "no \"paths\" object"),
            (r#"{"openapi":"3.0.3","info":{},"info":{}}"#, "duplicate keys: /info"),
        ] {
            let error = Document::from_json(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn written_documents_are_stable_and_parse() {
        let document = fixture::document();
        let text = document.to_json();
        assert!(text.ends_with("}\n") && text.starts_with("{\n  \"openapi\": \"3.0.3\",\n  \"info\""));
        let again = Document::from_json(&text).unwrap();
        assert_eq!(again, document);
        assert_eq!(again.to_json(), text);
    }

    #[test]
    fn yaml_has_the_same_content() {
        let mut value = fixture::document().value().clone();
        // Strings that YAML parsers often misread.
        value["info"]["x-odd"] = serde_json::json!([
            "yes", "on", "null", "~", "1.0", "1e3", "0x1f", "2026-01-31", "12:30:45", " x ", "", "a: b", "#c", "- d",
            "line\nbreak\n", "\ttab", "\u{7f}\u{85}\u{2028}", "'\"\\", "*x", "&y", "!z", "é\u{1f600}", 1, 1.5, true, null,
            9_223_372_036_854_775_807_i64, {}, [], {"y": "n"}, "`", "%", "@", "long ".repeat(60), "  indented\n    more\n"
        ]);
        let document = Document::canonical(value);
        let yaml = document.to_yaml();
        let back: Value = serde_saphyr::from_str(&yaml).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
        assert_eq!(&back, document.value(), "{yaml}");
        assert!(yaml.starts_with("openapi: "), "{yaml}");
    }
}
