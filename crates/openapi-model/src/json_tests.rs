//! Tests of the strict JSON parser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::json::*;
use serde_json::Value;
use serde_json::json;

const MAX_DEPTH: usize = 32;

fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    crate::json::parse(bytes, MAX_DEPTH)
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn values_equal_those_of_serde_json() {
    let text = r#"{"a":[1,-2,2.5,true,null,"\u0000é"],"b":{},"c":18446744073709551615}"#;
    let plain: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parse(text.as_bytes()), Ok(plain));
}

#[test]
fn duplicate_keys_are_reported_with_their_pointer() {
    for (text, at) in
        [(r#"{"a":1,"a":1}"#, "/a"), (r#"{"x":[0,{"a/b":1,"a/b":2}]}"#, "/x/1/a~1b"), (r#"{"a":1,"\u0061":2}"#, "/a")]
    {
        let pointer = at.to_owned();
        assert_eq!(parse(text.as_bytes()), Err(JsonError::DuplicateKey { pointer }));
    }
}

#[test]
fn nesting_is_limited() {
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    for depth in [MAX_DEPTH + 1, 100_000] {
        let limit = MAX_DEPTH;
        assert_eq!(parse(nested(depth).as_bytes()), Err(JsonError::TooDeep { limit }));
    }
}

#[test]
fn syntax_errors_have_a_position() {
    for (text, line, column) in [
        ("", 1, 0),
        ("{\"a\":\n 1,}", 2, 4),
        ("{} x", 1, 4),
        (r#"{"a":1"#, 1, 6),
        (r#""\ud800""#, 1, 8),
        ("1e999", 1, 5),
        ("NaN", 1, 1),
        ("\u{feff}{}", 1, 1),
    ] {
        match parse(text.as_bytes()) {
            Err(JsonError::Syntax { line: l, column: c, .. } | JsonError::NumberOutOfRange { line: l, column: c }) => {
                assert_eq!((l, c), (line, column), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(parse(b"\"\xff\""), Err(JsonError::InvalidUtf8));
    for (text, reason) in [
        ("{\"a\": 1,}", "a comma is not followed by a value or a key"),
        ("[1,]", "a comma is not followed by a value or a key"),
        ("{\"a\" 1}", "a colon is missing after a key"),
        ("{\"a\": 1 \"b\": 2}", "a comma or a closing brace is missing"),
        ("[1 2]", "a comma or a closing bracket is missing"),
        ("{a: 1}", "a key is not in double quotes"),
        ("{'a': 1}", "a key is not in double quotes"),
        ("{} x", "text follows the end of the value"),
        ("nul!", "a literal is not true, false or null"),
        ("NaN", "it contains a character that does not start a value"),
        ("\"a\nb\"", "a string contains a control character that is not escaped"),
        (r#""\x""#, "a string contains an invalid escape sequence"),
        (r#""\ud800""#, "an escape sequence contains one half of a surrogate pair"),
        (r#""\ud800\u0041""#, "an escape sequence contains one half of a surrogate pair"),
        ("-", "it ends before it is complete"),
        ("01", "a number is malformed"),
    ] {
        let message = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("The body is not valid JSON: {reason} (line ")), "{text}: {message}");
    }
    let cut = parse(b"{").unwrap_err().to_string();
    assert_eq!(cut, "The body is not valid JSON: it ends before it is complete (line 1, column 1).");
}

#[test]
fn documents_merge_paths_and_collect_duplicates() {
    let text = r#"{"paths":{"/a":{"get":1},"/a":{"put":2}},"x":{"y":1,"y":2}}"#;
    let (value, repeated) = parse_document(text, DuplicateKeys::MergeIn("paths")).unwrap();
    assert_eq!(value["paths"]["/a"], json!({"get": 1, "put": 2}));
    assert_eq!(repeated, ["/x/y"]);
    let text = r#"{"paths":{"/a":{"get":1},"/a":{"get":2}}}"#;
    assert_eq!(parse_document(text, DuplicateKeys::MergeIn("paths")).unwrap().1, ["/paths/~1a/get"]);
    assert_eq!(parse_document(text, DuplicateKeys::Report).unwrap().1, ["/paths/~1a"]);
}
