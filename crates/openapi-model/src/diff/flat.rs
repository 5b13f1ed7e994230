//! Merges a schema, its reference and the members of its `allOf` into one schema, to compare two schemas key by key.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::values;
use crate::{pointer, traverse};

/// Keywords that set a lower bound.
pub(super) const LOWER: [&str; 4] = ["minimum", "minLength", "minItems", "minProperties"];
/// Keywords that set an upper bound.
pub(super) const UPPER: [&str; 4] = ["maximum", "maxLength", "maxItems", "maxProperties"];

/// Returns the reference of a schema, or those in its `allOf`.
pub(super) fn references(schema: &Value) -> Vec<&str> {
    let own = schema.get("$ref").and_then(Value::as_str);
    own.into_iter().chain(traverse::elements(schema.get("allOf")).flat_map(references)).collect()
}

/// Returns the name that code generators give a schema: the name of the only component that it refers to.
pub(super) fn name(schema: &Value) -> Option<&str> {
    match references(schema).as_slice() {
        [one] => one.strip_prefix(traverse::SCHEMAS),
        _ => None,
    }
}

/// Annotations that may accompany a reference without changing the schema.
const ANNOTATIONS: &[&str] =
    &["nullable", "default", "title", "description", "deprecated", "example", "externalDocs", "readOnly", "writeOnly"];

/// Returns the name of the component that a schema refers to, with the annotations of the reference. Returns `None` if
/// the schema adds constraints to the component.
pub(super) fn component(schema: &Value) -> Option<(&str, Value)> {
    fn collect_annotations(schema: &Value, out: &mut Map<String, Value>) {
        for (key, value) in traverse::members(Some(schema)).filter(|(key, _)| !["$ref", "allOf"].contains(key)) {
            out.entry(key).or_insert_with(|| value.clone());
        }
        traverse::elements(schema.get("allOf")).for_each(|member| collect_annotations(member, out));
    }
    let name = name(schema)?;
    let mut out = Map::new();
    collect_annotations(schema, &mut out);
    out.keys()
        .all(|key| ANNOTATIONS.contains(&key.as_str()) || key.starts_with("x-"))
        .then_some((name, Value::Object(out)))
}

/// Returns the schema without references and `allOf` at its root. A reference that does not resolve allows any value.
pub(super) fn flat(document: &Value, schema: &Value) -> Value {
    let mut out = Map::new();
    add(document, schema, &mut out, &mut Vec::new());
    Value::Object(out)
}

/// Adds the keys of `schema` to `out`. Skips schemas that it has already added, so that circular references end.
fn add<'d>(document: &'d Value, schema: &'d Value, out: &mut Map<String, Value>, met: &mut Vec<&'d Value>) {
    let Some(schema) = pointer::resolve(document, schema) else { return };
    if met.iter().any(|one| std::ptr::eq(*one, schema)) {
        return;
    }
    met.push(schema);
    for (key, value) in traverse::members(Some(schema)).filter(|(key, _)| *key != "allOf") {
        match out.get_mut(key) {
            None => drop(out.insert(key.to_owned(), value.clone())),
            Some(known) => merge(key, known, value),
        }
    }
    for member in traverse::elements(schema.get("allOf")) {
        add(document, member, out, met);
    }
}

/// Merges a keyword so that both values apply. Of annotations, the outer value wins.
fn merge(key: &str, known: &mut Value, value: &Value) {
    match (key, known, value) {
        ("required", Value::Array(known), Value::Array(more)) => {
            let missing: Vec<Value> = more.iter().filter(|name| !known.contains(name)).cloned().collect();
            known.extend(missing);
        }
        ("enum", Value::Array(known), Value::Array(more)) => known.retain(|one| more.contains(one)),
        ("properties", Value::Object(known), Value::Object(more)) => {
            for (name, property) in more {
                match known.get_mut(name) {
                    None => drop(known.insert(name.clone(), property.clone())),
                    Some(one) if one == property => {}
                    Some(one) => *one = json!({ "allOf": [one.take(), property] }),
                }
            }
        }
        // An outer `nullable` makes a reference to a schema that is not nullable accept null.
        ("nullable", known, Value::Bool(true)) => *known = Value::Bool(true),
        (key, known, value) if LOWER.contains(&key) && values::order(known, value) == Some(Ordering::Less) => {
            *known = value.clone();
        }
        (key, known, value) if UPPER.contains(&key) && values::order(known, value) == Some(Ordering::Greater) => {
            *known = value.clone();
        }
        _ => {}
    }
}
