//! Comparison of path, query and header parameters.

use serde_json::Value;

use super::{Comparison, DiffLocation, Direction, annotations, components, content, flag, rules, schemas, text};
use crate::traverse::Entry;

const HANDLED: &[&str] =
    &["name", "in", "required", "schema", "content", "style", "explode", "allowReserved", "allowEmptyValue"];

/// Header parameters that the specification ignores.
const RESERVED: [&str; 3] = ["accept", "content-type", "authorization"];

pub(super) fn compare(comparison: &mut Comparison<'_>, at: &DiffLocation, old: Entry<'_>, new: Entry<'_>) {
    let (old_names, new_names) = (template_names(old.path), template_names(new.path));
    let (old, new) = (all(comparison.old, old), all(comparison.new, new));
    let mut matched = Vec::new();
    for parameter in &old {
        let (name, place) = (text(parameter, "name"), text(parameter, "in"));
        // A path parameter is identified by its position in the path.
        let position = old_names.iter().position(|one| *one == name).filter(|_| place == "path");
        let new_name = position.and_then(|position| new_names.get(position)).map_or(name, String::as_str);
        let here = at.part(&format!("parameter {name}"));
        let Some(other) = new.iter().find(|other| is(other, new_name, place)) else {
            match new.iter().find(|other| text(other, "name").eq_ignore_ascii_case(name)) {
                Some(moved) => {
                    let message = format!("{name} was in the {place} and is in the {}", text(moved, "in"));
                    comparison.report(rules::PARAMETER_MOVED, &here, message);
                    matched.push(*moved);
                }
                None => comparison.report(rules::PARAMETER_REMOVED, &here, format!("{name} in the {place} is removed")),
            }
            continue;
        };
        matched.push(*other);
        if new_name != name {
            comparison.report(rules::PATH_PARAMETER_RENAMED, &here, format!("{name} is renamed to {new_name}"));
        }
        one(comparison, &here, name, parameter, other);
    }
    for parameter in new.iter().filter(|one| !matched.iter().any(|other| std::ptr::eq(**one, *other))) {
        let (name, place) = (text(parameter, "name"), text(parameter, "in"));
        let here = at.part(&format!("parameter {name}"));
        if flag(parameter, "required") {
            let message = format!("{name} in the {place} is new and required");
            comparison.report(rules::PARAMETER_ADDED_REQUIRED, &here, message);
        } else {
            let message = format!("{name} in the {place} is new and optional");
            comparison.report(rules::PARAMETER_ADDED, &here, message);
        }
    }
}

fn one(comparison: &mut Comparison<'_>, at: &DiffLocation, name: &str, old: &Value, new: &Value) {
    match (flag(old, "required"), flag(new, "required")) {
        (false, true) => comparison.report(rules::PARAMETER_MADE_REQUIRED, at, format!("{name} is now required")),
        (true, false) => comparison.report(rules::PARAMETER_MADE_OPTIONAL, at, format!("{name} is now optional")),
        _ => {}
    }
    match (flag(old, "allowEmptyValue"), flag(new, "allowEmptyValue")) {
        (true, false) => {
            comparison.report(rules::PARAMETER_EMPTY_REJECTED, at, format!("{name} may no longer be empty"));
        }
        (false, true) => comparison.report(rules::PARAMETER_EMPTY_ACCEPTED, at, format!("{name} may now be empty")),
        _ => {}
    }
    if encoding(old) != encoding(new) {
        let message = format!("{name} is serialized differently (style, explode, allowReserved or content)");
        comparison.report(rules::PARAMETER_ENCODING_CHANGED, at, message);
    }
    components::compare_names(comparison, at, "parameters", name, old, new);
    annotations::compare(comparison, at, name, old, new, HANDLED);
    if old.get("content").is_some() && new.get("content").is_some() {
        content::compare(comparison, Direction::Request, at, old.get("content"), new.get("content"));
    } else if encoding(old) == encoding(new) {
        schemas::compare(comparison, Direction::Request, at, name, old.get("schema"), new.get("schema"));
    }
}

/// Returns how a value is serialized, with the defaults of the specification.
fn encoding(parameter: &Value) -> (bool, String, bool, bool) {
    let usual = if matches!(text(parameter, "in"), "query" | "cookie") { "form" } else { "simple" };
    let style = Some(text(parameter, "style")).filter(|style| !style.is_empty()).unwrap_or(usual);
    let explode = parameter.get("explode").and_then(Value::as_bool).unwrap_or(style == "form");
    (parameter.get("content").is_some(), style.to_owned(), explode, flag(parameter, "allowReserved"))
}

/// Returns the parameters of an operation and its path, except reserved headers.
fn all<'d>(document: &'d Value, entry: Entry<'d>) -> Vec<&'d Value> {
    let is_reserved = |parameter: &Value| {
        text(parameter, "in") == "header" && RESERVED.contains(&text(parameter, "name").to_ascii_lowercase().as_str())
    };
    let parameters = entry.parameters(document).into_iter().map(|parameter| parameter.value);
    parameters.filter(|parameter| !is_reserved(parameter)).collect()
}

/// Returns whether a parameter has this name and location. Header names are case-insensitive.
fn is(parameter: &Value, name: &str, place: &str) -> bool {
    let own = text(parameter, "name");
    text(parameter, "in") == place && (own == name || (place == "header" && own.eq_ignore_ascii_case(name)))
}

/// Returns the parameter names in a path template, in order.
fn template_names(path: &str) -> Vec<String> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(str::to_owned).collect()
}

/// Returns a path template without its parameter names, such as `/lists/{}`.
pub(super) fn template(path: &str) -> String {
    let mut pieces = path.split('{');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |out, piece| format!("{out}{{}}{}", piece.split_once('}').map_or("", |(_, rest)| rest)))
}
