//! What a schema says of itself: what kind of value it is, what it requires, what else it allows.

use std::collections::BTreeSet;

use serde_json::Value;

use super::flat::name;
use super::values::shown;
use crate::traverse;

/// What a value is, as far as a schema says: without a type, even one with fields allows anything else as well.
pub(super) fn kind(schema: &Value) -> &str {
    let implied = || {
        let has = |key: &str| schema.get(key).is_some();
        match () {
            () if has("oneOf") => "one of several",
            () if has("anyOf") => "any of several",
            () => "anything",
        }
    };
    schema.get("type").and_then(Value::as_str).unwrap_or_else(implied)
}

pub(super) fn requires(schema: &Value, name: &str) -> bool {
    traverse::elements(schema.get("required")).any(|one| one == name)
}

/// The elements of `one` that `other` does not have, as a sentence names them.
pub(super) fn missing(one: Option<&Value>, other: Option<&Value>) -> String {
    let other: Vec<&Value> = traverse::elements(other).collect();
    let gone: BTreeSet<String> =
        traverse::elements(one).filter(|value| !other.contains(value)).map(|value| shown(Some(value))).collect();
    gone.into_iter().collect::<Vec<_>>().join(", ")
}

pub(super) enum Others<'s> {
    Any,
    None,
    Of(&'s Value),
}

pub(super) fn others(value: Option<&Value>) -> Others<'_> {
    match value {
        None | Some(Value::Bool(true)) => Others::Any,
        Some(Value::Bool(false)) => Others::None,
        Some(Value::Object(map)) if map.is_empty() => Others::Any,
        Some(schema) => Others::Of(schema),
    }
}

/// Each choice with what it is known by: its name, or what it is; a number when that is not enough.
pub(super) fn labelled(choices: Option<&Value>) -> Vec<(String, &Value)> {
    let mut labelled: Vec<(String, &Value)> = Vec::new();
    for choice in traverse::elements(choices) {
        let plain = || choice.get("title").and_then(Value::as_str).unwrap_or_else(|| kind(choice));
        let label = name(choice).unwrap_or_else(plain);
        let before = labelled.iter().filter(|(other, _)| other.split('#').next() == Some(label)).count();
        let label = if before == 0 { label.to_owned() } else { format!("{label}#{}", before + 1) };
        labelled.push((label, choice));
    }
    labelled
}
