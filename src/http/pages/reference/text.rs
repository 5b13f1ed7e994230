//! The description of an operation as Markdown, for programs.

use std::fmt::Write as _;

use contract::problem;
use serde_json::Value;

use super::{
    document::{ReferenceBody, ReferenceDocument, ReferenceOperation},
    fields::{self, Field},
};

/// Returns the page of an operation. Links are relative to its path, `/reference/v2/createItem.md`.
pub(super) fn markdown(document: &ReferenceDocument, operation: &ReferenceOperation) -> String {
    let mut text =
        format!("# {}\n\n`{} {}` (`{}`)\n\n", operation.summary(), operation.method(), operation.path, operation.id());
    if operation.is_deprecated() {
        text.push_str("**Deprecated.**\n\n");
    }
    let _ = writeln!(text, "{}\n\n{}", operation.description(), operation.authentication());
    let parameters = operation.parameters();
    if !parameters.is_empty() {
        let fields: Vec<Field<'_>> = parameters
            .iter()
            .map(|parameter| Field {
                name: parameter.name,
                notes: if parameter.is_required {
                    vec![parameter.location, "required"]
                } else {
                    vec![parameter.location]
                },
                description: parameter.description,
                schema: parameter.schema,
            })
            .collect();
        let _ = write!(text, "\n## Parameters\n\n{}", fields::markdown_list(document.value, &fields));
    }
    if let Some((body, media_types)) = operation.request_body() {
        let _ = writeln!(text, "\n## Request body\n\n`{}`\n", media_types.join("`, `"));
        text.push_str(&body_text(document, body, true));
    }
    if let Some((status, description, body, media_types)) = operation.success() {
        let _ = writeln!(text, "\n## Response\n\n`{status}`: {description}");
        if let Some(body) = body {
            let _ = write!(text, "\n`{}`\n\n{}", media_types.join("`, `"), body_text(document, body, false));
        }
    }
    text.push_str("\n## Errors\n\n");
    for (status, codes) in operation.errors() {
        for code in codes {
            let (page, name) = (problem::page_path(code), code.as_str());
            let _ = writeln!(text, "- {status} [{name}](../..{page}): {}", code.message());
        }
    }
    text.push_str("\n## Code samples\n\nThe samples read `BASE_URL` and `TOKEN` from the environment.\n");
    for sample in operation.samples.iter().flat_map(|samples| &samples.samples) {
        let (label, id, source) = (sample.language.label(), sample.language.id(), &sample.source);
        let _ = writeln!(text, "\n### {label}\n\n```{}\n{source}```", if id == "curl" { "sh" } else { id });
    }
    text
}

fn body_text(document: &ReferenceDocument, body: ReferenceBody, is_request: bool) -> String {
    let fields = body.schema.map(|schema| fields::fields_of(document.value, schema, is_request)).unwrap_or_default();
    let mut text = fields::markdown_list(document.value, &fields);
    if let Some(example) = body.example {
        let (language, example) = match example {
            Value::String(example) => ("text", example.trim_end().to_owned()),
            json => ("json", format!("{json:#}")),
        };
        let separator = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{separator}```{language}\n{example}\n```");
    }
    text
}
