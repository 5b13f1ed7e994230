//! Matching phrases of whole words in a text.

use std::ops::Range;

/// A word of a text.
struct Word {
    range: Range<usize>,
    text: String,
    /// Whether only whitespace separates it from the word before.
    is_adjacent: bool,
}

/// A text divided into words.
pub struct Words(Vec<Word>);

impl Words {
    pub fn of(text: &str) -> Self {
        // A hyphen and an apostrophe are part of a word: "octet" is not in "octet-stream".
        let is_part = |c: char| c.is_alphanumeric() || "_-'’".contains(c);
        let mut words: Vec<Word> = Vec::new();
        let mut rest = 0;
        while let Some(start) = text[rest..].find(is_part).map(|at| rest + at) {
            let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |at| start + at);
            words.push(Word {
                range: start..end,
                text: text[start..end].to_lowercase().replace('’', "'"),
                is_adjacent: text[rest..start].chars().all(char::is_whitespace),
            });
            rest = end;
        }
        Self(words)
    }
}

/// A phrase as the glossary writes it: `*` at the end of a word matches any ending, and alone any word.
pub struct Phrase {
    pub source: String,
    words: Vec<(String, bool)>,
}

impl Phrase {
    pub fn parse(source: &str) -> Self {
        let word = |word: &str| match word.strip_suffix('*') {
            Some(stem) => (stem.to_lowercase(), true),
            None => (word.to_lowercase(), false),
        };
        Self { source: source.to_owned(), words: source.split_whitespace().map(word).collect() }
    }

    /// Returns the positions of the phrase in the text.
    pub fn find_in(&self, words: &Words) -> Vec<Range<usize>> {
        let matches = |window: &&[Word]| {
            window.iter().zip(&self.words).enumerate().all(|(index, (word, (pattern, is_prefix)))| {
                let is_equal = if *is_prefix { word.text.starts_with(pattern) } else { word.text == *pattern };
                is_equal && (index == 0 || word.is_adjacent)
            })
        };
        let windows = words.0.windows(self.words.len()).filter(matches);
        windows.map(|window| window[0].range.start..window[window.len() - 1].range.end).collect()
    }
}

#[test]
fn phrases_match_whole_words_in_any_case_across_lines() {
    let find = |phrase: &str, text: &str| {
        let found = Phrase::parse(phrase).find_in(&Words::of(text));
        found.into_iter().map(|range| text[range].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        find("answer*", "An answer, ANSWERED; answer-phone, unanswered."),
        ["answer", "ANSWERED", "answer-phone"]
    );
    assert_eq!(find("goes on", "It goes\n  on. It goes, on."), ["goes\n  on"]);
    assert_eq!(find("octet", "application/octet-stream, one octet"), ["octet"]);
    assert_eq!(find("one's own", "one’s own"), ["one’s own"]);
    assert_eq!(find("prove* * password", "proves the password"), ["proves the password"]);
    assert!(find("is kept", "this kept").is_empty());
}
