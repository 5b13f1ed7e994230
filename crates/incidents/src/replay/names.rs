//! What was called one thing where it was captured is called another where it is replayed: ids, tokens, cursors, tags.

use std::collections::HashMap;

use contract::{v1, v2};
use openapi_model::CompiledDocument;
use serde_json::Value;

use super::client::Answer;
use crate::{Bytes, Record};

/// Texts shorter than this are not names: replacing them could change something else.
const SHORTEST: usize = 12;

/// What has been learned of the server that is replayed against.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// By the parameter's name: `("bucketlist_id", 7)` is 1200 here.
    ids: HashMap<(String, i64), i64>,
    /// Tokens, cursors and tags.
    texts: Vec<(String, String)>,
}

/// A parameter of a path: its name, and where in the target its value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) parameter: String,
    pub(super) value: i64,
    at: usize,
    length: usize,
}

pub(super) fn contract_of(path: &str) -> &'static CompiledDocument {
    if path.starts_with(v1::document::BASE) { v1::contract() } else { v2::contract() }
}

/// The ids in the path of a target, in their order.
pub(super) fn ids_in(target: &str) -> Vec<Id> {
    let path = target.split('?').next().unwrap_or_default();
    let Some(found) = contract_of(path).find(path) else { return Vec::new() };
    let mut ids = Vec::new();
    for (parameter, value) in found.params {
        // What the router found is a part of the path.
        let at = value.as_ptr() as usize - path.as_ptr() as usize;
        if let (true, Ok(id)) = (parameter.ends_with("_id"), value.parse()) {
            ids.push(Id { parameter: parameter.to_owned(), value: id, at, length: value.len() });
        }
    }
    ids
}

impl Names {
    pub(super) fn id(&self, parameter: &str, captured: i64) -> Option<i64> {
        self.ids.get(&(parameter.to_owned(), captured)).copied()
    }

    pub(super) fn learn_id(&mut self, parameter: &str, captured: i64, here: i64) {
        self.ids.insert((parameter.to_owned(), captured), here);
    }

    fn learn_text(&mut self, captured: &str, here: &str) {
        if captured.len() >= SHORTEST && captured != here && !self.texts.iter().any(|(known, _)| known == captured) {
            self.texts.push((captured.to_owned(), here.to_owned()));
        }
    }

    /// A target with the ids and cursors that are its own here; all else stays.
    pub(super) fn target(&self, target: &str) -> String {
        let mut text = target.to_owned();
        for id in ids_in(target).into_iter().rev() {
            if let Some(here) = self.id(&id.parameter, id.value) {
                text.replace_range(id.at..id.at + id.length, &here.to_string());
            }
        }
        self.text(&text)
    }

    pub(super) fn text(&self, text: &str) -> String {
        self.texts.iter().fold(text.to_owned(), |text, (captured, here)| text.replace(captured, here))
    }

    /// A body with what is its own here. Bytes that are no text stay as they are.
    pub(super) fn body(&self, body: &Bytes) -> Vec<u8> {
        match std::str::from_utf8(&body.0) {
            Ok(text) if self.texts.iter().any(|(captured, _)| text.contains(captured)) => self.text(text).into_bytes(),
            _ => body.0.clone(),
        }
    }

    /// Learns from two answers to the same request what became of what was made.
    pub(super) fn learn(&mut self, record: &Record, answer: &Answer) {
        let captured = |name: &str| {
            let headers = &record.response.headers;
            headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        if let (Some(then), Some(now)) = (captured("location"), answer.header("location")) {
            for (then, now) in ids_in(then).iter().zip(ids_in(now)) {
                self.learn_id(&then.parameter, then.value, now.value);
            }
        }
        if let (Some(then), Some(now)) = (captured("etag"), answer.header("etag")) {
            self.learn_text(then, now);
        }
        let parsed = |body: &[u8]| serde_json::from_slice::<Value>(body).ok();
        if let (Some(then), Some(now)) = (parsed(&record.response.body.0), parsed(&answer.body)) {
            self.learn_values(&then, &now);
        }
    }

    fn learn_values(&mut self, then: &Value, now: &Value) {
        match (then, now) {
            (Value::Object(then), Value::Object(now)) => {
                for (name, then_value) in then {
                    let Some(now_value) = now.get(name) else { continue };
                    match (then_value, now_value) {
                        (Value::Number(then_id), Value::Number(now_id)) => {
                            let parameter = if name == "id" { resource(then) } else { Some(name.as_str()) };
                            if let (Some(parameter), Some(then_id), Some(now_id)) =
                                (parameter.filter(|name| name.ends_with("_id")), then_id.as_i64(), now_id.as_i64())
                            {
                                self.learn_id(parameter, then_id, now_id);
                            }
                        }
                        (Value::String(then), Value::String(now)) => self.learn_member(name, then, now),
                        _ => self.learn_values(then_value, now_value),
                    }
                }
            }
            (Value::Array(then), Value::Array(now)) => {
                then.iter().zip(now).for_each(|(then, now)| self.learn_values(then, now));
            }
            _ => {}
        }
    }

    fn learn_member(&mut self, name: &str, then: &str, now: &str) {
        if name.ends_with("_token") || name == "cursor" {
            self.learn_text(then, now);
        }
        // `next` of a page.
        let cursor = |link: &str| {
            let query = link.split_once('?')?.1;
            query.split('&').find_map(|pair| pair.strip_prefix("cursor=")).map(str::to_owned)
        };
        if let (Some(then), Some(now)) = (cursor(then), cursor(now)) {
            self.learn_text(&then, &now);
        }
    }
}

/// The parameter that the `id` of an object is the value of.
fn resource(object: &serde_json::Map<String, Value>) -> Option<&'static str> {
    let has = |name: &str| object.contains_key(name);
    if has("bucketlist_id") {
        Some("item_id")
    } else if has("items_total") {
        Some("bucketlist_id")
    } else if has("email") {
        Some("user_id")
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
    fn only_ids_in_the_path_of_an_operation_are_exchanged() {
        let mut names = Names::default();
        names.learn_id("bucketlist_id", 7, 1200);
        names.learn_id("item_id", 7, 3);
        assert_eq!(names.target("/v2/bucketlists/7/items/7?a=7&b=%2F7"), "/v2/bucketlists/1200/items/3?a=7&b=%2F7");
        assert_eq!(names.target("/v1/bucketlists/8"), "/v1/bucketlists/8");
        assert_eq!(names.target("/v1/elsewhere/7"), "/v1/elsewhere/7");
        assert_eq!(names.target("/v1/bucketlists/07x"), "/v1/bucketlists/07x");
    }

    #[test]
    fn what_answers_name_is_learned() {
        let mut names = Names::default();
        let then = serde_json::json!({"data": [{"id": 1, "bucketlist_id": 2}], "access_token": "captured-token-1",
            "links": {"next": "/v2/x?cursor=captured-cursor&y=1"}, "name": "a-long-enough-name"});
        let now = serde_json::json!({"data": [{"id": 10, "bucketlist_id": 20}], "access_token": "token-of-today-1",
            "links": {"next": "/v2/x?cursor=cursor-of-today&y=1"}, "name": "another-long-name"});
        names.learn_values(&then, &now);
        assert_eq!((names.id("item_id", 1), names.id("bucketlist_id", 2)), (Some(10), Some(20)));
        let body = Bytes(b"captured-token-1 captured-cursor a-long-enough-name".to_vec());
        assert_eq!(names.body(&body), b"token-of-today-1 cursor-of-today a-long-enough-name");
        assert_eq!(names.body(&Bytes(b"\xffcaptured-token-1".to_vec())), b"\xffcaptured-token-1");
    }
}
