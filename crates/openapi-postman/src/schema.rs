//! Schemas as Postman's sandbox takes them: whole, without references into a document, in the draft its validator speaks.

use serde_json::{Map, Value};

use openapi_model::{Definitions, to_draft_4, traverse};

/// Formats that the sandbox knows; it refuses to compile a schema with any other.
const FORMATS: [&str; 4] = ["date", "date-time", "email", "uri"];

/// A schema of the document with everything it needs.
pub(super) fn whole(schema: &Value, definitions: &Definitions) -> Value {
    let mut whole = to_draft_4(schema, definitions);
    if let Value::Object(root) = &mut whole {
        root.remove("$schema");
        if root.get("definitions").and_then(Value::as_object).is_some_and(Map::is_empty) {
            root.remove("definitions");
        }
    }
    for (_, definition) in traverse::members_mut(whole.get_mut("definitions")) {
        traverse::schemas_mut(definition, &mut adapt);
    }
    traverse::schemas_mut(&mut whole, &mut adapt);
    // The order that schemas are found in says nothing.
    if let Some(Value::Object(definitions)) = whole.get_mut("definitions") {
        definitions.sort_keys();
    }
    whole
}

/// From draft 4 to draft 7.
fn adapt(schema: &mut Map<String, Value>) {
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        schema.shift_remove("format");
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if let Some(Value::Bool(is_exclusive)) = schema.get(exclusive) {
            let is_exclusive = *is_exclusive;
            schema.shift_remove(exclusive);
            if is_exclusive && let Some(value) = schema.shift_remove(bound) {
                schema.insert(exclusive.to_owned(), value);
            }
        }
        // The ends of 64 bits have no exact number in JavaScript, and nothing is beyond them.
        if schema.get(bound).and_then(Value::as_i64).is_some_and(|value| value == i64::MIN || value == i64::MAX) {
            schema.shift_remove(bound);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_brings_what_it_refers_to_and_nothing_that_the_sandbox_does_not_know() {
        let components = json!({
            "Page": {"type": "object", "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}}},
            "Row": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer", "format": "int64", "minimum": 0, "exclusiveMinimum": true},
                    "format": {"type": "string", "nullable": true, "format": "date"},
                    "secret": {"type": "string", "format": "password"},
                },
            },
            "Other": {"type": "string"},
        });
        let definitions = Arc::new(components.as_object().unwrap().clone());
        let whole = whole(&json!({"$ref": "#/components/schemas/Page"}), &definitions);
        assert_eq!(
            whole,
            json!({
                "allOf": [{"$ref": "#/definitions/Page"}],
                "definitions": {
                    "Page": {"type": "object", "properties": {"data": {"type": "array", "items": {"$ref": "#/definitions/Row"}}}},
                    "Row": {
                        "type": "object",
                        "properties": {
                            "id": {"type": "integer", "exclusiveMinimum": 0},
                            "format": {"type": ["string", "null"], "format": "date"},
                            "secret": {"type": "string"},
                        },
                    },
                },
            })
        );
    }
}
