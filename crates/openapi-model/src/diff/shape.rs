//! Properties of a schema: its type, its required fields, its additional properties and its choices.

use std::collections::BTreeSet;

use serde_json::Value;

use super::flat::name;
use super::values::shown;
use crate::traverse;

/// Returns the type of a schema. A schema without `type` allows values of any type, even if it has `properties`.
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

/// Returns the elements of `one` that are missing from `other`, separated by commas.
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

/// Returns each choice with a unique label: its name, its title or its type, numbered if that label is already in use.
pub(super) fn labeled(choices: Option<&Value>) -> Vec<(String, &Value)> {
    let mut labeled: Vec<(String, &Value)> = Vec::new();
    for choice in traverse::elements(choices) {
        let plain = || choice.get("title").and_then(Value::as_str).unwrap_or_else(|| kind(choice));
        let label = name(choice).unwrap_or_else(plain);
        let before = labeled.iter().filter(|(other, _)| other.split('#').next() == Some(label)).count();
        let label = if before == 0 { label.to_owned() } else { format!("{label}#{}", before + 1) };
        labeled.push((label, choice));
    }
    labeled
}
