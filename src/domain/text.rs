//! Text as it is searched: without case, `%` and `_` being text.

use unicode_normalization::UnicodeNormalization;

/// What `q` searches: name and description in lower case. The line feed keeps a match from spanning both.
#[must_use]
pub fn search_text(name: &str, description: Option<&str>) -> String {
    let mut text = name.to_lowercase();
    if let Some(description) = description {
        text.push('\n');
        text.push_str(&description.to_lowercase());
    }
    text
}

/// The pattern for `LIKE … ESCAPE '\'` that finds `q` in a search text.
#[must_use]
pub fn like_pattern(q: &str) -> String {
    let mut pattern = String::with_capacity(q.len() + 2);
    pattern.push('%');
    for character in q.trim().nfc().flat_map(char::to_lowercase) {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_text() {
        assert_eq!(like_pattern("50%_\\ Off"), "%50\\%\\_\\\\ off%");
        assert_eq!(like_pattern("Zu\u{308}rich"), "%zürich%");
        assert_eq!(search_text("Zürich", Some("SEE")), "zürich\nsee");
    }
}
