//! Fixtures for the rules about the document, its operations and their security requirements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::fixture::{Case, base, case, cases};

const ELSEWHERE: &str = "document: a part that no operation uses has changed";

pub(super) fn all() -> Vec<Case> {
    let read = base()["paths"]["/lists/{list_id}"].clone();
    let renamed = {
        let mut read = read.clone();
        read["parameters"][0]["name"] = json!("id");
        read
    };
    let moved = base()["paths"]["/lists"]["post"].clone();
    let parameters = read["parameters"].clone();
    let deleted = json!({"responses": {"204": {"description": "Gone."}}});
    vec![
        case(
            "path-removed",
            "operation-added",
            "GET /lists/{list_id}: the path /lists/{list_id} is removed",
            "/paths/~1lists~1{list_id}",
            Value::Null,
        ),
        case(
            "operation-removed",
            "operation-added",
            "POST /lists: the operation is removed",
            "/paths/~1lists/post",
            Value::Null,
        ),
        case(
            "operation-added",
            "operation-removed",
            "DELETE /lists/{list_id}: the operation is new",
            "/paths/~1lists~1{list_id}/delete",
            deleted,
        ),
        cases(
            &["operation-moved"],
            &["operation-moved"],
            "POST /lists: createList is now at PUT /lists",
            vec![("/paths/~1lists/post", Value::Null), ("/paths/~1lists/put", moved)],
        ),
        cases(
            &["operation-moved"],
            &["operation-moved"],
            "GET /lists/{list_id}: readList is now at GET /list/{list_id}",
            vec![("/paths/~1lists~1{list_id}", Value::Null), ("/paths/~1list~1{list_id}", read)],
        ),
        cases(
            &["path-parameter-renamed"],
            &["path-parameter-renamed"],
            "GET /lists/{list_id}, parameter list_id: list_id is renamed to id",
            vec![("/paths/~1lists~1{list_id}", Value::Null), ("/paths/~1lists~1{id}", renamed)],
        ),
        case(
            "operation-id-changed",
            "operation-id-changed",
            "GET /lists: the operationId was listLists and is getLists",
            "list:operationId",
            json!("getLists"),
        ),
        case(
            "security-added",
            "security-relaxed",
            "GET /lists/{list_id}: a request with previously sufficient credentials is rejected",
            "read:security",
            Value::Null,
        ),
        case(
            "security-added",
            "security-relaxed",
            "POST /lists: a request with previously sufficient credentials is rejected",
            "create:security",
            json!([{"bearer": ["lists:write"]}]),
        ),
        case(
            "security-added",
            "security-relaxed",
            "POST /lists: a request with previously sufficient credentials is rejected",
            "create:security",
            json!([{"bearer": [], "key": []}]),
        ),
        cases(
            &["security-added", "security-relaxed"],
            &["security-added", "security-relaxed"],
            "POST /lists: a request with previously sufficient credentials is rejected",
            vec![("create:security", json!([{"key": []}]))],
        ),
        case(
            "security-relaxed",
            "security-added",
            "POST /lists: a request with previously insufficient credentials is accepted",
            "create:security",
            json!([{"bearer": []}, {"key": []}]),
        ),
        cases(
            &["security-added", "security-added", "security-relaxed", "security-relaxed"],
            &["security-added", "security-added", "security-relaxed", "security-relaxed"],
            "GET /lists: a request with previously sufficient credentials is rejected",
            vec![("/components/securitySchemes/bearer/scheme", json!("basic"))],
        ),
        // The name of a security scheme is not part of a request.
        cases(
            &["elsewhere-changed"],
            &["elsewhere-changed"],
            ELSEWHERE,
            vec![
                ("/security", json!([{"jwt": []}])),
                ("/components/securitySchemes/jwt", json!({"type": "http", "scheme": "Bearer", "description": "d"})),
            ],
        ),
        cases(
            &["server-removed", "server-added"],
            &["server-removed", "server-added"],
            "document, servers: the server /v1/ is removed",
            vec![("/servers/0/url", json!("/v2"))],
        ),
        case(
            "server-added",
            "server-removed",
            "document, servers: the server https://example.com/v1/ is new",
            "/servers",
            json!([{"url": "/v1", "description": "This server"}, {"url": "https://example.com/v1"}]),
        ),
        case(
            "webhook-removed",
            "webhook-added",
            "webhook list.done: the event list.done is no longer sent",
            "/x-webhooks/list.done",
            Value::Null,
        ),
        case(
            "response-field-added",
            "response-field-removed",
            "webhook list.done, body, application/json, name: Event.name is new",
            "schema:Event/properties/name",
            json!({"type": "string"}),
        ),
        case(
            "deprecated",
            "deprecation-withdrawn",
            "GET /lists: the operation is now deprecated",
            "list:deprecated",
            json!(true),
        ),
        case(
            "text-changed",
            "text-changed",
            "GET /lists: summary of the operation has changed",
            "list:summary",
            json!("All."),
        ),
        case(
            "text-changed",
            "text-changed",
            "document, info: the info object has changed",
            "/info/version",
            json!("1.1.0"),
        ),
        case(
            "text-changed",
            "text-changed",
            "document, servers: the servers are described differently",
            "/servers/0/description",
            json!("Here"),
        ),
        case(
            "tag-changed",
            "tag-changed",
            "GET /lists: tags of the operation has changed",
            "list:tags",
            json!(["All"]),
        ),
        case("tag-changed", "tag-changed", "document, tags: the tags have changed", "/tags", json!([])),
        case(
            "extension-changed",
            "extension-changed",
            "GET /lists: x-owner of the operation has changed",
            "list:x-owner",
            json!("us"),
        ),
        case(
            "unknown-changed",
            "unknown-changed",
            "GET /lists: callbacks of the operation has changed",
            "list:callbacks",
            json!({"a": {}}),
        ),
        case("elsewhere-changed", "elsewhere-changed", ELSEWHERE, "schema:Unused/type", json!("string")),
        // A parameter can be declared on the path or on the operation.
        cases(
            &["elsewhere-changed"],
            &["elsewhere-changed"],
            ELSEWHERE,
            vec![("/paths/~1lists~1{list_id}/parameters", Value::Null), ("read:parameters", parameters)],
        ),
    ]
}

#[test]
fn operations() {
    for case in all() {
        case.holds();
    }
}
