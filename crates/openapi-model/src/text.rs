//! Rules for text from clients: whitespace, control characters and Unicode normal form, and the patterns that document
//! them.

use std::borrow::Cow;

use serde_json::{Map, Value};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The default of [`ValidationOptions::multi_line_from`](crate::ValidationOptions::multi_line_from).
pub const MULTI_LINE_FROM: u64 = 1000;

/// Whitespace that trimming removes, without control characters, for use in a character class. The characters are
/// listed because `\s` differs between languages.
const SPACE: &str = r"\u0020\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000";

/// Returns whether a character is invisible although it is not whitespace: the property `Default_Ignorable_Code_Point` of
/// Unicode, invisible format characters, and letters and symbols without ink.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    matches!(character, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}')
        || matches!(character, '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
        || matches!(character, '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{13430}'..='\u{13442}')
        || matches!(character, '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}')
        || matches!(character, '\u{E0000}'..='\u{E007F}' | '\u{E0100}'..='\u{E01EF}')
}

/// The characters that a string may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// No control characters, and no line or paragraph separators (U+2028, U+2029). Trimmed and normalized.
    SingleLine,
    /// No control characters except tab, line feed and carriage return. Trimmed and normalized.
    MultiLine,
    /// A value with a format, such as a date or an email address. Like a single line, but validated after trimming.
    Formatted,
    /// Any character except U+0000, which databases reject. Not changed.
    Secret,
}

impl TextKind {
    /// Returns the kind of text that a string schema describes. A string with a `maxLength` of at least `multi_line_from` is
    /// multi-line.
    pub fn of(schema: &Value, multi_line_from: u64) -> TextKind {
        let format = schema.get("format").and_then(Value::as_str);
        if format == Some("password") {
            TextKind::Secret
        } else if format.is_some() {
            TextKind::Formatted
        } else if schema.get("maxLength").and_then(Value::as_u64).is_some_and(|length| length >= multi_line_from) {
            TextKind::MultiLine
        } else {
            TextKind::SingleLine
        }
    }

    /// Returns whether this kind of text may contain `character`.
    pub fn allows(self, character: char) -> bool {
        match self {
            TextKind::SingleLine | TextKind::Formatted => {
                !character.is_control() && !matches!(character, '\u{2028}' | '\u{2029}')
            }
            TextKind::MultiLine => !character.is_control() || matches!(character, '\t' | '\n' | '\r'),
            TextKind::Secret => character != '\0',
        }
    }

    /// Returns the message of a violation for text with an invalid character.
    pub fn violation_message(self) -> &'static str {
        match self {
            TextKind::SingleLine | TextKind::Formatted => "must not contain control characters or line breaks",
            TextKind::MultiLine => "must not contain control characters other than tab and line break",
            TextKind::Secret => "must not contain the character U+0000",
        }
    }

    /// Returns the text in Unicode normal form C; secret text is not changed. Text with a format is also trimmed, because
    /// its format is validated, not its length.
    pub fn compose(self, text: &str) -> Cow<'_, str> {
        let text = if self == TextKind::Formatted { text.trim() } else { text };
        if self == TextKind::Secret || text.is_ascii() || is_nfc(text) {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(text.nfc().collect())
        }
    }

    /// Returns the text without surrounding whitespace, or an empty text if no character is visible; secret text is not
    /// changed. Invisible characters next to visible ones can be part of them, such as in an emoji.
    pub fn trim(self, text: &str) -> &str {
        let is_blank = |text: &str| text.chars().all(|character| character.is_whitespace() || is_invisible(character));
        match self {
            TextKind::Secret => text,
            _ if is_blank(text) => "",
            _ => text.trim(),
        }
    }

    /// Returns the regular expression (ECMA 262) for strings that have at least `min_length` characters after trimming. It
    /// does not backtrack: the leading whitespace is followed by a different character class. It also accepts strings of
    /// invisible characters, which no portable character class lists and which trimming empties, and U+2028 and U+2029 in a single line,
    /// which clients may have stored.
    fn pattern(self, min_length: u64) -> String {
        let (any, space) = match self {
            TextKind::Secret => return r"^[^\u0000]*$".to_owned(),
            TextKind::SingleLine | TextKind::Formatted => (r"[^\u0000-\u001F\u007F-\u009F]", format!("[{SPACE}]")),
            TextKind::MultiLine => {
                (r"[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]", format!(r"[\t\n\r{SPACE}]"))
            }
        };
        // Any allowed character except whitespace.
        let ink = match self {
            TextKind::MultiLine => format!(r"[^\u0000-\u001F\u007F-\u009F{SPACE}]"),
            _ => any.replace(']', &format!("{SPACE}]")),
        };
        match min_length {
            0 => format!("^{any}*$"),
            1 => format!("^{space}*{ink}{any}*$"),
            2 => format!("^{space}*{ink}{any}*{ink}{space}*$"),
            more => format!("^{space}*{ink}{any}{{{},}}{ink}{space}*$", more - 2),
        }
    }
}

/// Returns whether a string schema allows any text: it has no pattern except the one that [`document_rule`] adds.
pub fn is_any(schema: &Value, multi_line_from: u64) -> bool {
    let min_length = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    let rule = TextKind::of(schema, multi_line_from).pattern(min_length);
    let is_string = schema.get("type").and_then(Value::as_str) == Some("string");
    let has = |key: &str| schema.get(key).is_some();
    let pattern = schema.get("pattern").and_then(Value::as_str);
    is_string && !has("format") && !has("enum") && pattern.is_none_or(|pattern| pattern == rule)
}

/// Adds a pattern for the allowed characters to a string schema without a pattern, an enumeration or a format.
pub fn document_rule(schema: &mut Map<String, Value>, multi_line_from: u64) {
    let is_string = schema.get("type").and_then(Value::as_str) == Some("string");
    let format = schema.get("format").and_then(Value::as_str);
    if !is_string
        || schema.contains_key("enum")
        || schema.contains_key("pattern")
        || format.is_some_and(|format| format != "password")
    {
        return;
    }
    let min_length = schema.get("minLength").and_then(Value::as_u64);
    let kind = TextKind::of(&Value::Object(schema.clone()), multi_line_from);
    let pattern = kind.pattern(min_length.unwrap_or(0));
    schema.insert("pattern".to_owned(), pattern.into());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    #[test]
    fn pattern_matches_the_text_that_the_server_accepts() {
        let texts = [
            "",
            " ",
            "a",
            " a ",
            "ab",
            "a b",
            "abc",
            "  ab\u{a0}",
            "\u{3000}",
            "\u{feff}",
            "\u{a0}x",
            "a\tb",
            "a\nb",
            "\n",
            "\n \r",
            "a\u{0}",
            "\u{7f}",
            "a\u{85}",
            "\u{9f}b",
            "\u{2028}",
            "a\u{2028}b",
            "a\u{2029}",
            "é",
            "👩‍👩‍👧",
            "a\u{b}",
            "\u{200b}",
            "\u{2060}\u{feff}",
            "\u{3164}",
            "\u{ad}",
            " \u{200d} ",
            "\u{200b}a\u{200b}",
            "❤\u{fe0f}",
        ];
        for max in [100, 1000] {
            for min in 0..4 {
                let mut schema = json!({"type": "string", "minLength": min, "maxLength": max});
                document_rule(schema.as_object_mut().unwrap(), MULTI_LINE_FROM);
                let kind = TextKind::of(&schema, MULTI_LINE_FROM);
                let pattern = json!({"type": "string", "pattern": schema["pattern"]});
                let validator = jsonschema::options().build(&pattern).unwrap();
                for text in texts {
                    let composed = kind.compose(text);
                    let trimmed = kind.trim(&composed);
                    let accepted = text.chars().all(|c| kind.allows(c)) && trimmed.chars().count() >= min;
                    // The pattern has been released: a stricter one would break clients that validate stored text with it.
                    if max == 100 && text.contains(['\u{2028}', '\u{2029}']) {
                        assert!(!accepted, "{text:?}");
                        continue;
                    }
                    if trimmed.is_empty() && text.chars().any(is_invisible) {
                        assert_eq!(accepted, min == 0, "{text:?} min {min}");
                        continue;
                    }
                    assert_eq!(validator.is_valid(&json!(text)), accepted, "{text:?} min {min} max {max} {pattern}");
                }
            }
        }
    }

    #[test]
    fn schemas_with_other_constraints_are_unchanged() {
        for schema in [
            json!({"type": "string", "enum": ["a"]}),
            json!({"type": "string", "format": "email"}),
            json!({"type": "string", "pattern": "^a$"}),
            json!({"type": "integer"}),
        ] {
            let mut map = schema.as_object().unwrap().clone();
            document_rule(&mut map, MULTI_LINE_FROM);
            assert_eq!(Value::Object(map), schema);
        }
        let mut secret = json!({"type": "string", "format": "password"});
        document_rule(secret.as_object_mut().unwrap(), MULTI_LINE_FROM);
        assert_eq!(secret["pattern"], r"^[^\u0000]*$");
    }

    #[test]
    fn text_is_normalized_and_trimmed() {
        for (kind, sent, expected) in [
            (TextKind::SingleLine, " Zu\u{308}rich\u{a0}", "Zürich"),
            (TextKind::MultiLine, "\na\n", "a"),
            (TextKind::SingleLine, " \u{200b} \u{e0020}\u{13441}", ""),
            (TextKind::SingleLine, " ❤\u{fe0f} ", "❤\u{fe0f}"),
            (TextKind::Secret, "\u{200b}", "\u{200b}"),
            (TextKind::Secret, " u\u{308} ", " u\u{308} "),
        ] {
            assert_eq!(kind.trim(&kind.compose(sent)), expected);
        }
    }
}
