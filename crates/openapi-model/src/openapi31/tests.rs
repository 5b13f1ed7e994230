#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_fixtures::set;
use serde_json::{Value, json};

use super::{OpenApi31Document, compare_with_3_1};
use crate::{Document, fixture::document};

/// Converts a document with an additional schema and returns the converted schema.
fn to_openapi_3_1(schema: Value) -> Value {
    let mut value = document().value().clone();
    value["components"]["schemas"]["Extra"] = schema;
    let old = Document::from_json(&value.to_string()).unwrap();
    let new = old.to_openapi_3_1();
    assert_eq!(compare_with_3_1(&old, &new), Vec::<String>::new());
    new.value()["components"]["schemas"]["Extra"].clone()
}

#[test]
fn schemas_are_converted() {
    let owner = "#/components/schemas/Owner";
    for (old, new) in [
        (
            json!({"type": "string", "maxLength": 3, "example": "a"}),
            json!({"type": "string", "maxLength": 3, "examples": ["a"]}),
        ),
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (json!({"type": "string", "nullable": false}), json!({"type": "string"})),
        (
            json!({"type": "string", "nullable": true, "enum": ["a", null]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"type": "object", "nullable": true, "description": "d", "allOf": [{"$ref": owner}], "example": null}),
            json!({"description": "d", "anyOf": [{"$ref": owner}, {"type": "null"}], "examples": [null]}),
        ),
        (
            json!({"nullable": true, "allOf": [{"$ref": owner}], "minProperties": 1}),
            json!({"anyOf": [{"minProperties": 1, "allOf": [{"$ref": owner}]}, {"type": "null"}]}),
        ),
        (
            json!({"description": "d", "allOf": [{"$ref": owner}]}),
            json!({"description": "d", "allOf": [{"$ref": owner}]}),
        ),
        (
            json!({"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false}),
            json!({"type": "number", "exclusiveMinimum": 1, "maximum": 9}),
        ),
        (
            json!({"type": "integer", "format": "int32", "minimum": 0}),
            json!({"type": "integer", "format": "int32", "minimum": 0}),
        ),
        (
            json!({"type": "array", "maxItems": 2, "items": {"type": "integer", "format": "int64", "nullable": true}}),
            json!({"type": "array", "maxItems": 2, "items": {"type": ["integer", "null"], "format": "int64"}}),
        ),
        (
            json!({"type": "object", "properties": {"example": {"type": "string", "nullable": true}}, "additionalProperties": false}),
            json!({"type": "object", "properties": {"example": {"type": ["string", "null"]}}, "additionalProperties": false}),
        ),
    ] {
        assert_eq!(to_openapi_3_1(old.clone()), new, "{old}");
    }
}

#[test]
fn document_is_converted_and_in_canonical_order() {
    let mut value = document().value().clone();
    value["x-webhooks"] =
        json!({"done": {"post": {"operationId": "onDone", "responses": {"204": {"description": "d"}}}}});
    let old = Document::from_json(&value.to_string()).unwrap();
    let new = old.to_openapi_3_1();
    assert_eq!(compare_with_3_1(&old, &new), Vec::<String>::new());
    assert!(
        new.to_json()
            .starts_with("{\n  \"openapi\": \"3.1.0\",\n  \"jsonSchemaDialect\": \"https://spec.openapis.org/")
    );
    assert!(new.value()["webhooks"]["done"].is_object() && new.value().get("x-webhooks").is_none());
    let text = new.to_json();
    for word in ["nullable", "x-webhooks"] {
        assert!(!text.contains(&format!("\"{word}\":")), "{word}");
    }
    let yaml: Value = serde_saphyr::from_str(&new.to_yaml()).unwrap();
    assert_eq!(&yaml, new.value());
}

/// Any change of the 3.1 form is reported.
#[test]
fn differences_from_the_3_0_document_are_reported() {
    let old = document();
    let new = old.to_openapi_3_1();
    assert_eq!(compare_with_3_1(&old, &new), Vec::<String>::new());
    let schema = "/components/schemas/ProjectCreate";
    let list = "/paths/~1projects/get";
    for (at, value, expected) in [
        (format!("{list}/operationId"), json!("list"), "/paths/~1projects/get/operationId is \"listProjects\" in 3.0"),
        (format!("{list}/responses/418"), json!({"description": "d"}), "/responses/418 is in 3.1 only"),
        ("/paths/~1projects/post".to_owned(), Value::Null, "/paths/~1projects/post is "),
        (format!("{list}/parameters/0/required"), json!(true), "/parameters/0/required is in 3.1 only"),
        (
            format!("{list}/parameters/0/schema/maximum"),
            json!(999),
            "/parameters/0/schema/high/0 is 1000 in 3.0 and 999 in 3.1",
        ),
        (
            format!("{schema}/properties/name/maxLength"),
            json!(11),
            "/properties/name/maxLength is 10 in 3.0 and 11 in 3.1",
        ),
        (format!("{schema}/properties/name/type"), json!(["string", "null"]), "schema ProjectCreate: only 3.1 accepts"),
        (format!("{schema}/properties/more"), json!({"type": "string"}), "/properties/more is in 3.1 only"),
        (format!("{schema}/required"), Value::Null, "schema ProjectCreate: only 3.1 accepts"),
        (format!("{schema}/properties/rank/maximum"), json!(true), "schema ProjectCreate of 3.1 does not compile: "),
    ] {
        let mut value_31 = new.value().clone();
        set(&mut value_31, &at, value);
        let found = compare_with_3_1(&old, &OpenApi31Document { value: value_31 });
        assert!(found.iter().any(|one| one.contains(expected)), "{expected}: {found:#?}");
    }
}
