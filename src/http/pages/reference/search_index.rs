//! The index of the search: operations, parameters, error codes and guides.

use contract::{ErrorCode, problem};
use serde_json::{Value, json};

use super::super::guides::Guide;
use super::document::ReferenceDocument;
use super::fields;

/// Returns the index as JSON. `url` is relative to the path of the index, `/reference/search.json`.
pub(super) fn json(documents: &[ReferenceDocument], guides: &[Guide]) -> String {
    let mut entries = Vec::new();
    for guide in guides {
        let url = format!("../guides/{}", guide.name);
        entries.push(entry("Guide", &guide.page.title, "", &url, ""));
        for (id, section) in &guide.page.sections {
            entries.push(entry("Guide", section, &guide.page.title, &format!("{url}#{id}"), ""));
        }
    }
    for document in documents {
        for tag in document.tags() {
            for operation in &tag.operations {
                let mut words: Vec<&str> = operation.parameters().iter().map(|parameter| parameter.name).collect();
                if let Some((body, _)) = operation.request_body() {
                    let fields = body.schema.map(|schema| fields::fields_of(document.value, schema, false));
                    words.extend(fields.unwrap_or_default().iter().map(|field| field.name));
                }
                let url = format!("{}/{}#{}", document.version, tag.segment, operation.id());
                let detail = format!("{} {}", operation.method(), operation.path);
                let keywords = format!("{} {}", operation.id(), words.join(" "));
                entries.push(entry(document.version, operation.summary(), &detail, &url, &keywords));
            }
        }
    }
    for code in ErrorCode::ALL {
        let url = format!("..{}", problem::page_path(*code));
        let detail = format!("{} {}", code.status(), code.message());
        entries.push(entry("Error", code.as_str(), &detail, &url, ""));
    }
    Value::from(entries).to_string()
}

fn entry(kind: &str, title: &str, detail: &str, url: &str, keywords: &str) -> Value {
    json!({"kind": kind, "title": title, "detail": detail, "url": url, "keywords": keywords})
}
