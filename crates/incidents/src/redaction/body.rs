//! Bodies: JSON by its schema, and everything else as if all of it were secret, since nobody has read it.

use std::ops::Range;

use openapi_model::{BodyError, Operation, PathSegment, Sensitivity};
use serde::de::IgnoredAny;

use super::{
    Open, Why, Work, is_known_name, is_our_own, is_secret_name,
    json::{self, Kind, Leaf},
    units,
};

/// Unknown names that are shorter stay: no secret is that short, and two of them must not become one.
const MIN_NAME: usize = 6;

impl Work<'_> {
    /// Replaces the secrets of a request's body; returns the texts that are open.
    pub(super) fn body(&mut self, bytes: &mut [u8], operation: Option<&Operation>, content_type: &str) -> Vec<Open> {
        if is_json(bytes, operation) {
            return self.json_body(bytes, operation);
        }
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if content_type == "application/x-www-form-urlencoded" {
            self.form(bytes);
        } else if first.is_some_and(|first| b"{[\"'".contains(first)) || content_type.contains("json") {
            self.malformed_json(bytes);
        } else {
            self.words(bytes, 0..bytes.len());
        }
        Vec::new()
    }

    fn json_body(&mut self, bytes: &mut [u8], operation: Option<&Operation>) -> Vec<Open> {
        let schema = operation.and_then(Operation::body);
        let mut open = Vec::new();
        for leaf in json::leaves(bytes) {
            let secrecy = schema.map_or(Sensitivity::Unknown, |schema| schema.sensitivity(&leaf.path));
            let why =
                if secrecy == Sensitivity::Sensitive || is_named_secret(&leaf) { Why::Secret } else { Why::Unknown };
            match (leaf.kind, secrecy) {
                (Kind::Key, Sensitivity::Sensitive | Sensitivity::FreeText | Sensitivity::NotSensitive) => {}
                (Kind::Text, Sensitivity::FreeText | Sensitivity::NotSensitive) | (Kind::Key, Sensitivity::Unknown) => {
                    let is_free = secrecy != Sensitivity::NotSensitive;
                    open.push(Open { units: units::json(bytes, leaf.range), with_keys: true, is_free });
                }
                (Kind::Number, Sensitivity::FreeText | Sensitivity::NotSensitive) => {
                    let units = units::plain(bytes, leaf.range);
                    if !super::sweep::secrets(&units::characters(&units), false).is_empty() {
                        self.mask_number(bytes, &units, Why::Secret);
                    }
                }
                (Kind::Number, _) => {
                    let units = units::plain(bytes, leaf.range);
                    self.mask_number(bytes, &units, why);
                }
                (Kind::Text | Kind::Word, _) => {
                    let units = units::json(bytes, leaf.range);
                    self.mask(bytes, &units, why);
                }
            }
        }
        open
    }

    /// Nobody knows what is what: every text, number and word is replaced, and names that the contract does not know.
    fn malformed_json(&mut self, bytes: &mut [u8]) {
        for leaf in json::leaves(bytes) {
            let why = if is_named_secret(&leaf) { Why::Secret } else { Why::Unknown };
            match leaf.kind {
                Kind::Key if stays(name_of(&leaf)) => {}
                Kind::Number => {
                    let units = units::plain(bytes, leaf.range);
                    self.mask_number(bytes, &units, why);
                }
                Kind::Key | Kind::Text | Kind::Word => {
                    let units = units::json(bytes, leaf.range);
                    self.mask(bytes, &units, why);
                }
            }
        }
    }

    /// Every value, and the names that the contract does not know.
    fn form(&mut self, bytes: &mut [u8]) {
        let pairs: Vec<Range<usize>> = ranges(bytes, 0..bytes.len(), |byte| byte == b'&');
        for pair in pairs {
            let equals = bytes[pair.clone()].iter().position(|byte| *byte == b'=').map(|at| pair.start + at);
            let name = units::percent(bytes, pair.start..equals.unwrap_or(pair.end), true);
            let text: String = units::characters(&name).into_iter().collect();
            let why = if is_secret_name(&text) { Why::Secret } else { Why::Unknown };
            if !stays(&text) || equals.is_none() {
                self.mask(bytes, &name, Why::Unknown);
            }
            if let Some(equals) = equals {
                let value = units::percent(bytes, equals + 1..pair.end, true);
                self.mask(bytes, &value, why);
            }
        }
    }

    /// Every word.
    pub(super) fn words(&mut self, bytes: &mut [u8], range: Range<usize>) {
        let ends = |byte: u8| byte.is_ascii_whitespace() || b",;:\"'<>(){}[]&=|".contains(&byte);
        for word in ranges(bytes, range, ends) {
            let units = units::plain(bytes, word);
            let text: String = units::characters(&units).into_iter().collect();
            if !is_known_name(&text) {
                self.mask(bytes, &units, Why::Unknown);
            }
        }
    }

    /// Replaces the secrets of an answer: its own, and those of the request that it quotes.
    pub(super) fn response(&mut self, bytes: &mut [u8], operation: Option<&Operation>, status: u16) {
        if serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
            let units = units::plain(bytes, 0..bytes.len());
            return self.sweep(bytes, &units, true, &self.everything());
        }
        let mut open = Vec::new();
        for leaf in json::leaves(bytes) {
            let secrecy = operation.map_or(Sensitivity::Unknown, |one| one.response_sensitivity(status, &leaf.path));
            let is_secret =
                secrecy == Sensitivity::Sensitive || (secrecy == Sensitivity::Unknown && is_named_secret(&leaf));
            match leaf.kind {
                Kind::Key | Kind::Word => {}
                Kind::Number if is_secret => {
                    let units = units::plain(bytes, leaf.range);
                    self.mask_number(bytes, &units, Why::Secret);
                }
                Kind::Number => {}
                Kind::Text if is_secret => {
                    let units = units::json(bytes, leaf.range);
                    self.mask(bytes, &units, Why::Secret);
                }
                Kind::Text if is_our_own(name_of(&leaf)) => {}
                Kind::Text => open.push(units::json(bytes, leaf.range)),
            }
        }
        let all = self.everything();
        for units in open {
            self.sweep(bytes, &units, true, &all);
        }
    }
}

/// Whether the operation could read it as JSON at all, whatever is wrong with what it says.
fn is_json(bytes: &[u8], operation: Option<&Operation>) -> bool {
    match operation.and_then(Operation::body) {
        Some(schema) => !matches!(schema.read(bytes), Err(BodyError::Json(_))),
        None => serde_json::from_slice::<IgnoredAny>(bytes).is_ok(),
    }
}

/// Whether any field on the way to a leaf is a secret by its name.
fn is_named_secret(leaf: &Leaf) -> bool {
    leaf.path.iter().any(|step| matches!(step, PathSegment::Key(name) if is_secret_name(name)))
}

fn name_of(leaf: &Leaf) -> &str {
    match leaf.path.last() {
        Some(PathSegment::Key(name)) => name,
        _ => "",
    }
}

fn stays(name: &str) -> bool {
    is_known_name(name) || name.chars().count() < MIN_NAME
}

/// The pieces between the bytes that end one; empty ones are left out.
fn ranges(bytes: &[u8], range: Range<usize>, ends: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = range.start;
    for at in range.clone() {
        if ends(bytes[at]) {
            found.push(start..at);
            start = at + 1;
        }
    }
    found.push(start..range.end);
    found.retain(|range| !range.is_empty());
    found
}
