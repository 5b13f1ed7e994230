//! Request bodies: strict parsing, normalising, and validation, everything that is wrong at once.
//!
//! Owns the order of these steps. Must not know media types or how much a body may weigh.

use std::borrow::Cow;

use serde_json::Value;

use super::schema_validator::{Definitions, SchemaNode, SchemaValidator};
use super::violation::{Location, Violation, ViolationCode, Violations};
use crate::json::{self, JsonError};
use crate::pointer;
use crate::text::TextKind;

/// A compiled request-body schema.
#[derive(Debug)]
pub struct BodySchema {
    compiled: SchemaValidator,
}

/// Why a request body is not acceptable.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// It is not the kind of JSON that can be read at all.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It was read, and breaks these rules.
    #[error("The body breaks {} rule(s) of its schema.", .0.len())]
    Invalid(Vec<Violation>),
}

impl BodySchema {
    pub(super) fn compile(schema: &Value, definitions: &Definitions) -> Result<Self, String> {
        let compiled = SchemaValidator::new(schema, definitions)?;
        Ok(BodySchema { compiled })
    }

    pub(super) fn root(&self) -> SchemaNode<'_> {
        self.compiled.root()
    }

    /// Reads a body: parses it strictly, brings its text to Unicode normal form C, validates it, trims its text, and
    /// validates that.
    ///
    /// Untrimmed, so that nothing is accepted that the document refuses; and trimmed, so that nothing is stored that it
    /// would refuse. Composed first, because a length counts what people see as characters. Text with `format: password`
    /// stays exactly as it was sent. Control characters are refused as they were sent; text that may be 1000 or more
    /// characters long may contain tab and line breaks, a password anything but U+0000.
    ///
    /// # Errors
    /// [`BodyError::Json`] when the bytes are not strict JSON, else [`BodyError::Invalid`] with every violation.
    pub fn read(&self, bytes: &[u8]) -> Result<Value, BodyError> {
        let mut value = json::parse(bytes)?;
        let mut violations = Violations::default();
        let mut is_generic = Vec::new();
        let root = Some(self.compiled.root());
        let mut place = String::new();
        note_characters(&value, root, &mut place, &mut violations);
        rewrite(&mut value, root, &|kind, text| kind.compose(text));
        self.judge(&value, &mut violations, &mut is_generic);
        if rewrite(&mut value, root, &|kind, text| Cow::Borrowed(kind.trim(text))) {
            self.judge(&value, &mut violations, &mut is_generic);
        }
        for (location, code, message) in is_generic {
            if !violations.has(&location) {
                violations.push(location, code, message);
            }
        }
        match violations.into_vec() {
            none if none.is_empty() => Ok(value),
            some => Err(BodyError::Invalid(some)),
        }
    }

    /// Notes what is wrong; what only says that something is, apart: another violation of the same place says it better.
    fn judge(
        &self,
        value: &Value,
        violations: &mut Violations,
        is_generic: &mut Vec<(Location, ViolationCode, String)>,
    ) {
        for problem in self.compiled.violations(value) {
            let location = Location::Body(problem.pointer);
            if problem.is_generic {
                is_generic.push((location, problem.code, problem.message));
            } else {
                violations.push(location, problem.code, problem.message);
            }
        }
    }
}

/// Rewrites all text in `value`; says whether that changed anything.
fn rewrite(value: &mut Value, shape: Option<SchemaNode<'_>>, how: &dyn Fn(TextKind, &str) -> Cow<'_, str>) -> bool {
    let mut changed = false;
    match value {
        Value::String(text) => {
            let kept = how(kind_of(shape), text);
            if kept.as_ref() != text.as_str() {
                *text = kept.into_owned();
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

/// Notes the characters that may not be in the text of `value`.
fn note_characters(value: &Value, shape: Option<SchemaNode<'_>>, place: &mut String, violations: &mut Violations) {
    let here = place.len();
    match value {
        Value::String(text) => {
            let kind = kind_of(shape);
            if !text.chars().all(|character| kind.allows(character)) {
                let location = Location::Body(place.clone());
                violations.push(location, ViolationCode::InvalidCharacters, kind.refusal());
            }
        }
        Value::Array(list) => {
            let items = shape.and_then(SchemaNode::items);
            for (index, inner) in list.iter().enumerate() {
                pointer::push(place, &index.to_string());
                note_characters(inner, items, place, violations);
                place.truncate(here);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map {
                pointer::push(place, key);
                // Keys of free-form objects are text, too, and are stored like it.
                if key.chars().any(char::is_control) {
                    let refusal = "must not have control characters in its name";
                    let location = Location::Body(place.clone());
                    violations.push(location, ViolationCode::InvalidCharacters, refusal);
                }
                note_characters(inner, shape.and_then(|shape| shape.property(key)), place, violations);
                place.truncate(here);
            }
        }
        _ => {}
    }
}

fn kind_of(shape: Option<SchemaNode<'_>>) -> TextKind {
    shape.map_or(TextKind::SingleLine, |shape| TextKind::of(shape.schema()))
}
