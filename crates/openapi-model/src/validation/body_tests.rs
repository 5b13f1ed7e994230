//! Tests of the validation of request bodies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::fixture::contract;
use crate::validation::ValidationOptions;

fn read(contract: &CompiledDocument, body: &str) -> Result<Value, BodyError> {
    let create = contract.operations().find(|op| op.id == "createProject").unwrap();
    create.body().unwrap().read(body.as_bytes())
}

/// Returns the violations as `pointer CODE message`, sorted.
#[track_caller]
fn violations(contract: &CompiledDocument, body: &str) -> Vec<String> {
    match read(contract, body) {
        Err(BodyError::Invalid(list)) => {
            let mut lines: Vec<String> = list
                .iter()
                .map(|violation| match &violation.location {
                    Location::Body(pointer) => {
                        format!("{pointer} {} {}", violation.code, violation.message)
                    }
                    other => panic!("{other:?}"),
                })
                .collect();
            lines.sort();
            lines
        }
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn valid_body_is_normalized() {
    let contract = contract();
    let body = r#"{"name":"  Zu\u0308rich ","description":"\na\tb\r\n","secret":" a\n\u0308b ","due":" 2026-01-31 ","rank":9223372036854775807,
        "labels":{"x":" y "},"items":[{"name":"a"},{"name":"b"}],"place":null,"at":"2026-01-31T12:00:00Z","email":"ada@example.com"}"#;
    let value = read(&contract, body).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value["name"], "Zürich");
    assert_eq!(value["secret"], " a\n\u{308}b ");
    assert_eq!(value["labels"]["x"], "y");
    assert_eq!(value["due"], "2026-01-31");
    assert_eq!(value["description"], "a\tb");
    assert_eq!(value["rank"], json!(i64::MAX));
}

#[test]
fn violations_have_location_code_and_message() {
    let contract = contract();
    for (body, expected) in [
        ("[]", " WRONG_TYPE must be an object"),
        ("null", " WRONG_TYPE must be an object"),
        ("{}", "/name REQUIRED is required"),
        (r#"{"name":null}"#, "/name WRONG_TYPE must be a string"),
        (r#"{"name":5}"#, "/name WRONG_TYPE must be a string"),
        (r#"{"name":"  "}"#, "/name TOO_SHORT must not be empty"),
        (r#"{"name":"12345678901"}"#, "/name TOO_LONG must have at most 10 characters"),
        (r#"{"name":"a","color":1}"#, "/color UNKNOWN_FIELD is not a known field"),
        (r#"{"name":"a","a/b~":1}"#, "/a~1b~0 UNKNOWN_FIELD is not a known field"),
        (r#"{"name":"a","description":5}"#, "/description WRONG_TYPE must be a string or null"),
        (r#"{"name":"a\u0000"}"#, "/name INVALID_CHARACTERS must not contain control characters or line breaks"),
        (r#"{"name":"a\n"}"#, "/name INVALID_CHARACTERS must not contain control characters or line breaks"),
        (r#"{"name":"\u0085a"}"#, "/name INVALID_CHARACTERS must not contain control characters or line breaks"),
        (
            r#"{"name":"a","description":"\u007f"}"#,
            "/description INVALID_CHARACTERS must not contain control characters other than tab and line break",
        ),
        (r#"{"name":"a","secret":"abc\u0000"}"#, "/secret INVALID_CHARACTERS must not contain the character U+0000"),
        (r#"{"name":"a","secret":"ab"}"#, "/secret TOO_SHORT must have at least 3 characters"),
        (r#"{"name":"a","email":"a@b"}"#, "/email INVALID_FORMAT must be an email address such as ada@example.com"),
        (r#"{"name":"a","due":"2026-02-30"}"#, "/due INVALID_FORMAT must be a date such as 2026-01-31"),
        (
            r#"{"name":"a","at":"2026-01-31"}"#,
            "/at INVALID_FORMAT must be a timestamp with a UTC offset, such as 2026-01-31T12:00:00Z",
        ),
        (
            r#"{"name":"a","at":"9999-12-31T23:59:59-01:00"}"#,
            "/at INVALID_FORMAT must be in the years 1 to 9999 in UTC",
        ),
        (r#"{"name":"a\u2028b"}"#, "/name INVALID_CHARACTERS must not contain control characters or line breaks"),
        (r#"{"name":"a\u2029"}"#, "/name INVALID_CHARACTERS must not contain control characters or line breaks"),
        // What is rejected as a whole has no other violation.
        (r#"{"name":"a","foo":"a\nb"}"#, "/foo UNKNOWN_FIELD is not a known field"),
        (r#"{"name":"a","foo":{"x":["\n"]}}"#, "/foo UNKNOWN_FIELD is not a known field"),
        (r#"{"name":"a","fo\no":1}"#, "/fo\no UNKNOWN_FIELD is not a known field"),
        (r#"{"name":"a","description":["\n"]}"#, "/description WRONG_TYPE must be a string or null"),
        (r#"{"name":"a","rank":"a\nb"}"#, "/rank WRONG_TYPE must be an integer of at least 1"),
        // Well-formed numbers that do not fit into 64 bits.
        (r#"{"name":1e400}"#, "/name WRONG_TYPE must be a string"),
        (r#"{"name":"a","rank":1e400}"#, "/rank TOO_LARGE must be an integer between 1 and 9223372036854775807"),
        (r#"{"name":"a","rank":-1e400}"#, "/rank TOO_SMALL must be an integer of at least 1"),
        ("1e400", " WRONG_TYPE must be an object"),
        (r#"{"name":"a","code":"A1"}"#, "/code INVALID_FORMAT must match the pattern ^[a-z]+$"),
        (r#"{"name":"a","code":"A12345678"}"#, "/code TOO_LONG must have at most 8 characters"),
        (r#"{"name":"a","rank":0}"#, "/rank TOO_SMALL must be an integer of at least 1"),
        (
            r#"{"name":"a","rank":9223372036854775808}"#,
            "/rank TOO_LARGE must be an integer between 1 and 9223372036854775807",
        ),
        (
            r#"{"name":"a","rank":99999999999999999999999}"#,
            "/rank TOO_LARGE must be an integer between 1 and 9223372036854775807",
        ),
        (r#"{"name":"a","rank":1.5}"#, "/rank WRONG_TYPE must be an integer of at least 1"),
        (r#"{"name":"a","rank":"1"}"#, "/rank WRONG_TYPE must be an integer of at least 1"),
        (r#"{"name":"a","state":"gone"}"#, "/state NOT_ALLOWED must be one of: open, done"),
        (r#"{"name":"a","state":5}"#, "/state WRONG_TYPE must be one of: open, done"),
        (r#"{"name":"a","state":null}"#, "/state WRONG_TYPE must be one of: open, done"),
        (r#"{"name":"a","items":[]}"#, "/items TOO_FEW must have at least 1 item"),
        (
            r#"{"name":"a","items":[{"name":"1"},{"name":"2"},{"name":"3"}]}"#,
            "/items TOO_MANY must have at most 2 items",
        ),
        (r#"{"name":"a","items":[{"name":"1"},{"name":"1"}]}"#, "/items NOT_UNIQUE must not contain duplicate items"),
        (
            r#"{"name":"a","items":[{"name":"1"},{"nam":"1","name":"x"}]}"#,
            "/items/1/nam UNKNOWN_FIELD is not a known field",
        ),
        (r#"{"name":"a","items":[{}]}"#, "/items/0/name REQUIRED is required"),
        (r#"{"name":"a","place":{"name":""}}"#, "/place/name TOO_SHORT must not be empty"),
        (r#"{"name":"a","place":{}}"#, "/place/name REQUIRED is required"),
        (r#"{"name":"a","place":5}"#, "/place WRONG_TYPE must be an object"),
        (r#"{"name":"a","labels":{"a":false}}"#, "/labels/a WRONG_TYPE must be a string"),
        (
            r#"{"name":"a","labels":{"a\u0000":""}}"#,
            "/labels/a\0 INVALID_CHARACTERS must not have control characters in its name",
        ),
        (r#"{"name":"a","labels":{"a":"","b":"","c":""}}"#, "/labels TOO_MANY must have at most 2 fields"),
    ] {
        assert_eq!(violations(&contract, body), [expected], "{body}");
    }
}

#[test]
fn all_violations_are_reported_at_once() {
    let found = violations(&contract(), r#"{"color":1,"rank":0,"due":"x","items":[{"name":""},{"x":1}]}"#);
    let places: Vec<&str> = found.iter().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!(places, ["/color", "/due", "/items/0/name", "/items/1/name", "/items/1/x", "/name", "/rank"]);
}

#[test]
fn lengths_are_counted_after_normalization() {
    let contract = contract();
    assert!(read(&contract, r#"{"name":"ééééééé👩👩👩"}"#).is_ok());
    let decomposed = "u\u{308}".repeat(10);
    let value = read(&contract, &format!(r#"{{"name":"{decomposed}"}}"#)).unwrap();
    assert_eq!(value["name"], "ü".repeat(10));
    assert!(read(&contract, &format!(r#"{{"name":"{decomposed}u"}}"#)).is_err());
}

#[test]
fn malformed_bodies_return_a_json_error() {
    let contract = contract();
    for (body, expected) in [
        (r#"{"name":"a","name":"b"}"#, "The body contains the key /name more than once."),
        (r#"{"name":"a"} x"#, "The body is not valid JSON: text follows the end of the value (line 1, column 14)."),
        ("", "The body is not valid JSON: it ends before it is complete (line 1, column 0)."),
    ] {
        let error = read(&contract, body).unwrap_err();
        assert!(matches!(error, BodyError::Json(_)));
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn number_of_violations_is_limited() {
    let fields: Vec<String> = (0..5000).map(|index| format!(r#""f{index}":1"#)).collect();
    let found = violations(&contract(), &format!("{{{}}}", fields.join(",")));
    assert_eq!(found.len(), ValidationOptions::default().max_violations);
}
