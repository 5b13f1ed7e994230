//! A small API for tests: the raw document and the repaired document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use openapi_model::Document;

use crate::{DocumentedError, HeaderScope, OperationInfo, RepairError, RepairOptions, ResponseHeader};

/// Returns the raw document of a bucketlist API, as poem-openapi 5.1 writes it.
pub(crate) fn raw() -> Value {
    let mut raw: Value = serde_json::from_str(include_str!("fixture.json")).unwrap();
    raw["components"]["schemas"]["Unused"] = json!({"type": "object"});
    raw
}

/// Returns the repaired document.
pub(crate) fn document() -> Document {
    finish(&raw()).unwrap_or_else(|error| panic!("{error}"))
}

/// Repairs a document with the options of the fixture.
pub(crate) fn finish(raw: &Value) -> Result<Document, RepairError> {
    finish_text(&raw.to_string())
}

pub(crate) fn finish_text(raw: &str) -> Result<Document, RepairError> {
    let schema_examples = [("BucketlistPage", json!({"data": [raw_bucketlist()], "total": 1}))];
    let parameter_examples = [("q", json!("name")), ("listBucketlists.q", json!("trip")), ("tag", json!(["a"]))];
    let header_examples =
        [("Location", json!("/v1/bucketlists/7")), ("listBucketlists.Location", json!("/v1/bucketlists"))];
    let headers = [
        ResponseHeader {
            name: "X-Request-ID",
            description: "Identifies the request in the logs.",
            schema: json!({"type": "string"}),
            example: json!("0192f0c1-7d5e"),
            on: HeaderScope::All,
            always: true,
        },
        ResponseHeader {
            name: "WWW-Authenticate",
            description: "How to authenticate.",
            schema: json!({"type": "string"}),
            example: json!("Bearer"),
            on: HeaderScope::Statuses(&[401]),
            always: true,
        },
    ];
    crate::repair(
        raw,
        &RepairOptions {
            error_schema: "ErrorEnvelope",
            error_media_type: "application/json",
            failures: &failures,
            error_example: &|_, failure| json!({"code": failure.code, "message": failure.message}),
            headers: &headers,
            header_names: &["Location"],
            parameter_examples: &parameter_examples,
            header_examples: &header_examples,
            schema_examples: &schema_examples,
            sensitive: &[],
            renamed_schemas: &[("Page_Bucketlist", "BucketlistPage")],
            public_operations: &["listPopular"],
            page_parameters: &["page"],
            deprecations: &[],
        },
    )
}

fn failures(facts: &OperationInfo<'_>) -> Vec<DocumentedError> {
    let failure = |status, code, message| DocumentedError { status, code, message };
    let mut list = vec![failure(500, "INTERNAL_ERROR", "Something went wrong.")];
    if facts.is_secured {
        list.push(failure(401, "UNAUTHENTICATED", "No valid token."));
    }
    if facts.has_path_parameters {
        list.push(failure(404, "BUCKETLIST_NOT_FOUND", "There is no such bucketlist."));
    }
    if facts.has_body {
        list.push(failure(400, "MALFORMED_BODY", "The body is malformed."));
    }
    if facts.has_body || facts.has_parameters {
        list.push(failure(422, "VALIDATION_FAILED", "The request breaks a rule."));
    }
    if facts.id == "createBucketlist" {
        list.push(failure(422, "KEY_REUSED", "The key was used for another payload."));
    }
    list
}

fn raw_bucketlist() -> Value {
    raw()["components"]["schemas"]["Bucketlist"]["example"].clone()
}
