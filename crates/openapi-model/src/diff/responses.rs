//! Comparison of responses: their statuses, headers and bodies.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Comparison, DiffLocation, Direction, annotations, components, content, flag, rules, schemas};
use crate::{pointer, traverse};

pub(super) fn compare(comparison: &mut Comparison<'_>, at: &DiffLocation, old: Option<&Value>, new: Option<&Value>) {
    let mut added: BTreeSet<&str> = traverse::members(new).map(|(status, _)| status).collect();
    added.retain(|status| find(old, status).is_none());
    // A status that the old document describes by a range such as `4XX` is compared with that range.
    let described = traverse::members(new).filter(|(status, _)| old.is_some_and(|old| old.get(status).is_none()));
    let described = described.filter_map(|(status, _)| Some((status, find(old, status)?)));
    for (status, response) in traverse::members(old).chain(described) {
        let here = at.part(&format!("response {status}"));
        let Some(other) = find(new, status) else {
            let instead = added.iter().copied().find(|other| is_success(status) && is_success(other));
            match instead {
                Some(instead) => {
                    added.remove(instead);
                    let message = format!("the status {status} is now {instead}");
                    comparison.report(rules::SUCCESS_STATUS_CHANGED, &here, message);
                }
                None => comparison.report(rules::STATUS_REMOVED, &here, format!("the status {status} is removed")),
            }
            continue;
        };
        let response = pointer::resolve(comparison.old, response).unwrap_or(&Value::Null);
        let other = pointer::resolve(comparison.new, other).unwrap_or(&Value::Null);
        components::compare_names(comparison, &here, "responses", "the response", response, other);
        annotations::compare(comparison, &here, "the response", response, other, &["headers", "content"]);
        headers(comparison, &here, response.get("headers"), other.get("headers"));
        content::compare(comparison, Direction::Response, &here, response.get("content"), other.get("content"));
    }
    for status in added {
        let here = at.part(&format!("response {status}"));
        let rule = match status.as_bytes() {
            b"304" | b"default" | [b'4' | b'5', ..] => rules::STATUS_ADDED,
            _ => rules::SUCCESS_STATUS_ADDED,
        };
        comparison.report(rule, &here, format!("the status {status} is new"));
    }
}

/// Returns the response for a status: the exact one, the one for its range such as `4XX`, or the default.
fn find<'r>(responses: Option<&'r Value>, status: &str) -> Option<&'r Value> {
    let responses = responses?;
    let hundred = status.get(..1).map(|first| format!("{first}XX")).unwrap_or_default();
    [status, &hundred, "default"].into_iter().find_map(|key| responses.get(key))
}

fn is_success(status: &str) -> bool {
    status.starts_with('2')
}

fn headers(comparison: &mut Comparison<'_>, at: &DiffLocation, old: Option<&Value>, new: Option<&Value>) {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    for (name, header) in traverse::members(old) {
        let here = at.part(&format!("header {name}"));
        let Some((_, other)) = traverse::members(new).find(|(other, _)| same(other, name)) else {
            comparison.report(rules::RESPONSE_HEADER_REMOVED, &here, format!("the header {name} is no longer sent"));
            continue;
        };
        let header = pointer::resolve(comparison.old, header).unwrap_or(&Value::Null);
        let other = pointer::resolve(comparison.new, other).unwrap_or(&Value::Null);
        match (flag(header, "required"), flag(other, "required")) {
            (true, false) => {
                let message = format!("the header {name} is now optional");
                comparison.report(rules::RESPONSE_HEADER_MADE_OPTIONAL, &here, message);
            }
            (false, true) => {
                let message = format!("the header {name} is now required");
                comparison.report(rules::RESPONSE_HEADER_MADE_REQUIRED, &here, message);
            }
            _ => {}
        }
        components::compare_names(comparison, &here, "headers", name, header, other);
        annotations::compare(comparison, &here, name, header, other, &["required", "schema"]);
        let (old, new) = (header.get("schema"), other.get("schema"));
        schemas::compare(comparison, Direction::Response, &here, name, old, new);
    }
    for (name, _) in
        traverse::members(new).filter(|(name, _)| !traverse::members(old).any(|(other, _)| same(other, name)))
    {
        let here = at.part(&format!("header {name}"));
        comparison.report(rules::RESPONSE_HEADER_ADDED, &here, format!("the header {name} is new"));
    }
}
