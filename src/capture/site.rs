//! The site of an error: its causes without values, equal for equal failures.

use std::fmt::{Display, Write as _};

/// Maximum number of characters of a site.
const MAX_LENGTH: usize = 200;

/// Returns the site of an error. Quoted text, text in parentheses and numbers are values: each is replaced with `…`.
#[must_use]
pub fn error_site(causes: impl IntoIterator<Item = impl Display>) -> String {
    // Runs for every failed request. The number of allocations does not depend on the number of causes and words.
    let (mut site, mut sentence) = (String::with_capacity(MAX_LENGTH), String::with_capacity(MAX_LENGTH));
    for cause in causes {
        sentence.clear();
        // Writing to a string cannot fail.
        let _ = write!(sentence, "{cause}");
        let before = site.len();
        site.push_str(if before == 0 { "" } else { ": " });
        let begin = site.len();
        append_without_values(&sentence, &mut site);
        if site.len() == begin {
            site.truncate(before);
        }
    }
    if let Some((end, _)) = site.char_indices().nth(MAX_LENGTH) {
        site.truncate(end);
    }
    site
}

/// Appends the words of a sentence without values and repetitions.
fn append_without_values(sentence: &str, site: &mut String) {
    let (mut quote, mut last) = (None, "");
    let mut append = |word| {
        if word != last {
            site.push_str(if last.is_empty() { "" } else { " " });
            site.push_str(word);
            last = word;
        }
    };
    for word in sentence.split_whitespace() {
        let first = word.chars().next().filter(|first| "\"'`(".contains(*first));
        if quote.is_none() && first.is_some() {
            quote = first.map(|first| if first == '(' { ')' } else { first });
            append("…");
        }
        match quote {
            Some(end) if word.trim_end_matches([',', '.', ';', ':']).ends_with(end) && word.len() > 1 => quote = None,
            Some(_) => {}
            None if is_word(word) => append(word),
            None => append("…"),
        }
    }
}

/// Whether the text consists of letters and punctuation.
fn is_word(word: &str) -> bool {
    const PUNCTUATION: &str = "-_.,;:/!";
    // Fast path without the Unicode tables: most words are ASCII.
    let is_ascii = word.bytes().all(|byte| byte.is_ascii_alphabetic() || PUNCTUATION.as_bytes().contains(&byte));
    is_ascii || word.chars().all(|character| character.is_alphabetic() || PUNCTUATION.contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_contains_words_without_values() {
        for (causes, expected) in [
            (
                &["internal: x", "the query failed: column \"a b\" is of type 5"][..],
                "internal: x: the query failed: column … is of type …",
            ),
            (
                &["panic: index out of bounds: the len is 3 but the index is 7"],
                "panic: index out of bounds: the len is … but the index is …",
            ),
            (
                &["UNIQUE failed (secret one, two), again", "ada@example.com is gone"],
                "UNIQUE failed … again: … is gone",
            ),
            (&["`open and never closed"], "…"),
            (&[], ""),
        ] {
            assert_eq!(error_site(causes), expected);
        }
        assert_eq!(error_site(["a ".repeat(900)]).chars().count(), 1);
        let long: String = (0..900).map(|n| if n % 2 == 0 { "ä " } else { "b " }).collect();
        assert_eq!(error_site([long]).chars().count(), MAX_LENGTH);
        assert_eq!(error_site(["5", "", "gone"]), "…: gone", "causes without words are omitted");
    }
}
