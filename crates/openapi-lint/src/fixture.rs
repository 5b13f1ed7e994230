//! A small API for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;

use openapi_model::Document;

/// Returns the document of a bucketlist API, as `openapi-repair` writes it.
pub(crate) fn document() -> Document {
    Document::from_json(include_str!("../../openapi-model/fixtures/bucketlists.json"))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Sets the value at a pointer. `null` removes it.
pub(crate) fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}")) {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        Value::Object(map) if value.is_null() => drop(map.shift_remove(&key)),
        Value::Object(map) => drop(map.insert(key, value)),
        _ => panic!("{parent} has no members"),
    }
}
