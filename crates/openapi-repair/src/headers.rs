//! Response headers: restores the case of their names and adds the headers in the options to `components/headers`.

use serde_json::{Map, Value, json};

use super::{Defect, HeaderScope, OperationInfo, RepairOptions, ResponseHeader, facts};
use openapi_model::traverse;

/// Returns every header name in the options.
pub(super) fn names<'a>(rules: &RepairOptions<'a>) -> impl Iterator<Item = &'a str> {
    let stated = rules.headers.iter().map(|rule| rule.name);
    rules.header_names.iter().copied().chain(stated)
}

/// Returns the published name of a header.
pub(super) fn spelling<'a>(rules: &RepairOptions<'a>, name: &str) -> Option<&'a str> {
    names(rules).find(|known| known.eq_ignore_ascii_case(name))
}

/// Renames the declared headers to their published names, adds examples, and marks optional headers.
pub(super) fn spell(document: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    traverse::operations_mut(document, |path, method, operation| {
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (status, response) in traverse::members_mut(operation.get_mut("responses")) {
            let Some(Value::Object(headers)) = response.get_mut("headers") else {
                continue;
            };
            for (name, mut header) in std::mem::take(headers) {
                let spelled = spelling(rules, &name).map_or_else(|| name.clone(), str::to_owned);
                if let Value::Object(header) = &mut header {
                    complete(header, &spelled, &id, rules);
                }
                if headers.insert(spelled.clone(), header).is_some() {
                    defects.push(Defect::new(
                        format!("{} {path}, response {status}", method.to_uppercase()),
                        format!("declares the header {spelled} twice"),
                    ));
                }
            }
        }
    });
}

fn complete(header: &mut Map<String, Value>, name: &str, operation: &str, rules: &RepairOptions<'_>) {
    // `required: true` is removed, because validators would fail if a proxy removes the header. poem-openapi omits
    // `required` for optional headers. In the completed document, they have `required: false`.
    if header.shift_remove("required") != Some(Value::Bool(true)) {
        header.insert("required".to_owned(), Value::Bool(false));
    }
    if header.get("deprecated") == Some(&Value::Bool(false)) {
        header.shift_remove("deprecated");
    }
    let own = header.get_mut("schema").and_then(Value::as_object_mut).and_then(|schema| schema.shift_remove("example"));
    let stated = |name: &str| rules.header_examples.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let stated = || stated(&format!("{operation}.{name}")).or_else(|| stated(name));
    if let Some(example) = own.or_else(|| stated().map(|(_, example)| example.clone())) {
        header.entry("example").or_insert(example);
    }
}

/// Adds the headers in the options as components, and references to them to every response that has them.
pub(super) fn document(value: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    let mut components = Map::new();
    for rule in rules.headers {
        let name = component_name(rule, rules);
        let mut header = json!({
            "description": rule.description,
            "schema": rule.schema,
            "example": rule.example,
        });
        if !rule.always {
            header["required"] = Value::Bool(false);
        }
        if components.insert(name, header).is_some() {
            defects.push(Defect::new(format!("header {}", rule.name), "is in the options twice"));
        }
    }
    if components.is_empty() {
        return;
    }
    value["components"]["headers"] = Value::Object(components);
    let security = value.get("security").cloned();
    traverse::operations_mut(value, |path, method, operation| {
        let method = method.to_uppercase();
        let own = operation.clone();
        let facts = facts(security.as_ref(), path, &method, &own);
        for (status, response) in traverse::members_mut(operation.get_mut("responses")) {
            let status = status.parse().unwrap_or_default();
            for rule in rules.headers.iter().filter(|rule| is_on(rule, &facts, status)) {
                let reference = format!("#/components/headers/{}", component_name(rule, rules));
                response["headers"][rule.name] = json!({ "$ref": reference });
            }
        }
    });
}

fn is_on(rule: &ResponseHeader, facts: &OperationInfo<'_>, status: u16) -> bool {
    match rule.on {
        HeaderScope::All => true,
        HeaderScope::Statuses(statuses) => statuses.contains(&status),
        HeaderScope::Secured => facts.is_secured,
        HeaderScope::Matching(picks) => picks(facts, status),
    }
}

/// Returns the name of the component of a header, such as `XRequestID` for `X-Request-ID`, because code generators use it as
/// an identifier. A header that is required in some responses and optional in others has a second component.
fn component_name(rule: &ResponseHeader, rules: &RepairOptions<'_>) -> String {
    let name: String = rule.name.split('-').collect();
    let is_elsewhere_always = rules.headers.iter().any(|other| other.name == rule.name && other.always);
    if !rule.always && is_elsewhere_always { format!("Optional{name}") } else { name }
}
