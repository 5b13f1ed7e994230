//! Error responses: adds the documented errors of each operation with examples, and moves equal responses into
//! `components/responses`.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::{Defect, DocumentedError, RepairOptions, facts};
use openapi_model::traverse;

/// Adds the error responses of all operations.
pub(super) fn document(value: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    let security = value.get("security").cloned();
    let reference = format!("{}{}", traverse::SCHEMAS, rules.error_schema);
    traverse::operations_mut(value, |path, method, operation| {
        let method = method.to_uppercase();
        let own = operation.clone();
        let facts = facts(security.as_ref(), path, &method, &own);
        let mut by_status: BTreeMap<u16, Vec<DocumentedError>> = BTreeMap::new();
        for error in (rules.errors)(&facts) {
            let same = by_status.entry(error.status).or_default();
            if !same.iter().any(|known| known.code == error.code) {
                same.push(error);
            }
        }
        let place = |status: &str| format!("operation {}, response {status}", facts.id);
        let responses = operation.entry("responses").or_insert_with(|| json!({}));
        for (status, response) in traverse::members(Some(responses)) {
            let code: u16 = status.parse().unwrap_or_default();
            if code >= 400 && !by_status.contains_key(&code) {
                defects
                    .push(Defect::new(place(status), "is declared, but the options contain no error with this status"));
            }
            let foreign =
                |(_, media): (&str, &Value)| media.pointer("/schema/$ref").is_none_or(|schema| schema != &reference);
            if code >= 400 && traverse::members(response.get("content")).any(foreign) {
                let message = format!("declares a body that is not {}", rules.error_schema);
                defects.push(Defect::new(place(status), message));
            }
        }
        for (status, errors) in by_status {
            let examples: Map<String, Value> = errors
                .iter()
                .map(|error| {
                    let body = (rules.error_example)(&facts, error);
                    let example = json!({ "summary": error.message, "value": body });
                    (error.code.to_owned(), example)
                })
                .collect();
            let response = &mut responses[status.to_string()];
            if response.get("description").and_then(Value::as_str).unwrap_or_default().is_empty() {
                response["description"] = describe(&errors).into();
            }
            let media = json!({ "schema": { "$ref": reference }, "examples": examples });
            response["content"] = json!({ rules.error_media_type: media });
        }
    });
}

fn describe(errors: &[DocumentedError]) -> String {
    match errors {
        [only] => only.message.to_owned(),
        several => {
            let line = |error: &DocumentedError| format!("- `{}`: {}", error.code, error.message);
            let lines: Vec<String> = several.iter().map(line).collect();
            format!("One of:\n\n{}", lines.join("\n"))
        }
    }
}

/// Moves error responses that several operations share into `components/responses`.
pub(super) fn share(value: &mut Value) {
    let is_error = |status: &str| matches!(status.as_bytes().first(), Some(b'4' | b'5'));
    let mut uses: HashMap<String, usize> = HashMap::new();
    for entry in traverse::operations(value) {
        for (status, response) in traverse::members(entry.operation.get("responses")) {
            if is_error(status) {
                *uses.entry(format!("{status} {response}")).or_default() += 1;
            }
        }
    }
    let mut shared: Map<String, Value> = Map::new();
    traverse::operations_mut(value, |_, _, operation| {
        for (status, response) in traverse::members_mut(operation.get_mut("responses")) {
            let key = format!("{status} {response}");
            if uses.get(&key).is_none_or(|count| *count < 2) {
                continue;
            }
            let base = name(status, response);
            // If several responses have the same name, all except the first are numbered.
            let numbered = (2..).map(|number| format!("{base}{number}"));
            let free = std::iter::once(base.clone())
                .chain(numbered)
                .find(|name| shared.get(name).is_none_or(|known| known == response));
            if let Some(name) = free {
                let reference = json!({ "$ref": format!("#/components/responses/{name}") });
                shared.insert(name, std::mem::replace(response, reference));
            }
        }
    });
    if !shared.is_empty() {
        value["components"]["responses"] = Value::Object(shared);
    }
}

/// Returns the name of a response: that of its only error, or that of its status.
fn name(status: &str, response: &Value) -> String {
    let media = traverse::members(response.get("content")).next();
    let mut codes = traverse::members(media.and_then(|(_, media)| media.get("examples")));
    if let (Some((code, _)), None) = (codes.next(), codes.next()) {
        return code.split('_').map(capitalize).collect();
    }
    let name = match status {
        "400" => "BadRequest",
        "401" => "Unauthorized",
        "403" => "Forbidden",
        "404" => "NotFound",
        "405" => "MethodNotAllowed",
        "406" => "NotAcceptable",
        "409" => "Conflict",
        "410" => "Gone",
        "412" => "PreconditionFailed",
        "413" => "PayloadTooLarge",
        "415" => "UnsupportedMediaType",
        "422" => "UnprocessableContent",
        "428" => "PreconditionRequired",
        "429" => "TooManyRequests",
        "500" => "InternalServerError",
        "503" => "ServiceUnavailable",
        "507" => "InsufficientStorage",
        other => return format!("Status{other}"),
    };
    name.to_owned()
}

fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect())
}
