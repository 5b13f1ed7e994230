//! A compiled schema, and the lookup of the subschema for a part of a value.

use std::sync::Arc;

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value};

use super::{ValidationOptions, draft4, messages, violation::ViolationCode};
use crate::text::{self, TextKind};
use crate::{format, traverse};

/// The component schemas of a document, shared by all schemas that are compiled from it.
pub type Definitions = Arc<Map<String, Value>>;

/// A violation of a schema.
#[derive(Debug, PartialEq)]
pub struct SchemaViolation {
    /// JSON pointer to the invalid part; empty for the whole value.
    pub pointer: String,
    pub code: ViolationCode,
    pub message: String,
    /// Whether the violation is a pattern mismatch, which is reported only for locations without another violation.
    pub is_pattern_mismatch: bool,
}

/// A compiled schema.
#[derive(Debug)]
pub struct SchemaValidator {
    validator: Validator,
    schema: Value,
    compiler: SchemaCompiler,
}

/// Compiles schemas of one document.
#[derive(Clone, Debug)]
pub(super) struct SchemaCompiler {
    pub(super) definitions: Definitions,
    pub(super) options: ValidationOptions,
}

/// Returns the options of the validator for schemas of any draft.
pub(crate) fn validator_options(draft: Draft) -> jsonschema::ValidationOptions<'static> {
    jsonschema::options()
        .with_draft(draft)
        .should_validate_formats(true)
        .with_format("date", format::is_date)
        .with_format("email", format::is_email)
        .with_format("uuid", format::is_uuid)
        // Patterns are matched in linear time, so that no pattern makes a request expensive.
        .with_pattern_options(jsonschema::PatternOptions::regex())
}

impl SchemaCompiler {
    /// Compiles a schema for values that clients send: times may be written as in [`format::normalize_date_time`].
    pub(super) fn compile_request(&self, schema: &Value) -> Result<SchemaValidator, String> {
        self.compile(validator_options(Draft::Draft4).with_format("date-time", format::is_date_time), schema)
    }

    /// Compiles a schema for values that the server sends.
    pub(super) fn compile_response(&self, schema: &Value) -> Result<SchemaValidator, String> {
        self.compile(validator_options(Draft::Draft4), schema)
    }

    fn compile(
        &self,
        options: jsonschema::ValidationOptions<'static>,
        schema: &Value,
    ) -> Result<SchemaValidator, String> {
        let validator = options
            .build(&draft4::to_draft_4(schema, &self.definitions))
            .map_err(|error| format!("{error} (at {})", error.schema_path().as_str()))?;
        Ok(SchemaValidator { validator, schema: schema.clone(), compiler: self.clone() })
    }
}

impl SchemaValidator {
    /// Compiles an OpenAPI schema whose references point into `definitions`, for values that a server sends.
    ///
    /// # Errors
    /// Returns the message of the validator if the schema is invalid.
    pub fn new(schema: &Value, definitions: &Definitions) -> Result<SchemaValidator, String> {
        let options = ValidationOptions::default();
        SchemaCompiler { definitions: Arc::clone(definitions), options }.compile_response(schema)
    }

    /// Returns the options that the schema was compiled with.
    pub(super) fn options(&self) -> &ValidationOptions {
        &self.compiler.options
    }

    /// Returns the schema that the validator was compiled from.
    pub fn root(&self) -> SchemaNode<'_> {
        SchemaNode { schema: &self.schema, compiler: &self.compiler }.resolved()
    }

    /// Returns the violations of `value`. Stops after the error with which they exceed [`ValidationOptions::max_violations`], or twice
    /// as many including pattern mismatches. One error can add any number, so callers truncate the list.
    pub fn violations(&self, value: &Value) -> Vec<SchemaViolation> {
        if self.validator.is_valid(value) {
            return Vec::new();
        }
        let mut found = Vec::new();
        // Stops when there are enough violations for a report. Pattern mismatches can be omitted from it, so they do not count.
        let (mut precise, max) = (0, self.options().max_violations);
        for error in self.validator.iter_errors(value) {
            let before = found.len();
            messages::explain(&error, self.root(), &mut found);
            precise += found[before..].iter().filter(|problem| !problem.is_pattern_mismatch).count();
            if precise > max || found.len() > 2 * max {
                break;
            }
        }
        found
    }
}

/// A schema with the definitions that its references refer to.
#[derive(Clone, Copy)]
pub struct SchemaNode<'s> {
    schema: &'s Value,
    compiler: &'s SchemaCompiler,
}

impl<'s> SchemaNode<'s> {
    pub fn schema(self) -> &'s Value {
        self.schema
    }

    /// Returns the kind of text that a string schema describes.
    pub(super) fn text_kind(self) -> TextKind {
        TextKind::of(self.schema, self.compiler.options.multi_line_from)
    }

    /// Returns whether a string schema allows any text.
    pub(super) fn is_free_text(self) -> bool {
        text::is_any(self.schema, self.compiler.options.multi_line_from)
    }

    /// Follows references and compositions that only wrap a reference.
    fn resolved(mut self) -> Self {
        for _ in 0..16 {
            let reference = self.schema.get("$ref").or_else(|| {
                let wrapped = self.schema.get("allOf")?.as_array()?;
                wrapped.first().filter(|_| wrapped.len() == 1)?.get("$ref")
            });
            let target = reference
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix(traverse::SCHEMAS))
                .and_then(|name| self.compiler.definitions.get(name));
            match target {
                Some(schema) => self.schema = schema,
                None => break,
            }
        }
        self
    }

    /// Returns the schema of a property, or `None` if the object does not declare it.
    pub fn property(self, name: &str) -> Option<SchemaNode<'s>> {
        self.find(&|node| node.schema.get("properties")?.get(name))
            .or_else(|| self.find(&|node| node.schema.get("additionalProperties").filter(|schema| schema.is_object())))
    }

    /// Returns the schema of the elements of an array.
    pub fn items(self) -> Option<SchemaNode<'s>> {
        self.find(&|node| node.schema.get("items"))
    }

    /// Searches the schema and then the schemas that it is composed of.
    fn find(self, look: &dyn Fn(SchemaNode<'s>) -> Option<&'s Value>) -> Option<SchemaNode<'s>> {
        self.find_within(look, 0)
    }

    fn find_within(self, look: &dyn Fn(SchemaNode<'s>) -> Option<&'s Value>, depth: usize) -> Option<SchemaNode<'s>> {
        if let Some(schema) = look(self) {
            return Some(SchemaNode { schema, ..self }.resolved());
        }
        if depth == 8 {
            return None; // a schema composed of itself
        }
        ["allOf", "anyOf", "oneOf"]
            .iter()
            .flat_map(|key| traverse::elements(self.schema.get(*key)))
            .find_map(|schema| SchemaNode { schema, ..self }.resolved().find_within(look, depth + 1))
    }

    /// Returns the schema for the part of a value at a JSON pointer.
    pub fn at(self, pointer: &str) -> Option<SchemaNode<'s>> {
        let mut node = self;
        for token in crate::pointer::tokens(pointer) {
            // Only the schema distinguishes an array index from a field with the same name.
            node = match node.property(&token) {
                Some(property) => property,
                None => node.items()?,
            };
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_accept_more_date_time_formats_than_responses() {
        let schema = json!({"type": "string", "format": "date-time"});
        let compiler = SchemaCompiler { definitions: Definitions::default(), options: ValidationOptions::default() };
        let (response, request) =
            (compiler.compile_response(&schema).unwrap(), compiler.compile_request(&schema).unwrap());
        for (text, in_response, in_request) in [
            ("2026-01-01T00:00:00.000000Z", true, true),
            ("2026-01-01T00:00:00.000000+0000", false, true),
            ("2026-01-01 00:00+00:00", false, true),
            ("2026-01-01T00:00:00", false, false),
        ] {
            let value = json!(text);
            assert_eq!(response.violations(&value).is_empty(), in_response, "{text}");
            assert_eq!(request.violations(&value).is_empty(), in_request, "{text}");
        }
    }
}
