//! The description of an operation as HTML.

use std::{collections::BTreeSet, fmt::Write as _};

use contract::problem;
use serde_json::Value;

use super::super::{markdown, template::escape_html};
use super::{
    document::{ReferenceBody, ReferenceDocument, ReferenceOperation, TagPage},
    fields::{self, Field},
};

/// Returns the section of an operation, and adds the object schemas that it refers to.
pub(super) fn html(
    document: &ReferenceDocument,
    tag: &TagPage,
    operation: &ReferenceOperation,
    objects: &mut BTreeSet<&'static str>,
) -> String {
    let (id, version) = (operation.id(), document.version);
    let (summary, method, path) = (escape_html(operation.summary()), operation.method(), escape_html(&operation.path));
    let deprecated = if operation.is_deprecated() { " <span class=\"tag warning\">Deprecated</span>" } else { "" };
    let description = markdown::html(operation.description());
    let mut text = String::new();
    let _ = writeln!(text, "{description}<p class=\"note\">{}</p>", operation.authentication());
    text.push_str(&parameters(document, operation, objects));
    if let Some((body, media_types)) = operation.request_body() {
        let types = code_list(&media_types);
        let _ = writeln!(text, "<h3>Request body</h3>\n<p class=\"note\">{types}</p>");
        text.push_str(&body_fields(document, body, true, objects));
    }
    text.push_str(&response(document, operation, objects));
    text.push_str(&errors(operation));
    let (tag_name, lower_method) = (tag.name, method.to_lowercase());
    let try_it = format!("/docs?contract={version}#/{tag_name}/{id}");
    format!(
        "<section class=\"operation\" id=\"{id}\" aria-labelledby=\"{id}-title\">\n\
         <h2 id=\"{id}-title\">{summary}{deprecated}</h2>\n\
         <p class=\"endpoint\"><span class=\"method {lower_method}\">{method}</span> <code>{path}</code></p>\n\
         <div class=\"columns\">\n<div class=\"text\">\n{text}</div>\n<div class=\"examples\">\n{}\
         <p class=\"links\"><a href=\"{try_it}\" aria-label=\"Try it: {summary}\">Try it</a> \
         <a href=\"/reference/{version}/{id}.md\" aria-label=\"Markdown: {summary}\">Markdown</a></p>\n</div>\n</div>\n</section>\n",
        examples(operation)
    )
}

fn parameters(
    document: &ReferenceDocument,
    operation: &ReferenceOperation,
    objects: &mut BTreeSet<&'static str>,
) -> String {
    let parameters = operation.parameters();
    if parameters.is_empty() {
        return String::new();
    }
    let fields: Vec<Field<'static>> = parameters
        .iter()
        .map(|parameter| Field {
            name: parameter.name,
            notes: if parameter.is_required { vec![parameter.location, "required"] } else { vec![parameter.location] },
            description: parameter.description,
            schema: parameter.schema,
        })
        .collect();
    format!("<h3>Parameters</h3>\n{}", fields::html(document.value, &fields, objects))
}

/// Returns the fields of a body; those of responses are described once per page.
fn body_fields(
    document: &ReferenceDocument,
    body: ReferenceBody,
    is_request: bool,
    objects: &mut BTreeSet<&'static str>,
) -> String {
    let Some(schema) = body.schema else { return String::new() };
    let component = fields::component(schema);
    match component.filter(|_| !is_request) {
        Some(name) => {
            objects.insert(name);
            format!("<p>Returns <a href=\"#schema-{name}\">{name}</a>.</p>\n")
        }
        None => {
            let fields = fields::fields_of(document.value, schema, is_request);
            if fields.is_empty() { String::new() } else { fields::html(document.value, &fields, objects) }
        }
    }
}

fn response(
    document: &ReferenceDocument,
    operation: &ReferenceOperation,
    objects: &mut BTreeSet<&'static str>,
) -> String {
    let Some((status, description, body, media_types)) = operation.success() else { return String::new() };
    let mut text = format!("<h3>Response</h3>\n<p><code>{status}</code> {}</p>\n", escape_html(description));
    if let Some(body) = body {
        let _ = writeln!(text, "<p class=\"note\">{}</p>", code_list(&media_types));
        text.push_str(&body_fields(document, body, false, objects));
    }
    text
}

fn errors(operation: &ReferenceOperation) -> String {
    let errors = operation.errors();
    if errors.is_empty() {
        return String::new();
    }
    let mut list = String::new();
    for (status, codes) in &errors {
        for code in codes {
            let (page, name) = (problem::page_path(*code), code.as_str());
            let _ = writeln!(list, "<li>{status} <a href=\"{page}\">{name}</a></li>");
        }
    }
    let count: usize = errors.iter().map(|(_, codes)| codes.len()).sum();
    format!("<details class=\"errors\"><summary>{count} error codes</summary>\n<ul>\n{list}</ul>\n</details>\n")
}

/// Returns the samples, of which the script shows one, and the example of the response.
fn examples(operation: &ReferenceOperation) -> String {
    let summary = escape_html(operation.summary());
    let mut html = String::from("<div class=\"samples\">\n");
    for (index, sample) in operation.samples.iter().flat_map(|samples| &samples.samples).enumerate() {
        let (id, label) = (sample.language.id(), sample.language.label());
        let hidden = if index == 0 { "" } else { " hidden" };
        let source = escape_html(sample.source.trim_end());
        let _ = writeln!(
            html,
            "<pre tabindex=\"0\" role=\"region\" data-language=\"{id}\" data-label=\"{label}\" aria-label=\"{label} sample: {summary}\"{hidden}><code>{source}</code></pre>"
        );
    }
    html.push_str("</div>\n");
    if let Some((status, _, Some(body), _)) = operation.success()
        && let Some(example) = body.example
    {
        let text = match example {
            Value::String(text) => escape_html(text),
            json => escape_html(&format!("{json:#}")),
        };
        let _ = writeln!(
            html,
            "<p class=\"caption\">Response <code>{status}</code></p>\n\
             <pre class=\"response\" tabindex=\"0\" role=\"region\" aria-label=\"Response of {summary}\"><code>{text}</code></pre>"
        );
    }
    html
}

fn code_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("<code>{}</code>", escape_html(name))).collect::<Vec<_>>().join(", ")
}
