//! Tests of the validation of path and query parameters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::compiled_document_tests::operation;
use super::*;
use crate::Document;
use crate::fixture::{contract, document};

fn messages(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|one| format!("{} {} {}", one.location, one.code, one.message)).collect()
}

#[test]
fn path_parameters_are_validated() {
    let contract = contract();
    let get = operation(&contract, "getProject");
    let message = |code| match code {
        "TOO_LARGE" => "must be an integer between 1 and 9223372036854775807",
        _ => "must be an integer of at least 1",
    };
    for (raw, code) in [
        ("1", None),
        ("9223372036854775807", None),
        ("%37", None),
        ("9223372036854775808", Some("TOO_LARGE")),
        ("99999999999999999999999999", Some("TOO_LARGE")),
        ("0", Some("TOO_SMALL")),
        ("-99999999999999999999999999", Some("TOO_SMALL")),
        ("-1", Some("TOO_SMALL")),
        ("abc", Some("WRONG_TYPE")),
        ("1.0", Some("WRONG_TYPE")),
        ("+1", Some("WRONG_TYPE")),
        ("01", Some("WRONG_TYPE")),
        ("%201", Some("WRONG_TYPE")),
        ("", Some("WRONG_TYPE")),
        ("1e3", Some("WRONG_TYPE")),
    ] {
        let found = messages(&get.validate_parameters(&[("project_id", raw)], None));
        let expected: Vec<String> =
            code.iter().map(|code| format!("path parameter project_id {code} {}", message(code))).collect();
        assert_eq!(found, expected, "{raw}");
    }
    for raw in ["%ff", "1%00"] {
        let found = get.validate_parameters(&[("project_id", raw)], None);
        assert_eq!(found[0].code, ViolationCode::InvalidCharacters);
    }
    assert_eq!(get.validate_parameters(&[], None)[0].code, ViolationCode::Required);
}

#[test]
fn query_parameters_are_validated() {
    let contract = contract();
    let list = operation(&contract, "listProjects");
    for (query, expected) in [
        ("", &[][..]),
        ("page=1&q=a+b&done=false&sort=created_at&since=2026-01-31&tag=a&tag=b", &[]),
        ("q=%20Z%C3%BCrich%2B", &[]),
        ("page=0", &["query parameter page TOO_SMALL must be an integer between 1 and 1000"]),
        ("page=1001", &["query parameter page TOO_LARGE must be an integer between 1 and 1000"]),
        ("page=abc", &["query parameter page WRONG_TYPE must be an integer between 1 and 1000"]),
        ("page=", &["query parameter page WRONG_TYPE must be an integer between 1 and 1000"]),
        ("page", &["query parameter page WRONG_TYPE must be an integer between 1 and 1000"]),
        ("page=1&page=1", &["query parameter page REPEATED must be given only once"]),
        ("p%61ge=0", &["query parameter page TOO_SMALL must be an integer between 1 and 1000"]),
        ("color=1", &["query parameter color UNKNOWN_PARAMETER is not a known parameter"]),
        ("PAGE=1", &["query parameter PAGE UNKNOWN_PARAMETER is not a known parameter"]),
        ("q=+", &["query parameter q TOO_SHORT must not be empty"]),
        ("q=12345678901", &["query parameter q TOO_LONG must have at most 10 characters"]),
        ("q=%00", &["query parameter q INVALID_CHARACTERS must be valid UTF-8 without the character U+0000"]),
        ("q=%FF", &["query parameter q INVALID_CHARACTERS must be valid UTF-8 without the character U+0000"]),
        ("q=a%0A", &["query parameter q INVALID_CHARACTERS must not contain control characters or line breaks"]),
        ("done=1", &["query parameter done WRONG_TYPE must be true or false"]),
        ("sort=id", &["query parameter sort NOT_ALLOWED must be one of: name, created_at"]),
        ("since=2026-02-30", &["query parameter since INVALID_FORMAT must be a date such as 2026-01-31"]),
        ("tag=a&tag=a", &["query parameter tag NOT_UNIQUE must not contain duplicate items"]),
        ("tag=a&tag=b&tag=c", &["query parameter tag TOO_MANY must have at most 2 items"]),
        ("tag=123456", &["query parameter tag TOO_LONG must have at most 5 characters"]),
        (
            "x=1&page=0&done=2",
            &[
                "query parameter x UNKNOWN_PARAMETER is not a known parameter",
                "query parameter page TOO_SMALL must be an integer between 1 and 1000",
                "query parameter done WRONG_TYPE must be true or false",
            ],
        ),
    ] {
        assert_eq!(messages(&list.validate_parameters(&[], Some(query))), expected, "{query}");
    }
    let delete = operation(&contract, "deleteProject");
    let found = messages(&delete.validate_parameters(&[("project_id", "x")], Some("y=1")));
    assert_eq!(found.len(), 2);
}

#[test]
fn missing_required_query_parameter_is_reported() {
    let mut value = document().value().clone();
    value["paths"]["/projects"]["get"]["parameters"][1]["required"] = true.into();
    value["paths"]["/projects"]["get"]["parameters"][5]["explode"] = false.into();
    let contract = CompiledDocument::compile(&Document::from_json(&value.to_string()).unwrap()).unwrap();
    let list = operation(&contract, "listProjects");
    assert_eq!(messages(&list.validate_parameters(&[], None)), ["query parameter q REQUIRED is required"]);
    assert_eq!(list.validate_parameters(&[], Some("q=a&tag=a,b")), []);
    assert_eq!(list.validate_parameters(&[], Some("q=a&tag=a,b,c"))[0].code, ViolationCode::TooMany);
    assert_eq!(list.validate_parameters(&[], Some("q=a&tag=a&tag=b"))[0].code, ViolationCode::Repeated);
}

#[test]
fn encoded_parameter_names_are_decoded() {
    let mut value = document().value().clone();
    value["paths"]["/projects"]["get"]["parameters"][5]["explode"] = false.into();
    let contract = CompiledDocument::compile(&Document::from_json(&value.to_string()).unwrap()).unwrap();
    let list = operation(&contract, "listProjects");
    for (query, joined) in [
        ("tag=a&tag=b", Some("tag=a,b")),
        ("%74ag=a&q=x&tag=b", Some("q=x&tag=a,b")),
        ("%74%61%67=", Some("")),
        ("tag=a,b", None),
        ("%74ag=a", None),
        ("%ff=a&tag=", Some("%ff=a")),
    ] {
        assert_eq!(list.join_lists(query).as_deref(), joined, "{query}");
    }
    assert_eq!(list.validate_parameters(&[], Some("%71=a&q=b"))[0].code, ViolationCode::Repeated);
}
