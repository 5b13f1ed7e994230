//! What differs between an answer as it was captured and as it is now. Owns the list of what may differ.

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::client::Answer;
use crate::{Record, Reply};

/// Members of a body that are of one answer alone: of these only the type is compared. Also every `…_id` and `…_at`.
const VOLATILE: [&str; 14] = [
    "_links",
    "access_token",
    "cursor",
    "email",
    "expires_in",
    "id",
    "instance",
    "links",
    "refresh_expires_in",
    "refresh_token",
    "retry_after",
    "score",
    "secret",
    "token",
];

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `status`, `code`, or a JSON pointer into the body.
    pub place: String,
    pub captured: String,
    pub now: String,
}

impl Difference {
    fn new(place: &str, captured: impl ToString, now: impl ToString) -> Self {
        Self { place: place.to_owned(), captured: captured.to_string(), now: now.to_string() }
    }
}

/// Everything in which an answer differs from the captured one, apart from what is of one answer alone.
#[must_use]
pub fn differences(record: &Record, answer: &Answer) -> Vec<Difference> {
    let then = &record.response;
    let mut out = Vec::new();
    if then.status != answer.status {
        out.push(Difference::new("status", then.status, answer.status));
    }
    let now = code(&answer.body);
    if record.code != now {
        let text = |code: &Option<String>| code.clone().unwrap_or_else(|| "none".to_owned());
        out.push(Difference::new("code", text(&record.code), text(&now)));
    }
    // Where these differ the rest is another answer altogether.
    if out.is_empty() && !then.truncated {
        bodies(then, answer, &mut out);
    }
    out
}

/// The code of an error's body, of either version.
#[must_use]
pub fn code(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let code = value.pointer("/error/code").or_else(|| value.get("code"))?;
    code.as_str().map(str::to_owned)
}

fn bodies(then: &Reply, now: &Answer, out: &mut Vec<Difference>) {
    match (serde_json::from_slice::<Value>(&then.body.0), serde_json::from_slice::<Value>(&now.body)) {
        (Ok(then), Ok(now)) => values(&then, &now, "", out),
        _ if then.body.0 == now.body => {}
        _ => out.push(Difference::new("body", size(&then.body.0), size(&now.body))),
    }
}

fn size(body: &[u8]) -> String {
    format!("{} bytes", body.len())
}

fn values(then: &Value, now: &Value, place: &str, out: &mut Vec<Difference>) {
    match (then, now) {
        (Value::Object(then_map), Value::Object(now_map)) => {
            for (name, then) in then_map {
                let place = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                match now_map.get(name) {
                    None => out.push(Difference::new(&place, then, "absent")),
                    Some(now) if is_volatile(name) => {
                        if kind(then) != kind(now) {
                            out.push(Difference::new(&place, kind(then), kind(now)));
                        }
                    }
                    Some(now) => values(then, now, &place, out),
                }
            }
            for (name, now) in now_map.iter().filter(|(name, _)| !then_map.contains_key(*name)) {
                out.push(Difference::new(&format!("{place}/{name}"), "absent", now));
            }
        }
        (Value::Array(then), Value::Array(now)) => {
            if then.len() != now.len() {
                let count = |list: &[Value]| format!("{} elements", list.len());
                out.push(Difference::new(place, count(then), count(now)));
            }
            for (index, (then, now)) in then.iter().zip(now).enumerate() {
                values(then, now, &format!("{place}/{index}"), out);
            }
        }
        (Value::String(then_text), Value::String(now_text)) => {
            if without_origin(then_text) != without_origin(now_text) {
                out.push(Difference::new(place, then, now));
            }
        }
        _ if then == now => {}
        _ => out.push(Difference::new(place, then, now)),
    }
}

fn is_volatile(name: &str) -> bool {
    VOLATILE.contains(&name) || name.ends_with("_id") || name.ends_with("_at")
}

/// Another server has another origin; what follows is the same.
fn without_origin(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => {
            format!("{}{}", url.path(), url.query().map(|query| format!("?{query}")).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn between(then: &Value, now: &Value) -> Vec<String> {
        let mut out = Vec::new();
        values(then, now, "", &mut out);
        out.into_iter().map(|one| format!("{}: {} / {}", one.place, one.captured, one.now)).collect()
    }

    #[test]
    fn what_is_of_one_answer_alone_may_differ_and_nothing_else() {
        let then =
            json!({"id": 1, "request_id": "a", "created_at": "x", "type": "https://a.example/problems/gone", "n": 1});
        let now = json!({"id": 2, "request_id": "b", "created_at": "y", "type": "http://b:1/problems/gone", "n": 1});
        assert_eq!(between(&then, &now), [""; 0]);
        let now =
            json!({"id": "2", "request_id": "b", "created_at": null, "type": "http://b:1/problems/other", "m": 1});
        assert_eq!(
            between(&then, &now),
            [
                "/id: a number / a text",
                "/created_at: a text / null",
                r#"/type: "https://a.example/problems/gone" / "http://b:1/problems/other""#,
                "/n: 1 / absent",
                "/m: absent / 1",
            ]
        );
    }

    #[test]
    fn lists_are_compared_by_length_and_element() {
        assert_eq!(between(&json!([1, 2]), &json!([1, 3, 4])), [": 2 elements / 3 elements", "/1: 2 / 3"]);
    }

    #[test]
    fn the_code_is_found_in_either_version() {
        assert_eq!(code(br#"{"error": {"code": "A"}}"#).as_deref(), Some("A"));
        assert_eq!(code(br#"{"code": "B"}"#).as_deref(), Some("B"));
        assert_eq!(code(b"<html>"), None);
    }
}
