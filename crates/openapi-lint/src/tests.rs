//! Tests of every rule: a change of the document and the finding that it causes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_model::Document;
use serde_json::{Value, json};

use super::{LintOptions, lint};
use crate::fixture::{document, set};

const LIST: &str = "/paths/~1bucketlists/get";
const CREATE: &str = "/paths/~1bucketlists/post";
const SCHEMAS: &str = "/components/schemas";

const OPTIONS: LintOptions<'_> = LintOptions {
    error_schema: Some("ErrorEnvelope"),
    error_media_type: Some("application/json"),
    header_names: Some(&["Location", "X-Request-ID", "WWW-Authenticate"]),
    public_operations: Some(&["listPopular"]),
    page_parameters: Some(&["page"]),
};

/// Applies the changes to the fixture and expects exactly these findings.
#[track_caller]
fn findings(changes: &[(String, Value)], expected: &[&str]) {
    let mut value = document().value().clone();
    for (pointer, new) in changes {
        set(&mut value, pointer, new.clone());
    }
    let found = lint(&Document::from_value(value).unwrap(), &OPTIONS);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[track_caller]
fn one(base: &str, key: &str, value: Value, expected: &str) {
    findings(&[(format!("{base}/{key}"), value)], &[expected]);
}

#[test]
fn operations_have_ids_descriptions_and_tags() {
    one(LIST, "operationId", Value::Null, "operation GET /bucketlists: has no operationId");
    let camel = "operation List_all: has an operationId that is not in camelCase";
    one(LIST, "operationId", json!("List_all"), camel);
    let twice = "operation getBucketlist: has the operationId of another operation";
    one(LIST, "operationId", json!("getBucketlist"), twice);
    one(LIST, "summary", Value::Null, "operation listBucketlists: has no summary");
    one(LIST, "description", json!(" "), "operation listBucketlists: has no description");
    one(LIST, "tags", json!([]), "operation listBucketlists: has 0 tags; exactly one is required");
    one(LIST, "tags", json!(["Bucketlists", "B"]), "operation listBucketlists: has 2 tags; exactly one is required");
    one(LIST, "tags", json!(["B"]), "operation listBucketlists: has the tag B, which the document does not declare");
    one(LIST, "responses/200/description", json!(""), "operation listBucketlists, response 200: has no description");
    one(
        LIST,
        "responses/default",
        json!({"description": "d"}),
        "operation listBucketlists, response default: is not a three-digit status",
    );
}

#[test]
fn operations_have_one_success_status() {
    let place = "operation deleteBucketlist";
    let delete = "/paths/~1bucketlists~1{bucketlist_id}/delete";
    one(delete, "responses/204", Value::Null, &format!("{place}: has no successful response"));
    one(
        delete,
        "responses/202",
        json!({"description": "d"}),
        &format!("{place}: has 2 successful responses; exactly one is required"),
    );
}

#[test]
fn operations_are_public_only_if_listed() {
    let get = "/paths/~1bucketlists~1{bucketlist_id}/get";
    one(get, "security", json!([]), "operation getBucketlist: needs no credentials and is not listed as public");
    one(get, "security", json!([{}]), "operation getBucketlist: needs no credentials and is not listed as public");
    let popular = "/paths/~1bucketlists~1popular/get";
    let secured = json!([{"Bearer": []}]);
    one(popular, "security", secured, "operation listPopular: is listed as public, but needs credentials");
    findings(
        &[(format!("{popular}/operationId"), json!("listFamous"))],
        &[
            "operation listFamous: needs no credentials and is not listed as public",
            "operation listPopular: is listed as public, but does not exist",
        ],
    );
}

#[test]
fn lists_are_paginated() {
    one(
        LIST,
        "parameters/0",
        json!({"name": "size", "in": "query", "schema": {"type": "integer", "format": "int32"}, "example": 1}),
        "operation listBucketlists: returns a list without pagination; it has none of the parameters page",
    );
    let array = json!({"type": "array", "maxItems": 9, "items": {"$ref": "#/components/schemas/Owner"}});
    one(
        "/paths/~1bucketlists~1{bucketlist_id}/get",
        "responses/200/content",
        json!({"application/json": {"schema": array}}),
        "operation getBucketlist: returns a bare array, which cannot be extended; return a page",
    );
}

#[test]
fn names_are_in_snake_case() {
    for name in ["itemsTotal", "Items", "items-total", "items__total", "items_", "__items", "9items", "_", "é"] {
        one(
            SCHEMAS,
            &format!("BucketlistCreate/properties/{name}"),
            json!({"type": "string", "maxLength": 9}),
            &format!("schema BucketlistCreate: has a field that is not in snake_case: {name}"),
        );
    }
    let parameter =
        json!({"name": "perPage", "in": "query", "schema": {"type": "integer", "format": "int32"}, "example": 1});
    one(LIST, "parameters/1", parameter, "operation listBucketlists, parameter perPage: is not in snake_case");
}

#[test]
fn headers_and_parameters_are_checked() {
    let header = json!({"description": "d", "schema": {"type": "string"}, "example": "x"});
    one(
        CREATE,
        "responses/201/headers/X-ODD",
        header,
        "operation createBucketlist, response 201: has the header X-ODD, which is not a known header name",
    );
    one(
        LIST,
        "responses/200/headers",
        json!({"Location": {"schema": {"type": "integer"}, "example": "/"}}),
        "operation listBucketlists, response 200, header Location: has an invalid example: must be an integer",
    );
    one(LIST, "parameters/0/example", Value::Null, "operation listBucketlists, parameter page: has no example");
    one(
        LIST,
        "parameters/0/example",
        json!(0),
        "operation listBucketlists, parameter page: has an invalid example: must be an integer between 1 and 1000",
    );
    one(
        "/paths/~1bucketlists~1{bucketlist_id}/delete",
        "parameters/0/name",
        json!("id"),
        "operation deleteBucketlist: does not declare the path parameter bucketlist_id",
    );
}

#[test]
fn error_responses_are_checked() {
    let declared = json!({"description": "d", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Owner"}}}});
    one(
        LIST,
        "responses/409",
        declared,
        "operation listBucketlists, response 409: has an error body that is not ErrorEnvelope",
    );
    one(
        SCHEMAS,
        "ErrorEnvelope/properties/code",
        json!({"type": "string", "enum": ["INTERNAL_ERROR", "VALIDATION_FAILED", "KEY_REUSED", "BUCKETLIST_NOT_FOUND", "MALFORMED_BODY"]}),
        "response Unauthenticated, example UNAUTHENTICATED: has an invalid example at /code: must be one of: INTERNAL_ERROR, VALIDATION_FAILED, KEY_REUSED, BUCKETLIST_NOT_FOUND, MALFORMED_BODY",
    );
}

#[test]
fn responses_have_bounds() {
    one(
        SCHEMAS,
        "Owner/properties/name/maxLength",
        Value::Null,
        "schema Owner.name: is a string without maxLength, enum or format",
    );
    one(
        SCHEMAS,
        "BucketlistPage/properties/data/maxItems",
        Value::Null,
        "schema BucketlistPage.data: is an array without maxItems",
    );
    one(
        SCHEMAS,
        "BucketlistPage/properties/total",
        json!({"type": "integer", "minimum": 0}),
        "schema BucketlistPage.total: is an integer without format, or minimum and maximum",
    );
}

#[test]
fn map_values_have_bounds_in_requests_only() {
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    findings(
        &[
            (format!("{SCHEMAS}/BucketlistPage/properties/labels"), map.clone()),
            (format!("{SCHEMAS}/BucketlistPage/required"), json!(["data", "total", "labels"])),
        ],
        &["schema BucketlistPage: has an invalid example at /labels: is required"],
    );
    let expected = "schema BucketlistCreate.labels.*: is a string without maxLength, enum or format";
    one(SCHEMAS, "BucketlistCreate/properties/labels", map, expected);
}

#[test]
fn requests_have_bounds() {
    let place = |name: &str| format!("schema BucketlistCreate.{name}");
    for (name, key, expected) in [
        ("name", "maxLength", "is a string without maxLength, enum or format"),
        ("items", "maxItems", "is an array without maxItems"),
    ] {
        let pointer = format!("BucketlistCreate/properties/{name}/{key}");
        one(SCHEMAS, &pointer, Value::Null, &format!("{}: {expected}", place(name)));
    }
    one(
        SCHEMAS,
        "BucketlistCreate/properties/rank",
        json!({"type": "integer"}),
        "schema BucketlistCreate.rank: is an integer without format, or minimum and maximum",
    );
    one(
        LIST,
        "parameters/5/schema/items/maxLength",
        Value::Null,
        "operation listBucketlists, parameter tag[]: is a string without maxLength, enum or format",
    );
    one(
        SCHEMAS,
        "BucketlistCreate/properties/name/format",
        json!("nick-name"),
        "schema BucketlistCreate.name: has the format nick-name, which is not a known format",
    );
}

#[test]
fn requests_and_responses_have_separate_schemas() {
    one(
        SCHEMAS,
        "Bucketlist/properties/owner",
        json!({"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/ItemCreate"}]}),
        "schema ItemCreate: is used in requests and in responses; use a separate schema for each",
    );
}

#[test]
fn responses_are_complete() {
    one(
        SCHEMAS,
        "Owner/properties/nick",
        json!({"type": "string", "maxLength": 10}),
        "schema Owner.nick: is neither required nor nullable; responses must contain every field",
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
            (format!("{SCHEMAS}/Bucketlist/example/owner"), Value::Null),
        ],
        &[
            &format!("schema Owner.name: {inline}"),
            "schema Bucketlist: has an invalid example at /owner: is required",
            "schema BucketlistPage: has an invalid example at /data/0/owner/name: must be an object",
        ],
    );
    one(
        CREATE,
        "requestBody/content",
        json!({"application/json": {"schema": object}}),
        &format!("operation createBucketlist, request body: {inline}"),
    );
}

#[test]
fn component_objects_have_valid_examples() {
    one(SCHEMAS, "ItemCreate/example", Value::Null, "schema ItemCreate: has no example");
    findings(
        &[(format!("{SCHEMAS}/ItemCreate/example"), json!({"nam": 1}))],
        &[
            "schema ItemCreate: has an invalid example at /nam: is not a known field",
            "schema ItemCreate: has an invalid example at /name: is required",
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
    let place = "operation createBucketlist, request body, text/csv";
    one(CREATE, "requestBody/content", csv(Value::Null), &format!("{place}: has no example"));
    one(CREATE, "requestBody/content", csv(json!(7)), &format!("{place}: has an invalid example: must be a string"));
}

#[test]
fn references_resolve() {
    one(
        SCHEMAS,
        "Owner/properties/name/$ref",
        json!("#/components/schemas/Gone"),
        "document: the reference #/components/schemas/Gone does not resolve",
    );
}
