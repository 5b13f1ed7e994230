//! What has changed between two documents, and whether clients of the old one notice.
//!
//! Owns the directions: of a request, what was accepted must still be; of a response, what was promised must still
//! be. References are resolved, so that moving a schema into a component is no difference. Changes nothing, and judges
//! only by the published policy ([`RULES`]).

mod annotations;
#[cfg(test)]
mod bodies_tests;
mod content;
#[cfg(test)]
mod fixture;
mod flat;
mod operations;
#[cfg(test)]
mod operations_tests;
mod parameters;
mod responses;
mod rules;
mod schemas;
#[cfg(test)]
mod schemas_tests;
mod security;
mod shape;
mod values;
#[cfg(test)]
mod whole_tests;

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::Document;

pub use rules::{Kind, RULES, Rule};

/// One difference between two documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Difference {
    /// What it means to a client of the old document.
    pub kind: Kind,
    /// Id of the rule of the policy that says so.
    pub rule: &'static str,
    /// Method and path, as in the old document; `document` for what is of no operation.
    pub operation: String,
    /// The part of the operation: `request body, application/json, items[].name`. Empty for the operation itself.
    pub part: String,
    /// What has changed, for people.
    pub sentence: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = if self.part.is_empty() { "" } else { ", " };
        write!(out, "{}{comma}{}: {} [{}]", self.operation, self.part, self.sentence, self.rule)
    }
}

/// Every difference from `old` to `new`, the breaking ones first; empty only when they say the same.
#[must_use]
pub fn diff(old: &Document, new: &Document) -> Vec<Difference> {
    let mut comparison = Comparison { old: old.value(), new: new.value(), found: Vec::new() };
    operations::compare(&mut comparison);
    if comparison.found.is_empty() && old != new {
        let said = "nothing that an operation uses has changed, but something else has";
        comparison.say(rules::ELSEWHERE_CHANGED, &Place::document(""), said);
    }
    let mut found = comparison.found;
    let mut seen = HashSet::new();
    found.retain(|one| seen.insert(one.clone()));
    found.sort_by_key(|one| one.kind);
    found
}

/// The two documents, and what has been found so far.
struct Comparison<'d> {
    old: &'d Value,
    new: &'d Value,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn say(&mut self, rule: &Rule, at: &Place, sentence: impl Into<String>) {
        self.found.push(Difference {
            kind: rule.kind,
            rule: rule.id,
            operation: at.operation.clone(),
            part: at.part.clone(),
            sentence: sentence.into(),
        });
    }
}

/// An operation and a part of it.
#[derive(Clone)]
struct Place {
    operation: String,
    part: String,
}

impl Place {
    fn document(part: &str) -> Self {
        Place { operation: "document".to_owned(), part: part.to_owned() }
    }

    /// A part of this part.
    fn part(&self, name: &str) -> Self {
        let comma = if self.part.is_empty() || name.is_empty() { "" } else { ", " };
        Place { operation: self.operation.clone(), part: format!("{}{comma}{name}", self.part) }
    }
}

/// Who sends what is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// The client: it must still be accepted.
    Request,
    /// The server: it must still be as promised.
    Response,
}

/// Whether a flag is set; a flag that is not there is not.
fn flag(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

/// A text, empty when there is none.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
