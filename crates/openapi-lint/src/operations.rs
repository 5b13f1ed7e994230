//! Rules for operations: names, descriptions, access, pagination, responses and parameters.

use std::collections::HashSet;

use serde_json::Value;

use super::{Finding, LintOptions};
use openapi_model::is_secured;
use openapi_model::pointer;
use openapi_model::traverse::{self, Entry};

pub(super) fn check(document: &Value, rules: &LintOptions<'_>, findings: &mut Vec<Finding>) {
    let tags: HashSet<&str> =
        traverse::elements(document.get("tags")).filter_map(|tag| tag.get("name")?.as_str()).collect();
    let mut ids = HashSet::new();
    for entry in traverse::operations(document) {
        let place = format!("operation {}", entry.name());
        let mut report = |message: &str| findings.push(Finding::new(&place, message));
        match entry.id() {
            "" => report("has no operationId"),
            id if !is_camel_case(id) => report("has an operationId that is not in camelCase"),
            id if !ids.insert(id) => report("has the operationId of another operation"),
            _ => {}
        }
        for key in ["summary", "description"] {
            if is_blank(entry.operation.get(key)) {
                report(&format!("has no {key}"));
            }
        }
        let own: Vec<&str> = traverse::elements(entry.operation.get("tags")).filter_map(Value::as_str).collect();
        match own.as_slice() {
            [tag] if tags.contains(tag) => {}
            [tag] => report(&format!("has the tag {tag}, which the document does not declare")),
            several => report(&format!("has {} tags; exactly one is required", several.len())),
        }
        let successes =
            traverse::members(entry.operation.get("responses")).filter(|(status, _)| status.starts_with('2'));
        match successes.count() {
            1 => {}
            0 => report("has no successful response"),
            several => report(&format!("has {several} successful responses; exactly one is required")),
        }
        access(document, entry, rules, &mut report);
        paging(document, entry, rules, &mut report);
        responses(document, entry, rules, findings);
        parameters(document, entry, findings);
    }
    for id in rules.public_operations.into_iter().flatten().filter(|id| !ids.contains(*id)) {
        findings.push(Finding::new(format!("operation {id}"), "is listed as public, but does not exist"));
    }
}

/// Checks that only the listed public operations need no credentials.
fn access(document: &Value, entry: Entry<'_>, rules: &LintOptions<'_>, report: &mut dyn FnMut(&str)) {
    let Some(public) = rules.public_operations else { return };
    let is_secured = is_secured(entry.operation.get("security").or_else(|| document.get("security")));
    match (is_secured, public.contains(&entry.id())) {
        (false, false) => report("needs no credentials and is not listed as public"),
        (true, true) => report("is listed as public, but needs credentials"),
        _ => {}
    }
}

/// Checks that lists are paginated. Adding pagination later would be a breaking change.
fn paging(document: &Value, entry: Entry<'_>, rules: &LintOptions<'_>, report: &mut dyn FnMut(&str)) {
    let resolve = |value| pointer::resolve(document, value);
    let successes = traverse::members(entry.operation.get("responses")).filter(|(status, _)| status.starts_with('2'));
    let media =
        successes.filter_map(|(_, response)| resolve(response)).flat_map(|one| traverse::members(one.get("content")));
    let is_array = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "array");
    for schema in media.filter_map(|(_, media)| resolve(media.get("schema")?)) {
        if is_array(schema) {
            report("returns a bare array, which cannot be extended; return a page");
        }
        let has_rows = schema.pointer("/properties/data").and_then(resolve).is_some_and(is_array);
        let Some(known) = rules.page_parameters.filter(|_| entry.method == "get" && has_rows) else { continue };
        let names =
            traverse::elements(entry.operation.get("parameters")).filter_map(|one| resolve(one)?.get("name")?.as_str());
        if !names.into_iter().any(|name| known.contains(&name)) {
            report(&format!("returns a list without pagination; it has none of the parameters {}", known.join(", ")));
        }
    }
}

/// Returns whether a name is in snake_case. It may begin with an underscore, which marks metadata such as `_links`.
pub(super) fn is_snake_case(name: &str) -> bool {
    let name = name.strip_prefix('_').unwrap_or(name);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(is_word)
}

fn is_camel_case(id: &str) -> bool {
    id.len() > 1
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn is_blank(text: Option<&Value>) -> bool {
    text.and_then(Value::as_str).is_none_or(|text| text.trim().is_empty())
}

fn responses(document: &Value, entry: Entry<'_>, rules: &LintOptions<'_>, findings: &mut Vec<Finding>) {
    for (status, response) in traverse::members(entry.operation.get("responses")) {
        let place = format!("operation {}, response {status}", entry.name());
        let mut report = |message: String| findings.push(Finding::new(&place, message));
        let Ok(code @ 100..=599) = status.parse::<u16>() else {
            report("is not a three-digit status".to_owned());
            continue;
        };
        let Some(response) = pointer::resolve(document, response) else {
            continue; // reported as an unresolved reference
        };
        if is_blank(response.get("description")) {
            report("has no description".to_owned());
        }
        for (name, _) in traverse::members(response.get("headers")) {
            if rules.header_names.is_some_and(|known| !known.contains(&name)) {
                report(format!("has the header {name}, which is not a known header name"));
            }
        }
        if code >= 400 {
            error_body(response, rules, &mut report);
        }
    }
}

fn error_body(response: &Value, rules: &LintOptions<'_>, report: &mut dyn FnMut(String)) {
    let mut content = traverse::members(response.get("content")).peekable();
    if content.peek().is_none() && (rules.error_schema.is_some() || rules.error_media_type.is_some()) {
        report("has no error body".to_owned());
    }
    for (media_type, media) in content {
        if rules.error_media_type.is_some_and(|agreed| agreed != media_type) {
            report(format!("has an error body with the media type {media_type}"));
        }
        let name = media
            .pointer("/schema/$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix(traverse::SCHEMAS));
        if let Some(agreed) = rules.error_schema
            && name != Some(agreed)
        {
            report(format!("has an error body that is not {agreed}"));
        }
    }
}

fn parameters(document: &Value, entry: Entry<'_>, findings: &mut Vec<Finding>) {
    let mut declared = Vec::new();
    for parameter in traverse::elements(entry.operation.get("parameters")) {
        let Some(parameter) = pointer::resolve(document, parameter) else {
            continue;
        };
        let text = |key| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
        if ["path", "query"].contains(&text("in")) && !is_snake_case(text("name").trim_end_matches("[]")) {
            let place = format!("operation {}, parameter {}", entry.name(), text("name"));
            findings.push(Finding::new(place, "is not in snake_case"));
        }
        if text("in") == "path" {
            declared.push(text("name"));
            if parameter.get("required") != Some(&Value::Bool(true)) {
                let place = format!("operation {}, parameter {}", entry.name(), text("name"));
                findings.push(Finding::new(place, "is a path parameter that is not required"));
            }
        }
    }
    let in_template = entry.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    for name in in_template.filter(|name| !declared.contains(name)) {
        let place = format!("operation {}", entry.name());
        findings.push(Finding::new(place, format!("does not declare the path parameter {name}")));
    }
}
