//! Comparison of a document with its OpenAPI 3.1 form: part by part, and by validating values with both.
//!
//! The comparison normalizes the schemas of both versions. It must not use the code of the conversion that it verifies.

use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::OpenApi31Document;
use crate::bounds::{self, integer_range};
use crate::validation::{Definitions, SchemaValidator, validator_options};
use crate::{Document, pointer, traverse};

/// The maximum number of reported differences.
const MAX: usize = 50;

/// Returns the differences between both documents: parts that differ, and values that only one of them accepts. The values
/// are the examples of the component schemas and variants of them with one change.
#[must_use]
pub fn compare_with_3_1(old: &Document, new: &OpenApi31Document) -> Vec<String> {
    let mut found = Vec::new();
    compare("", &neutral(old.value()), &neutral(new.value()), &mut found);
    compare_validation(old.value(), new.value(), &mut found);
    found.truncate(MAX);
    found
}

/// Returns the document with normalized schemas and without the keys that differ between the versions.
fn neutral(document: &Value) -> Value {
    let mut document = document.clone();
    traverse::schema_roots_mut(&mut document, &mut |schema| *schema = normal(schema));
    if let Value::Object(map) = &mut document {
        map.shift_remove("openapi");
        map.shift_remove("jsonSchemaDialect");
        if let Some(webhooks) = map.shift_remove("webhooks") {
            map.insert("x-webhooks".to_owned(), webhooks);
        }
    }
    document
}

/// Returns a schema of either version in normalized form.
fn normal(schema: &Value) -> Value {
    let Value::Object(map) = schema else {
        return schema.clone();
    };
    if let Some(rules) = without_null(map) {
        let mut words = map.clone();
        words.shift_remove("anyOf");
        let mut all = normal(rules);
        if let (Value::Object(all), Value::Object(words)) = (&mut all, normal(&Value::Object(words))) {
            all.extend(words);
            all.insert("nullable".to_owned(), Value::Bool(true));
        }
        return all;
    }
    let mut out = Map::new();
    for (key, value) in map {
        match key.as_str() {
            "type" => {
                let kinds: Vec<&str> = value
                    .as_str()
                    .into_iter()
                    .chain(traverse::elements(Some(value)).filter_map(Value::as_str))
                    .collect();
                if kinds.contains(&"null") {
                    out.insert("nullable".to_owned(), Value::Bool(true));
                }
                out.insert(key.clone(), kinds.into_iter().filter(|kind| *kind != "null").collect());
            }
            "nullable" if value == &Value::Bool(false) => {}
            // The conversion writes one example into the list of 2020-12.
            "examples" => drop(out.insert("example".to_owned(), value.get(0).cloned().unwrap_or_default())),
            "enum" => {
                let allowed = traverse::elements(Some(value)).filter(|value| !value.is_null()).cloned();
                out.insert(key.clone(), allowed.collect());
            }
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {}
            "properties" => {
                let members = traverse::members(Some(value)).map(|(name, inner)| (name.to_owned(), normal(inner)));
                out.insert(key.clone(), Value::Object(members.collect()));
            }
            "items" | "additionalProperties" | "not" => drop(out.insert(key.clone(), normal(value))),
            "allOf" | "anyOf" | "oneOf" => {
                out.insert(key.clone(), traverse::elements(Some(value)).map(normal).collect());
            }
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    let implied = map.get("format").and_then(Value::as_str).and_then(integer_range);
    for (name, plain, exclusive, implied) in [
        ("low", "minimum", "exclusiveMinimum", implied.map(|(low, _)| low)),
        ("high", "maximum", "exclusiveMaximum", implied.map(|(_, high)| high)),
    ] {
        let bound = match (map.get(plain), map.get(exclusive)) {
            (_, Some(bound @ Value::Number(_))) => json!([bound, true]),
            (Some(bound), is_exclusive) => json!([bound, is_exclusive == Some(&Value::Bool(true))]),
            (None, _) => implied.map_or(Value::Null, |bound| json!([bound, false])),
        };
        if !bound.is_null() {
            out.insert(name.to_owned(), bound);
        }
    }
    // OpenAPI 3.0 wraps a reference in `allOf` to add annotations, sometimes with a type.
    let wrapped =
        out.get("allOf").and_then(Value::as_array).filter(|all| all.len() == 1).and_then(|all| all[0].get("$ref"));
    if let Some(reference) = wrapped.cloned() {
        out.shift_remove("allOf");
        out.shift_remove("type");
        out.insert("$ref".to_owned(), reference);
    }
    Value::Object(out)
}

/// Returns the constraints of an OpenAPI 3.1 schema that also allows null.
fn without_null(map: &Map<String, Value>) -> Option<&Value> {
    match map.get("anyOf")?.as_array()?.as_slice() {
        [rules, null] if null == &json!({"type": "null"}) => Some(rules),
        _ => None,
    }
}

fn compare(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        _ if found.len() > MAX => {}
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                compare(&pointer::join(place, key), value, new.get(key).unwrap_or(&Value::Null), found);
            }
            for key in new.keys().filter(|key| !old.contains_key(*key)) {
                found.push(format!("{} is in 3.1 only", pointer::join(place, key)));
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&pointer::join(place, &index.to_string()), old, new, found);
            }
        }
        (old, new) if old != new => found.push(format!("{place} is {old} in 3.0 and {new} in 3.1")),
        _ => {}
    }
}

fn compare_validation(old: &Value, new: &Value, found: &mut Vec<String>) {
    let definitions: Definitions =
        Arc::new(old.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default());
    for (name, schema) in traverse::members(old.pointer("/components/schemas")) {
        let reference = json!({ "$ref": format!("{}{name}", traverse::SCHEMAS) });
        let draft_4 = SchemaValidator::new(&reference, &definitions);
        let draft_2020 = compile_3_1(&reference, new);
        match (draft_4, draft_2020) {
            (Ok(draft_4), Ok(draft_2020)) => {
                for value in test_values(schema) {
                    let (before, after) = (draft_4.violations(&value).is_empty(), draft_2020.is_valid(&value));
                    if before != after {
                        let only = if before { "3.0" } else { "3.1" };
                        found.push(format!("schema {name}: only {only} accepts {value}"));
                    }
                }
            }
            (old, new) => {
                found.extend(old.err().map(|error| format!("schema {name} of 3.0 does not compile: {error}")));
                found.extend(new.err().map(|error| format!("schema {name} of 3.1 does not compile: {error}")));
            }
        }
    }
}

/// Compiles a schema of OpenAPI 3.1, which is JSON Schema. Its validators ignore formats, so the ranges that OpenAPI defines for
/// integer formats are added.
fn compile_3_1(reference: &Value, document: &Value) -> Result<Validator, String> {
    let mut whole = reference.clone();
    whole["components"] = json!({"schemas": document.pointer("/components/schemas")});
    traverse::schema_roots_mut(&mut whole, &mut |root| traverse::schemas_mut(root, &mut bounds::add_integer_range));
    let options = validator_options(jsonschema::Draft::Draft202012);
    options.build(&whole).map_err(|error| error.to_string())
}

/// Returns the example of a schema and variants of it with one change.
fn test_values(schema: &Value) -> Vec<Value> {
    let example = schema.get("example").or_else(|| schema.get("enum")?.get(0)).cloned().unwrap_or(json!({}));
    let mut places = Vec::new();
    collect("", &example, &mut places);
    let mut values = vec![example.clone()];
    for place in &places {
        let long = "x".repeat(5_000);
        for other in [
            json!(null),
            json!(true),
            json!(""),
            json!("x"),
            json!(" "),
            json!(long),
            json!("a\u{0}b"),
            json!("2026-01-31"),
            json!(0),
            json!(-1),
            json!(0.5),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(1e30),
            json!([]),
            json!([null]),
            json!({}),
        ] {
            values.extend(with(&example, place, Some(other)));
        }
        values.extend(with(&example, place, None));
        values.extend(with(&example, &pointer::join(place, "surplus"), Some(json!(1))));
    }
    values
}

/// Collects the pointers to the value and to everything in it.
fn collect(place: &str, value: &Value, places: &mut Vec<String>) {
    places.push(place.to_owned());
    for (name, inner) in traverse::members(Some(value)) {
        collect(&pointer::join(place, name), inner, places);
    }
    for (index, inner) in traverse::elements(Some(value)).enumerate() {
        collect(&pointer::join(place, &index.to_string()), inner, places);
    }
}

/// Returns the value with the part at `place` replaced or removed, or `None` if that is impossible.
fn with(value: &Value, place: &str, other: Option<Value>) -> Option<Value> {
    let Some((parent, _)) = place.rsplit_once('/') else { return other };
    let key = pointer::tokens(place).last()?;
    let mut changed = value.clone();
    match (changed.pointer_mut(parent)?, other) {
        (Value::Object(map), Some(other)) => drop(map.insert(key, other)),
        (Value::Object(map), None) => drop(map.shift_remove(&key)),
        (Value::Array(list), Some(other)) => *list.get_mut(key.parse::<usize>().ok()?)? = other,
        _ => return None,
    }
    Some(changed)
}
