//! Request bodies: strict parsing, normalization and validation, which reports all violations at once.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::schema_validator::{SchemaCompiler, SchemaNode, SchemaValidator};
use super::violation::{Location, Violation, ViolationCode, Violations};
use crate::json::{self, JsonError};
use crate::pointer;
use crate::text::TextKind;

/// A compiled request-body schema.
#[derive(Debug)]
pub struct BodySchema {
    compiled: SchemaValidator,
}

/// The reason why a request body is rejected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// The body is not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The body violates its schema.
    #[error("The body has {} schema violation(s).", .0.len())]
    Invalid(Vec<Violation>),
}

impl BodySchema {
    pub(super) fn compile(schema: &Value, compiler: &SchemaCompiler) -> Result<Self, String> {
        let compiled = compiler.compile_request(schema)?;
        Ok(BodySchema { compiled })
    }

    pub(super) fn root(&self) -> SchemaNode<'_> {
        self.compiled.root()
    }

    /// Parses a body strictly, converts its text to Unicode normal form C, validates it, trims its text, and validates the
    /// result.
    ///
    /// The body is validated before trimming, because the document describes the sent text, and after trimming, because the
    /// stored text must also be valid. Text is normalized first, so that lengths count composed characters. Text with
    /// `format: password` is not changed. Control characters are rejected, except that multi-line
    /// text (see [`super::ValidationOptions`]) may contain tabs and line breaks, and a password any character except U+0000.
    ///
    /// # Errors
    /// [`BodyError::Json`] if the bytes are not strict JSON, otherwise [`BodyError::Invalid`] with every violation.
    pub fn read(&self, bytes: &[u8]) -> Result<Value, BodyError> {
        let max_depth = self.compiled.options().max_depth;
        // A number that is too large for the parser is well-formed JSON. The schema rejects the largest number in its place.
        match json::parse(bytes, max_depth) {
            Err(error @ JsonError::NumberOutOfRange { .. }) => {
                let limited = json::limit_numbers(bytes);
                match self.check(json::parse(&limited, max_depth)?) {
                    // A schema without bounds: the number cannot be stored.
                    Ok(_) => Err(error.into()),
                    rejected => rejected,
                }
            }
            value => self.check(value?),
        }
    }

    /// Normalizes and validates a value.
    fn check(&self, mut value: Value) -> Result<Value, BodyError> {
        let max = self.compiled.options().max_violations;
        let (mut characters, mut violations) = (Violations::new(2 * max), Violations::new(max));
        let mut mismatches = Vec::new();
        let root = Some(self.compiled.root());
        let mut place = String::new();
        check_characters(&value, root, &mut place, &mut characters);
        rewrite(&mut value, root, &|kind, text| kind.compose(text));
        self.validate(&value, &mut violations, &mut mismatches);
        if rewrite(&mut value, root, &|kind, text| Cow::Borrowed(kind.trim(text))) {
            self.validate(&value, &mut violations, &mut mismatches);
        }
        let mut found = without_rejected(characters.into_vec(), violations.into_vec(), max);
        for (location, code, message) in mismatches {
            if !found.has(&location) {
                found.push(location, code, message);
            }
        }
        match found.into_vec() {
            none if none.is_empty() => Ok(value),
            some => Err(BodyError::Invalid(some)),
        }
    }

    /// Collects the violations of a value. Generic ones are separate, because they are reported only for locations without
    /// another violation.
    fn validate(
        &self,
        value: &Value,
        violations: &mut Violations,
        mismatches: &mut Vec<(Location, ViolationCode, String)>,
    ) {
        for problem in self.compiled.violations(value) {
            let location = Location::Body(problem.pointer);
            if problem.is_pattern_mismatch {
                mismatches.push((location, problem.code, problem.message));
            } else {
                violations.push(location, problem.code, problem.message);
            }
        }
    }
}

/// Joins the violations of characters and of the schema. What the schema rejects as a whole has no rules for its characters.
fn without_rejected(characters: Vec<Violation>, violations: Vec<Violation>, max: usize) -> Violations {
    let is_rejected = |one: &&Violation| matches!(one.code, ViolationCode::UnknownField | ViolationCode::WrongType);
    let rejected: HashSet<&str> = violations.iter().filter(is_rejected).filter_map(pointer_of).collect();
    let is_in_rejected = |one: &Violation| {
        let pointer = pointer_of(one).unwrap_or_default();
        let ends = pointer.match_indices('/').map(|(at, _)| at).chain([pointer.len()]);
        ends.map(|end| &pointer[..end]).any(|ancestor| rejected.contains(ancestor))
    };
    let mut found = Violations::new(max);
    let characters = characters.into_iter().filter(|one| !is_in_rejected(one)).collect::<Vec<_>>();
    for Violation { location, code, message } in characters.into_iter().chain(violations) {
        found.push(location, code, message);
    }
    found
}

fn pointer_of(violation: &Violation) -> Option<&str> {
    match &violation.location {
        Location::Body(pointer) => Some(pointer),
        _ => None,
    }
}

/// Rewrites all text in `value` and returns whether any text changed.
fn rewrite(value: &mut Value, shape: Option<SchemaNode<'_>>, how: &dyn Fn(TextKind, &str) -> Cow<'_, str>) -> bool {
    let mut changed = false;
    match value {
        Value::String(text) => {
            let rewritten = how(kind_of(shape), text);
            if rewritten.as_ref() != text.as_str() {
                *text = rewritten.into_owned();
                changed = true;
            }
        }
        Value::Array(list) => {
            let items = shape.and_then(SchemaNode::items);
            for inner in list {
                changed |= rewrite(inner, items, how);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                changed |= rewrite(inner, shape.and_then(|shape| shape.property(key)), how);
            }
        }
        _ => {}
    }
    changed
}

/// Reports the texts and keys of `value` that contain invalid characters.
fn check_characters(value: &Value, shape: Option<SchemaNode<'_>>, place: &mut String, violations: &mut Violations) {
    let here = place.len();
    match value {
        Value::String(text) => {
            let kind = kind_of(shape);
            if !text.chars().all(|character| kind.allows(character)) {
                let location = Location::Body(place.clone());
                violations.push(location, ViolationCode::InvalidCharacters, kind.violation_message());
            }
        }
        Value::Array(list) => {
            let items = shape.and_then(SchemaNode::items);
            for (index, inner) in list.iter().enumerate() {
                pointer::push(place, &index.to_string());
                check_characters(inner, items, place, violations);
                place.truncate(here);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map {
                pointer::push(place, key);
                // Keys of free-form objects are also stored.
                if key.chars().any(char::is_control) {
                    let message = "must not have control characters in its name";
                    let location = Location::Body(place.clone());
                    violations.push(location, ViolationCode::InvalidCharacters, message);
                }
                check_characters(inner, shape.and_then(|shape| shape.property(key)), place, violations);
                place.truncate(here);
            }
        }
        _ => {}
    }
}

fn kind_of(shape: Option<SchemaNode<'_>>) -> TextKind {
    shape.map_or(TextKind::SingleLine, SchemaNode::text_kind)
}
