//! Fixtures for the rules about values, in requests and in responses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::fixture::{Case, base, case, cases, document};
use super::{diff, rules};

pub(super) fn all() -> Vec<Case> {
    requests().into_iter().chain(responses()).collect()
}

fn requests() -> Vec<Case> {
    vec![
        case(
            "request-field-removed",
            "request-field-added",
            "POST /lists, request body, application/json, note: ListCreate.note is no longer accepted",
            "schema:ListCreate/properties/note",
            Value::Null,
        ),
        cases(
            &["request-field-removed", "request-field-added-required"],
            &["request-field-removed", "request-field-added-required"],
            "POST /lists, request body, application/json, name: ListCreate.name is no longer accepted",
            vec![
                ("schema:ListCreate/properties/name", Value::Null),
                ("schema:ListCreate/properties/title", json!({"type": "string"})),
                ("schema:ListCreate/required/0", json!("title")),
            ],
        ),
        case(
            "request-field-made-required",
            "request-field-made-optional",
            "POST /lists, request body, application/json, note: ListCreate.note is now required",
            "schema:ListCreate/required",
            json!(["name", "note"]),
        ),
        case(
            "request-field-made-required",
            "request-field-made-optional",
            "POST /lists, request body, application/json, elsewhere: ListCreate.elsewhere is now required",
            "schema:ListCreate/required",
            json!(["name", "elsewhere"]),
        ),
        case(
            "request-null-rejected",
            "request-null-accepted",
            "POST /lists, request body, application/json, note: ListCreate.note may no longer be null",
            "schema:ListCreate/properties/note/nullable",
            json!(false),
        ),
        case(
            "request-enum-narrowed",
            "request-enum-widened",
            "GET /lists, parameter state: State no longer has the value done",
            "schema:State/enum",
            json!(["open"]),
        ),
        case(
            "request-enum-narrowed",
            "request-enum-widened",
            "POST /lists, request body, application/json, note: ListCreate.note is now an enumeration",
            "schema:ListCreate/properties/note/enum",
            json!(["a"]),
        ),
        bound("maxLength", json!(99), "ListCreate.name had the maxLength 100 and has 99"),
        bound("minLength", json!(2), "ListCreate.name had the minLength 1 and has 2"),
        cases(
            &["request-bound-narrowed"],
            &["request-bound-narrowed"],
            "POST /lists, request body, application/json, name: ListCreate.name had the pattern ^[a-z] and has ^[a-y]",
            vec![("schema:ListCreate/properties/name/pattern", json!("^[a-y]"))],
        ),
        case(
            "request-bound-widened",
            "request-bound-narrowed",
            "POST /lists, request body, application/json, name: ListCreate.name had the pattern ^[a-z] and has none",
            "schema:ListCreate/properties/name/pattern",
            Value::Null,
        ),
        case(
            "request-bound-narrowed",
            "request-bound-widened",
            "POST /lists, request body, application/json, rank: ListCreate.rank had the exclusiveMinimum none and has true",
            "schema:ListCreate/properties/rank/exclusiveMinimum",
            json!(true),
        ),
        case(
            "request-bound-narrowed",
            "request-bound-widened",
            "POST /lists, request body, application/json, rank: ListCreate.rank had the maximum 9 and has 8.5",
            "schema:ListCreate/properties/rank/maximum",
            json!(8.5),
        ),
        case(
            "request-bound-narrowed",
            "request-bound-widened",
            "POST /lists, request body, application/json, labels: ListCreate.labels had the uniqueItems none and has true",
            "schema:ListCreate/properties/labels/uniqueItems",
            json!(true),
        ),
        case(
            "default-changed",
            "default-changed",
            "POST /lists, request body, application/json, rank: ListCreate.rank had the default 5 and has 6",
            "schema:ListCreate/properties/rank/default",
            json!(6),
        ),
        case(
            "default-changed",
            "default-added",
            "POST /lists, request body, application/json, rank: ListCreate.rank had the default 5 and has none",
            "schema:ListCreate/properties/rank/default",
            Value::Null,
        ),
        case(
            "request-object-opened",
            "request-object-closed",
            "POST /lists, request body, application/json, *: ListCreate.* (undocumented fields) are now allowed",
            "schema:ListCreate/additionalProperties",
            Value::Null,
        ),
        case(
            "request-object-opened",
            "request-object-closed",
            "POST /lists, request body, application/json, *: ListCreate.* (undocumented fields) are now allowed if they match a schema",
            "schema:ListCreate/additionalProperties",
            json!({"type": "string"}),
        ),
        case(
            "request-object-closed",
            "request-object-opened",
            "POST /lists, request body, application/json, labels[].*: Label.* (undocumented fields) must now match a schema",
            "schema:Label/additionalProperties",
            json!({"type": "string"}),
        ),
        case(
            "request-choice-removed",
            "request-choice-added",
            "POST /lists, request body, application/json, shape: ListCreate.shape can no longer be Square",
            "schema:ListCreate/properties/shape/oneOf",
            json!([{"$ref": "#/components/schemas/Round"}]),
        ),
        case(
            "type-changed",
            "type-changed",
            "POST /lists, request body, application/json, shape.radius: Round.radius was number and is string",
            "schema:Round/properties/radius/type",
            json!("string"),
        ),
        case(
            "type-changed",
            "type-changed",
            "POST /lists, request body, application/json, labels[]: Label was object and is anything",
            "schema:Label/type",
            Value::Null,
        ),
        case(
            "unknown-changed",
            "unknown-changed",
            "POST /lists, request body, application/json, shape: ListCreate.shape has another discriminator",
            "schema:ListCreate/properties/shape/discriminator",
            json!({"propertyName": "kind"}),
        ),
        case(
            "unknown-changed",
            "unknown-changed",
            "POST /lists, request body, application/json, note: readOnly of ListCreate.note has changed",
            "schema:ListCreate/properties/note/readOnly",
            json!(true),
        ),
    ]
}

fn bound(key: &str, value: Value, expected: &str) -> Case {
    let expected = format!("POST /lists, request body, application/json, name: {expected}");
    let pointer = format!("schema:ListCreate/properties/name/{key}");
    case("request-bound-narrowed", "request-bound-widened", expected.leak(), pointer.leak(), value)
}

fn responses() -> Vec<Case> {
    let of = |required: Value| vec![("schema:List/required", required)];
    vec![
        case(
            "response-field-removed",
            "response-field-added",
            "GET /lists/{list_id}, response 200, application/json, hint: List.hint is no longer returned",
            "schema:List/properties/hint",
            Value::Null,
        ),
        case(
            "response-field-removed",
            "response-field-added",
            "GET /lists, response 200, application/json, [].id: Row.id is no longer returned",
            "schema:Row/properties/id",
            Value::Null,
        ),
        cases(
            &["response-field-made-optional"],
            &["response-field-made-required"],
            "GET /lists/{list_id}, response 200, application/json, name: List.name is now optional",
            of(json!(["id", "note", "kind", "parent"])),
        ),
        case(
            "response-made-nullable",
            "response-never-null",
            "GET /lists/{list_id}, response 200, application/json, name: List.name may now be null",
            "schema:List/properties/name/nullable",
            json!(true),
        ),
        case(
            "response-never-null",
            "response-made-nullable",
            "GET /lists/{list_id}, response 200, application/json, parent: List.parent may no longer be null",
            "schema:List/properties/parent/nullable",
            json!(false),
        ),
        case(
            "response-made-nullable",
            "response-never-null",
            "GET /lists/{list_id}, response 200, application/json, kind: List.kind may now be null",
            "schema:List/properties/kind",
            json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/Kind"}]}),
        ),
        case(
            "response-enum-widened",
            "response-enum-narrowed",
            "GET /lists/{list_id}, response 200, application/json, kind: Kind has the new value secret",
            "schema:Kind/enum",
            json!(["plain", "shared", "secret"]),
        ),
        case(
            "response-enum-narrowed",
            "response-enum-widened",
            "GET /lists, response 404, application/json, code: Error.code no longer has the value LIST_HIDDEN",
            "schema:Error/properties/code/enum",
            json!(["LIST_GONE"]),
        ),
        case(
            "response-enum-dropped",
            "response-enum-added",
            "GET /lists/{list_id}, response 200, application/json, kind: Kind is no longer an enumeration",
            "schema:Kind/enum",
            Value::Null,
        ),
        cases(
            &["response-bound-changed"],
            &["response-bound-changed"],
            "GET /lists/{list_id}, response 200, application/json, name: List.name had the maxLength 100 and has 200",
            vec![("schema:List/properties/name/maxLength", json!(200))],
        ),
        case(
            "format-changed",
            "format-changed",
            "GET /lists/{list_id}, response 200, application/json, id: List.id had the format int64 and has int32",
            "schema:List/properties/id/format",
            json!("int32"),
        ),
        case(
            "type-changed",
            "type-changed",
            "GET /lists/{list_id}, response 200, application/json, id: List.id was integer and is string",
            "schema:List/properties/id/type",
            json!("string"),
        ),
        case(
            "response-choice-removed",
            "response-choice-added",
            "GET /lists/{list_id}, response 200, application/json, done: List.done can no longer be string",
            "schema:List/properties/done/oneOf",
            json!([{"type": "boolean"}]),
        ),
        cases(
            &["response-openness-changed"],
            &["response-openness-changed"],
            "GET /lists/{list_id}, response 200, application/json, *: List.* (undocumented fields) are no longer allowed",
            vec![("schema:List/additionalProperties", json!(false))],
        ),
        cases(
            &["schema-name-changed"],
            &["elsewhere-changed"],
            "GET /lists/{list_id}, response 200, application/json, kind: List.kind had the schema Kind and has an inline schema",
            vec![("schema:List/properties/kind", json!({"type": "string", "enum": ["plain", "shared"]}))],
        ),
        case(
            "example-changed",
            "example-changed",
            "GET /lists/{list_id}, response 200, application/json: example of List has changed",
            "schema:List/example",
            json!({"id": 2}),
        ),
        case(
            "text-changed",
            "text-changed",
            "GET /lists/{list_id}, response 200, application/json: description of List has changed",
            "schema:List/description",
            json!("One."),
        ),
        case(
            "deprecated",
            "deprecation-withdrawn",
            "GET /lists/{list_id}, response 200, application/json, hint: List.hint is now deprecated",
            "schema:List/properties/hint/deprecated",
            json!(true),
        ),
    ]
}

#[test]
fn schemas() {
    for case in all() {
        case.holds();
    }
}

/// The members of an `allOf` are merged into one schema, and the stricter limit applies.
#[test]
fn composed_schemas_are_compared_as_one() {
    let mut composed = base();
    composed["components"]["schemas"]["Row"] =
        json!({"allOf": [{"type": "object", "required": ["id"]}, {"properties": {"id": {"type": "integer"}}}]});
    let name = json!({"allOf": [{"maxLength": 100}, {"maxLength": 900, "minLength": 1}], "type": "string", "pattern": "^[a-z]"});
    composed["components"]["schemas"]["ListCreate"]["properties"]["name"] = name;
    let found = diff(&document(&base()), &document(&composed));
    assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), [rules::ELSEWHERE_CHANGED.id]);
}

/// The comparison of circular references through fields, choices and `allOf` ends and still finds other differences.
#[test]
fn circular_references_are_compared_once() {
    let mut old = base();
    old["components"]["schemas"]["List"] = json!({
        "allOf": [{"$ref": "#/components/schemas/List"}, {"$ref": "#/components/schemas/Tree"}],
        "properties": {"next": {"oneOf": [{"$ref": "#/components/schemas/List"}]}, "name": {"type": "string"}}
    });
    old["components"]["schemas"]["Tree"] = json!({
        "type": "object",
        "properties": {"next": {"$ref": "#/components/schemas/Tree"}, "others": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}
    });
    old["components"]["schemas"]["Kind"] = json!({"$ref": "#/components/schemas/Kind"});
    let mut new = old.clone();
    new["components"]["schemas"]["List"]["properties"]["name"]["type"] = json!("integer");
    let (old, new) = (document(&old), document(&new));
    assert_eq!(diff(&old, &old), []);
    let found = diff(&old, &new);
    assert!(found.iter().all(|one| one.rule == "type-changed") && !found.is_empty(), "{found:#?}");
}
