//! Lookups in the OpenAPI documents of both versions.

use ::contract::{v1, v2};
use openapi_model::Operation;
use poem::http::Method;

use super::Value;

/// Returns the document that contains an operation, and the path of the operation in it.
fn document(operation: &Operation) -> (&'static Value, &str) {
    match operation.path.strip_prefix("/v1") {
        Some(path) => (v1::document().value(), path),
        None => (v2::document().value(), operation.path.strip_prefix("/v2").unwrap()),
    }
}

/// Returns the operation object in the document.
pub fn documented(operation: &Operation) -> &'static Value {
    let (document, path) = document(operation);
    &document["paths"][path][operation.method.to_lowercase()]
}

/// Returns the schema of the request body in the first media type.
pub fn request_schema(operation: &Operation) -> &'static Value {
    let (document, _) = document(operation);
    let media_type = &operation.request_media_types[0];
    resolve(document, &documented(operation)["requestBody"]["content"][media_type]["schema"])
}

/// Resolves the reference of a schema, including one wrapped in `allOf`.
pub fn resolve(document: &'static Value, schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str()) {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// Returns the method of an operation.
pub fn method(operation: &Operation) -> Method {
    operation.method.parse().unwrap()
}
