//! A small API for tests: the raw document and the repaired document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use openapi_model::Document;

use crate::{
    DocumentedError, HeaderScope, OpenEnum, OperationInfo, RepairError, RepairOptions, ResponseHeader, ResponseName,
};

/// Returns the raw document of a project API, as poem-openapi 5.1 writes it.
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
    let schema_examples = [("ProjectPage", json!({"data": [raw_project()], "total": 1}))];
    let parameter_examples = [("q", json!("name")), ("listProjects.q", json!("trip")), ("tag", json!(["a"]))];
    let header_examples = [("Location", json!("/v1/projects/7")), ("listProjects.Location", json!("/v1/projects"))];
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
            errors: &errors,
            error_example: &|error| json!({"code": error.code, "message": error.message}),
            response_names: &[ResponseName {
                name: "InvalidProject",
                codes: &["KEY_REUSED", "VALIDATION_FAILED"],
                is_deprecated: false,
            }],
            headers: &headers,
            header_names: &["Location"],
            parameter_examples: &parameter_examples,
            header_examples: &header_examples,
            schema_examples: &schema_examples,
            open_enums: &[OpenEnum {
                schema: "ErrorEnvelope",
                field: "code",
                values: &[("INTERNAL_ERROR", "The server failed."), ("KEY_REUSED", "The key is not new.")],
            }],
            renamed_schemas: &[("Page_Project", "ProjectPage")],
            ..RepairOptions::default()
        },
    )
}

fn errors(facts: &OperationInfo<'_>) -> Vec<DocumentedError> {
    let error = |status, code, message| DocumentedError { status, code, message };
    let mut list = vec![error(500, "INTERNAL_ERROR", "Something went wrong.")];
    if facts.is_secured {
        list.push(error(401, "UNAUTHENTICATED", "No valid token."));
    }
    if facts.has_path_parameters {
        list.push(error(404, "PROJECT_NOT_FOUND", "There is no such project."));
    }
    if facts.has_body {
        list.push(error(400, "MALFORMED_BODY", "The body is malformed."));
    }
    if facts.has_body || facts.has_parameters {
        list.push(error(422, "VALIDATION_FAILED", "The request breaks a rule."));
    }
    if facts.id.starts_with("export") {
        list.push(error(409, "RUNNING", "An export is running."));
        list.push(error(409, "BUSY", "The server is busy."));
    }
    if facts.id == "createProject" {
        list.push(error(422, "KEY_REUSED", "The key was used for another payload."));
    }
    list
}

fn raw_project() -> Value {
    raw()["components"]["schemas"]["Project"]["example"].clone()
}
