//! Rules for schemas: objects are components, values have bounds, requests reject unknown fields, responses are complete.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Rule,
    finding::Report,
    location::{LintLocation, visit_schemas},
    names::is_snake_case,
};
use openapi_model::traverse;

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
struct Usage {
    requests: bool,
    responses: bool,
}

const REQUEST: Usage = Usage { requests: true, responses: false };
const RESPONSE: Usage = Usage { requests: false, responses: true };

pub(super) fn check(document: &Value, report: &mut Report<'_>) {
    let requests = traverse::reachable_schemas(document, traverse::request_roots(document));
    let responses = traverse::reachable_schemas(document, traverse::response_roots(document));
    for (name, schema) in traverse::members(document.pointer("/components/schemas")) {
        let root = LintLocation::component("schemas", "schema", name);
        let usage = Usage { requests: requests.contains(name), responses: responses.contains(name) };
        if usage.requests && usage.responses && !is_scalar(schema) {
            let message = "is used in requests and in responses; use a separate schema for each";
            report.add(Rule::SeparateSchemas, &root, message);
        }
        visit_schemas(&root, schema, &mut |location, inner| {
            if inner.get("properties").is_some() && location.name != root.name {
                report.add(Rule::InlineObject, location, INLINE);
            }
            check_schema(location, inner, usage, report);
        });
    }
    for entry in traverse::operations(document) {
        let location = LintLocation::operation(&entry);
        for parameter in entry.parameters(document) {
            let location = location.parameter(&parameter).at(&["schema"]);
            inline(&location, parameter.value.get("schema"), REQUEST, report);
        }
        content(&location.part(&["requestBody"], "request body"), entry.operation.get("requestBody"), REQUEST, report);
        for (status, response) in traverse::members(entry.operation.get("responses")) {
            let location = location.part(&["responses", status], &format!("response {status}"));
            content(&location, Some(response), RESPONSE, report);
        }
    }
}

fn content(location: &LintLocation, part: Option<&Value>, usage: Usage, report: &mut Report<'_>) {
    for (media_type, media) in traverse::members(part.and_then(|part| part.get("content"))) {
        // Text streams in responses have no maximum length.
        let usage = if traverse::is_json(media_type) { usage } else { Usage { responses: false, ..usage } };
        inline(&location.at(&["content", media_type, "schema"]), media.get("schema"), usage, report);
    }
}

fn inline(location: &LintLocation, schema: Option<&Value>, usage: Usage, report: &mut Report<'_>) {
    let Some(schema) = schema else { return };
    visit_schemas(location, schema, &mut |location, inner| {
        if inner.get("properties").is_some() {
            report.add(Rule::InlineObject, location, INLINE);
        }
        check_schema(location, inner, usage, report);
    });
}

fn check_schema(location: &LintLocation, schema: &Value, usage: Usage, report: &mut Report<'_>) {
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && !KNOWN_FORMATS.contains(&format)
        && !report.config().options().formats.iter().any(|known| known == format)
    {
        report.add(Rule::KnownFormat, location, format!("has the format {format}, which is not a known format"));
    }
    for (name, _) in traverse::members(schema.get("properties")).filter(|(name, _)| !is_snake_case(name)) {
        report.add(Rule::PropertyCase, location, format!("has a field that is not in snake_case: {name}"));
    }
    // Frameworks cannot declare bounds for the values of maps in responses.
    if usage.requests || (usage.responses && !location.name.ends_with(".*")) {
        bounds(location, schema, usage, report);
    }
    if usage.requests && schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        report.add(Rule::ClosedRequest, location, "is a request object without additionalProperties");
    }
    if usage.responses {
        let required: BTreeSet<&str> = traverse::elements(schema.get("required")).filter_map(Value::as_str).collect();
        for (name, property) in traverse::members(schema.get("properties")) {
            if !required.contains(name) && property.get("nullable") != Some(&Value::Bool(true)) {
                let property =
                    LintLocation { name: format!("{}.{name}", location.name), ..location.at(&["properties", name]) };
                let message = "is neither required nor nullable; responses must contain every field";
                report.add(Rule::CompleteResponse, &property, message);
            }
        }
    }
}

fn bounds(location: &LintLocation, schema: &Value, usage: Usage, report: &mut Report<'_>) {
    let has = |key| schema.get(key).is_some();
    match schema.get("type").and_then(Value::as_str) {
        Some("string") if !has("maxLength") && !has("enum") && !has("format") => {
            report.add(Rule::StringBounds, location, "is a string without maxLength, enum or format");
        }
        // The formats int32 and int64 imply bounds.
        Some("integer") if !has("enum") && !has("format") && (!has("minimum") || !has("maximum")) => {
            report.add(Rule::IntegerBounds, location, "is an integer without format, or minimum and maximum");
        }
        // A response can contain everything that a user has stored.
        Some("array") if !has("maxItems") && usage.requests => {
            report.add(Rule::ArrayBounds, location, "is an array without maxItems");
        }
        _ => {}
    }
}

/// Returns whether a schema describes a scalar, which can be used in requests and responses.
fn is_scalar(schema: &Value) -> bool {
    schema.get("enum").is_some()
        || schema.get("type").and_then(Value::as_str).is_some_and(|kind| !matches!(kind, "object" | "array"))
}
