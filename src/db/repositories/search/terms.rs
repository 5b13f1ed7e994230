//! The documents and queries that the engines receive. Each term starts with the ID of its owner.

use std::fmt::Write as _;

use super::Document;
use crate::domain::{SearchQuery, UserId, search_terms};

/// Width of the owner's ID in SQLite's terms. It is fixed, as the prefix index counts characters from the start of a term, and fits
/// the largest ID. The migrations depend on it.
const OWNER_WIDTH: usize = 13;

/// Returns the terms of a text for SQLite, separated by spaces.
pub(super) fn tokens(owner: UserId, text: &str) -> String {
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

/// Formats the owner's ID in base 36 with leading zeros.
fn fixed_width(owner: UserId) -> String {
    let mut rest = owner.get().unsigned_abs();
    let mut digits = [b'0'; OWNER_WIDTH];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    digits.into_iter().map(char::from).collect()
}

/// Returns the document as the text of a tsvector: weight A for the name, B for the description. No character of a term needs to be
/// escaped.
pub(in crate::db::repositories) fn vector(document: &Document<'_>) -> String {
    let (owner, mut position) = (document.owner, 0);
    let mut vector = String::new();
    for (text, weight) in [(Some(document.name), 'A'), (document.description, 'B')] {
        for term in text.map(search_terms).unwrap_or_default() {
            position += 1;
            // Writing to a string cannot fail.
            let _ = write!(vector, "'{owner}_{term}':{position}{weight} ");
        }
    }
    vector
}

/// Returns three FTS5 queries: whole words in the name, prefixes anywhere, prefixes in the name. No character of a term ends a string.
pub(super) fn sqlite_queries(owner: UserId, query: &SearchQuery) -> [String; 3] {
    let owner = fixed_width(owner);
    let all = |end| {
        let terms: Vec<String> = query.terms().iter().map(|term| format!("\"{owner}{term}\"{end}")).collect();
        terms.join(" AND ")
    };
    let (whole, prefix) = (all(""), all(" *"));
    let in_name = format!("name : ({prefix})");
    [format!("name : ({whole})"), prefix, in_name]
}

/// Returns the same three queries for PostgreSQL: quoted lexemes, with `A` for the weight of names and `*` for a prefix.
pub(super) fn postgres_queries(owner: UserId, query: &SearchQuery) -> [String; 3] {
    ["A", "*", "*A"].map(|label| {
        let terms: Vec<String> = query.terms().iter().map(|term| format!("'{owner}_{term}':{label}")).collect();
        terms.join(" & ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SearchTarget;

    #[test]
    fn documents_and_queries_consist_of_terms_only() {
        let owner = UserId::new(42);
        let document =
            Document {
                target: SearchTarget::Item, id: 7, owner, name: "It's Zürich", description: Some("\\ a 'b' a")
            };
        assert_eq!(vector(&document), "'42_it':1A '42_s':2A '42_zurich':3A '42_a':4B '42_b':5B '42_a':6B ");
        assert_eq!(tokens(owner, document.name), "0000000000016it 0000000000016s 0000000000016zurich ");
        assert_eq!(fixed_width(UserId::new(i64::MAX)), "1y2p0ij32e8e7");
        // The prefix index covers one letter and two letters after the owner.
        let migration = "/migrations/sqlite/2026-11-25-100000_index_beginnings_of_words/up.sql";
        let migration = std::fs::read_to_string(format!("{}{migration}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(migration.contains(&format!("prefix = '{} {}'", OWNER_WIDTH + 1, OWNER_WIDTH + 2)), "{migration}");
        let query = SearchQuery::parse("ZÜR* OR \"x'").unwrap();
        let prefix = "\"0000000000016zur\" * AND \"0000000000016or\" * AND \"0000000000016x\" *";
        let whole = "name : (\"0000000000016zur\" AND \"0000000000016or\" AND \"0000000000016x\")";
        assert_eq!(sqlite_queries(owner, &query), [whole.to_owned(), prefix.to_owned(), format!("name : ({prefix})")]);
        let expected = ["'42_zur':A & '42_or':A & '42_x':A", "'42_zur':* & '42_or':* & '42_x':*"];
        let [whole, prefix, in_name] = postgres_queries(owner, &query);
        assert_eq!(([whole.as_str(), prefix.as_str()], in_name), (expected, prefix.replace('*', "*A")));
    }
}
