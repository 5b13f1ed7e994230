//! Comparison of security requirements: whether the credentials that a client sends are still sufficient.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Comparison, DiffLocation, rules};
use crate::{pointer, traverse};

/// Credentials that a request must contain together: each scheme, by its definition, with its scopes.
type Alternative = BTreeMap<String, BTreeSet<String>>;

pub(super) fn compare(comparison: &mut Comparison<'_>, at: &DiffLocation, old: &Value, new: &Value) {
    let old = alternatives(comparison.old, old);
    let new = alternatives(comparison.new, new);
    let is_enough = |sent: &Alternative, accepted: &[Alternative]| accepted.iter().any(|one| within(one, sent));
    if !old.iter().all(|sent| is_enough(sent, &new)) {
        let message = "a request with previously sufficient credentials is rejected";
        comparison.report(rules::SECURITY_ADDED, at, message);
    }
    if !new.iter().all(|sent| is_enough(sent, &old)) {
        let message = "a request with previously insufficient credentials is accepted";
        comparison.report(rules::SECURITY_RELAXED, at, message);
    }
}

/// Returns whether the sent credentials include the required ones.
fn within(required: &Alternative, sent: &Alternative) -> bool {
    required.iter().all(|(scheme, scopes)| sent.get(scheme).is_some_and(|granted| scopes.is_subset(granted)))
}

/// Returns the alternatives of the operation, or else those of the document. Without any, no credentials are required.
fn alternatives(document: &Value, operation: &Value) -> Vec<Alternative> {
    let stated = operation.get("security").or_else(|| document.get("security"));
    let alternatives: Vec<Alternative> = traverse::elements(stated)
        .map(|alternative| {
            let schemes = traverse::members(Some(alternative));
            schemes.map(|(name, scopes)| (scheme(document, name), strings(scopes))).collect()
        })
        .collect();
    if alternatives.is_empty() { vec![Alternative::new()] } else { alternatives }
}

/// Returns the parts of a scheme that affect requests, without its name and description.
fn scheme(document: &Value, name: &str) -> String {
    let schemes = document.pointer("/components/securitySchemes");
    let found = schemes.and_then(|schemes| pointer::resolve(document, schemes.get(name)?));
    let Some(found) = found else { return name.to_owned() };
    let kind = found.get("type");
    let parts = ["scheme", "in", "name", "openIdConnectUrl"].map(|key| found.get(key));
    let urls: Vec<&Value> = traverse::members(found.get("flows"))
        .flat_map(|(_, flow)| ["authorizationUrl", "tokenUrl"].map(|key| flow.get(key)))
        .flatten()
        .collect();
    format!("{kind:?} {parts:?} {urls:?}").to_lowercase()
}

fn strings(list: &Value) -> BTreeSet<String> {
    traverse::elements(Some(list)).filter_map(Value::as_str).map(str::to_owned).collect()
}
