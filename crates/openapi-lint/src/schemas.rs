//! Rules for schemas: objects are components, values have bounds, requests reject unknown fields, responses are complete.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Finding, operations::is_snake_case};
use openapi_model::traverse;

pub(super) fn check(document: &Value, findings: &mut Vec<Finding>) {
    let requests = traverse::reachable_schemas(document, traverse::request_roots(document));
    let responses = traverse::reachable_schemas(document, traverse::response_roots(document));
    for (name, schema) in traverse::members(document.pointer("/components/schemas")) {
        let root = format!("schema {name}");
        let serves = Serves { requests: requests.contains(name), responses: responses.contains(name) };
        if serves.requests && serves.responses && !is_scalar(schema) {
            let message = "is used in requests and in responses; use a separate schema for each";
            findings.push(Finding::new(&root, message));
        }
        traverse::schemas(&root, schema, &mut |place, inner| {
            // The members of a union or an `allOf` are part of the component and have its location.
            if inner.get("properties").is_some() && place != root {
                findings.push(Finding::new(place, INLINE));
            }
            check_schema(place, inner, serves, findings);
        });
    }
    for entry in traverse::operations(document) {
        let place = format!("operation {}", entry.name());
        let request = Serves { requests: true, responses: false };
        let response = Serves { requests: false, responses: true };
        for parameter in traverse::elements(entry.operation.get("parameters")) {
            let name = parameter.get("name").and_then(Value::as_str).unwrap_or("?");
            let place = format!("{place}, parameter {name}");
            inline(&place, parameter.get("schema"), request, findings);
        }
        content(&format!("{place}, request body"), entry.operation.get("requestBody"), request, findings);
        for (status, one) in traverse::members(entry.operation.get("responses")) {
            content(&format!("{place}, response {status}"), Some(one), response, findings);
        }
    }
}

const INLINE: &str = "is an inline object; move it to a component, so that generated clients have a type for it";

/// Formats that tools support. Other formats are typing errors or specific to a framework.
const KNOWN_FORMATS: [&str; 18] = [
    "int32",
    "int64",
    "float",
    "double",
    "byte",
    "binary",
    "date",
    "date-time",
    "time",
    "duration",
    "password",
    "email",
    "uuid",
    "uri",
    "uri-reference",
    "hostname",
    "ipv4",
    "ipv6",
];

/// The use of a schema in requests and responses.
#[derive(Clone, Copy)]
struct Serves {
    requests: bool,
    responses: bool,
}

fn content(place: &str, part: Option<&Value>, serves: Serves, findings: &mut Vec<Finding>) {
    for (media_type, media) in traverse::members(part.and_then(|part| part.get("content"))) {
        // Text streams in responses have no maximum length.
        let serves = if traverse::is_json(media_type) { serves } else { Serves { responses: false, ..serves } };
        inline(place, media.get("schema"), serves, findings);
    }
}

fn inline(place: &str, schema: Option<&Value>, serves: Serves, findings: &mut Vec<Finding>) {
    let Some(schema) = schema else { return };
    traverse::schemas(place, schema, &mut |place, inner| {
        if inner.get("properties").is_some() {
            findings.push(Finding::new(place, INLINE));
        }
        check_schema(place, inner, serves, findings);
    });
}

fn check_schema(place: &str, schema: &Value, serves: Serves, findings: &mut Vec<Finding>) {
    let mut report = |message: String| findings.push(Finding::new(place, message));
    let format = schema.get("format").and_then(Value::as_str);
    if let Some(format) = format.filter(|format| !KNOWN_FORMATS.contains(format)) {
        report(format!("has the format {format}, which is not a known format"));
    }
    for (name, _) in traverse::members(schema.get("properties")).filter(|(name, _)| !is_snake_case(name)) {
        report(format!("has a field that is not in snake_case: {name}"));
    }
    // Frameworks cannot declare bounds for the values of maps in responses.
    if serves.requests || (serves.responses && !place.ends_with(".*")) {
        bounded(schema, &mut report);
    }
    if serves.requests && schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        report("is a request object without additionalProperties".to_owned());
    }
    if serves.responses {
        let required: BTreeSet<&str> = traverse::elements(schema.get("required")).filter_map(Value::as_str).collect();
        for (name, property) in traverse::members(schema.get("properties")) {
            if !required.contains(name) && property.get("nullable") != Some(&Value::Bool(true)) {
                let place = format!("{place}.{name}");
                let message = "is neither required nor nullable; responses must contain every field";
                findings.push(Finding::new(place, message));
            }
        }
    }
}

fn bounded(schema: &Value, report: &mut dyn FnMut(String)) {
    let has = |key| schema.get(key).is_some();
    match schema.get("type").and_then(Value::as_str) {
        Some("string") if !has("maxLength") && !has("enum") && !has("format") => {
            report("is a string without maxLength, enum or format".to_owned());
        }
        // The formats int32 and int64 imply bounds.
        Some("integer") if !has("enum") && !has("format") && (!has("minimum") || !has("maximum")) => {
            report("is an integer without format, or minimum and maximum".to_owned());
        }
        Some("array") if !has("maxItems") => {
            report("is an array without maxItems".to_owned());
        }
        _ => {}
    }
}

/// Returns whether a schema describes a scalar, which can be used in requests and responses.
fn is_scalar(schema: &Value) -> bool {
    schema.get("enum").is_some()
        || schema.get("type").and_then(Value::as_str).is_some_and(|kind| !matches!(kind, "object" | "array"))
}
