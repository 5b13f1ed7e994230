//! Fixtures for the rules about parameters, bodies and responses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::fixture::{Case, base, case, cases};

pub(super) fn all() -> Vec<Case> {
    requests().into_iter().chain(responses()).chain(components()).collect()
}

fn components() -> Vec<Case> {
    let base = base();
    let components = &base["components"];
    let renamed = |expected, pointer, reference, old: &Value, at| {
        let reference = json!({ "$ref": reference });
        let changes = vec![(pointer, old.clone()), (at, reference)];
        cases(&["component-reassigned"], &["component-name-changed"], expected, changes)
    };
    let gone = &components["responses"]["Gone"];
    vec![
        renamed(
            "GET /lists/{list_id}, response 410: the response was the component Gone and is Gone2",
            "/components/responses/Gone2",
            "#/components/responses/Gone2",
            gone,
            "read:responses/410",
        ),
        renamed(
            "GET /lists/{list_id}, response 410, header Sunset: Sunset was the component Sunset and is End",
            "/components/headers/End",
            "#/components/headers/End",
            &components["headers"]["Sunset"],
            "/components/responses/Gone/headers/Sunset",
        ),
        renamed(
            "GET /lists, parameter depth: depth was the component Depth and is Levels",
            "/components/parameters/Levels",
            "#/components/parameters/Levels",
            &components["parameters"]["Depth"],
            "list:parameters/4",
        ),
        // An inline response has no name that a client could use.
        cases(
            &["component-reassigned"],
            &["elsewhere-changed"],
            "GET /lists/{list_id}, response 410: the response was the component Gone and is inline",
            vec![("read:responses/410", gone.clone())],
        ),
    ]
}

fn requests() -> Vec<Case> {
    let parameters = base()["paths"]["/lists"]["get"]["parameters"].clone();
    let with = |parameter: Value| {
        let mut parameters = parameters.clone();
        parameters.as_array_mut().unwrap().push(parameter);
        parameters
    };
    let without_q = Value::Array(parameters.as_array().unwrap()[1..].to_vec());
    let any = json!({"type": "string"});
    let optional = json!({"content": {"text/plain": {"schema": any}}});
    vec![
        case(
            "parameter-removed",
            "parameter-added",
            "GET /lists, parameter q: q in the query is removed",
            "list:parameters",
            without_q,
        ),
        // A renamed parameter is reported as removed and added.
        cases(
            &["parameter-removed", "parameter-added"],
            &["parameter-removed", "parameter-added"],
            "GET /lists, parameter q: q in the query is removed",
            vec![("list:parameters/0/name", json!("query"))],
        ),
        case(
            "parameter-moved",
            "parameter-moved",
            "GET /lists, parameter q: q was in the query and is in the header",
            "list:parameters/0/in",
            json!("header"),
        ),
        case(
            "parameter-added-required",
            "parameter-removed",
            "GET /lists, parameter sort: sort in the query is new and required",
            "list:parameters",
            with(json!({"name": "sort", "in": "query", "required": true, "schema": any})),
        ),
        case(
            "parameter-added",
            "parameter-removed",
            "GET /lists, parameter sort: sort in the query is new and optional",
            "list:parameters",
            with(json!({"name": "sort", "in": "query", "schema": any})),
        ),
        case(
            "parameter-made-required",
            "parameter-made-optional",
            "GET /lists, parameter q: q is now required",
            "list:parameters/0/required",
            json!(true),
        ),
        case(
            "parameter-empty-accepted",
            "parameter-empty-rejected",
            "GET /lists, parameter q: q may now be empty",
            "list:parameters/0/allowEmptyValue",
            json!(true),
        ),
        case(
            "parameter-encoding-changed",
            "parameter-encoding-changed",
            "GET /lists, parameter tag: tag is serialized differently (style, explode, allowReserved or content)",
            "list:parameters/2/explode",
            json!(false),
        ),
        case(
            "request-bound-narrowed",
            "request-bound-widened",
            "GET /lists, parameter q: q had the maxLength 100 and has 50",
            "list:parameters/0/schema/maxLength",
            json!(50),
        ),
        case(
            "request-bound-narrowed",
            "request-bound-widened",
            "GET /lists, parameter tag, []: tag[] had the maxLength none and has 9",
            "list:parameters/2/schema/items/maxLength",
            json!(9),
        ),
        case(
            "example-changed",
            "example-changed",
            "GET /lists, parameter q: example of q has changed",
            "list:parameters/0/example",
            json!("y"),
        ),
        case(
            "deprecated",
            "deprecation-withdrawn",
            "GET /lists, parameter q: q is now deprecated",
            "list:parameters/0/deprecated",
            json!(true),
        ),
        // Header names are case-insensitive, and defaults can be omitted.
        cases(
            &["elsewhere-changed"],
            &["elsewhere-changed"],
            "document: a part that no operation uses has changed",
            vec![
                ("list:parameters/3/name", json!("x-trace")),
                ("list:parameters/2/explode", json!(true)),
                ("list:parameters/2/style", json!("form")),
                ("list:parameters/2/required", json!(false)),
            ],
        ),
        case(
            "body-removed",
            "body-made-required",
            "POST /lists, request body: a body is no longer accepted",
            "create:requestBody",
            Value::Null,
        ),
        case(
            "body-added",
            "body-removed",
            "GET /lists, request body: an optional body is now accepted",
            "list:requestBody",
            optional,
        ),
        case(
            "body-made-optional",
            "body-made-required",
            "POST /lists, request body: the body is now optional",
            "create:requestBody/required",
            json!(false),
        ),
        case(
            "request-media-type-removed",
            "request-media-type-added",
            "POST /lists, request body: the media type text/plain is removed",
            "create:requestBody/content/text~1plain",
            Value::Null,
        ),
        cases(
            &["elsewhere-changed"],
            &["elsewhere-changed"],
            "document: a part that no operation uses has changed",
            vec![
                ("create:requestBody/content/text~1plain", Value::Null),
                ("create:requestBody/content/text~1plain; charset=UTF-8", json!({"schema": any})),
            ],
        ),
        case(
            "unknown-changed",
            "unknown-changed",
            "POST /lists, request body, text/plain: encoding of the body has changed",
            "create:requestBody/content/text~1plain/encoding",
            json!({}),
        ),
    ]
}

fn responses() -> Vec<Case> {
    let ok = base()["paths"]["/lists"]["get"]["responses"]["200"].clone();
    let error = base()["paths"]["/lists"]["get"]["responses"]["404"].clone();
    let header = json!({"schema": {"type": "string"}});
    vec![
        case(
            "status-removed",
            "status-added",
            "GET /lists, response 404: the status 404 is removed",
            "list:responses/404",
            Value::Null,
        ),
        cases(
            &["status-removed", "status-added"],
            &["status-removed", "status-added"],
            "GET /lists, response 404: the status 404 is removed",
            vec![("list:responses/404", Value::Null), ("list:responses/410", error.clone())],
        ),
        case(
            "status-added",
            "status-removed",
            "GET /lists, response 304: the status 304 is new",
            "list:responses/304",
            json!({"description": "d"}),
        ),
        case(
            "status-added",
            "status-removed",
            "GET /lists, response default: the status default is new",
            "list:responses/default",
            json!({"description": "d"}),
        ),
        case(
            "success-status-added",
            "status-removed",
            "GET /lists, response 206: the status 206 is new",
            "list:responses/206",
            ok.clone(),
        ),
        case(
            "success-status-added",
            "status-removed",
            "GET /lists, response 302: the status 302 is new",
            "list:responses/302",
            json!({"description": "d"}),
        ),
        cases(
            &["success-status-changed"],
            &["success-status-changed"],
            "GET /lists, response 200: the status 200 is now 202",
            vec![("list:responses/200", Value::Null), ("list:responses/202", ok)],
        ),
        // `4XX` includes 404, so that only the other statuses of the range are new.
        cases(
            &["status-added"],
            &["status-removed"],
            "GET /lists, response 4XX: the status 4XX is new",
            vec![("list:responses/404", Value::Null), ("list:responses/4XX", error)],
        ),
        case(
            "text-changed",
            "text-changed",
            "GET /lists, response 404: description of the response has changed",
            "list:responses/404/description",
            json!("No."),
        ),
        case(
            "link-changed",
            "link-changed",
            "GET /lists, response 404: links of the response has changed",
            "list:responses/404/links",
            json!({}),
        ),
        case(
            "response-media-type-removed",
            "response-media-type-added",
            "GET /lists, response 200: the media type text/csv is removed",
            "list:responses/200/content/text~1csv",
            Value::Null,
        ),
        case(
            "response-header-removed",
            "response-header-added",
            "GET /lists, response 200, header Link: the header Link is no longer sent",
            "list:responses/200/headers/Link",
            Value::Null,
        ),
        case(
            "response-header-added",
            "response-header-removed",
            "GET /lists, response 200, header Age: the header Age is new",
            "list:responses/200/headers/Age",
            header,
        ),
        case(
            "response-header-made-optional",
            "response-header-made-required",
            "GET /lists, response 200, header Link: the header Link is now optional",
            "list:responses/200/headers/Link/required",
            json!(false),
        ),
        case(
            "type-changed",
            "type-changed",
            "GET /lists, response 200, header ETag: ETag was string and is integer",
            "list:responses/200/headers/ETag/schema/type",
            json!("integer"),
        ),
        // Error responses are compared like other responses.
        case(
            "response-field-removed",
            "response-field-added",
            "GET /lists, response 404, application/json, message: Error.message is no longer returned",
            "schema:Error/properties/message",
            Value::Null,
        ),
        cases(
            &["schema-name-changed"],
            &["schema-name-changed"],
            "GET /lists, response 404, application/json: the body had the schema Error and has Fault",
            vec![
                ("schema:Fault", base()["components"]["schemas"]["Error"].clone()),
                ("list:responses/404/content/application~1json/schema/$ref", json!("#/components/schemas/Fault")),
            ],
        ),
    ]
}

#[test]
fn bodies() {
    for case in all() {
        case.holds();
    }
}
