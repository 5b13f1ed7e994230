//! Where an error comes from, without values.

use std::fmt::{Display, Write as _};

/// How many characters of a site are kept.
const MAX_SITE: usize = 200;

/// Where an error comes from, as far as that is the same for equal failures: what is between quotes, in parentheses, and
/// numbers are values of one failure, and may be anybody's.
#[must_use]
pub fn error_site(causes: impl IntoIterator<Item = impl Display>) -> String {
    // Made for each request of a storm: two strings, however many causes and words there are, and as a rule of this size.
    let (mut site, mut sentence) = (String::with_capacity(MAX_SITE), String::with_capacity(MAX_SITE));
    for cause in causes {
        sentence.clear();
        // Into a string, which takes everything.
        let _ = write!(sentence, "{cause}");
        let before = site.len();
        site.push_str(if before == 0 { "" } else { ": " });
        let begin = site.len();
        append_shape(&sentence, &mut site);
        if site.len() == begin {
            site.truncate(before);
        }
    }
    if let Some((end, _)) = site.char_indices().nth(MAX_SITE) {
        site.truncate(end);
    }
    site
}

/// Appends the words of a sentence, without the values in it and without repetitions.
fn append_shape(sentence: &str, site: &mut String) {
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
            None if is_plain(word) => append(word),
            None => append("…"),
        }
    }
}

/// Letters and what stands between sentences.
fn is_plain(word: &str) -> bool {
    const SIGNS: &str = "-_.,;:/!";
    // Most words are of ASCII, which is told without the tables of Unicode.
    let is_ascii = word.bytes().all(|byte| byte.is_ascii_alphabetic() || SIGNS.as_bytes().contains(&byte));
    is_ascii || word.chars().all(|character| character.is_alphabetic() || SIGNS.contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_words_and_no_values() {
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
        assert_eq!(error_site([long]).chars().count(), MAX_SITE);
        assert_eq!(error_site(["5", "", "gone"]), "…: gone", "a cause without words is none");
    }
}
