//! Credentials: whether what a client sends is still enough.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Comparison, Place, rules};
use crate::{pointer, traverse};

/// What must be sent together: each scheme, by what it is, with its scopes.
type Alternative = BTreeMap<String, BTreeSet<String>>;

pub(super) fn compare(comparison: &mut Comparison<'_>, at: &Place, old: &Value, new: &Value) {
    let old = alternatives(comparison.old, old);
    let new = alternatives(comparison.new, new);
    let is_enough = |sent: &Alternative, accepted: &[Alternative]| accepted.iter().any(|one| within(one, sent));
    if !old.iter().all(|sent| is_enough(sent, &new)) {
        let said = "a request with the credentials that were enough is refused";
        comparison.say(rules::SECURITY_ADDED, at, said);
    }
    if !new.iter().all(|sent| is_enough(sent, &old)) {
        let said = "a request with credentials that were not enough is accepted";
        comparison.say(rules::SECURITY_RELAXED, at, said);
    }
}

/// Whether all that is asked for is among what is sent.
fn within(asked: &Alternative, sent: &Alternative) -> bool {
    asked.iter().all(|(scheme, scopes)| sent.get(scheme).is_some_and(|granted| scopes.is_subset(granted)))
}

/// The ways to be let in: the operation's, or else the document's; nothing at all is a way, too.
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

/// A scheme by what goes over the wire: its name in the document and its words do not.
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
