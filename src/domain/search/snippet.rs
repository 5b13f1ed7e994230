//! How a match is shown: HTML of the original text, with the matches marked.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::{
    SearchQuery,
    tokens::{Side, Token, Tokenized},
};

/// How many characters, as readers count them, a snippet has.
const LENGTH: usize = 160;
/// How many of them may come before the first match.
const BEFORE: usize = 40;
/// How far a cut may move to fall between words.
const SLACK: usize = 20;
/// How many characters, as machines count them, are shown of a text: what a reader takes for one may be thousands. Escaped
/// and marked they are no more than 4000, whatever the text.
const MAX_CHARACTERS: usize = 500;

/// About 160 characters of the text around the first match as HTML: everything is escaped, matches are in `<mark>…</mark>`,
/// `…` stands for what is left out. `None` when nothing matches.
#[must_use]
pub fn snippet(text: &str, query: &SearchQuery) -> Option<String> {
    let matches = matches(text, query);
    let first_match = matches.first()?.start;
    let shown = limited(text, window(text, first_match), first_match);
    let mut html = String::with_capacity(shown.len() + 64);
    if shown.start > 0 {
        html.push('…');
    }
    let mut at = shown.start;
    for found in matches {
        let (start, end) = (found.start.max(at), found.end.min(shown.end));
        if start >= end {
            continue;
        }
        escape(&text[at..start], &mut html);
        html.push_str("<mark>");
        escape(&text[start..end], &mut html);
        html.push_str("</mark>");
        at = end;
    }
    escape(&text[at..shown.end], &mut html);
    if shown.end < text.len() {
        html.push('…');
    }
    Some(html)
}

/// The bytes that match, in their order, none touching the next.
fn matches(text: &str, query: &SearchQuery) -> Vec<Range<usize>> {
    let text = Tokenized::new(text, Side::Text);
    let mut found: Vec<Range<usize>> = Vec::new();
    for &token in &text.tokens {
        let longest = query.terms().iter().filter_map(|term| beginning(&text, token, term)).max();
        let Some(length) = longest else { continue };
        let (first, last) = (text.folded[token.start], text.folded[token.start + length - 1]);
        match found.last_mut() {
            Some(before) if first.start <= before.end => before.end = before.end.max(last.end),
            _ => found.push(first.start..last.end),
        }
    }
    found
}

/// How many folded characters of the token the term is, if the token begins with it.
fn beginning(text: &Tokenized, token: Token, term: &str) -> Option<usize> {
    let mut characters = text.characters(token);
    term.chars().try_fold(0, |length, character| (characters.next() == Some(character)).then_some(length + 1))
}

/// Which part of the text is shown. It is never cut within what a reader takes for one character, and between words if one
/// ends nearby.
fn window(text: &str, first_match: usize) -> Range<usize> {
    // Only what may be shown is looked at: a text may be long.
    let mut starts: Vec<usize> = Vec::new();
    let mut match_at = 0;
    for (start, _) in text.grapheme_indices(true) {
        if start <= first_match {
            match_at = starts.len();
        } else if starts.len() > match_at + LENGTH + SLACK {
            break;
        }
        starts.push(start);
    }
    let place = |index: usize| starts.get(index).copied().unwrap_or(text.len());
    if starts.len() <= LENGTH && text.grapheme_indices(true).nth(LENGTH).is_none() {
        return 0..text.len();
    }
    let is_space = |index: usize| text[place(index)..].starts_with(char::is_whitespace);
    let mut from = match_at.saturating_sub(BEFORE);
    if from > 0 {
        from = (from..match_at.min(from + SLACK)).find(|&index| is_space(index)).map_or(from, |index| index + 1);
    }
    let mut to = from + LENGTH;
    if to < starts.len() {
        to = (to.saturating_sub(SLACK).max(match_at + 1)..=to).rev().find(|&index| is_space(index)).unwrap_or(to);
    }
    place(from)..place(to)
}

/// As much of the part as is not too long. A reader's character that is too long by itself is cut.
fn limited(text: &str, shown: Range<usize>, first_match: usize) -> Range<usize> {
    let is_far = text[shown.start..first_match].chars().nth(MAX_CHARACTERS / 2).is_some();
    let start = if is_far { first_match } else { shown.start };
    let part = &text[start..shown.end];
    let Some((cut, _)) = part.char_indices().nth(MAX_CHARACTERS) else { return start..shown.end };
    let whole = part.grapheme_indices(true).map(|(at, _)| at).take_while(|at| *at <= cut).last();
    start..start + whole.filter(|end| start + end > first_match).unwrap_or(cut)
}

/// Harmless between tags and in attributes.
fn escape(text: &str, html: &mut String) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            character => html.push(character),
        }
    }
}
