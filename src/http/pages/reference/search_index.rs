//! The index of the search: operations, parameters, headers, error codes, guides and the pages of the console.

use contract::{ErrorCode, problem};
use serde_json::{Value, json};

use super::super::{guides::Guide, markdown::MarkdownSection};
use super::document::ReferenceDocument;
use super::fields;

/// Pages of the console: title, what an administrator finds there, and path.
const CONSOLE: [(&str, &str, &str); 6] = [
    ("Incidents", "Capture, find, inspect and replay failed requests", "console/incidents"),
    ("Usage", "Requests, errors and latency by operation, consumer and day", "console/usage"),
    (
        "Consumers of v1",
        "Deprecated operations, their consumers and their contacts",
        "console/usage?version=v1&group_by=consumer",
    ),
    ("API clients of the server", "Create, rotate and revoke keys", "console/api-clients"),
    ("Jobs and recurring tasks", "Retry, cancel and run background jobs", "console/jobs"),
    ("Audit log", "Security events and administrative changes", "console/audit"),
];

/// Returns the index as JSON. `url` is relative to the path of the index, `/reference/search.json`.
pub(super) fn json(documents: &[ReferenceDocument], guides: &[Guide]) -> String {
    let mut entries = Vec::new();
    for guide in guides {
        let url = format!("../guides/{}", guide.name);
        let keywords = format!("{} {}", guide.summary, guide.page.introduction);
        entries.push(entry("Guide", &guide.page.title, "", &url, &keywords));
        for section in &guide.page.sections {
            let MarkdownSection { id, title, terms, text } = section;
            let mut section = entry("Guide", title, &guide.page.title, &format!("{url}#{id}"), terms);
            section["text"] = text.as_str().into();
            entries.push(section);
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
                let keywords = format!("{} {} {}", operation.id(), words.join(" "), operation.description());
                entries.push(entry(document.version, operation.summary(), &detail, &url, &keywords));
            }
        }
    }
    for code in ErrorCode::ALL {
        let url = format!("..{}", problem::page_path(*code));
        let detail = format!("{} {}", code.status(), code.message());
        entries.push(entry("Error", code.as_str(), &detail, &url, ""));
    }
    for (title, detail, path) in CONSOLE {
        entries.push(entry("Console", title, detail, &format!("../{path}"), ""));
    }
    Value::from(entries).to_string()
}

fn entry(kind: &str, title: &str, detail: &str, url: &str, keywords: &str) -> Value {
    json!({"kind": kind, "title": title, "detail": detail, "url": url, "keywords": keywords})
}
