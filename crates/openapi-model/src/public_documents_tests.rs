//! Tests with public documents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_fixtures::{GITHUB, PETSTORE, PUBLIC, USPTO, set};
use serde_json::{Value, json};

use crate::{BodyError, CompiledDocument, Document, Kind, compare_with_3_1, diff};

fn document(text: &str) -> Document {
    Document::from_json(text).unwrap()
}

fn operation_ids(compiled: &CompiledDocument) -> Vec<&str> {
    compiled.operations().map(|operation| operation.id.as_str()).collect()
}

#[test]
fn documents_are_written_with_the_same_content() {
    for (name, text) in PUBLIC {
        let read = document(text);
        assert_eq!(read.value(), &serde_json::from_str::<Value>(text).unwrap(), "{name}");
        assert_eq!(document(&read.to_json()), read, "{name}");
        let yaml: Value = serde_saphyr::from_str(&read.to_yaml()).unwrap();
        assert_eq!(&yaml, read.value(), "{name}");
        assert_eq!(read.unresolved_references(), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn documents_are_equivalent_in_openapi_3_1() {
    for (name, text) in PUBLIC {
        let read = document(text);
        assert_eq!(compare_with_3_1(&read, &read.to_openapi_3_1()), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn documents_do_not_differ_from_themselves() {
    for (name, text) in PUBLIC {
        assert_eq!(diff(&document(text), &document(text)), [], "{name}");
    }
}

#[test]
fn changes_are_classified() {
    let label = "/components/schemas/label";
    let page = "/components/parameters/per-page/required";
    let order = "/paths/~1store~1order/post";
    for (text, pointer, value, expected) in [
        (GITHUB, format!("{label}/properties/color"), Value::Null, (Kind::Breaking, "response-field-removed")),
        (
            GITHUB,
            format!("{label}/properties/archived"),
            json!({"type": "boolean"}),
            (Kind::Additive, "response-field-added"),
        ),
        (GITHUB, page.to_owned(), json!(true), (Kind::Breaking, "parameter-made-required")),
        (PETSTORE, format!("{order}/operationId"), json!("createOrder"), (Kind::Breaking, "operation-id-changed")),
        (PETSTORE, format!("{order}/deprecated"), json!(true), (Kind::Additive, "deprecated")),
        (USPTO, "/paths/~1/get".to_owned(), Value::Null, (Kind::Breaking, "operation-removed")),
        (USPTO, "/info/title".to_owned(), json!("Data sets"), (Kind::Neutral, "text-changed")),
    ] {
        let mut changed: Value = serde_json::from_str(text).unwrap();
        set(&mut changed, &pointer, value);
        let found = diff(&document(text), &Document::from_value(changed).unwrap());
        assert!(!found.is_empty(), "{pointer}");
        for difference in found {
            assert_eq!((difference.kind, difference.rule), expected, "{pointer}: {difference}");
        }
    }
}

#[test]
fn requests_are_routed_and_validated() {
    let petstore = CompiledDocument::compile(&document(PETSTORE)).unwrap();
    assert_eq!((petstore.base(), operation_ids(&petstore).len()), ("/v2", 20));
    let found = petstore.find("/v2/pet/seven").unwrap();
    let get = found.item.operation("GET").unwrap();
    let violations = get.validate_parameters(&found.params, Some("verbose=1"));
    let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        violations,
        ["path parameter petId must be an integer", "query parameter verbose is not a known parameter"]
    );
    // The body is a component with two media types.
    let add = petstore.find("/v2/pet").unwrap().item.operation("POST").unwrap();
    assert_eq!(add.request_media_types, ["application/json", "application/xml"]);
    let BodyError::Invalid(violations) =
        add.body().unwrap().read(br#"{"name": "Rex", "status": "eaten", "tags": [{"id": "1"}]}"#).unwrap_err()
    else {
        panic!("the body is JSON");
    };
    let mut violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
    violations.sort();
    assert_eq!(
        violations,
        ["/photoUrls is required", "/status must be one of: available, pending, sold", "/tags/0/id must be an integer"]
    );
}

#[test]
fn responses_are_validated() {
    let github = CompiledDocument::compile(&document(GITHUB)).unwrap();
    let list = github.find("/repos/octocat/hello/labels").unwrap().item.operation("GET").unwrap();
    let headers = [
        ("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()),
        ("Link".to_owned(), "<https://api.github.com/>; rel=\"next\"".to_owned()),
    ];
    let labels = json!([{
        "id": 208_045_946, "node_id": "MDU6TGFiZWwyMDgwNDU5NDY=", "url": "https://api.github.com/labels/bug", "name": "bug",
        "description": null, "color": "f29513", "default": true
    }]);
    assert_eq!(list.check_response(200, &headers, labels.to_string().as_bytes()), Vec::<String>::new());
    let found = list.check_response(200, &headers[..1], br#"[{"id": "1"}]"#);
    assert!(found.contains(&"header Link is missing".to_owned()), "{found:?}");
    assert!(found.contains(&"/0/id must be an integer, but is \"1\"".to_owned()), "{found:?}");
}
