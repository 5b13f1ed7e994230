//! Request bodies: strict parsing, normalization and validation, which reports all violations at once.

use std::borrow::Cow;

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
        let compiled = compiler.request(schema)?;
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
        let mut value = json::parse(bytes, self.compiled.options().max_depth)?;
        let mut violations = Violations::new(self.compiled.options().max_violations);
        let mut generic = Vec::new();
        let root = Some(self.compiled.root());
        let mut place = String::new();
        check_characters(&value, root, &mut place, &mut violations);
        rewrite(&mut value, root, &|kind, text| kind.compose(text));
        self.validate(&value, &mut violations, &mut generic);
        if rewrite(&mut value, root, &|kind, text| Cow::Borrowed(kind.trim(text))) {
            self.validate(&value, &mut violations, &mut generic);
        }
        for (location, code, message) in generic {
            if !violations.has(&location) {
                violations.push(location, code, message);
            }
        }
        match violations.into_vec() {
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
        generic: &mut Vec<(Location, ViolationCode, String)>,
    ) {
        for problem in self.compiled.violations(value) {
            let location = Location::Body(problem.pointer);
            if problem.is_generic {
                generic.push((location, problem.code, problem.message));
            } else {
                violations.push(location, problem.code, problem.message);
            }
        }
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
