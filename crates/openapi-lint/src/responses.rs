//! Rules for responses: statuses, descriptions, headers, error bodies and pagination.

use serde_json::Value;

use super::{LintOptions, Rule, finding::Report, location::LintLocation, names};
use openapi_model::pointer;
use openapi_model::traverse::{self, Entry};

pub(super) fn check(document: &Value, entry: &Entry<'_>, location: &LintLocation, report: &mut Report<'_>) {
    let successes = successes(entry).count();
    if successes == 0 {
        report.add(Rule::SuccessResponse, location, "has no successful response");
    }
    if successes > 1 {
        let message = format!("has {successes} successful responses; exactly one is required");
        report.add(Rule::SingleSuccessResponse, location, message);
    }
    lists(document, entry, location, report);
    for (status, response) in traverse::members(entry.operation.get("responses")) {
        let here = location.part(&["responses", status], &format!("response {status}"));
        let code = status.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
        if code.is_none() {
            report.add(Rule::ExplicitStatus, &here, "is not a three-digit status");
        }
        // The rule for references reports an unresolved one.
        let Some(response) = pointer::resolve(document, response) else { continue };
        if names::is_blank(response.get("description")) {
            report.add(Rule::ResponseDescription, &here, "has no description");
        }
        for (name, _) in traverse::members(response.get("headers")) {
            let known = report.config().options().header_names.as_ref();
            if known.is_some_and(|known| !known.iter().any(|one| one == name)) {
                let message = format!("has the header {name}, which is not a known header name");
                report.add(Rule::HeaderName, &here, message);
            }
        }
        if code.is_some_and(|code| code >= 400) {
            error_body(response, &here, report);
        }
    }
}

fn successes<'d>(entry: &Entry<'d>) -> impl Iterator<Item = (&'d str, &'d Value)> {
    traverse::members(entry.operation.get("responses")).filter(|(status, _)| status.starts_with('2'))
}

/// Checks that lists are paginated. Adding pagination later would be a breaking change.
fn lists(document: &Value, entry: &Entry<'_>, location: &LintLocation, report: &mut Report<'_>) {
    let LintOptions { page_parameters, rows_property, .. } = report.config().options();
    let resolve = |value| pointer::resolve(document, value);
    let is_array = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "array");
    let media = successes(entry)
        .filter_map(|(_, response)| resolve(response))
        .flat_map(|response| traverse::members(response.get("content")));
    for schema in media.filter_map(|(_, media)| resolve(media.get("schema")?)) {
        if is_array(schema) {
            let message = "returns a bare array, which cannot be extended; return a page";
            report.add(Rule::ArrayResponse, location, message);
        }
        let rows = schema.get("properties").and_then(|properties| properties.get(rows_property));
        let has_rows = rows.and_then(resolve).is_some_and(is_array);
        let Some(known) = page_parameters.as_ref().filter(|_| entry.method == "get" && has_rows) else { continue };
        let parameters = entry.parameters(document);
        if !parameters.iter().any(|one| known.iter().any(|name| name == traverse::text(one.value, "name"))) {
            let known = known.join(", ");
            let message = format!("returns a list without pagination; it has none of the parameters {known}");
            report.add(Rule::Pagination, location, message);
        }
    }
}

fn error_body(response: &Value, location: &LintLocation, report: &mut Report<'_>) {
    let LintOptions { error_schema, error_media_type, .. } = report.config().options();
    let mut content = traverse::members(response.get("content")).peekable();
    if content.peek().is_none() {
        report.add(Rule::ErrorBody, location, "has no error body");
    }
    for (media_type, media) in content {
        if error_media_type.as_ref().is_some_and(|expected| expected != media_type) {
            let message = format!("has an error body with the media type {media_type}");
            report.add(Rule::ErrorBody, location, message);
        }
        let reference = media.pointer("/schema/$ref").and_then(Value::as_str);
        let name = reference.and_then(|reference| reference.strip_prefix(traverse::SCHEMAS));
        if let Some(expected) = error_schema
            && name != Some(expected)
        {
            report.add(Rule::ErrorBody, location, format!("has an error body that is not {expected}"));
        }
    }
}
