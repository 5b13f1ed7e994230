//! The language of every text follows `docs/glossary.md`.

use super::{
    glossary::{self, Rule},
    phrases::Words,
    texts::{self, Text},
};

/// The longest sentence of the contract, in words.
const LONGEST_SENTENCE: usize = 30;

/// Returns every phrase to avoid in a text.
fn phrases(text: &Text, rules: &[Rule]) -> Vec<String> {
    let words = Words::of(&text.text);
    let mut found = Vec::new();
    for rule in rules {
        for range in rule.violations(&words) {
            let phrase = text.text[range.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
            found.push(format!("{}: “{phrase}”: use “{}”", text.location(range.start), rule.replacement));
        }
    }
    found
}

/// Returns the sentences of a text. List items and paragraphs end one.
fn sentences(text: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    let mut words = text.split_inclusive(char::is_whitespace).peekable();
    while let Some(word) = words.next() {
        let sentence = sentences.last_mut().unwrap();
        sentence.push_str(word.trim());
        sentence.push(' ');
        let bare = word.trim().trim_end_matches(['"', '”', ')', '*', '\'']);
        let next = words.peek().map_or("", |next| next.trim());
        let ends = bare.ends_with(['.', '!', '?']) && !next.starts_with(char::is_lowercase);
        let starts_item = word.ends_with('\n') && (next.is_empty() || ["-", "*", "|"].contains(&next));
        if ends || starts_item || word.ends_with(":\n") {
            sentences.push(String::new());
        }
    }
    sentences.retain(|sentence| !sentence.trim().is_empty());
    sentences
}

fn long_sentences(text: &Text) -> Vec<String> {
    let length = |sentence: &String| {
        sentence
            .split_whitespace()
            .filter(|word| word.contains(char::is_alphanumeric) || word.contains('\u{1}'))
            .count()
    };
    let long = sentences(&text.text).into_iter().filter(|sentence| length(sentence) > LONGEST_SENTENCE);
    let describe = |sentence: String| {
        let start: String = sentence.replace('\u{1}', "").chars().take(60).collect();
        format!("{}: a sentence of {} words: “{start}…”: divide it", text.location(0), length(&sentence))
    };
    long.map(describe).collect()
}

/// `PROSE=src/http,docs` checks these files and directories only.
fn is_checked(text: &Text, selected: Option<&str>) -> bool {
    match selected {
        Some(selected) => selected.split(',').any(|start| text.file.starts_with(start)),
        None => true,
    }
}

#[test]
fn every_text_follows_the_glossary() {
    let rules = glossary::rules();
    assert!(rules.len() > 100, "{}", rules.len());
    let selected = std::env::var("PROSE").ok();
    let mut found = Vec::new();
    for text in texts::all().iter().filter(|text| is_checked(text, selected.as_deref())) {
        found.extend(phrases(text, &rules));
        if text.is_contract {
            found.extend(long_sentences(text));
        }
    }
    assert!(found.is_empty(), "{} violations of {}:\n{}", found.len(), glossary::PATH, found.join("\n"));
}

#[test]
fn sentence_ends_at_a_full_stop_or_with_its_list_item() {
    let found = sentences("One two. Three (four). E.g. five.\n\n- six\n- seven: eight\nnine");
    let expected = ["One two. ", "Three (four). ", "E.g. five. ", "- six ", "- seven: eight nine "];
    assert_eq!(found.into_iter().filter(|sentence| sentence.trim() != "").collect::<Vec<_>>(), expected);
}
