//! The column `search_text`, and the LIKE patterns that `q` matches it with. Case is ignored; `%` and `_` are plain text.

use crate::domain::TextFilter;

/// Returns the value of the column: name and description in lower case, separated by a line feed so that no match spans both.
#[must_use]
pub fn search_text(name: &str, description: Option<&str>) -> String {
    let mut text: String = lower(name).collect();
    if let Some(description) = description {
        text.push('\n');
        text.extend(lower(description));
    }
    text
}

/// Converts to lower case character by character: `str::to_lowercase` has a special sigma for the end of a word, and a pattern
/// may end inside a word.
fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|character| if character == 'ς' { 'σ' } else { character })
}

/// Returns the pattern for `LIKE … ESCAPE '\'` that matches texts containing the filter.
pub(super) fn like_pattern(filter: &TextFilter) -> String {
    let mut pattern = String::with_capacity(filter.as_str().len() + 2);
    pattern.push('%');
    for character in lower(filter.as_str()) {
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

    fn pattern(text: &str) -> String {
        like_pattern(&TextFilter::parse(text).unwrap())
    }

    #[test]
    fn wildcards_are_escaped() {
        assert_eq!(pattern("50%_\\ Off"), "%50\\%\\_\\\\ off%");
    }

    #[test]
    fn pattern_and_text_are_normalized_in_the_same_way() {
        assert_eq!(pattern(" Zu\u{308}rich "), "%zürich%");
        assert_eq!(search_text("Zürich", Some("SEE")), "zürich\nsee");
        assert_eq!(pattern("ΟΔΟΣ"), format!("%{}%", search_text("οδος", None)));
    }
}
