//! What the engines are given: documents and queries of finished terms. Each term begins with its owner.

use std::fmt::Write as _;

use super::Document;
use crate::domain::{SearchQuery, search_terms};

/// How many characters an owner has in SQLite's terms: one number for all, since the index of beginnings counts characters from
/// the first of a term. As many as the largest id needs; the migrations know it.
const OWNER_WIDTH: usize = 13;

/// What SQLite's tokenizer splits at spaces and leaves as it is.
pub(super) fn tokens(owner: i64, text: &str) -> String {
    let owner = fixed_width(owner);
    let mut tokens = String::new();
    for term in search_terms(text) {
        tokens.push_str(&owner);
        tokens.push_str(&term);
        tokens.push(' ');
    }
    tokens
}

const DIGITS: [u8; 36] = *b"0123456789abcdefghijklmnopqrstuvwxyz";

/// An owner as SQLite's terms begin with it: digits of base 36.
fn fixed_width(owner: i64) -> String {
    let mut rest = owner.unsigned_abs();
    let mut digits = [b'0'; OWNER_WIDTH];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    digits.into_iter().map(char::from).collect()
}

/// A tsvector as PostgreSQL reads it. The weights tell a name's terms from a description's. A term has no character that
/// would have to be escaped.
pub(super) fn vector(document: &Document<'_>) -> String {
    let (owner, mut position) = (document.owner, 0);
    let mut vector = String::new();
    for (text, weight) in [(Some(document.name), 'A'), (document.description, 'B')] {
        for term in text.map(search_terms).unwrap_or_default() {
            position += 1;
            // Into a string, which takes everything.
            let _ = write!(vector, "'{owner}_{term}':{position}{weight} ");
        }
    }
    vector
}

/// The very words in the name, their beginnings anywhere, their beginnings in the name: strings of FTS5. No term has a character
/// that ends one.
pub(super) fn sqlite_queries(owner: i64, query: &SearchQuery) -> [String; 3] {
    let owner = fixed_width(owner);
    let all = |end| {
        let terms: Vec<String> = query.terms().iter().map(|term| format!("\"{owner}{term}\"{end}")).collect();
        terms.join(" AND ")
    };
    let (whole, begun) = (all(""), all(" *"));
    let named = format!("name : ({begun})");
    [format!("name : ({whole})"), begun, named]
}

/// The same: quoted lexemes. `A` is the weight of names, `*` stands for how a word goes on.
pub(super) fn postgres_queries(owner: i64, query: &SearchQuery) -> [String; 3] {
    ["A", "*", "*A"].map(|label| {
        let terms: Vec<String> = query.terms().iter().map(|term| format!("'{owner}_{term}':{label}")).collect();
        terms.join(" & ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::repositories::search::DocumentKind;

    #[test]
    fn documents_and_queries_are_built_of_terms_only() {
        let document = Document {
            kind: DocumentKind::Item,
            id: 7,
            owner: 42,
            name: "It's Zürich",
            description: Some("\\ a 'b' a"),
        };
        assert_eq!(vector(&document), "'42_it':1A '42_s':2A '42_zurich':3A '42_a':4B '42_b':5B '42_a':6B ");
        assert_eq!(tokens(42, document.name), "0000000000016it 0000000000016s 0000000000016zurich ");
        assert_eq!(fixed_width(i64::MAX), "1y2p0ij32e8e7");
        // The index of beginnings has those of one letter and of two behind the owner.
        let migration = "/migrations/sqlite/2026-11-25-100000_index_beginnings_of_words/up.sql";
        let migration = std::fs::read_to_string(format!("{}{migration}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(migration.contains(&format!("prefix = '{} {}'", OWNER_WIDTH + 1, OWNER_WIDTH + 2)), "{migration}");
        let query = SearchQuery::parse("ZÜR* OR \"x'").unwrap();
        let begun = "\"0000000000016zur\" * AND \"0000000000016or\" * AND \"0000000000016x\" *";
        let whole = "name : (\"0000000000016zur\" AND \"0000000000016or\" AND \"0000000000016x\")";
        assert_eq!(sqlite_queries(42, &query), [whole.to_owned(), begun.to_owned(), format!("name : ({begun})")]);
        let expected = ["'42_zur':A & '42_or':A & '42_x':A", "'42_zur':* & '42_or':* & '42_x':*"];
        let [whole, begun, named] = postgres_queries(42, &query);
        assert_eq!(([whole.as_str(), begun.as_str()], named), (expected, begun.replace('*', "*A")));
    }
}
