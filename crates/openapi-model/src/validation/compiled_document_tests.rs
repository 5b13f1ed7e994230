//! Tests of routing and of the validation of responses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use serde_json::json;

use super::*;
use crate::Document;
use crate::fixture::{contract, document};

pub(super) fn operation<'c>(contract: &'c CompiledDocument, id: &str) -> &'c Operation {
    contract.operations().find(|op| op.id == id).unwrap()
}

#[test]
fn paths_are_matched_with_their_parameters() {
    let contract = contract();
    let found = contract.find("/v1/projects/7%20").unwrap();
    assert_eq!(found.params, [("project_id", "7%20")]);
    assert_eq!(found.item.allow(), "DELETE, GET, HEAD, OPTIONS");
    assert_eq!(found.item.operation("HEAD").unwrap().id, "getProject");
    assert!(found.item.operation("PUT").is_none() && found.item.operation("get").is_none());
    let fixed = contract.find("/v1/projects/popular").unwrap();
    assert_eq!(fixed.item.operation("GET").unwrap().id, "listPopular");
    for path in ["/projects", "/v1", "/v1/", "/v1/projects/", "/v1/projects/7/x", "", "/v2/projects"] {
        assert!(contract.find(path).is_none(), "{path}");
    }
    assert_eq!(contract.base(), "/v1");
}

#[test]
fn operations_have_the_documented_properties() {
    let contract = contract();
    let create = operation(&contract, "createProject");
    assert_eq!((create.method.as_str(), create.path.as_str()), ("POST", "/v1/projects"));
    assert_eq!(
        (&create.response_media_types, &create.request_media_types),
        (&vec!["application/json".to_owned()], &vec!["application/json".to_owned()])
    );
    assert!(create.is_secured && create.body_required && !create.deprecated && create.body().is_some());
    assert_eq!(create.statuses().collect::<Vec<_>>(), [201, 400, 401, 422, 500]);
    let popular = operation(&contract, "listPopular");
    assert!(!popular.is_secured && popular.body().is_none() && popular.request_media_types.is_empty());
    assert_eq!(operation(&contract, "deleteProject").response_media_types, Vec::<String>::new());
    assert_eq!(contract.operations().count(), 5);
}

#[test]
fn responses_are_validated_against_the_document() {
    let contract = contract();
    let create = operation(&contract, "createProject");
    let good = r#"{"id":7,"name":"a","description":null,"state":null,"owner":{"name":"Ada"},"more":1}"#;
    let json = ("Content-Type", "application/json; charset=utf-8");
    let (id, location) = (("x-request-id", "r"), ("location", "/v1/projects/7"));
    let error = r#"{"code":"X","message":"y"}"#;
    for (status, headers, body, expected) in [
        (201, &[json, id, location][..], good, &[][..]),
        (
            418,
            &[json, id],
            good,
            &["status 418 is not documented for createProject; documented: 201, 400, 401, 422, 500"],
        ),
        (201, &[json, id], good, &["header Location is missing"]),
        (201, &[id, location], good, &["content type is missing; documented: application/json"]),
        (
            201,
            &[("content-type", "text/plain"), id, location],
            good,
            &["content type text/plain is not documented; documented: application/json"],
        ),
        (
            201,
            &[json, id, location],
            r#"{"id":"7","name":"a","description":null,"state":"x","owner":{}}"#,
            &[
                "/id must be an integer, but is \"7\"",
                "/state must be one of: open, done, null, but is \"x\"",
                "/owner/name is required, but is null",
            ],
        ),
        (
            201,
            &[json, id, location],
            r#"{"id":7,"name":"a"}"#,
            &[
                "/description is required, but is null",
                "/state is required, but is null",
                "/owner is required, but is null",
            ],
        ),
        (201, &[json, id, location], "{", &["the body is not JSON: EOF while parsing an object at line 1 column 1"]),
        (500, &[json, id], error, &[]),
        (401, &[json, id], error, &["header WWW-Authenticate is missing"]),
    ] {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut found = create.check_response(status, &headers, body.as_bytes());
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{status} {body}");
    }
    let delete = operation(&contract, "deleteProject");
    let id = [("X-Request-ID".to_owned(), "r".to_owned())];
    assert_eq!(delete.check_response(204, &id, b""), Vec::<String>::new());
    assert_eq!(delete.check_response(204, &id, b"x"), ["the body is present, but no body is documented"]);
    // An unknown body is not validated.
    assert_eq!(delete.validate_response(204, &id, None), []);
    let json = [("Content-Type".to_owned(), "application/json".to_owned()), id[0].clone()];
    assert_eq!(create.validate_response(500, &json, None), []);
    let messages: Vec<String> = create.validate_response(401, &id, None).iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        ["header WWW-Authenticate is missing", "content type is missing; documented: application/json"]
    );
}

#[test]
fn text_bodies_and_optional_headers_are_accepted() {
    let mut value = document().value().clone();
    let response = &mut value["paths"]["/projects"]["get"]["responses"]["200"];
    for media_type in ["text/csv", "application/x-ndjson"] {
        response["content"][media_type] = json!({"schema": {"type": "string"}});
    }
    response["headers"]["Location"] = json!({"required": false, "schema": {"type": "string", "maxLength": 3}});
    let contract = CompiledDocument::compile(&Document::from_value(value).unwrap()).unwrap();
    let list = operation(&contract, "listProjects");
    assert_eq!(list.response_media_types, ["application/json", "text/csv", "application/x-ndjson"]);
    let row = r#"{"id":7,"name":"a","description":null,"state":null,"owner":null}"#;
    let page = format!(r#"{{"data":[{row}],"total":1}}"#);
    let lines = format!("{row}\n{row}\n");
    for (media_type, location, body, expected) in [
        ("text/csv; charset=utf-8; header=present", "/", "id,name,description,state\r\n7,a,,\r\n", &[][..]),
        ("text/csv", "/", "id,name,description\r\n", &["the CSV has no column \"state\""]),
        ("application/x-ndjson", "/", &lines, &[]),
        ("application/x-ndjson", "/", "{}{}\n", &["line 1 is not JSON: trailing characters at line 1 column 3"]),
        ("application/json", "", &page, &[]),
        ("application/json", "/too/long", &page, &["header Location must have at most 3 characters, but is /too/long"]),
    ] {
        let mut headers = vec![("content-type".to_owned(), media_type.to_owned()), ("x-request-id".into(), "r".into())];
        if !location.is_empty() {
            headers.push(("location".to_owned(), location.to_owned()));
        }
        assert_eq!(list.check_response(200, &headers, body.as_bytes()), expected, "{media_type} {body}");
    }
}

#[test]
fn compile_errors_name_the_reason() {
    let mut value = document().value().clone();
    value["components"]["schemas"]["ItemCreate"]["properties"]["name"]["pattern"] = "(".into();
    let document = Document::from_json(&value.to_string()).unwrap();
    let error = CompiledDocument::compile(&document).unwrap_err().to_string();
    assert!(error.starts_with("createProject: the schema of the request body does not compile"), "{error}");
    let mut value = document.value().clone();
    value["components"]["schemas"]["ItemCreate"]["properties"]["name"]["pattern"] = "a".into();
    let get = value["paths"]["/projects/popular"].clone();
    value["paths"]["/projects/{other}/{project_id"] = get;
    let error = CompiledDocument::compile(&Document::from_json(&value.to_string()).unwrap()).unwrap_err();
    assert!(matches!(error, CompileError::Path { .. }), "{error}");
}

/// Prints the duration of compilation and validation. Run it with `cargo test -- --nocapture durations_are_printed`.
#[test]
fn durations_are_printed() {
    let document = document();
    let start = std::time::Instant::now();
    let contract = CompiledDocument::compile(&document).unwrap();
    let compile = start.elapsed();
    let get = operation(&contract, "getProject");
    let body = operation(&contract, "createProject").body().unwrap();
    let start = std::time::Instant::now();
    for _ in 0..1000 {
        let found = contract.find("/v1/projects/7").unwrap();
        assert!(get.validate_parameters(&found.params, None).is_empty());
    }
    let find = start.elapsed() / 1000;
    let start = std::time::Instant::now();
    for _ in 0..1000 {
        assert!(body.read(br#"{"name":"Trips","description":"all of them","items":[{"name":"Iceland"}]}"#).is_ok());
    }
    println!("compile {compile:?}, find and check {find:?}, read a body {:?}", start.elapsed() / 1000);
}
