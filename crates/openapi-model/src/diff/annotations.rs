//! Comparison of annotations: titles, descriptions, examples, extensions and keys without a rule.
//!
//! Each caller passes the keys that it compares itself. This module compares all others, so that no key is skipped.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Comparison, DiffLocation, flag, rules};
use crate::{pointer, traverse};

/// Compares every key that is not in `handled`.
pub(super) fn compare(
    comparison: &mut Comparison<'_>,
    at: &DiffLocation,
    subject: &str,
    old: &Value,
    new: &Value,
    handled: &[&str],
) {
    let keys: BTreeSet<&str> =
        traverse::members(Some(old)).chain(traverse::members(Some(new))).map(|(key, _)| key).collect();
    for key in keys.into_iter().filter(|key| !handled.contains(key)) {
        if key == "deprecated" {
            deprecation(comparison, at, subject, flag(old, key), flag(new, key));
        } else if old.get(key) != new.get(key) && !(key == "examples" && has_equal_examples(comparison, old, new)) {
            let rule = match key {
                "title" | "summary" | "description" | "externalDocs" | "bearerFormat" => rules::TEXT_CHANGED,
                "tags" => rules::TAG_CHANGED,
                "example" | "examples" => rules::EXAMPLE_CHANGED,
                "links" => rules::LINK_CHANGED,
                key if key.starts_with("x-") => rules::EXTENSION_CHANGED,
                _ => rules::UNKNOWN_CHANGED,
            };
            comparison.report(rule, at, format!("{key} of {subject} has changed"));
        }
    }
}

/// Returns whether the named examples are equal after references are resolved.
fn has_equal_examples(comparison: &Comparison<'_>, old: &Value, new: &Value) -> bool {
    fn resolved<'v>(document: &'v Value, part: &'v Value) -> Vec<(&'v str, Option<&'v Value>)> {
        let named = traverse::members(part.get("examples"));
        named.map(|(name, example)| (name, pointer::resolve(document, example))).collect()
    }
    let is_named = |part: &Value| part.get("examples").is_none_or(Value::is_object);
    is_named(old) && is_named(new) && resolved(comparison.old, old) == resolved(comparison.new, new)
}

fn deprecation(comparison: &mut Comparison<'_>, at: &DiffLocation, subject: &str, old: bool, new: bool) {
    match (old, new) {
        (false, true) => comparison.report(rules::DEPRECATED, at, format!("{subject} is now deprecated")),
        (true, false) => {
            comparison.report(rules::DEPRECATION_WITHDRAWN, at, format!("{subject} is no longer deprecated"));
        }
        _ => {}
    }
}
