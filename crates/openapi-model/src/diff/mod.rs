//! Comparison of two documents: the differences and their effect on clients of the old document.
//!
//! A server must still accept every request that the old document allows, and send only responses that the old document
//! allows. References are resolved, so that moving a schema into a component is no difference. Each difference is
//! classified by the published policy ([`RULES`]).

mod annotations;
#[cfg(test)]
mod bodies_tests;
mod components;
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
use crate::traverse::text;

pub use rules::{Kind, RULES, Rule};

/// One difference between two documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Difference {
    /// The effect on a client of the old document.
    pub kind: Kind,
    /// The ID of the rule that classifies the difference.
    pub rule: &'static str,
    /// Method and path in the old document; `document` for differences outside the operations.
    pub operation: String,
    /// The part of the operation: `request body, application/json, items[].name`. Empty for the operation itself.
    pub part: String,
    /// A description of the change.
    pub sentence: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = if self.part.is_empty() { "" } else { ", " };
        write!(out, "{}{comma}{}: {} [{}]", self.operation, self.part, self.sentence, self.rule)
    }
}

/// Returns every difference from `old` to `new`, breaking ones first. The list is empty only for equal documents.
///
/// ```
/// use openapi_model::{Document, Kind, diff};
///
/// let document = |parameters: &str| {
///     Document::from_json(&format!(
///         r#"{{"openapi": "3.0.3", "info": {{}}, "paths": {{"/books": {{"get": {{
///             "operationId": "listBooks", "parameters": [{parameters}], "responses": {{"200": {{"description": "Books."}}}}
///         }}}}}}}}"#
///     ))
/// };
/// let old = document("")?;
/// let new = document(r#"{"name": "author", "in": "query", "required": true, "schema": {"type": "string"}}"#)?;
/// let differences = diff(&old, &new);
/// assert_eq!(differences[0].kind, Kind::Breaking);
/// assert_eq!(
///     differences[0].to_string(),
///     "GET /books, parameter author: author in the query is new and required [parameter-added-required]"
/// );
/// # Ok::<(), openapi_model::ReadError>(())
/// ```
#[must_use]
pub fn diff(old: &Document, new: &Document) -> Vec<Difference> {
    let mut comparison = Comparison { old: old.value(), new: new.value(), found: Vec::new() };
    operations::compare(&mut comparison);
    if comparison.found.is_empty() && old != new {
        let message = "a part that no operation uses has changed";
        comparison.report(rules::ELSEWHERE_CHANGED, &DiffLocation::document(""), message);
    }
    let mut found = comparison.found;
    let mut seen = HashSet::new();
    found.retain(|one| seen.insert(one.clone()));
    found.sort_by_key(|one| one.kind);
    found
}

/// The two documents and the differences found so far.
struct Comparison<'d> {
    old: &'d Value,
    new: &'d Value,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn report(&mut self, rule: &Rule, at: &DiffLocation, sentence: impl Into<String>) {
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
struct DiffLocation {
    operation: String,
    part: String,
}

impl DiffLocation {
    fn document(part: &str) -> Self {
        DiffLocation { operation: "document".to_owned(), part: part.to_owned() }
    }

    /// Returns the location of a part of this part.
    fn part(&self, name: &str) -> Self {
        let comma = if self.part.is_empty() || name.is_empty() { "" } else { ", " };
        DiffLocation { operation: self.operation.clone(), part: format!("{}{comma}{name}", self.part) }
    }
}

/// The sender of the compared value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// The client: the server must still accept the value.
    Request,
    /// The server: the value must still match the old document.
    Response,
}

/// Returns whether a flag is present and true.
fn flag(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}
