//! OpenAPI documents for the tests of the other crates, as text, and functions to change them.
//!
//! `README.md` names the sources and licenses of the public documents.

use serde_json::Value;

/// A small API for projects, as `openapi-repair` writes it. It passes all lint rules.
pub const PROJECTS: &str = include_str!("../documents/projects.json");

/// The Swagger Petstore: several media types per body, arrays in queries, OAuth 2 and API keys, no pagination.
pub const PETSTORE: &str = include_str!("../documents/petstore.json");

/// The Data Set API of the USPTO: no components for objects, a form body, default values in paths.
pub const USPTO: &str = include_str!("../documents/uspto.json");

/// A part of the GitHub REST API: components of all kinds, shared parameters, nullable schemas, links in headers.
pub const GITHUB: &str = include_str!("../documents/github.json");

/// The public documents with their names.
pub const PUBLIC: [(&str, &str); 3] = [("petstore", PETSTORE), ("uspto", USPTO), ("github", GITHUB)];

/// Sets the value at a JSON pointer. `null` removes it.
///
/// ```
/// let mut document = serde_json::json!({"paths": {"/pets": {"get": {"summary": "List pets"}}}});
/// openapi_fixtures::set(&mut document, "/paths/~1pets/get/summary", "Pets".into());
/// assert_eq!(document["paths"]["/pets"]["get"]["summary"], "Pets");
/// openapi_fixtures::set(&mut document, "/paths/~1pets", serde_json::Value::Null);
/// assert_eq!(document, serde_json::json!({"paths": {}}));
/// ```
///
/// # Panics
/// If the parent does not exist, or is neither an object nor an array with this index.
#[allow(clippy::expect_used, clippy::panic, reason = "a wrong pointer is an error in the test")]
pub fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer to a part");
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("there is nothing at {parent}")) {
        Value::Array(list) => list[key.parse::<usize>().expect("the index of an array")] = value,
        Value::Object(map) if value.is_null() => drop(map.shift_remove(&key)),
        Value::Object(map) => drop(map.insert(key, value)),
        _ => panic!("{parent} has no members"),
    }
}
