//! Tests of the repair of the fixture.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_model::Document;
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
    assert_eq!(at("/info"), json!({"title": "Projects", "version": "1.0.0", "license": {"name": "MIT"}}));
    assert_eq!(at("/webhooks"), Value::Null);
    assert_eq!(at("/tags/0/name"), "Projects");
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
    let parameters = at("/paths/~1projects/get/parameters");
    assert_eq!(
        parameters[0],
        json!({"name": "page", "in": "query", "example": 1,
               "schema": {"type": "integer", "format": "int32", "default": 1, "minimum": 1, "maximum": 1000}})
    );
    assert_eq!(parameters[1]["example"], "trip");
    assert!(parameters[1]["schema"]["pattern"].as_str().unwrap().starts_with('^'));
    assert_eq!(parameters[3]["schema"], json!({"default": "name", "allOf": [{"$ref": "#/components/schemas/Sort"}]}));
    assert_eq!(parameters[4]["schema"], json!({"type": "string", "format": "date"}));
    let id = at("/paths/~1projects~1{project_id}/get/parameters/0");
    assert_eq!(id["required"], true);
    // Bounds that the format implies are removed.
    assert_eq!(id["schema"], json!({"type": "integer", "format": "int64", "minimum": 1}));
}

#[test]
fn empty_values_are_declared_where_they_are_valid() {
    let empty = |raw: &Value| -> Vec<bool> {
        let document = finish(raw).unwrap();
        let parameters = document.value().pointer("/paths/~1projects/get/parameters").unwrap();
        parameters.as_array().unwrap().iter().map(|parameter| parameter["allowEmptyValue"] == true).collect()
    };
    let mut raw = raw();
    assert_eq!(empty(&raw)[..6], [false; 6]);
    // Text without a minimum length, and a list that is written as one value.
    raw["paths"]["/projects"]["get"]["parameters"][1]["schema"]["minLength"] = json!(0);
    raw["paths"]["/projects"]["get"]["parameters"][5]["explode"] = json!(false);
    assert_eq!(empty(&raw)[..6], [false, true, false, false, false, true]);
    raw["paths"]["/projects"]["get"]["parameters"][5]["schema"]["minItems"] = json!(1);
    assert!(!empty(&raw)[5]);
}

#[test]
fn request_objects_are_closed_and_have_text_patterns() {
    let create = schema("ProjectCreate");
    assert_eq!(create["additionalProperties"], false);
    assert_eq!(schema("ItemCreate/additionalProperties"), false);
    assert_eq!(schema("Project/additionalProperties"), Value::Null);
    assert_eq!(schema("Project/properties/name/pattern"), Value::Null);
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
    let project = schema("Project");
    assert_eq!(
        project["properties"]["state"],
        json!({"type": "string", "description": "Where it stands.", "nullable": true, "enum": ["open", "done", null]})
    );
    assert_eq!(
        project["properties"]["owner"],
        json!({"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/Owner"}]})
    );
    assert_eq!(project["required"], json!(["id", "name", "description", "state", "owner"]));
    assert_eq!(project["title"], Value::Null);
    let state = schema("ProjectCreate/properties/state");
    assert_eq!(state, json!({"description": "Where it stands.", "allOf": [{"$ref": "#/components/schemas/State"}]}));
}

#[test]
fn schemas_are_renamed_with_their_references() {
    let media = at("/paths/~1projects/get/responses/200/content");
    assert_eq!(media, json!({"application/json": {"schema": {"$ref": "#/components/schemas/ProjectPage"}}}));
    assert_eq!(schema("Page_Project"), Value::Null);
    assert_eq!(schema("ProjectPage/example/total"), 1);
    assert_eq!(
        schema("ProjectPage/properties/total"),
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
    assert_eq!(at("/paths/~1projects~1popular/get/security"), json!([]));
    assert_eq!(at("/paths/~1projects/get/security"), json!([{"Bearer": []}]));
}

#[test]
fn error_responses_are_shared_components() {
    let statuses = |path: &str| -> Vec<String> { at(path).as_object().unwrap().keys().cloned().collect() };
    assert_eq!(statuses("/paths/~1projects/post/responses"), ["201", "400", "401", "422", "500"]);
    assert_eq!(statuses("/paths/~1projects~1popular/get/responses"), ["200", "500"]);
    // Equal responses share a component.
    assert_eq!(at("/paths/~1projects/get/responses/500"), json!({"$ref": "#/components/responses/InternalError"}));
    assert_eq!(
        at("/components/responses/InternalError"),
        json!({
            "description": "Something went wrong.",
            "headers": {"X-Request-ID": {"$ref": "#/components/headers/XRequestID"}},
            "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorEnvelope"},
                "examples": {"INTERNAL_ERROR": {"$ref": "#/components/examples/INTERNAL_ERROR"}}
            }}
        })
    );
    assert_eq!(
        at("/components/examples/INTERNAL_ERROR"),
        json!({"summary": "Something went wrong.", "value": {"code": "INTERNAL_ERROR", "message": "Something went wrong."}})
    );
    // Errors with the same status share a response, which has an example for each code. Its name is in the options.
    let reference = at("/paths/~1projects/post/responses/422");
    assert_eq!(reference, json!({"$ref": "#/components/responses/InvalidProject"}));
    let unprocessable = at("/components/responses/InvalidProject");
    let examples = unprocessable["content"]["application/json"]["examples"].as_object().unwrap();
    assert_eq!(examples.keys().collect::<Vec<_>>(), ["VALIDATION_FAILED", "KEY_REUSED"]);
    assert!(unprocessable["description"].as_str().unwrap().contains("- `KEY_REUSED`: "));
    // The declared description is preserved.
    let missing = at("/components/responses/ProjectNotFound");
    assert_eq!(missing["description"], "No such project, or not yours.");
    assert_eq!(missing["content"]["application/json"]["examples"].as_object().unwrap().len(), 1);
}

#[test]
fn response_names_do_not_depend_on_the_rest_of_the_document() {
    let names = |document: &Document| document.value()["components"]["responses"].clone();
    let mut reversed = raw();
    let paths = reversed["paths"].as_object_mut().unwrap();
    *paths = std::mem::take(paths).into_iter().rev().collect();
    assert_eq!(names(&finish(&reversed).unwrap()), names(&document()));
    // A response keeps its name if other operations no longer have it.
    let mut reduced = raw();
    reduced["paths"]["/projects/{project_id}"].as_object_mut().unwrap().shift_remove("delete");
    assert_eq!(names(&finish(&reduced).unwrap()), names(&document()));
}

#[test]
fn responses_of_deprecated_operations_have_their_own_names() {
    let mut raw = raw();
    raw["paths"]["/projects/popular"]["get"]["deprecated"] = json!(true);
    let document = finish(&raw).unwrap();
    let reference = &document.value()["paths"]["/projects/popular"]["get"]["responses"]["500"];
    assert_eq!(reference, &json!({"$ref": "#/components/responses/DeprecatedInternalError"}));
}

#[test]
fn ambiguous_response_names_are_reported() {
    let mut changed = raw();
    changed["paths"]["/projects/popular"]["get"]["responses"]["500"] = json!({"description": "Another description."});
    assert_eq!(
        finish(&changed).unwrap_err().to_string(),
        "operation listPopular, response 500: differs from the component InternalError with the same error codes"
    );
    // A response with several codes has no name without the options.
    let mut repeated = raw();
    for (path, id) in [("/projects/old", "exportOld"), ("/projects/new", "exportNew")] {
        let mut item = repeated["paths"]["/projects/{project_id}"].clone();
        item.as_object_mut().unwrap().shift_remove("delete");
        item["get"]["operationId"] = json!(id);
        item["get"]["parameters"] = json!([]);
        item["get"]["responses"].as_object_mut().unwrap().shift_remove("404");
        repeated["paths"][path] = item;
    }
    assert_eq!(
        finish(&repeated).unwrap_err().to_string(),
        "operation exportNew, response 409: is the same as that of exportOld; add a name for RUNNING, BUSY to the options"
    );
}

#[test]
fn values_of_open_enums_are_listed_without_an_enum() {
    assert_eq!(
        schema("ErrorEnvelope/properties/code"),
        json!({
            "type": "string",
            "description": "New values can be added:\n\n- `INTERNAL_ERROR`: The server failed.\n- `KEY_REUSED`: The key is not new.",
            "maxLength": 40,
            "x-extensible-enum": ["INTERNAL_ERROR", "KEY_REUSED"],
        })
    );
}

#[test]
fn headers_have_published_names_and_scopes() {
    let headers = at("/paths/~1projects/post/responses/201/headers");
    assert_eq!(
        headers,
        json!({
            "Location": {"description": "Where it is.", "schema": {"type": "string"}, "example": "/v1/projects/7"},
            "X-Request-ID": {"$ref": "#/components/headers/XRequestID"}
        })
    );
    // An example for one operation takes precedence over one for all operations.
    let mut moved = raw();
    let location = moved["paths"]["/projects"]["post"]["responses"]["201"]["headers"].clone();
    moved["paths"]["/projects"]["get"]["responses"]["200"]["headers"] = location;
    let moved = finish(&moved).unwrap();
    let example = |method: &str, status: &str| {
        moved.value()["paths"]["/projects"][method]["responses"][status]["headers"]["Location"]["example"].clone()
    };
    assert_eq!((example("get", "200"), example("post", "201")), (json!("/v1/projects"), json!("/v1/projects/7")));
    assert!(at("/components/responses/Unauthenticated/headers/WWW-Authenticate").is_object());
    assert_eq!(at("/components/responses/InternalError/headers/WWW-Authenticate"), Value::Null);
}

#[test]
fn optional_headers_are_marked() {
    let header = |required: Value| {
        let mut raw = raw();
        let headers = &mut raw["paths"]["/projects"]["post"]["responses"]["201"]["headers"];
        headers["LOCATION"]["required"] = required;
        finish(&raw).unwrap().value()["paths"]["/projects"]["post"]["responses"]["201"]["headers"]["Location"].clone()
    };
    // poem-openapi omits `required` for optional headers.
    for optional in [json!(false), Value::Null] {
        assert_eq!(
            header(optional),
            json!({"description": "Where it is.", "required": false, "schema": {"type": "string"}, "example": "/v1/projects/7"})
        );
    }
    assert_eq!(header(json!(true))["required"], Value::Null);
}

#[test]
fn examples_of_text_bodies_move_to_the_media_type() {
    let mut raw = raw();
    let content = &mut raw["paths"]["/projects"]["get"]["responses"]["200"]["content"];
    content["text/csv; charset=utf-8"] = json!({"schema": {"type": "string", "example": "id\r\n7\r\n"}});
    let document = finish(&raw).unwrap();
    assert_eq!(
        document.value()["paths"]["/projects"]["get"]["responses"]["200"]["content"]["text/csv"],
        json!({"schema": {"type": "string"}, "example": "id\r\n7\r\n"})
    );
}

#[test]
fn duplicate_paths_are_merged_and_conflicts_reported() {
    let text = raw().to_string();
    let (before, after) = text.split_once("\"/projects/popular\"").unwrap();
    let operation = |method: &str, id: &str| {
        format!(
            r#""/projects/extra":{{"{method}":{{"tags":["Projects"],"summary":"s","description":"d","operationId":"{id}","security":[{{"Bearer":[]}}],"responses":{{"204":{{"description":"d"}}}}}}}},"#
        )
    };
    let with = |blocks: String| finish_text(&format!("{before}{blocks}\"/projects/popular\"{after}"));
    let merged = with(operation("get", "getOne") + &operation("put", "putOne")).unwrap();
    assert_eq!(merged.value()["paths"]["/projects/extra"].as_object().unwrap().len(), 2);
    let error = with(operation("get", "getOne") + &operation("get", "getTwo")).unwrap_err();
    assert_eq!(error.to_string(), "document: /paths/~1projects~1extra/get is declared more than once");
}

#[test]
fn invalid_documents_return_one_defect() {
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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi-fixtures/documents/projects.json");
    let text = document().to_json();
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}

#[test]
fn options_for_missing_schemas_are_reported() {
    let mut raw = raw();
    raw["components"]["schemas"].as_object_mut().unwrap().shift_remove("Page_Project");
    let error = finish(&raw).unwrap_err().to_string();
    for expected in [
        "schema Page_Project: is in the options with the published name ProjectPage, but does not exist",
        "schema ProjectPage: has an example in the options, but does not exist",
    ] {
        assert!(error.lines().any(|line| line == expected), "{error}");
    }
}

#[test]
fn declared_errors_are_checked_against_the_options() {
    let mut raw = raw();
    raw["paths"]["/projects"]["get"]["responses"]["409"] = json!({"description": "d", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Owner"}}}});
    let error = finish(&raw).unwrap_err().to_string();
    let place = "operation listProjects, response 409";
    assert_eq!(
        error,
        format!(
            "{place}: is declared, but the options contain no error with this status\n\
         {place}: declares a body that is not ErrorEnvelope"
        )
    );
}
