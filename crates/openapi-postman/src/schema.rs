//! Converts schemas for Postman's sandbox: self-contained, and in the draft of JSON Schema that its validator supports.

use serde_json::{Map, Value};

use openapi_model::{Definitions, to_draft_4, traverse};

/// Formats that the sandbox supports. It does not compile a schema with another format.
const FORMATS: [&str; 4] = ["date", "date-time", "email", "uri"];

/// Returns a schema together with the schemas that it refers to.
pub(super) fn self_contained(schema: &Value, definitions: &Definitions) -> Value {
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
    // Makes the output independent of the order in which schemas are found.
    if let Some(Value::Object(definitions)) = whole.get_mut("definitions") {
        definitions.sort_keys();
    }
    whole
}

/// Converts a schema from draft 4 to draft 7.
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
        // JavaScript cannot represent the limits of 64-bit integers exactly, and no value exceeds them.
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
    fn schema_is_self_contained_and_has_only_supported_formats() {
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
        let schema = self_contained(&json!({"$ref": "#/components/schemas/Page"}), &definitions);
        assert_eq!(
            schema,
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
