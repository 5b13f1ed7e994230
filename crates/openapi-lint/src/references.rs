//! The rule for references: each resolves within the document.

use openapi_model::traverse;
use serde_json::Value;

use super::Finding;

pub(super) fn check(document: &Value, findings: &mut Vec<Finding>) {
    for reference in traverse::unresolved_references(document) {
        findings.push(Finding::new("document", format!("the reference {reference} does not resolve")));
    }
}
