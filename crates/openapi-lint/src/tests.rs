//! Tests of every rule: a change of the document and the finding that it causes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_fixtures::set;
use openapi_model::Document;
use serde_json::{Value, json};

use super::{LintConfig, LintOptions, Preset, lint};

const LIST: &str = "/paths/~1projects/get";
const CREATE: &str = "/paths/~1projects/post";
const SCHEMAS: &str = "/components/schemas";

/// Returns a document that passes all rules.
pub(crate) fn document() -> Document {
    Document::from_json(openapi_fixtures::PROJECTS).unwrap()
}

/// Returns all rules with the options of the document.
pub(crate) fn strict() -> LintConfig {
    let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    LintConfig::new(Preset::Strict).with_options(LintOptions {
        error_schema: Some("ErrorEnvelope".to_owned()),
        error_media_type: Some("application/json".to_owned()),
        header_names: list(&["Location", "X-Request-ID", "WWW-Authenticate"]),
        public_operations: list(&["listPopular"]),
        page_parameters: list(&["page"]),
        ..LintOptions::default()
    })
}

/// Applies the changes to the fixture and expects exactly these errors.
#[track_caller]
fn findings(changes: &[(String, Value)], expected: &[&str]) {
    let mut value = document().value().clone();
    for (pointer, new) in changes {
        set(&mut value, pointer, new.clone());
    }
    let found = lint(&Document::from_value(value).unwrap(), &strict());
    let expected: Vec<String> = expected.iter().map(|text| format!("error: {text}")).collect();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[track_caller]
fn one(base: &str, key: &str, value: Value, expected: &str) {
    findings(&[(format!("{base}/{key}"), value)], &[expected]);
}

#[test]
fn operations_have_ids_descriptions_and_tags() {
    one(LIST, "operationId", Value::Null, "operation GET /projects: has no operationId [operation-id]");
    let camel = "operation List_all: has an operationId that is not in camelCase [operation-id-case]";
    one(LIST, "operationId", json!("List_all"), camel);
    let twice = "operation getProject: has the operationId of another operation [operation-id-unique]";
    one(LIST, "operationId", json!("getProject"), twice);
    one(LIST, "summary", Value::Null, "operation listProjects: has no summary [operation-summary]");
    one(LIST, "description", json!(" "), "operation listProjects: has no description [operation-description]");
    one(LIST, "tags", json!([]), "operation listProjects: has 0 tags; exactly one is required [operation-tag]");
    let twice = "operation listProjects: has 2 tags; exactly one is required [operation-tag]";
    let undeclared = "operation listProjects: has the tag B, which the document does not declare [tag-declared]";
    findings(&[(format!("{LIST}/tags"), json!(["Projects", "B"]))], &[twice, undeclared]);
    one(LIST, "tags", json!(["B"]), undeclared);
    one(
        LIST,
        "responses/200/description",
        json!(""),
        "operation listProjects, response 200: has no description [response-description]",
    );
    one(
        LIST,
        "responses/default",
        json!({"description": "d"}),
        "operation listProjects, response default: is not a three-digit status [explicit-status]",
    );
}

#[test]
fn operations_have_one_success_status() {
    let place = "operation deleteProject";
    let delete = "/paths/~1projects~1{project_id}/delete";
    one(delete, "responses/204", Value::Null, &format!("{place}: has no successful response [success-response]"));
    one(
        delete,
        "responses/202",
        json!({"description": "d"}),
        &format!("{place}: has 2 successful responses; exactly one is required [single-success-response]"),
    );
}

#[test]
fn operations_are_public_only_if_listed() {
    let get = "/paths/~1projects~1{project_id}/get";
    one(
        get,
        "security",
        json!([]),
        "operation getProject: needs no credentials and is not listed as public [public-operation]",
    );
    one(
        get,
        "security",
        json!([{}]),
        "operation getProject: needs no credentials and is not listed as public [public-operation]",
    );
    let popular = "/paths/~1projects~1popular/get";
    let secured = json!([{"Bearer": []}]);
    one(
        popular,
        "security",
        secured,
        "operation listPopular: is listed as public, but needs credentials [public-operation]",
    );
    findings(
        &[(format!("{popular}/operationId"), json!("listFamous"))],
        &[
            "operation listFamous: needs no credentials and is not listed as public [public-operation]",
            "operation listPopular: is listed as public, but does not exist [public-operation]",
        ],
    );
}

#[test]
fn lists_are_paginated() {
    one(
        LIST,
        "parameters/0",
        json!({"name": "size", "in": "query", "schema": {"type": "integer", "format": "int32"}, "example": 1}),
        "operation listProjects: returns a list without pagination; it has none of the parameters page [pagination]",
    );
    let array = json!({"type": "array", "maxItems": 9, "items": {"$ref": "#/components/schemas/Owner"}});
    one(
        "/paths/~1projects~1{project_id}/get",
        "responses/200/content",
        json!({"application/json": {"schema": array}}),
        "operation getProject: returns a bare array, which cannot be extended; return a page [array-response]",
    );
}

#[test]
fn names_are_in_snake_case() {
    for name in ["itemsTotal", "Items", "items-total", "items__total", "items_", "__items", "9items", "_", "é"] {
        one(
            SCHEMAS,
            &format!("ProjectCreate/properties/{name}"),
            json!({"type": "string", "maxLength": 9}),
            &format!("schema ProjectCreate: has a field that is not in snake_case: {name} [property-case]"),
        );
    }
    let parameter =
        json!({"name": "perPage", "in": "query", "schema": {"type": "integer", "format": "int32"}, "example": 1});
    one(
        LIST,
        "parameters/1",
        parameter,
        "operation listProjects, parameter perPage: is not in snake_case [parameter-case]",
    );
}

#[test]
fn headers_and_parameters_are_checked() {
    let header = json!({"description": "d", "schema": {"type": "string"}, "example": "x"});
    one(
        CREATE,
        "responses/201/headers/X-ODD",
        header,
        "operation createProject, response 201: has the header X-ODD, which is not a known header name [header-name]",
    );
    one(
        LIST,
        "responses/200/headers",
        json!({"Location": {"schema": {"type": "integer"}, "example": "/"}}),
        "operation listProjects, response 200, header Location: has an invalid example: must be an integer [example-valid]",
    );
    one(
        LIST,
        "parameters/0/example",
        Value::Null,
        "operation listProjects, parameter page: has no example [example-present]",
    );
    one(
        LIST,
        "parameters/0/example",
        json!(0),
        "operation listProjects, parameter page: has an invalid example: must be an integer between 1 and 1000 [example-valid]",
    );
    one(
        "/paths/~1projects~1{project_id}/delete",
        "parameters/0/name",
        json!("id"),
        "operation deleteProject: does not declare the path parameter project_id [path-parameter-declared]",
    );
}

#[test]
fn error_responses_are_checked() {
    let declared = json!({"description": "d", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Owner"}}}});
    one(
        LIST,
        "responses/409",
        declared,
        "operation listProjects, response 409: has an error body that is not ErrorEnvelope [error-body]",
    );
    one(
        SCHEMAS,
        "ErrorEnvelope/properties/code",
        json!({"type": "string", "enum": ["INTERNAL_ERROR", "VALIDATION_FAILED", "KEY_REUSED", "PROJECT_NOT_FOUND", "MALFORMED_BODY"]}),
        "response Unauthenticated, example UNAUTHENTICATED: has an invalid example at /code: must be one of: INTERNAL_ERROR, VALIDATION_FAILED, KEY_REUSED, PROJECT_NOT_FOUND, MALFORMED_BODY [example-valid]",
    );
}

#[test]
fn responses_have_bounds() {
    one(
        SCHEMAS,
        "Owner/properties/name/maxLength",
        Value::Null,
        "schema Owner.name: is a string without maxLength, enum or format [string-bounds]",
    );
    one(
        SCHEMAS,
        "ProjectPage/properties/total",
        json!({"type": "integer", "minimum": 0}),
        "schema ProjectPage.total: is an integer without format, or minimum and maximum [integer-bounds]",
    );
}

#[test]
fn map_values_have_bounds_in_requests_only() {
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    findings(
        &[
            (format!("{SCHEMAS}/ProjectPage/properties/labels"), map.clone()),
            (format!("{SCHEMAS}/ProjectPage/required"), json!(["data", "total", "labels"])),
        ],
        &["schema ProjectPage: has an invalid example at /labels: is required [example-valid]"],
    );
    let expected = "schema ProjectCreate.labels.*: is a string without maxLength, enum or format [string-bounds]";
    one(SCHEMAS, "ProjectCreate/properties/labels", map, expected);
}

#[test]
fn requests_have_bounds() {
    let place = |name: &str| format!("schema ProjectCreate.{name}");
    for (name, key, expected) in [
        ("name", "maxLength", "is a string without maxLength, enum or format [string-bounds]"),
        ("items", "maxItems", "is an array without maxItems [array-bounds]"),
    ] {
        let pointer = format!("ProjectCreate/properties/{name}/{key}");
        one(SCHEMAS, &pointer, Value::Null, &format!("{}: {expected}", place(name)));
    }
    one(
        SCHEMAS,
        "ProjectCreate/properties/rank",
        json!({"type": "integer"}),
        "schema ProjectCreate.rank: is an integer without format, or minimum and maximum [integer-bounds]",
    );
    one(
        LIST,
        "parameters/5/schema/items/maxLength",
        Value::Null,
        "operation listProjects, parameter tag[]: is a string without maxLength, enum or format [string-bounds]",
    );
    one(
        SCHEMAS,
        "ProjectCreate/properties/name/format",
        json!("nick-name"),
        "schema ProjectCreate.name: has the format nick-name, which is not a known format [known-format]",
    );
}

#[test]
fn requests_and_responses_have_separate_schemas() {
    one(
        SCHEMAS,
        "Project/properties/owner",
        json!({"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/ItemCreate"}]}),
        "schema ItemCreate: is used in requests and in responses; use a separate schema for each [separate-schemas]",
    );
}

#[test]
fn responses_are_complete() {
    one(
        SCHEMAS,
        "Owner/properties/nick",
        json!({"type": "string", "maxLength": 10}),
        "schema Owner.nick: is neither required nor nullable; responses must contain every field [complete-response]",
    );
}

#[test]
fn objects_are_components_with_examples() {
    let inline = "is an inline object; move it to a component, so that generated clients have a type for it";
    let object = json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "boolean"}}});
    findings(
        &[
            (format!("{SCHEMAS}/Owner/properties/name"), object.clone()),
            (format!("{SCHEMAS}/Owner/example/name"), json!({"a": true})),
            (format!("{SCHEMAS}/Project/example/owner"), Value::Null),
        ],
        &[
            &format!("schema Owner.name: {inline} [inline-object]"),
            "schema Project: has an invalid example at /owner: is required [example-valid]",
            "schema ProjectPage: has an invalid example at /data/0/owner/name: must be an object [example-valid]",
        ],
    );
    one(
        CREATE,
        "requestBody/content",
        json!({"application/json": {"schema": object}}),
        &format!("operation createProject, request body: {inline} [inline-object]"),
    );
}

#[test]
fn component_objects_have_valid_examples() {
    one(SCHEMAS, "ItemCreate/example", Value::Null, "schema ItemCreate: has no example [example-present]");
    findings(
        &[(format!("{SCHEMAS}/ItemCreate/example"), json!({"nam": 1}))],
        &[
            "schema ItemCreate: has an invalid example at /nam: is not a known field [example-valid]",
            "schema ItemCreate: has an invalid example at /name: is required [example-valid]",
        ],
    );
}

#[test]
fn bodies_that_are_not_json_have_valid_examples() {
    let csv = |example: Value| {
        let schema = json!({"type": "string", "maxLength": 9});
        match example {
            Value::Null => json!({"text/csv": {"schema": schema}}),
            example => json!({"text/csv": {"schema": schema, "example": example}}),
        }
    };
    let place = "operation createProject, request body, text/csv";
    one(CREATE, "requestBody/content", csv(Value::Null), &format!("{place}: has no example [example-present]"));
    one(
        CREATE,
        "requestBody/content",
        csv(json!(7)),
        &format!("{place}: has an invalid example: must be a string [example-valid]"),
    );
}

#[test]
fn references_resolve() {
    one(
        SCHEMAS,
        "Owner/properties/name/$ref",
        json!("#/components/schemas/Gone"),
        "document: the reference #/components/schemas/Gone does not resolve [reference-resolves]",
    );
}
