//! Descriptions and examples that operations share: parameters, response headers and responses.

use serde_json::{Value, json};

use crate::{Operation, documented_errors::EXAMPLE_REQUEST_ID};

/// Header names with the upper and lower case that the document uses.
pub(crate) const HEADER_NAMES: &[&str] = &[
    "Location",
    "ETag",
    "Link",
    "Content-Disposition",
    "Idempotency-Replayed",
    "Retry-After",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
];

/// Returns the description of a parameter that has no doc comment.
fn parameter_description(name: &str) -> Option<&'static str> {
    Some(match name {
        "bucketlist_id" => "ID of the bucketlist.",
        "item_id" => "ID of the item.",
        "user_id" => "ID of the user.",
        "session_id" => "ID of the session.",
        "export_id" => "ID of the export.",
        "incident_id" => "ID of the incident.",
        "api_client_id" => "ID of the API client.",
        "job_id" => "ID of the job.",
        "schedule_name" => "Name of the recurring task.",
        "page" => "Page number, starting at 1.",
        "per_page" => "Maximum number of results per page. Default: 20. Values above 100 are reduced to 100.",
        "cursor" => {
            "Cursor of the page: the `cursor` parameter of `links.next` in the previous response. Default: the first \
             page."
        }
        "sort" => {
            "Field to sort by: `created_at`, `updated_at` or `name` (by code point). Prefix it with `-` for descending \
             order. Default: `created_at`."
        }
        "include" => "Additional data: `total` adds the total number of results.",
        "If-Match" => "ETag of the state that you want to change. Returns 412 if the resource has changed since.",
        "If-None-Match" => {
            "ETag of a previous response. Returns 304 without a body if the response has not changed since."
        }
        "Idempotency-Key" => {
            "Unique key for this request, for example a UUID. Repeating the request with the same key within 24 hours \
             returns the original response."
        }
        _ => return None,
    })
}

/// Returns examples of parameters by name.
pub(crate) fn parameter_examples() -> Vec<(&'static str, Value)> {
    vec![
        ("bucketlist_id", json!(1)),
        ("item_id", json!(1)),
        ("user_id", json!(2)),
        ("session_id", json!(1)),
        ("export_id", json!(1)),
        ("incident_id", json!(1)),
        ("api_client_id", json!(1)),
        ("job_id", json!(1)),
        ("schedule_name", json!("purge")),
        ("request_id", json!(EXAMPLE_REQUEST_ID)),
        ("page", json!(1)),
        ("per_page", json!(20)),
        ("q", json!("world")),
        ("cursor", json!("")),
        ("sort", json!("-created_at")),
        ("include", json!(["total"])),
        ("If-Match", json!("*")),
        ("If-None-Match", json!("\"aN0thEr5tate\"")),
    ]
}

/// Returns the description of a response header.
fn header_description(name: &str) -> Option<&'static str> {
    Some(match name {
        "Location" => "Path of the created resource.",
        "ETag" => "Entity tag of the returned state. Send it as `If-Match` or `If-None-Match`.",
        "Link" => "Paths of this page and of the next page (RFC 8288).",
        "Content-Disposition" => "Suggested file name.",
        "Idempotency-Replayed" => "`true` if an earlier request with the same `Idempotency-Key` created the resource.",
        "Retry-After" => "Seconds to wait before the next request.",
        _ => return None,
    })
}

/// Adds the descriptions to the document that poem-openapi generates.
pub(crate) fn describe<'a>(raw: String, find: &dyn Fn(&str) -> Option<&'a Operation>) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(&raw) else { return raw };
    if serde_json::to_string_pretty(&document).ok().as_ref() != Some(&raw) {
        // Parsing has dropped a duplicate key. Return the document unchanged, so that the linter reports it.
        return raw;
    }
    let paths = document.pointer_mut("/paths").and_then(Value::as_object_mut).into_iter().flatten();
    for operation in paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten()) {
        let Some(operation) = operation.1.as_object_mut() else { continue };
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
        let response = find(id).map_or("", |declared| declared.response);
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            describe_parameter(parameter);
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, documented) in responses.into_iter().flatten() {
            if status.starts_with('2') && !response.is_empty() {
                documented["description"] = response.into();
            }
            let headers = documented.get_mut("headers").and_then(Value::as_object_mut);
            for (name, header) in headers.into_iter().flatten() {
                let name = HEADER_NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).copied();
                add_description(header, name.and_then(header_description));
            }
        }
    }
    document.to_string()
}

fn describe_parameter(parameter: &mut Value) {
    if parameter["in"] == "header"
        && let Some(name) = parameter["name"].as_str()
    {
        // poem-openapi takes the name from the Rust argument: `if_none_match`.
        let name = name.replace('_', "-");
        let documented = HEADER_NAMES.iter().find(|known| known.eq_ignore_ascii_case(&name)).copied();
        parameter["name"] = documented.unwrap_or(&name).into();
    }
    let description = parameter["name"].as_str().and_then(parameter_description);
    add_description(parameter, description);
}

fn add_description(value: &mut Value, description: Option<&str>) {
    let Value::Object(map) = value else { return };
    let is_missing = map.get("description").and_then(Value::as_str).is_none_or(str::is_empty);
    if let Some(description) = description.filter(|_| is_missing) {
        map.insert("description".to_owned(), description.into());
    }
}
