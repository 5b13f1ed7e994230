//! Moves error responses and their examples into components.
//!
//! The name of a component is a function of its content, so that an unrelated change to the document renames nothing:
//! generated code has a type for each component.

use serde_json::{Map, Value, json};

use super::{Defect, RepairOptions};
use openapi_model::traverse;

/// Moves error responses into `components/responses`: those with one error code, and those with a name in the options.
pub(super) fn responses(value: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    let mut shared: Map<String, Value> = Map::new();
    let mut unnamed: Vec<(String, Value)> = Vec::new();
    traverse::operations_mut(value, |_, _, operation| {
        let is_deprecated = operation.get("deprecated") == Some(&Value::Bool(true));
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (status, response) in traverse::members_mut(operation.get_mut("responses")) {
            if !matches!(status.as_bytes().first(), Some(b'4' | b'5')) {
                continue;
            }
            let place = format!("operation {id}, response {status}");
            let codes = codes(response);
            let Some(name) = name(&codes, is_deprecated, rules) else {
                if let Some((other, _)) = unnamed.iter().find(|(_, known)| known == response) {
                    let message =
                        format!("is the same as that of {other}; add a name for {} to the options", codes.join(", "));
                    defects.push(Defect::new(place, message));
                } else {
                    unnamed.push((id.clone(), response.clone()));
                }
                continue;
            };
            match shared.get(&name) {
                Some(known) if known != response => {
                    let message = format!("differs from the component {name} with the same error codes");
                    defects.push(Defect::new(place, message));
                }
                _ => {
                    let reference = json!({ "$ref": format!("#/components/responses/{name}") });
                    shared.insert(name, std::mem::replace(response, reference));
                }
            }
        }
    });
    if !shared.is_empty() {
        value["components"]["responses"] = Value::Object(shared);
    }
}

/// Moves the examples of error responses into `components/examples`, where the name of an example is its error code.
pub(super) fn examples(value: &mut Value) {
    let mut shared: Map<String, Value> = Map::new();
    traverse::operations_mut(value, |_, _, operation| {
        for (status, response) in traverse::members_mut(operation.get_mut("responses")) {
            if !matches!(status.as_bytes().first(), Some(b'4' | b'5')) {
                continue;
            }
            for (_, media) in traverse::members_mut(response.get_mut("content")) {
                for (code, example) in traverse::members_mut(media.get_mut("examples")) {
                    let reference = json!({ "$ref": format!("#/components/examples/{code}") });
                    shared.insert(code.to_owned(), std::mem::replace(example, reference));
                }
            }
        }
    });
    if !shared.is_empty() {
        value["components"]["examples"] = Value::Object(shared);
    }
}

/// Returns the codes of the errors in a response.
fn codes(response: &Value) -> Vec<&str> {
    let media = traverse::members(response.get("content")).next();
    traverse::members(media.and_then(|(_, media)| media.get("examples"))).map(|(code, _)| code).collect()
}

/// Returns the name of a response: that in the options, or that of its only error.
fn name(codes: &[&str], is_deprecated: bool, rules: &RepairOptions<'_>) -> Option<String> {
    let has_codes = |known: &[&str]| known.len() == codes.len() && known.iter().all(|code| codes.contains(code));
    let published =
        rules.response_names.iter().find(|known| known.is_deprecated == is_deprecated && has_codes(known.codes));
    match (published, codes) {
        (Some(published), _) => Some(published.name.to_owned()),
        (None, [code]) => {
            let name: String = code.split('_').map(capitalize).collect();
            Some(if is_deprecated { format!("Deprecated{name}") } else { name })
        }
        (None, _) => None,
    }
}

fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect())
}
