//! Conversion of OpenAPI 3.0 schemas to JSON Schema draft 4, on which they are based.
//!
//! Converts `nullable`, references to components and the bounds of integer formats.

use serde_json::{Map, Value, json};

use super::Definitions;
use crate::{bounds, traverse};

/// Keywords with the same meaning in both formats.
const SAME: [&str; 17] = [
    "type",
    "format",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
];

/// Returns a complete draft 4 schema: `schema` with the component schemas that it refers to as definitions.
pub fn to_draft_4(schema: &Value, definitions: &Definitions) -> Value {
    let mut needed = Map::new();
    let mut pending = Vec::new();
    let mut root = nested(schema, &mut pending);
    while let Some(name) = pending.pop() {
        if needed.contains_key(&name) {
            continue;
        }
        let Some(target) = definitions.get(&name) else {
            continue; // the validator reports the unresolved reference
        };
        let translated = nested(target, &mut pending);
        needed.insert(name, translated);
    }
    if root.get("$ref").is_some() {
        // Draft 4 ignores other keys next to a reference.
        root = json!({ "allOf": [root] });
    }
    if let Value::Object(map) = &mut root {
        map.insert("$schema".to_owned(), json!("http://json-schema.org/draft-04/schema#"));
        map.insert("definitions".to_owned(), Value::Object(needed));
    }
    root
}

fn nested(schema: &Value, pending: &mut Vec<String>) -> Value {
    let Value::Object(map) = schema else {
        return schema.clone(); // `additionalProperties: false`
    };
    if let Some(Value::String(reference)) = map.get("$ref") {
        let name = reference.strip_prefix(traverse::SCHEMAS).unwrap_or(reference);
        pending.push(name.to_owned());
        return json!({ "$ref": format!("#/definitions/{name}") });
    }
    let mut out: Map<String, Value> =
        SAME.iter().filter_map(|key| Some(((*key).to_owned(), map.get(*key)?.clone()))).collect();
    bounds::add_integer_range(&mut out);
    for key in ["items", "additionalProperties", "not"] {
        if let Some(inner) = map.get(key) {
            out.insert(key.to_owned(), nested(inner, pending));
        }
    }
    if map.contains_key("properties") {
        let properties: Map<String, Value> = traverse::members(map.get("properties"))
            .map(|(name, inner)| (name.to_owned(), nested(inner, pending)))
            .collect();
        out.insert("properties".to_owned(), Value::Object(properties));
    }
    let mut composed = false;
    for key in ["allOf", "anyOf", "oneOf"] {
        if let Some(Value::Array(list)) = map.get(key) {
            let list: Vec<Value> = list.iter().map(|inner| nested(inner, pending)).collect();
            out.insert(key.to_owned(), Value::Array(list));
            composed = true;
        }
    }
    if map.get("nullable") == Some(&Value::Bool(true)) {
        return nullable(out, composed);
    }
    Value::Object(out)
}

fn nullable(mut schema: Map<String, Value>, composed: bool) -> Value {
    match schema.get("type") {
        // All other keywords apply to one type only. Adding null to the types is therefore enough and keeps errors simple.
        Some(Value::String(kind)) if !composed => {
            let kinds = json!([kind, "null"]);
            schema.insert("type".to_owned(), kinds);
            if let Some(Value::Array(allowed)) = schema.get_mut("enum")
                && !allowed.contains(&Value::Null)
            {
                allowed.push(Value::Null);
            }
            Value::Object(schema)
        }
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}
