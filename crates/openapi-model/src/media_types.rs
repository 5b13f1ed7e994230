//! Replacement of JSON media types by `application/json`.

use serde_json::{Map, Value};

const JSON: &str = "application/json";

/// Replaces the media types of every body that has JSON by `application/json`.
pub(crate) fn plain_json(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(content)) = map.get_mut("content") {
                simplify(content);
            }
            map.values_mut().for_each(plain_json);
        }
        Value::Array(elements) => elements.iter_mut().for_each(plain_json),
        _ => {}
    }
}

/// Simplifies the media types of one body. A field that is named `content` has no media types and is not changed.
fn simplify(content: &mut Map<String, Value>) {
    let is_json = |name: &String| name == JSON || (name.starts_with("application/") && name.ends_with("+json"));
    let Some(name) = content.keys().find(|name| *name == JSON).or_else(|| content.keys().find(|name| is_json(name)))
    else {
        return;
    };
    let name = name.clone();
    if let Some(body) = content.remove(&name) {
        content.clear();
        content.insert(JSON.to_owned(), body);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::fixture;

    #[test]
    fn json_media_types_become_application_json() {
        for (before, after) in [
            (json!({"application/json": 1}), json!({"application/json": 1})),
            (json!({"application/problem+json": 1}), json!({"application/json": 1})),
            (json!({"application/merge-patch+json": 1}), json!({"application/json": 1})),
            (json!({"application/json": 1, "application/x-ndjson": 2, "text/csv": 3}), json!({"application/json": 1})),
            (json!({"application/problem+json": 1, "application/json": 2}), json!({"application/json": 2})),
            (json!({"text/csv": 1}), json!({"text/csv": 1})),
            (json!({"type": "string"}), json!({"type": "string"})),
        ] {
            let mut value = json!({"responses": [{"content": before}]});
            plain_json(&mut value);
            assert_eq!(value, json!({"responses": [{"content": after}]}));
        }
    }

    #[test]
    fn document_with_json_only_is_unchanged() {
        assert_eq!(fixture::document().json_only(), fixture::document());
    }
}
