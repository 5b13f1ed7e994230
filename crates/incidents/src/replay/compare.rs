//! Comparison of the captured response with the response of a replay.

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::client::ReplayResponse;
use crate::{CapturedResponse, IncidentRecord};

/// Fields that differ in every response: only their type is compared. Fields named `…_id` and `…_at` are volatile too.
const VOLATILE_FIELDS: [&str; 14] = [
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

/// A difference between two responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `status`, `code`, or a JSON pointer into the body.
    pub location: String,
    pub captured: String,
    pub replayed: String,
}

impl Difference {
    fn new(location: &str, captured: impl ToString, replayed: impl ToString) -> Self {
        Self { location: location.to_owned(), captured: captured.to_string(), replayed: replayed.to_string() }
    }
}

/// Returns the differences between a response and the captured one, except for volatile fields.
#[must_use]
pub fn differences(record: &IncidentRecord, response: &ReplayResponse) -> Vec<Difference> {
    let captured = &record.response;
    let mut out = Vec::new();
    if captured.status != response.status {
        out.push(Difference::new("status", captured.status, response.status));
    }
    let replayed_code = error_code(&response.body);
    if record.code != replayed_code {
        let text = |code: &Option<String>| code.clone().unwrap_or_else(|| "none".to_owned());
        out.push(Difference::new("code", text(&record.code), text(&replayed_code)));
    }
    // With another status or code, the bodies cannot be compared.
    if out.is_empty() && !captured.truncated {
        compare_bodies(captured, response, &mut out);
    }
    out
}

/// Returns the error code of a body in the error format of v1 or v2.
#[must_use]
pub fn error_code(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let code = value.pointer("/error/code").or_else(|| value.get("code"))?;
    code.as_str().map(str::to_owned)
}

fn compare_bodies(captured: &CapturedResponse, response: &ReplayResponse, out: &mut Vec<Difference>) {
    match (serde_json::from_slice::<Value>(&captured.body.0), serde_json::from_slice::<Value>(&response.body)) {
        (Ok(captured), Ok(replayed)) => compare_values(&captured, &replayed, "", out),
        _ if captured.body.0 == response.body => {}
        _ => out.push(Difference::new("body", size(&captured.body.0), size(&response.body))),
    }
}

fn size(body: &[u8]) -> String {
    format!("{} bytes", body.len())
}

fn compare_values(captured: &Value, replayed: &Value, location: &str, out: &mut Vec<Difference>) {
    match (captured, replayed) {
        (Value::Object(captured_map), Value::Object(replayed_map)) => {
            for (name, captured) in captured_map {
                let location = format!("{location}/{}", name.replace('~', "~0").replace('/', "~1"));
                match replayed_map.get(name) {
                    None => out.push(Difference::new(&location, captured, "absent")),
                    Some(replayed) if is_volatile(name) => {
                        if json_type(captured) != json_type(replayed) {
                            out.push(Difference::new(&location, json_type(captured), json_type(replayed)));
                        }
                    }
                    Some(replayed) => compare_values(captured, replayed, &location, out),
                }
            }
            for (name, replayed) in replayed_map.iter().filter(|(name, _)| !captured_map.contains_key(*name)) {
                out.push(Difference::new(&format!("{location}/{name}"), "absent", replayed));
            }
        }
        (Value::Array(captured), Value::Array(replayed)) => {
            if captured.len() != replayed.len() {
                let count = |list: &[Value]| format!("{} elements", list.len());
                out.push(Difference::new(location, count(captured), count(replayed)));
            }
            for (index, (captured, replayed)) in captured.iter().zip(replayed).enumerate() {
                compare_values(captured, replayed, &format!("{location}/{index}"), out);
            }
        }
        (Value::String(captured_text), Value::String(replayed_text)) => {
            if without_origin(captured_text) != without_origin(replayed_text) {
                out.push(Difference::new(location, captured, replayed));
            }
        }
        _ if captured == replayed => {}
        _ => out.push(Difference::new(location, captured, replayed)),
    }
}

fn is_volatile(name: &str) -> bool {
    VOLATILE_FIELDS.contains(&name) || name.ends_with("_id") || name.ends_with("_at")
}

/// Returns a URL without its origin, which depends on the server.
fn without_origin(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => {
            format!("{}{}", url.path(), url.query().map(|query| format!("?{query}")).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compare(captured: &Value, replayed: &Value) -> Vec<String> {
        let mut out = Vec::new();
        compare_values(captured, replayed, "", &mut out);
        out.into_iter().map(|one| format!("{}: {} / {}", one.location, one.captured, one.replayed)).collect()
    }

    #[test]
    fn only_volatile_fields_may_differ() {
        let captured =
            json!({"id": 1, "request_id": "a", "created_at": "x", "type": "https://a.example/problems/gone", "n": 1});
        let replayed =
            json!({"id": 2, "request_id": "b", "created_at": "y", "type": "http://b:1/problems/gone", "n": 1});
        assert_eq!(compare(&captured, &replayed), [""; 0]);
        let replayed =
            json!({"id": "2", "request_id": "b", "created_at": null, "type": "http://b:1/problems/other", "m": 1});
        assert_eq!(
            compare(&captured, &replayed),
            [
                "/id: a number / a string",
                "/created_at: a string / null",
                r#"/type: "https://a.example/problems/gone" / "http://b:1/problems/other""#,
                "/n: 1 / absent",
                "/m: absent / 1",
            ]
        );
    }

    #[test]
    fn arrays_are_compared_by_length_and_element() {
        assert_eq!(compare(&json!([1, 2]), &json!([1, 3, 4])), [": 2 elements / 3 elements", "/1: 2 / 3"]);
    }

    #[test]
    fn error_code_is_read_from_both_versions() {
        assert_eq!(error_code(br#"{"error": {"code": "A"}}"#).as_deref(), Some("A"));
        assert_eq!(error_code(br#"{"code": "B"}"#).as_deref(), Some("B"));
        assert_eq!(error_code(b"<html>"), None);
    }
}
