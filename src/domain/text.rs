//! Text as it is searched: without case, `%` and `_` being text.

use unicode_normalization::UnicodeNormalization;

/// What `q` searches: name and description in lower case. The line feed keeps a match from spanning both.
#[must_use]
pub fn search_text(name: &str, description: Option<&str>) -> String {
    let mut text: String = lower(name).collect();
    if let Some(description) = description {
        text.push('\n');
        text.extend(lower(description));
    }
    text
}

/// Lower case, each character for itself: `str::to_lowercase` ends a Greek word with another sigma, and whether a word
/// ends there is not the same in a text and in what is searched of it.
fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|character| if character == 'ς' { 'σ' } else { character })
}

/// The pattern for `LIKE … ESCAPE '\'` that finds `q` in a search text.
#[must_use]
pub fn like_pattern(q: &str) -> String {
    let mut pattern = String::with_capacity(q.len() + 2);
    pattern.push('%');
    let q: String = q.trim().nfc().collect();
    for character in lower(&q) {
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
        assert_eq!(like_pattern("ΟΔΟΣ"), format!("%{}%", search_text("οδος", None)));
    }
}
