//! Error responses: adds the documented errors of each operation with examples.

use std::collections::BTreeMap;

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
                    let body = (rules.error_example)(error);
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
