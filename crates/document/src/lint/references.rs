//! References: each must lead somewhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;
use crate::walk;

pub(super) fn check(document: &Value, findings: &mut Vec<Finding>) {
    for reference in dangling(document) {
        findings.push(Finding::new("document", format!("the reference {reference} leads nowhere")));
    }
}

/// The references that lead nowhere, or out of the document.
pub(crate) fn dangling(document: &Value) -> impl Iterator<Item = &str> {
    let mut references = BTreeSet::new();
    walk::references(document, &mut references);
    let leads =
        |reference: &str| reference.strip_prefix('#').is_some_and(|pointer| document.pointer(pointer).is_some());
    references.into_iter().filter(move |reference| !leads(reference))
}
