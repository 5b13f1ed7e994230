//! The tables of `docs/glossary.md`.

use super::{
    pages::read,
    phrases::{Phrase, Words},
};

pub const PATH: &str = "docs/glossary.md";

/// A phrase to avoid, and the term that replaces it.
pub struct Rule {
    pub phrase: Phrase,
    pub replacement: String,
    /// Texts around a match in which the phrase is allowed.
    exceptions: Vec<Phrase>,
}

impl Rule {
    /// Returns the text of each match that no exception covers, with its position.
    pub fn violations(&self, words: &Words) -> Vec<std::ops::Range<usize>> {
        let allowed: Vec<_> = self.exceptions.iter().flat_map(|phrase| phrase.find_in(words)).collect();
        let is_allowed = |range: &std::ops::Range<usize>| {
            allowed.iter().any(|around| around.start <= range.start && range.end <= around.end)
        };
        self.phrase.find_in(words).into_iter().filter(|range| !is_allowed(range)).collect()
    }
}

/// Returns the texts in code formatting in a cell.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Returns the rows of every table that has these columns, as the cells of these columns.
fn rows(text: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut positions: Option<Vec<usize>> = None;
    let mut is_head = true;
    for line in text.lines() {
        let Some(line) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            is_head = true;
            continue;
        };
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if is_head {
            positions = columns.iter().map(|column| cells.iter().position(|cell| cell == column)).collect();
            is_head = false;
        } else if let Some(positions) = positions.as_ref().filter(|_| !cells[0].starts_with("---")) {
            rows.push(positions.iter().map(|position| cells[*position].to_owned()).collect());
        }
    }
    rows
}

/// Returns every phrase to avoid.
pub fn rules() -> Vec<Rule> {
    let text = read(PATH);
    let exceptions = rows(&text, &["phrase", "allowed in", "reason"]);
    for row in &exceptions {
        assert!(!row[2].is_empty(), "{PATH}: the exception for {} has no reason", row[0]);
    }
    let mut rules: Vec<Rule> = Vec::new();
    for row in rows(&text, &["use", "meaning", "avoid", "where it appears"]) {
        assert!(row.iter().all(|cell| !cell.is_empty()), "{PATH}: an empty cell in the row of {}", row[0]);
        for source in code(&row[2]) {
            assert!(rules.iter().all(|rule| rule.phrase.source != source), "{PATH}: `{source}` is there twice");
            let of_phrase = exceptions.iter().filter(|exception| code(&exception[0]).contains(&source));
            rules.push(Rule {
                phrase: Phrase::parse(source),
                replacement: row[0].clone(),
                exceptions: of_phrase.flat_map(|exception| code(&exception[1])).map(Phrase::parse).collect(),
            });
        }
    }
    for exception in &exceptions {
        for phrase in code(&exception[0]) {
            assert!(
                rules.iter().any(|rule| rule.phrase.source == phrase),
                "{PATH}: `{phrase}` is not avoided anywhere"
            );
        }
    }
    rules
}

#[test]
fn exceptions_allow_a_phrase_only_in_their_context() {
    let rule = Rule {
        phrase: Phrase::parse("refus*"),
        replacement: "reject".to_owned(),
        exceptions: vec![Phrase::parse("connection refused")],
    };
    let text = "connection refused: the server refused the token";
    let found: Vec<&str> = rule.violations(&Words::of(text)).into_iter().map(|range| &text[range]).collect();
    assert_eq!(found, ["refused"]);
    assert_eq!(rule.violations(&Words::of(text))[0].start, 31);
}

#[test]
fn rows_are_read_by_the_names_of_their_columns() {
    let table = "| use | avoid |\n|---|---|\n| a | `b`, `c d` |\n\ntext\n| avoid | why |\n|---|---|\n| `x` | y |\n";
    assert_eq!(rows(table, &["avoid", "use"]), [["`b`, `c d`", "a"]]);
    assert_eq!(rows(table, &["why"]), [["y"]]);
    assert_eq!(code("`b`, `c d`"), ["b", "c d"]);
}
