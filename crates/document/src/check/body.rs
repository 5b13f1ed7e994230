//! Request bodies: strict parsing, normalising, and validation, everything that is wrong at once.
//!
//! Owns the order of these steps. Must not know media types or how much a body may weigh.

use serde_json::Value;

use super::compiled::{Compiled, Definitions, Shape};
use super::violation::{Location, Violation, ViolationCode, Violations};
use crate::json::{self, Malformed};
use crate::pointer;
use crate::text::TextKind;

/// A compiled request-body schema.
#[derive(Debug)]
pub struct BodySchema {
    compiled: Compiled,
}

/// Why a request body is not acceptable.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// It is not the kind of JSON that can be read at all.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It was read, and breaks these rules.
    #[error("The body breaks {} rule(s) of its schema.", .0.len())]
    Invalid(Vec<Violation>),
}

impl BodySchema {
    pub(super) fn compile(schema: &Value, definitions: &Definitions) -> Result<Self, String> {
        let compiled = Compiled::new(schema, definitions)?;
        Ok(BodySchema { compiled })
    }

    /// Reads a body: parses it strictly, trims and normalises its text, and validates the result.
    ///
    /// Every string is trimmed of white space and brought to Unicode normal form C, except where the schema says
    /// `format: password`. Control characters are refused as they were sent, before trimming; text that may be 1000
    /// or more characters long may contain tab and line breaks, a password anything but U+0000.
    ///
    /// # Errors
    /// [`BodyError::Malformed`] when the bytes are not strict JSON, else [`BodyError::Invalid`] with every violation.
    pub fn read(&self, bytes: &[u8]) -> Result<Value, BodyError> {
        let mut value = json::read(bytes)?;
        let mut violations = Violations::default();
        let mut place = String::new();
        normalise(&mut value, Some(self.compiled.root()), &mut place, &mut violations);
        let mut vague = Vec::new();
        for problem in self.compiled.problems(&value) {
            let location = Location::Body(problem.pointer);
            if problem.vague {
                vague.push((location, problem.code, problem.message));
            } else {
                violations.push(location, problem.code, problem.message);
            }
        }
        for (location, code, message) in vague {
            if !violations.has(&location) {
                violations.push(location, code, message);
            }
        }
        match violations.into_vec() {
            none if none.is_empty() => Ok(value),
            some => Err(BodyError::Invalid(some)),
        }
    }
}

/// Normalises all text in `value` and notes the characters that may not be in it.
fn normalise(value: &mut Value, shape: Option<Shape<'_>>, place: &mut String, violations: &mut Violations) {
    let here = place.len();
    match value {
        Value::String(text) => {
            let kind = shape.map_or(TextKind::SingleLine, |shape| TextKind::of(shape.schema()));
            if !text.chars().all(|character| kind.allows(character)) {
                let location = Location::Body(place.clone());
                violations.push(location, ViolationCode::InvalidCharacters, kind.refusal());
            }
            let kept = kind.normalise(text);
            if kept.as_ref() != text.as_str() {
                *text = kept.into_owned();
            }
        }
        Value::Array(list) => {
            let items = shape.and_then(Shape::items);
            for (index, inner) in list.iter_mut().enumerate() {
                pointer::push(place, &index.to_string());
                normalise(inner, items, place, violations);
                place.truncate(here);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                pointer::push(place, key);
                // Keys of free-form objects are text, too, and are stored like it.
                if key.chars().any(char::is_control) {
                    let refusal = "must not have control characters in its name";
                    let location = Location::Body(place.clone());
                    violations.push(location, ViolationCode::InvalidCharacters, refusal);
                }
                let property = shape.and_then(|shape| shape.property(key));
                normalise(inner, property, place, violations);
                place.truncate(here);
            }
        }
        _ => {}
    }
}
