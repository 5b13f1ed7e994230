//! The rule for references: each resolves within the document.

use std::collections::BTreeSet;

use openapi_model::traverse;
use serde_json::Value;

use crate::{Rule, finding::Report, location::LintLocation};

/// Reports unresolved references and returns whether there are none.
pub(super) fn check(document: &Value, report: &mut Report<'_>) -> bool {
    let unresolved: BTreeSet<&str> = traverse::unresolved_references(document).collect();
    if !unresolved.is_empty() {
        let root = LintLocation { pointer: String::new(), name: "document".to_owned() };
        visit(document, &root, &unresolved, report);
    }
    unresolved.is_empty()
}

fn visit(value: &Value, location: &LintLocation, unresolved: &BTreeSet<&str>, report: &mut Report<'_>) {
    match value {
        Value::Object(map) => {
            let reference = map.get("$ref").and_then(Value::as_str);
            if let Some(reference) = reference.filter(|reference| unresolved.contains(reference)) {
                report.add(Rule::ReferenceResolves, location, format!("the reference {reference} does not resolve"));
            }
            for (key, inner) in map {
                visit(inner, &location.at(&[key]), unresolved, report);
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                visit(inner, &location.at(&[&index.to_string()]), unresolved, report);
            }
        }
        _ => {}
    }
}
