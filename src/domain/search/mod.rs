//! Full-text search without the index: the terms of a text, the terms of a query, and snippets.
//!
//! - Case, accents and compatibility forms are ignored (`zurich` finds `Zürich`).
//! - A word is a run of letters, digits and their marks. Scripts without spaces are indexed as pairs of adjacent characters, so
//!   that any part of a run is found. Each emoji is a term.
//! - All words of a query must match, in any order, each as the prefix of a term. There is no query syntax.

mod fold;
mod snippet;
#[cfg(test)]
mod tests;
mod tokens;

pub use snippet::snippet;
use tokens::{TextKind, Tokenized};

use super::{BucketlistId, Timestamp};

/// Maximum number of distinct terms in a query; further ones are ignored.
const MAX_QUERY_TERMS: usize = 16;
/// Maximum number of indexed terms of a text, and of their bytes: PostgreSQL accepts 1 MiB per document.
const MAX_TERMS: usize = 8_192;
const MAX_BYTES: usize = 256 * 1024;

/// Returns the terms of a text in order. They consist of letters, digits, marks and symbols only.
#[must_use]
pub fn search_terms(text: &str) -> Vec<String> {
    let text = Tokenized::new(text, TextKind::Text);
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

/// A query: terms that must all match, each as a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    terms: Vec<String>,
}

impl SearchQuery {
    /// Parses a query; `None` if it has no term, as in `?!`. Terms after the first 16 distinct ones are ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = Tokenized::new(text, TextKind::Query);
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

    /// Returns the terms: at least one, all distinct, of the same characters as [`search_terms`].
    #[must_use]
    pub fn terms(&self) -> &[String] {
        &self.terms
    }
}

/// The type of a search hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchTarget {
    Bucketlist,
    Item,
}

/// A bucketlist or an item that matches a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchHit {
    pub target: SearchTarget,
    /// ID of the bucketlist or the item.
    pub id: i64,
    /// The bucketlist itself, or the one the item is in.
    pub bucketlist_id: BucketlistId,
    pub name: String,
    pub description: Option<String>,
    /// Whether the item is completed; `None` for a bucketlist.
    pub done: Option<bool>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
