//! Captured IDs, tokens, cursors and ETags, and the values that replace them on the target server.

use std::collections::HashMap;

use contract::{v1, v2};
use openapi_model::CompiledDocument;
use serde_json::Value;

use super::client::ReplayResponse;
use crate::{CapturedBody, IncidentRecord};

/// Minimum length of a text that is replaced. Shorter texts could occur elsewhere by chance.
const MIN_TEXT_LENGTH: usize = 12;

/// Captured values and their replacements.
#[derive(Clone, Debug, Default)]
pub(super) struct Substitutions {
    /// By the name of the path parameter and the captured ID.
    ids: HashMap<(String, i64), i64>,
    /// Tokens, cursors and ETags.
    texts: Vec<(String, String)>,
}

/// An ID in a path, and its position in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathId {
    pub(super) parameter: String,
    pub(super) value: i64,
    start: usize,
    length: usize,
}

/// Returns the contract that a path belongs to. Unversioned paths belong to v2.
pub(super) fn contract_of(path: &str) -> &'static CompiledDocument {
    if path.starts_with(v1::document::BASE) { v1::contract() } else { v2::contract() }
}

/// Returns the IDs in the path of a target, in order.
pub(super) fn ids_in(target: &str) -> Vec<PathId> {
    let path = target.split('?').next().unwrap_or_default();
    let Some(found) = contract_of(path).find(path) else { return Vec::new() };
    let mut ids = Vec::new();
    for (parameter, value) in found.params {
        // The router returns slices of the path.
        let start = value.as_ptr() as usize - path.as_ptr() as usize;
        if let (true, Ok(id)) = (parameter.ends_with("_id"), value.parse()) {
            ids.push(PathId { parameter: parameter.to_owned(), value: id, start, length: value.len() });
        }
    }
    ids
}

impl Substitutions {
    pub(super) fn id(&self, parameter: &str, captured: i64) -> Option<i64> {
        self.ids.get(&(parameter.to_owned(), captured)).copied()
    }

    pub(super) fn learn_id(&mut self, parameter: &str, captured: i64, replacement: i64) {
        self.ids.insert((parameter.to_owned(), captured), replacement);
    }

    fn learn_text(&mut self, captured: &str, replacement: &str) {
        let is_known = self.texts.iter().any(|(known, _)| known == captured);
        if captured.len() >= MIN_TEXT_LENGTH && captured != replacement && !is_known {
            self.texts.push((captured.to_owned(), replacement.to_owned()));
        }
    }

    /// Replaces the IDs in the path of a target, and the texts in it.
    pub(super) fn in_target(&self, target: &str) -> String {
        let mut text = target.to_owned();
        for id in ids_in(target).into_iter().rev() {
            if let Some(replacement) = self.id(&id.parameter, id.value) {
                text.replace_range(id.start..id.start + id.length, &replacement.to_string());
            }
        }
        self.in_text(&text)
    }

    pub(super) fn in_text(&self, text: &str) -> String {
        self.texts.iter().fold(text.to_owned(), |text, (captured, replacement)| text.replace(captured, replacement))
    }

    /// Replaces the texts in a body. A body that is not UTF-8 is unchanged.
    pub(super) fn in_body(&self, body: &CapturedBody) -> Vec<u8> {
        match std::str::from_utf8(&body.0) {
            Ok(text) if self.texts.iter().any(|(captured, _)| text.contains(captured)) => {
                self.in_text(text).into_bytes()
            }
            _ => body.0.clone(),
        }
    }

    /// Learns replacements by comparing the captured response with the response of the replay.
    pub(super) fn learn(&mut self, record: &IncidentRecord, response: &ReplayResponse) {
        let captured_header = |name: &str| {
            let headers = &record.response.headers;
            headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        if let (Some(captured), Some(replayed)) = (captured_header("location"), response.header("location")) {
            for (captured, replayed) in ids_in(captured).iter().zip(ids_in(replayed)) {
                self.learn_id(&captured.parameter, captured.value, replayed.value);
            }
        }
        if let (Some(captured), Some(replayed)) = (captured_header("etag"), response.header("etag")) {
            self.learn_text(captured, replayed);
        }
        let json = |body: &[u8]| serde_json::from_slice::<Value>(body).ok();
        if let (Some(captured), Some(replayed)) = (json(&record.response.body.0), json(&response.body)) {
            self.learn_values(&captured, &replayed);
        }
    }

    fn learn_values(&mut self, captured: &Value, replayed: &Value) {
        match (captured, replayed) {
            (Value::Object(captured), Value::Object(replayed)) => {
                for (name, captured_value) in captured {
                    let Some(replayed_value) = replayed.get(name) else { continue };
                    match (captured_value, replayed_value) {
                        (Value::Number(captured_id), Value::Number(replayed_id)) => {
                            let parameter = if name == "id" { id_parameter(captured) } else { Some(name.as_str()) };
                            if let (Some(parameter), Some(captured_id), Some(replayed_id)) = (
                                parameter.filter(|name| name.ends_with("_id")),
                                captured_id.as_i64(),
                                replayed_id.as_i64(),
                            ) {
                                self.learn_id(parameter, captured_id, replayed_id);
                            }
                        }
                        (Value::String(captured), Value::String(replayed)) => {
                            self.learn_string(name, captured, replayed);
                        }
                        _ => self.learn_values(captured_value, replayed_value),
                    }
                }
            }
            (Value::Array(captured), Value::Array(replayed)) => {
                captured.iter().zip(replayed).for_each(|(captured, replayed)| self.learn_values(captured, replayed));
            }
            _ => {}
        }
    }

    fn learn_string(&mut self, name: &str, captured: &str, replayed: &str) {
        if name.ends_with("_token") || name == "cursor" {
            self.learn_text(captured, replayed);
        }
        let cursor_in_link = |link: &str| {
            let query = link.split_once('?')?.1;
            query.split('&').find_map(|pair| pair.strip_prefix("cursor=")).map(str::to_owned)
        };
        if let (Some(captured), Some(replayed)) = (cursor_in_link(captured), cursor_in_link(replayed)) {
            self.learn_text(&captured, &replayed);
        }
    }
}

/// Returns the path parameter that takes the `id` of an object.
fn id_parameter(object: &serde_json::Map<String, Value>) -> Option<&'static str> {
    let has = |name: &str| object.contains_key(name);
    if has("bucketlist_id") {
        Some("item_id")
    } else if has("items_total") {
        Some("bucketlist_id")
    } else if has("email") {
        Some("user_id")
    } else if has("key_prefix") {
        Some("api_client_id")
    } else if has("current") {
        Some("session_id")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_in_the_path_of_an_operation_are_replaced() {
        let mut substitutions = Substitutions::default();
        substitutions.learn_id("bucketlist_id", 7, 1200);
        substitutions.learn_id("item_id", 7, 3);
        for (target, expected) in [
            ("/v2/bucketlists/7/items/7?a=7&b=%2F7", "/v2/bucketlists/1200/items/3?a=7&b=%2F7"),
            ("/v1/bucketlists/8", "/v1/bucketlists/8"),
            ("/v1/elsewhere/7", "/v1/elsewhere/7"),
            ("/v1/bucketlists/07x", "/v1/bucketlists/07x"),
        ] {
            assert_eq!(substitutions.in_target(target), expected);
        }
    }

    #[test]
    fn ids_tokens_and_cursors_are_learned_from_responses() {
        let mut substitutions = Substitutions::default();
        let captured = serde_json::json!({
            "data": [{"id": 1, "bucketlist_id": 2}],
            "access_token": "captured-token-1",
            "links": {"next": "/v2/x?cursor=captured-cursor&y=1"},
            "name": "a-long-enough-name",
        });
        let replayed = serde_json::json!({
            "data": [{"id": 10, "bucketlist_id": 20}],
            "access_token": "replayed-token-1",
            "links": {"next": "/v2/x?cursor=replayed-cursor&y=1"},
            "name": "another-long-name",
        });
        substitutions.learn_values(&captured, &replayed);
        assert_eq!((substitutions.id("item_id", 1), substitutions.id("bucketlist_id", 2)), (Some(10), Some(20)));
        let body = CapturedBody(b"captured-token-1 captured-cursor a-long-enough-name".to_vec());
        assert_eq!(substitutions.in_body(&body), b"replayed-token-1 replayed-cursor a-long-enough-name");
        let binary = CapturedBody(b"\xffcaptured-token-1".to_vec());
        assert_eq!(substitutions.in_body(&binary), b"\xffcaptured-token-1");
    }
}
