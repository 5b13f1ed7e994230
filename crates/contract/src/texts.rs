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
        "per_page" => "Maximum number of results per page. Default: 20. Values above 100 are capped at 100.",
        "cursor" => {
            "Cursor of the page: the `cursor` parameter of `links.next` in the previous response. Default: the first \
             page."
        }
        "sort" => {
            "Field to sort by: `created_at`, `updated_at` or `name` (by code point). Prefix it with `-` for descending \
             order. Default: `created_at`."
        }
        "include" => "Additional data: `total` adds the total number of results.",
        "If-Match" => {
            "ETag of the version of the resource to change. The response is 412 if the resource has changed since. Required \
             only if the operator has set `REQUIRE_IF_MATCH`. Without `If-Match`, the request overwrites concurrent changes."
        }
        "If-None-Match" => {
            "ETag of a previous response. The server returns 304 without a body if the response has not changed."
        }
        "Idempotency-Key" => {
            "Unique key for this request, for example a UUID. Retrying the request with the same key within 24 hours \
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

/// Returns the description of a response header. `etag` is that of `ETag`.
fn header_description(name: &str, etag: &'static str) -> Option<&'static str> {
    Some(match name {
        "Location" => "Path of the created resource.",
        "ETag" => etag,
        "Link" => "Paths of this page and of the next page (RFC 8288).",
        "Content-Disposition" => "Suggested file name.",
        "Idempotency-Replayed" => "`true` if an earlier request with the same `Idempotency-Key` created the resource.",
        "Retry-After" => "Seconds to wait before the next request.",
        _ => return None,
    })
}

/// Returns the paths of resources that can be changed with `If-Match`.
fn conditional_paths<'a>(document: &Value, find: &dyn Fn(&str) -> Option<&'a Operation>) -> Vec<String> {
    let is_conditional = |item: &Value| {
        item.as_object().into_iter().flatten().any(|(_, operation)| {
            operation["operationId"].as_str().and_then(find).is_some_and(|declared| declared.is_conditional)
        })
    };
    let paths = document.pointer("/paths").and_then(Value::as_object).into_iter().flatten();
    paths.filter(|(_, item)| is_conditional(item)).map(|(path, _)| path.clone()).collect()
}

/// Returns the description of `ETag`. Only the ETag of a resource can be sent as `If-Match`: that of the resource at the path, or of
/// one that POST creates below it.
fn etag_description(path: &str, method: &str, declared: Option<&Operation>, conditional: &[String]) -> &'static str {
    let is_child = |known: &str| {
        known.strip_prefix(path).and_then(|rest| rest.strip_prefix("/{")).is_some_and(|name| !name.contains('/'))
    };
    let is_resource = conditional.iter().any(|known| known == path || (method == "post" && is_child(known)));
    if is_resource {
        "ETag of the resource. Send it as `If-Match` to change the resource, or as `If-None-Match` to retrieve it only if \
         it has changed."
    } else if declared.is_some_and(|declared| declared.takes_if_none_match) {
        "ETag of the response. Send it as `If-None-Match`."
    } else {
        "ETag of the response."
    }
}

/// Adds the descriptions to the document that poem-openapi generates.
pub(crate) fn describe<'a>(raw: String, find: &dyn Fn(&str) -> Option<&'a Operation>) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(&raw) else { return raw };
    if serde_json::to_string_pretty(&document).ok().as_ref() != Some(&raw) {
        // Parsing has dropped a duplicate key. Return the document unchanged, so that the linter reports it.
        return raw;
    }
    let conditional = conditional_paths(&document, find);
    let paths = document.pointer_mut("/paths").and_then(Value::as_object_mut).into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object_mut().into_iter().flatten().map(move |(method, operation)| (path, method, operation))
    });
    for (path, method, operation) in operations {
        let Some(operation) = operation.as_object_mut() else { continue };
        let declared = find(operation.get("operationId").and_then(Value::as_str).unwrap_or_default());
        let response = declared.map_or("", |declared| declared.response);
        let etag = etag_description(path, method, declared, &conditional);
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
                add_description(header, name.and_then(|name| header_description(name, etag)));
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
