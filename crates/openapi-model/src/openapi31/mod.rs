//! Conversion to OpenAPI 3.1, whose schemas are JSON Schema 2020-12.
//!
//! In 3.1, `null` is a type, exclusive bounds are numbers, schemas have `examples`, and formats are annotations.
//! [`compare_with_3_1`] verifies that both documents are equivalent.

mod compare;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::Document;
use crate::{key_order, traverse};

pub use compare::compare_with_3_1;

/// The version of OpenAPI in converted documents.
const VERSION: &str = "3.1.0";
/// The dialect of the schemas: JSON Schema 2020-12 with the keywords of OpenAPI.
const DIALECT: &str = "https://spec.openapis.org/oas/3.1/dialect/base";

/// An OpenAPI 3.1 document, converted from OpenAPI 3.0.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenApi31Document {
    value: Value,
}

impl Document {
    /// Converts the document to OpenAPI 3.1.
    ///
    /// ```
    /// use openapi_model::{Document, compare_with_3_1};
    ///
    /// let document = Document::from_json(
    ///     r#"{"openapi": "3.0.3", "info": {}, "paths": {},
    ///         "components": {"schemas": {"Title": {"type": "string", "nullable": true, "example": "Dune"}}}}"#,
    /// )?;
    /// let derived = document.to_openapi_3_1();
    /// let title = &derived.value()["components"]["schemas"]["Title"];
    /// assert_eq!(title, &serde_json::json!({"type": ["string", "null"], "examples": ["Dune"]}));
    /// assert!(compare_with_3_1(&document, &derived).is_empty());
    /// # Ok::<(), openapi_model::ReadError>(())
    /// ```
    #[must_use]
    pub fn to_openapi_3_1(&self) -> OpenApi31Document {
        let mut value = self.value().clone();
        if let Value::Object(map) = &mut value {
            map.insert("openapi".to_owned(), VERSION.into());
            map.insert("jsonSchemaDialect".to_owned(), DIALECT.into());
            // OpenAPI 3.0 has no field for webhooks.
            if let Some(webhooks) = map.shift_remove("x-webhooks") {
                map.insert("webhooks".to_owned(), webhooks);
            }
        }
        traverse::schema_roots_mut(&mut value, &mut |schema| traverse::schemas_mut(schema, &mut convert_schema));
        key_order::document(&mut value);
        OpenApi31Document { value }
    }
}

impl OpenApi31Document {
    /// Returns the document as JSON, in canonical order.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the document as canonical JSON text, indented with two spaces and with a final newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        crate::document::json_text(&self.value)
    }

    /// Returns the document as YAML text with the same content in the same order.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        crate::document::yaml_text(&self.value)
    }
}

/// Converts one schema without its subschemas.
fn convert_schema(schema: &mut Map<String, Value>) {
    if let Some(example) = schema.shift_remove("example") {
        schema.insert("examples".to_owned(), json!([example]));
    }
    for (exclusive, plain) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(Value::Bool(is_exclusive)) = schema.get(exclusive).cloned() {
            schema.shift_remove(exclusive);
            if is_exclusive && let Some(bound) = schema.shift_remove(plain) {
                schema.insert(exclusive.to_owned(), bound);
            }
        }
    }
    if schema.shift_remove("nullable") == Some(Value::Bool(true)) {
        allow_null(schema);
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    let parts = ["allOf", "anyOf", "oneOf"];
    let is_composed = parts.iter().any(|key| schema.contains_key(*key));
    match schema.get("type").cloned() {
        Some(Value::String(kind)) if !is_composed => {
            schema.insert("type".to_owned(), json!([kind, "null"]));
            if let Some(Value::Array(allowed)) = schema.get_mut("enum")
                && !allowed.contains(&Value::Null)
            {
                allowed.push(Value::Null);
            }
        }
        _ => {
            // The constraints move into an alternative. The annotations remain on the schema.
            let annotations = ["title", "description", "deprecated", "default", "examples", "readOnly", "writeOnly"];
            let mut rules = std::mem::take(schema);
            for key in annotations {
                if let Some(value) = rules.shift_remove(key) {
                    schema.insert(key.to_owned(), value);
                }
            }
            schema.insert("anyOf".to_owned(), json!([unwrapped(rules), {"type": "null"}]));
        }
    }
}

/// Returns the reference in a composition that only wraps it. OpenAPI 3.1 allows other keys next to a reference.
fn unwrapped(rules: Map<String, Value>) -> Value {
    let only =
        rules.get("allOf").and_then(Value::as_array).filter(|all| all.len() == 1).and_then(|all| all[0].get("$ref"));
    let has_more_keys = rules.keys().any(|key| !["allOf", "type"].contains(&key.as_str()));
    match only {
        Some(reference) if !has_more_keys => json!({ "$ref": reference }),
        _ => Value::Object(rules),
    }
}
