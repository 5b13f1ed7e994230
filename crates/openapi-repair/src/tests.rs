//! Tests of the repair of the fixture. The tests of `openapi-lint` cover the rules for the result.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use crate::fixture::{document, finish, finish_text, raw};

fn at(pointer: &str) -> Value {
    let document = document();
    document.value().pointer(pointer).cloned().unwrap_or(Value::Null)
}

fn schema(pointer: &str) -> Value {
    at(&format!("/components/schemas/{pointer}"))
}

#[test]
fn document_is_openapi_3_0() {
    assert_eq!(at("/openapi"), "3.0.3");
    assert_eq!(at("/info"), json!({"title": "BucketList", "version": "1.0.0", "license": {"name": "MIT"}}));
    assert_eq!(at("/webhooks"), Value::Null);
    assert_eq!(at("/tags/0/name"), "Bucketlists");
}

#[test]
fn webhooks_become_an_extension() {
    let mut raw = raw();
    raw["webhooks"] = json!({"done": {"post": {"summary": "x"}}});
    let document = finish(&raw).unwrap();
    assert_eq!(document.value()["x-webhooks"]["done"]["post"]["summary"], "x");
}

#[test]
fn parameters_are_repaired() {
    let parameters = at("/paths/~1bucketlists/get/parameters");
    assert_eq!(
        parameters[0],
        json!({"name": "page", "in": "query", "example": 1,
               "schema": {"type": "integer", "format": "int32", "default": 1, "minimum": 1, "maximum": 1000}})
    );
    assert_eq!(parameters[1]["example"], "trip");
    assert!(parameters[1]["schema"]["pattern"].as_str().unwrap().starts_with('^'));
    assert_eq!(parameters[3]["schema"], json!({"default": "name", "allOf": [{"$ref": "#/components/schemas/Sort"}]}));
    assert_eq!(parameters[4]["schema"], json!({"type": "string", "format": "date"}));
    let id = at("/paths/~1bucketlists~1{bucketlist_id}/get/parameters/0");
    assert_eq!(id["required"], true);
    assert_eq!(id["schema"]["maximum"], json!(i64::MAX));
}

#[test]
fn request_objects_are_closed_and_have_text_patterns() {
    let create = schema("BucketlistCreate");
    assert_eq!(create["additionalProperties"], false);
    assert_eq!(schema("ItemCreate/additionalProperties"), false);
    assert_eq!(schema("Bucketlist/additionalProperties"), Value::Null);
    assert_eq!(schema("Bucketlist/properties/name/pattern"), Value::Null);
    let properties = &create["properties"];
    assert!(
        properties["name"]["pattern"].is_string()
            && properties["labels"]["additionalProperties"]["pattern"].is_string()
    );
    assert!(properties["description"]["pattern"].as_str().unwrap().contains("u0008"));
    assert_eq!(properties["secret"]["pattern"], r"^[^\u0000]*$");
    assert_eq!(properties["email"]["pattern"], Value::Null);
    assert_eq!(properties["code"]["pattern"], "^[a-z]+$");
    assert_eq!(create["example"], json!({"name": "Trips", "description": null}));
}

#[test]
fn nullable_references_are_repaired_and_required() {
    let bucketlist = schema("Bucketlist");
    assert_eq!(
        bucketlist["properties"]["state"],
        json!({"type": "string", "description": "Where it stands.", "nullable": true, "enum": ["open", "done", null]})
    );
    assert_eq!(
        bucketlist["properties"]["owner"],
        json!({"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/Owner"}]})
    );
    assert_eq!(bucketlist["required"], json!(["id", "name", "description", "state", "owner"]));
    assert_eq!(bucketlist["title"], Value::Null);
    let state = schema("BucketlistCreate/properties/state");
    assert_eq!(state, json!({"description": "Where it stands.", "allOf": [{"$ref": "#/components/schemas/State"}]}));
}

#[test]
fn schemas_are_renamed_with_their_references() {
    let media = at("/paths/~1bucketlists/get/responses/200/content");
    assert_eq!(media, json!({"application/json": {"schema": {"$ref": "#/components/schemas/BucketlistPage"}}}));
    assert_eq!(schema("Page_Bucketlist"), Value::Null);
    assert_eq!(schema("BucketlistPage/example/total"), 1);
    assert_eq!(
        schema("BucketlistPage/properties/total"),
        json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": 4_294_967_295_i64})
    );
}

#[test]
fn unused_components_are_removed() {
    assert_eq!(schema("Unused"), Value::Null);
    assert_eq!(at("/components/securitySchemes"), json!({"Bearer": {"type": "http", "scheme": "bearer"}}));
}

#[test]
fn public_operations_have_empty_security() {
    assert_eq!(at("/paths/~1bucketlists~1popular/get/security"), json!([]));
    assert_eq!(at("/paths/~1bucketlists/get/security"), json!([{"Bearer": []}]));
}

#[test]
fn error_responses_are_shared_components() {
    let statuses = |path: &str| -> Vec<String> { at(path).as_object().unwrap().keys().cloned().collect() };
    assert_eq!(statuses("/paths/~1bucketlists/post/responses"), ["201", "400", "401", "422", "500"]);
    assert_eq!(statuses("/paths/~1bucketlists~1popular/get/responses"), ["200", "500"]);
    // Equal responses share a component.
    assert_eq!(at("/paths/~1bucketlists/get/responses/500"), json!({"$ref": "#/components/responses/InternalError"}));
    assert_eq!(
        at("/components/responses/InternalError"),
        json!({
            "description": "Something went wrong.",
            "headers": {"X-Request-ID": {"$ref": "#/components/headers/XRequestID"}},
            "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorEnvelope"},
                "examples": {"INTERNAL_ERROR": {"summary": "Something went wrong.", "value": {"code": "INTERNAL_ERROR", "message": "Something went wrong."}}}
            }}
        })
    );
    // Errors with the same status share a response, which has an example for each code.
    let unprocessable = at("/paths/~1bucketlists/post/responses/422");
    let examples = unprocessable["content"]["application/json"]["examples"].as_object().unwrap();
    assert_eq!(examples.keys().collect::<Vec<_>>(), ["VALIDATION_FAILED", "KEY_REUSED"]);
    assert!(unprocessable["description"].as_str().unwrap().contains("- `KEY_REUSED`: "));
    // The declared description is preserved.
    let missing = at("/paths/~1bucketlists~1{bucketlist_id}/get/responses/404");
    assert_eq!(missing["description"], "No such bucketlist, or not yours.");
    assert_eq!(missing["content"]["application/json"]["examples"].as_object().unwrap().len(), 1);
}

#[test]
fn headers_have_published_names_and_scopes() {
    let headers = at("/paths/~1bucketlists/post/responses/201/headers");
    assert_eq!(
        headers,
        json!({
            "Location": {"description": "Where it is.", "schema": {"type": "string"}, "example": "/v1/bucketlists/7"},
            "X-Request-ID": {"$ref": "#/components/headers/XRequestID"}
        })
    );
    // An example for one operation takes precedence over one for all operations.
    let mut moved = raw();
    let location = moved["paths"]["/bucketlists"]["post"]["responses"]["201"]["headers"].clone();
    moved["paths"]["/bucketlists"]["get"]["responses"]["200"]["headers"] = location;
    let moved = finish(&moved).unwrap();
    let example = |method: &str, status: &str| {
        moved.value()["paths"]["/bucketlists"][method]["responses"][status]["headers"]["Location"]["example"].clone()
    };
    assert_eq!((example("get", "200"), example("post", "201")), (json!("/v1/bucketlists"), json!("/v1/bucketlists/7")));
    assert!(at("/components/responses/Unauthenticated/headers/WWW-Authenticate").is_object());
    assert_eq!(at("/components/responses/InternalError/headers/WWW-Authenticate"), Value::Null);
}

#[test]
fn optional_headers_are_marked() {
    let header = |required: Value| {
        let mut raw = raw();
        let headers = &mut raw["paths"]["/bucketlists"]["post"]["responses"]["201"]["headers"];
        headers["LOCATION"]["required"] = required;
        finish(&raw).unwrap().value()["paths"]["/bucketlists"]["post"]["responses"]["201"]["headers"]["Location"]
            .clone()
    };
    // poem-openapi omits `required` for optional headers.
    for optional in [json!(false), Value::Null] {
        assert_eq!(
            header(optional),
            json!({"description": "Where it is.", "required": false, "schema": {"type": "string"}, "example": "/v1/bucketlists/7"})
        );
    }
    assert_eq!(header(json!(true))["required"], Value::Null);
}

#[test]
fn examples_of_text_bodies_move_to_the_media_type() {
    let mut raw = raw();
    let content = &mut raw["paths"]["/bucketlists"]["get"]["responses"]["200"]["content"];
    content["text/csv; charset=utf-8"] = json!({"schema": {"type": "string", "example": "id\r\n7\r\n"}});
    let document = finish(&raw).unwrap();
    assert_eq!(
        document.value()["paths"]["/bucketlists"]["get"]["responses"]["200"]["content"]["text/csv"],
        json!({"schema": {"type": "string"}, "example": "id\r\n7\r\n"})
    );
}

#[test]
fn duplicate_paths_are_merged_and_conflicts_reported() {
    let text = raw().to_string();
    let (before, after) = text.split_once("\"/bucketlists/popular\"").unwrap();
    let operation = |method: &str, id: &str| {
        format!(
            r#""/bucketlists/extra":{{"{method}":{{"tags":["Bucketlists"],"summary":"s","description":"d","operationId":"{id}","security":[{{"Bearer":[]}}],"responses":{{"204":{{"description":"d"}}}}}}}},"#
        )
    };
    let with = |blocks: String| finish_text(&format!("{before}{blocks}\"/bucketlists/popular\"{after}"));
    let merged = with(operation("get", "getOne") + &operation("put", "putOne")).unwrap();
    assert_eq!(merged.value()["paths"]["/bucketlists/extra"].as_object().unwrap().len(), 2);
    let error = with(operation("get", "getOne") + &operation("get", "getTwo")).unwrap_err();
    assert_eq!(error.to_string(), "document: /paths/~1bucketlists~1extra/get is declared more than once");
}

#[test]
fn invalid_documents_return_one_finding() {
    for (text, expected) in [
        ("", "document: the raw document is not valid JSON"),
        ("[]", "document: has no \"info\" object"),
        (r#"{"info":{},"paths":[],"components":{}}"#, "document: has no \"paths\" object"),
    ] {
        let error = finish_text(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn repair_is_deterministic() {
    assert_eq!(document().to_json(), document().to_json());
}

/// The other crates use the repaired document in their tests. `UPDATE_FIXTURES=1` updates it.
#[test]
fn shared_fixture_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi-model/fixtures/bucketlists.json");
    let text = document().to_json();
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}

#[test]
fn options_for_missing_schemas_are_reported() {
    let mut raw = raw();
    raw["components"]["schemas"].as_object_mut().unwrap().shift_remove("Page_Bucketlist");
    let error = finish(&raw).unwrap_err().to_string();
    for expected in [
        "schema Page_Bucketlist: is in the options with the published name BucketlistPage, but does not exist",
        "schema BucketlistPage: has an example in the options, but does not exist",
    ] {
        assert!(error.lines().any(|line| line == expected), "{error}");
    }
}

#[test]
fn declared_errors_are_checked_against_the_options() {
    let mut raw = raw();
    raw["paths"]["/bucketlists"]["get"]["responses"]["409"] = json!({"description": "d", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Owner"}}}});
    let error = finish(&raw).unwrap_err().to_string();
    let place = "operation listBucketlists, response 409";
    assert!(
        error.starts_with(&format!(
            "{place}: is declared, but the options contain no error with this status\n\
         {place}: declares a body that is not ErrorEnvelope\n"
        )),
        "{error}"
    );
}
