//! Conventions for names.

use serde_json::Value;

/// Returns whether a name is in snake_case. It may begin with an underscore, which marks metadata such as `_links`.
pub(super) fn is_snake_case(name: &str) -> bool {
    let name = name.strip_prefix('_').unwrap_or(name);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(is_word)
}

pub(super) fn is_camel_case(id: &str) -> bool {
    id.len() > 1
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.chars().all(|letter| letter.is_ascii_alphanumeric())
}

/// Returns whether a text is missing or has only whitespace.
pub(super) fn is_blank(text: Option<&Value>) -> bool {
    text.and_then(Value::as_str).is_none_or(|text| text.trim().is_empty())
}
