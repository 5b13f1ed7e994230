//! References: each must lead somewhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;
use crate::walk;

pub(super) fn check(document: &Value, findings: &mut Vec<Finding>) {
    let mut references = BTreeSet::new();
    walk::references(document, &mut references);
    for reference in references {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        if target.is_none() {
            findings.push(Finding::new("document", format!("the reference {reference} leads nowhere")));
        }
    }
}
