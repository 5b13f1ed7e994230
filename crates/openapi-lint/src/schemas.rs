//! Schemas: objects are components, everything is bounded, requests are closed, responses are complete.

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
            let said = "is used in requests and in responses; each needs a schema of its own";
            findings.push(Finding::new(&root, said));
        }
        traverse::schemas(&root, schema, &mut |place, inner| {
            // The members of a union or of an `allOf` have the place of the component, and are part of it.
            if inner.get("properties").is_some() && place != root {
                findings.push(Finding::new(place, INLINE));
            }
            judge(place, inner, serves, findings);
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

const INLINE: &str = "is an object written in place; make it a component, so that clients get a name for it";

/// Formats that tools know: others are typing mistakes or private to a framework.
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

/// Where a schema is used.
#[derive(Clone, Copy)]
struct Serves {
    requests: bool,
    responses: bool,
}

fn content(place: &str, part: Option<&Value>, serves: Serves, findings: &mut Vec<Finding>) {
    for (media_type, media) in traverse::members(part.and_then(|part| part.get("content"))) {
        // A stream of text has no end that a document could know.
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
        judge(place, inner, serves, findings);
    });
}

fn judge(place: &str, schema: &Value, serves: Serves, findings: &mut Vec<Finding>) {
    let mut say = |message: String| findings.push(Finding::new(place, message));
    let format = schema.get("format").and_then(Value::as_str);
    if let Some(format) = format.filter(|format| !KNOWN_FORMATS.contains(format)) {
        say(format!("has the format {format}, which tools do not know"));
    }
    for (name, _) in traverse::members(schema.get("properties")).filter(|(name, _)| !is_snake_case(name)) {
        say(format!("has a field that is not called in snake_case: {name}"));
    }
    // What a response keeps under names of its own choice, frameworks cannot bound.
    if serves.requests || (serves.responses && !place.ends_with(".*")) {
        bounded(schema, &mut say);
    }
    if serves.requests && schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        say("is an object of a request and not closed by additionalProperties".to_owned());
    }
    if serves.responses {
        let required: BTreeSet<&str> = traverse::elements(schema.get("required")).filter_map(Value::as_str).collect();
        for (name, property) in traverse::members(schema.get("properties")) {
            if !required.contains(name) && property.get("nullable") != Some(&Value::Bool(true)) {
                let place = format!("{place}.{name}");
                let said = "is neither required nor nullable; responses carry every field";
                findings.push(Finding::new(place, said));
            }
        }
    }
}

fn bounded(schema: &Value, say: &mut dyn FnMut(String)) {
    let has = |key| schema.get(key).is_some();
    match schema.get("type").and_then(Value::as_str) {
        Some("string") if !has("maxLength") && !has("enum") && !has("format") => {
            say("is text without maxLength, enum or format".to_owned());
        }
        // A format is a bound, too: int32 and int64 end where their bits do.
        Some("integer") if !has("enum") && !has("format") && (!has("minimum") || !has("maximum")) => {
            say("is an integer without format, or minimum and maximum".to_owned());
        }
        Some("array") if !has("maxItems") => {
            say("is an array without maxItems".to_owned());
        }
        _ => {}
    }
}

/// Enums and other plain values mean the same in both directions.
fn is_scalar(schema: &Value) -> bool {
    schema.get("enum").is_some()
        || schema.get("type").and_then(Value::as_str).is_some_and(|kind| !matches!(kind, "object" | "array"))
}
