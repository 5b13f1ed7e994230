//! Violations that `openapi-repair` repairs, so that only other documents have them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use openapi_fixtures::set;
use openapi_model::Document;

use super::{
    Rule, lint,
    tests::{document, strict},
};

#[test]
fn violations_in_unrepaired_documents_are_reported() {
    assert_eq!(lint(&document(), &strict()), []);
    let schema = "/components/schemas/ItemCreate";
    let id = "/paths/~1projects~1{project_id}/get/parameters/0";
    for (pointer, value, expected) in [
        (
            format!("{id}/required"),
            Value::Null,
            "operation getProject, parameter project_id: is a path parameter that is not required [path-parameter-required]",
        ),
        (
            format!("{schema}/additionalProperties"),
            Value::Null,
            "schema ItemCreate: is a request object without additionalProperties [closed-request]",
        ),
        (format!("{schema}/properties/name/pattern"), json!("("), "operation createProject, request body"),
        (
            "/components/headers/XRequestID/example".to_owned(),
            Value::Null,
            "header XRequestID: has no example [example-present]",
        ),
        (
            "/paths/~1projects/post/responses/400".to_owned(),
            json!({"description": "d", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}}}),
            "operation createProject, response 400: has an error body with the media type application/problem+json [error-body]",
        ),
        (
            "/paths/~1projects/post/responses/201/headers".to_owned(),
            json!({"LOCATION": {"$ref": "#/components/headers/XRequestID"}}),
            "operation createProject, response 201: has the header LOCATION, which is not a known header name [header-name]",
        ),
    ] {
        let mut changed = document().value().clone();
        set(&mut changed, &pointer, value);
        let changed = Document::from_json(&changed.to_string()).unwrap();
        let found = lint(&changed, &strict());
        if expected.ends_with("request body") {
            assert!(found.iter().any(|one| one.rule == Rule::SchemaCompiles), "{found:?}");
        } else {
            let expected = format!("error: {expected}");
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        }
    }
}
