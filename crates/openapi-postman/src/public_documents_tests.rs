//! Tests with public documents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_model::{Document, traverse};
use serde_json::Value;

use crate::{CollectionOptions, ErrorShape, Folder, FolderOptions, collection, har, http_file};

const OPTIONS: CollectionOptions<'_> = CollectionOptions {
    name: "Public",
    description: "",
    variables: &[("origin", "http://localhost")],
    base_url: "origin",
    token: "token",
    http_variables: &[],
};

fn folder_options(name: &str) -> FolderOptions<'_> {
    FolderOptions {
        name,
        before: String::new(),
        http_before: "",
        errors: ErrorShape { code: "/code", request_id: "/id", request_id_header: "X-Request-ID" },
        headers: &[],
        documented_headers: &[],
        steps: Vec::new(),
    }
}

/// Returns the requests of a collection, at any depth.
fn requests(items: &Value) -> Vec<&Value> {
    let items = items["item"].as_array().unwrap();
    items.iter().flat_map(|item| if item.get("request").is_some() { vec![item] } else { requests(item) }).collect()
}

#[test]
fn every_operation_becomes_a_request() {
    for (name, text) in openapi_fixtures::PUBLIC {
        let document = Document::from_json(text).unwrap();
        let options = folder_options(name);
        let folders = [Folder { document: &document, options: &options }];
        let collection: Value = serde_json::from_str(&collection(&OPTIONS, &folders).unwrap()).unwrap();
        let operations = traverse::operations(document.value()).count();
        assert_eq!(requests(&collection).len(), operations, "{name}");
        assert_eq!(http_file(&OPTIONS, &folders).unwrap().matches("\n### ").count(), operations, "{name}");
        let with_success = traverse::operations(document.value())
            .filter(|entry| {
                traverse::members(entry.operation.get("responses")).any(|(status, _)| status.starts_with('2'))
            })
            .count();
        let archive: Value = serde_json::from_str(&har(&OPTIONS, &folders).unwrap()).unwrap();
        assert_eq!(archive["log"]["entries"].as_array().unwrap().len(), with_success, "{name}");
    }
}

/// The GitHub document has parameters, examples and headers in components.
#[test]
fn references_are_resolved() {
    let document = Document::from_json(openapi_fixtures::GITHUB).unwrap();
    let options = folder_options("github");
    let text = collection(&OPTIONS, &[Folder { document: &document, options: &options }]).unwrap();
    let collection: Value = serde_json::from_str(&text).unwrap();
    let all = requests(&collection);
    let create = all.iter().find(|item| item["name"] == "Create a label").unwrap();
    assert_eq!(create["request"]["url"]["raw"], "{{origin}}/repos/:owner/:repo/labels");
    let body: Value = serde_json::from_str(create["request"]["body"]["raw"].as_str().unwrap()).unwrap();
    assert_eq!(body["color"], "f29513");
    let list = all.iter().find(|item| item["name"] == "List labels for a repository").unwrap();
    let parameters: Vec<&Value> =
        list["request"]["url"]["query"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
    assert_eq!(parameters, ["per_page", "page"]);
    let codes: Vec<&Value> = list["response"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    // The documented 404 has a body without an example.
    assert_eq!(codes, [200]);
}
