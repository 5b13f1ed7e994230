//! Full-text search, as far as it is not the engines': what a text's terms are, what is searched for, and how a match is shown.
//!
//! - Case, accents and compatibility forms are overlooked (`zurich` finds `Zürich`).
//! - A word is a run of letters, digits and their marks. Scripts written without spaces become pairs of neighbouring
//!   characters, so that any part of a run is found. Each emoji is a term of its own.
//! - All words must be there, in any order; each may be the beginning of a longer one. Nothing has a special meaning.

mod fold;
mod snippet;
#[cfg(test)]
mod tests;
mod tokens;

pub use snippet::snippet;
use tokens::{Side, Tokenized};

/// How many different terms of a query count; the others are ignored.
const MAX_QUERY_TERMS: usize = 16;
/// How many terms of a text are indexed, and how many bytes of them: PostgreSQL takes 1 MiB for a document.
const MAX_TERMS: usize = 8_192;
const MAX_BYTES: usize = 256 * 1024;

/// The terms of a text in their order: letters, digits, marks and symbols only.
#[must_use]
pub fn search_terms(text: &str) -> Vec<String> {
    let text = Tokenized::new(text, Side::Text);
    let mut bytes = 0;
    text.tokens
        .iter()
        .take(MAX_TERMS)
        .map(|&token| text.text(token))
        .take_while(|term| {
            bytes += term.len();
            bytes <= MAX_BYTES
        })
        .collect()
}

/// What is searched for: terms that must all be there, each as the beginning of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    terms: Vec<String>,
}

impl SearchQuery {
    /// The terms of what somebody typed; the first sixteen different ones count. `None` when there is none, as in `?!`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = Tokenized::new(text, Side::Query);
        let mut terms: Vec<String> = Vec::new();
        for &token in &text.tokens {
            if terms.len() == MAX_QUERY_TERMS {
                break;
            }
            let term = text.text(token);
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        (!terms.is_empty()).then_some(Self { terms })
    }

    /// The terms: at least one, all different, of the characters that [`search_terms`] has.
    #[must_use]
    pub fn terms(&self) -> &[String] {
        &self.terms
    }
}
