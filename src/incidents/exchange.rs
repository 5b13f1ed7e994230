//! A request and its answer as they were: with every secret in them.
//!
//! Lives in memory only, for as long as it takes to make a [`super::Record`] of it. Has no `Debug`, and is written nowhere.

use bytes::Bytes;
use document::Operation;

use super::Principal;

/// A request that has been answered.
pub struct Exchange {
    pub request_id: String,
    pub trace_id: Option<String>,
    /// When the request came, in microseconds since 1970.
    pub received_at: i64,
    /// How long the answer took, in microseconds.
    pub duration: i64,
    /// `v1`, `v2`; `None` outside the versions.
    pub contract: Option<&'static str>,
    /// The operation of the document.
    pub operation: Option<&'static Operation>,
    /// The error's code.
    pub code: Option<&'static str>,
    /// Where it went wrong, without values.
    pub site: String,
    pub principal: Option<Principal>,
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    /// What was read of the body, piece by piece.
    pub body: Vec<Bytes>,
    /// Whether that is not all of it.
    pub is_body_cut: bool,
    pub status: u16,
    pub response_headers: Vec<(String, Vec<u8>)>,
    pub response_body: Bytes,
    pub is_response_cut: bool,
}

/// Where an error comes from, as far as that is the same for equal failures: what is between quotes, in parentheses, and
/// numbers are values of one failure, and may be anybody's.
#[must_use]
pub fn site(causes: &[String]) -> String {
    let parts: Vec<String> = causes.iter().map(|cause| shape(cause)).filter(|shape| !shape.is_empty()).collect();
    parts.join(": ").chars().take(200).collect()
}

/// The words of a sentence, without the values in it.
fn shape(sentence: &str) -> String {
    let mut words = Vec::new();
    let mut quote = None;
    for word in sentence.split_whitespace() {
        let first = word.chars().next().filter(|first| "\"'`(".contains(*first));
        if quote.is_none() && first.is_some() {
            quote = first.map(|first| if first == '(' { ')' } else { first });
            words.push("…");
        }
        match quote {
            Some(end) if word.trim_end_matches([',', '.', ';', ':']).ends_with(end) && word.len() > 1 => quote = None,
            Some(_) => {}
            None if word.chars().all(|character| character.is_alphabetic() || "-_.,;:/!".contains(character)) => {
                words.push(word);
            }
            None => words.push("…"),
        }
    }
    words.dedup();
    words.join(" ")
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
            let causes: Vec<String> = causes.iter().map(|cause| (*cause).to_owned()).collect();
            assert_eq!(site(&causes), expected);
        }
        assert_eq!(site(&["a ".repeat(900)]).chars().count(), 1);
        assert!(site(&[(0..900).map(|n| if n % 2 == 0 { "a " } else { "b " }).collect()]).chars().count() <= 200);
    }
}
