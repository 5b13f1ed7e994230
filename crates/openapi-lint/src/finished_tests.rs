//! Tests of documents that `openapi-repair` did not create, and of disabled rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::{LintOptions, lint};
use crate::fixture::{document, set};
use openapi_model::Document;

#[test]
fn disabled_rule_is_not_applied() {
    let mut value = document().value().clone();
    value["paths"]["/bucketlists"]["get"]["responses"]["500"] = json!({"description": "d"});
    let document = Document::from_json(&value.to_string()).unwrap();
    assert_eq!(lint(&document, &LintOptions::default()), []);
    let strict = LintOptions { error_schema: Some("ErrorEnvelope"), ..LintOptions::default() };
    assert_eq!(lint(&document, &strict)[0].to_string(), "operation listBucketlists, response 500: has no error body");
}

/// Violations that `openapi-repair` repairs, so that only other documents have them.
#[test]
fn violations_in_unrepaired_documents_are_reported() {
    let known = ["Location", "X-Request-ID", "WWW-Authenticate"];
    let rules = LintOptions {
        error_schema: Some("ErrorEnvelope"),
        error_media_type: Some("application/json"),
        header_names: Some(&known),
        ..LintOptions::default()
    };
    assert_eq!(lint(&document(), &rules), []);
    let schema = "/components/schemas/ItemCreate";
    let id = "/paths/~1bucketlists~1{bucketlist_id}/get/parameters/0";
    for (pointer, value, expected) in [
        (
            format!("{id}/required"),
            Value::Null,
            "operation getBucketlist, parameter bucketlist_id: is a path parameter that is not required",
        ),
        (
            format!("{schema}/additionalProperties"),
            Value::Null,
            "schema ItemCreate: is a request object without additionalProperties",
        ),
        (format!("{schema}/properties/name/pattern"), json!("("), "operation createBucketlist, request body"),
        ("/components/headers/XRequestID/example".to_owned(), Value::Null, "header XRequestID: has no example"),
        (
            "/paths/~1bucketlists/post/responses/400/content".to_owned(),
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}}),
            "operation createBucketlist, response 400: has an error body with the media type application/problem+json",
        ),
        (
            "/paths/~1bucketlists/post/responses/201/headers".to_owned(),
            json!({"LOCATION": {"$ref": "#/components/headers/XRequestID"}}),
            "operation createBucketlist, response 201: has the header LOCATION, which is not a known header name",
        ),
    ] {
        let mut changed = document().value().clone();
        set(&mut changed, &pointer, value);
        let changed = Document::from_json(&changed.to_string()).unwrap();
        let found = lint(&changed, &rules);
        if expected.ends_with("request body") {
            assert!(found.iter().any(|one| one.message.starts_with("has a schema that does not compile")), "{found:?}");
        } else {
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        }
    }
}
