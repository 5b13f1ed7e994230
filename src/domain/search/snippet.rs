//! Snippets: an excerpt of the original text as HTML, with the matches marked.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::{
    SearchQuery,
    tokens::{TextKind, Token, Tokenized},
};

/// Length of a snippet in grapheme clusters.
const MAX_LENGTH: usize = 160;
/// Maximum number of grapheme clusters before the first match.
const MAX_LENGTH_BEFORE_MATCH: usize = 40;
/// Maximum distance between a cut and the word boundary that it moves to, in grapheme clusters.
const MAX_BOUNDARY_DISTANCE: usize = 20;
/// Maximum number of code points of the text in a snippet, since a grapheme cluster may have thousands. With escapes and marks
/// the HTML has at most 4000.
const MAX_CHARACTERS: usize = 500;

/// Returns about 160 characters of the text around the first match as HTML: escaped, with matches in `<mark>…</mark>` and `…` in
/// place of omitted text. `None` if nothing matches.
#[must_use]
pub fn snippet(text: &str, query: &SearchQuery) -> Option<String> {
    let matches = matches(text, query);
    let first_match = matches.first()?.start;
    let excerpt = limited(text, window(text, first_match), first_match);
    let mut html = String::with_capacity(excerpt.len() + 64);
    if excerpt.start > 0 {
        html.push('…');
    }
    let mut at = excerpt.start;
    for range in matches {
        let (start, end) = (range.start.max(at), range.end.min(excerpt.end));
        if start >= end {
            continue;
        }
        escape(&text[at..start], &mut html);
        html.push_str("<mark>");
        escape(&text[start..end], &mut html);
        html.push_str("</mark>");
        at = end;
    }
    escape(&text[at..excerpt.end], &mut html);
    if excerpt.end < text.len() {
        html.push('…');
    }
    Some(html)
}

/// Returns the matching byte ranges in order; adjacent ranges are merged.
fn matches(text: &str, query: &SearchQuery) -> Vec<Range<usize>> {
    let text = Tokenized::new(text, TextKind::Text);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for &token in &text.tokens {
        let longest = query.terms().iter().filter_map(|term| prefix_length(&text, token, term)).max();
        let Some(length) = longest else { continue };
        let (first, last) = (text.folded[token.start], text.folded[token.start + length - 1]);
        match ranges.last_mut() {
            Some(before) if first.start <= before.end => before.end = before.end.max(last.end),
            _ => ranges.push(first.start..last.end),
        }
    }
    ranges
}

/// Returns the number of folded characters of `term` if the token starts with it.
fn prefix_length(text: &Tokenized, token: Token, term: &str) -> Option<usize> {
    let mut characters = text.characters(token);
    term.chars().try_fold(0, |length, character| (characters.next() == Some(character)).then_some(length + 1))
}

/// Selects the part of the text to show. It is cut between grapheme clusters, and at a word boundary if there is one nearby.
fn window(text: &str, first_match: usize) -> Range<usize> {
    // A text can be long, so stop after the part that can be shown.
    let mut starts: Vec<usize> = Vec::new();
    let mut match_at = 0;
    for (start, _) in text.grapheme_indices(true) {
        if start <= first_match {
            match_at = starts.len();
        } else if starts.len() > match_at + MAX_LENGTH + MAX_BOUNDARY_DISTANCE {
            break;
        }
        starts.push(start);
    }
    let byte_at = |index: usize| starts.get(index).copied().unwrap_or(text.len());
    if starts.len() <= MAX_LENGTH && text.grapheme_indices(true).nth(MAX_LENGTH).is_none() {
        return 0..text.len();
    }
    let is_space = |index: usize| text[byte_at(index)..].starts_with(char::is_whitespace);
    let mut from = match_at.saturating_sub(MAX_LENGTH_BEFORE_MATCH);
    if from > 0 {
        from = (from..match_at.min(from + MAX_BOUNDARY_DISTANCE))
            .find(|&index| is_space(index))
            .map_or(from, |index| index + 1);
    }
    let mut to = from + MAX_LENGTH;
    if to < starts.len() {
        to = (to.saturating_sub(MAX_BOUNDARY_DISTANCE).max(match_at + 1)..=to)
            .rev()
            .find(|&index| is_space(index))
            .unwrap_or(to);
    }
    byte_at(from)..byte_at(to)
}

/// Limits the part to [`MAX_CHARACTERS`]. A grapheme cluster that is longer than that is cut.
fn limited(text: &str, excerpt: Range<usize>, first_match: usize) -> Range<usize> {
    let is_far = text[excerpt.start..first_match].chars().nth(MAX_CHARACTERS / 2).is_some();
    let start = if is_far { first_match } else { excerpt.start };
    let part = &text[start..excerpt.end];
    let Some((cut, _)) = part.char_indices().nth(MAX_CHARACTERS) else { return start..excerpt.end };
    let whole = part.grapheme_indices(true).map(|(at, _)| at).take_while(|at| *at <= cut).last();
    start..start + whole.filter(|end| start + end > first_match).unwrap_or(cut)
}

/// Escapes text for use between tags and in attributes.
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
