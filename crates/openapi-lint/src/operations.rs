//! Rules for operations: names, descriptions, access and parameters.

use std::collections::HashSet;

use serde_json::Value;

use super::{Rule, finding::Report, location::LintLocation, names, responses};
use openapi_model::is_secured;
use openapi_model::traverse::{self, Entry};

pub(super) fn check(document: &Value, report: &mut Report<'_>) {
    let declared_tags: HashSet<&str> =
        traverse::elements(document.get("tags")).filter_map(|tag| tag.get("name")?.as_str()).collect();
    let mut ids = HashSet::new();
    for entry in traverse::operations(document) {
        let location = LintLocation::operation(&entry);
        id(&entry, &location, &mut ids, report);
        for (rule, key) in [(Rule::OperationSummary, "summary"), (Rule::OperationDescription, "description")] {
            if names::is_blank(entry.operation.get(key)) {
                report.add(rule, &location, format!("has no {key}"));
            }
        }
        tags(&entry, &location, &declared_tags, report);
        access(document, &entry, &location, report);
        parameters(document, &entry, &location, report);
        responses::check(document, &entry, &location, report);
    }
    for id in report.config().options().public_operations.iter().flatten().filter(|id| !ids.contains(id.as_str())) {
        let location = LintLocation { pointer: "/paths".to_owned(), name: format!("operation {id}") };
        report.add(Rule::PublicOperation, &location, "is listed as public, but does not exist");
    }
}

fn id<'d>(entry: &Entry<'d>, location: &LintLocation, ids: &mut HashSet<&'d str>, report: &mut Report<'_>) {
    let id = entry.id();
    if id.is_empty() {
        report.add(Rule::OperationId, location, "has no operationId");
        return;
    }
    if !names::is_camel_case(id) {
        report.add(Rule::OperationIdCase, location, "has an operationId that is not in camelCase");
    }
    if !ids.insert(id) {
        report.add(Rule::OperationIdUnique, location, "has the operationId of another operation");
    }
}

fn tags(entry: &Entry<'_>, location: &LintLocation, declared: &HashSet<&str>, report: &mut Report<'_>) {
    let tags: Vec<&str> = traverse::elements(entry.operation.get("tags")).filter_map(Value::as_str).collect();
    if tags.len() != 1 {
        let message = format!("has {} tags; exactly one is required", tags.len());
        report.add(Rule::OperationTag, location, message);
    }
    for tag in tags.into_iter().filter(|tag| !declared.contains(tag)) {
        report.add(Rule::TagDeclared, location, format!("has the tag {tag}, which the document does not declare"));
    }
}

/// Checks that only the listed public operations need no credentials.
fn access(document: &Value, entry: &Entry<'_>, location: &LintLocation, report: &mut Report<'_>) {
    let Some(public) = &report.config().options().public_operations else { return };
    let is_secured = is_secured(entry.operation.get("security").or_else(|| document.get("security")));
    let message = match (is_secured, public.iter().any(|id| id == entry.id())) {
        (false, false) => "needs no credentials and is not listed as public",
        (true, true) => "is listed as public, but needs credentials",
        _ => return,
    };
    report.add(Rule::PublicOperation, location, message);
}

fn parameters(document: &Value, entry: &Entry<'_>, location: &LintLocation, report: &mut Report<'_>) {
    let mut declared = Vec::new();
    for parameter in entry.parameters(document) {
        let (name, place) = (traverse::text(parameter.value, "name"), traverse::text(parameter.value, "in"));
        let here = location.parameter(&parameter);
        if ["path", "query"].contains(&place) && !names::is_snake_case(name.trim_end_matches("[]")) {
            report.add(Rule::ParameterCase, &here, "is not in snake_case");
        }
        if place == "path" {
            declared.push(name);
            if parameter.value.get("required") != Some(&Value::Bool(true)) {
                report.add(Rule::PathParameterRequired, &here, "is a path parameter that is not required");
            }
        }
    }
    let in_template = entry.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    for name in in_template.filter(|name| !declared.contains(name)) {
        let message = format!("does not declare the path parameter {name}");
        report.add(Rule::PathParameterDeclared, location, message);
    }
}
