//! Comparison of the document as a whole, its paths and its operations.

use std::collections::HashSet;

use serde_json::Value;

use super::parameters::{self, template};
use super::{
    Comparison, DiffLocation, Direction, annotations, components, content, flag, responses, rules, security, text,
};
use crate::traverse::Entry;
use crate::{pointer, traverse};

/// Keys of an operation with their own comparison. All others are annotations.
const HANDLED: &[&str] = &["operationId", "parameters", "requestBody", "responses", "security"];

/// Keys of the document that are compared elsewhere. Components are compared where they are used.
const DOCUMENT: &[&str] = &["openapi", "info", "servers", "tags", "paths", "components", "security", "x-webhooks"];

pub(super) fn compare(comparison: &mut Comparison<'_>) {
    let (old, new) = (comparison.old, comparison.new);
    let whole = DiffLocation::document("");
    annotations::compare(comparison, &whole, "the document", old, new, DOCUMENT);
    if old.get("info") != new.get("info") {
        comparison.report(rules::TEXT_CHANGED, &DiffLocation::document("info"), "the info object has changed");
    }
    if old.get("tags") != new.get("tags") {
        comparison.report(rules::TAG_CHANGED, &DiffLocation::document("tags"), "the tags have changed");
    }
    servers(comparison, &whole, old, new);
    paths(comparison);
    webhooks(comparison);
}

fn servers(comparison: &mut Comparison<'_>, at: &DiffLocation, old: &Value, new: &Value) {
    let at = at.part("servers");
    let urls = |part: &'_ Value| -> Vec<String> {
        let urls: Vec<String> = traverse::elements(part.get("servers"))
            .map(|server| text(server, "url").trim_end_matches('/').to_owned())
            .collect();
        // The default is one server at the root.
        if urls.is_empty() { vec![String::new()] } else { urls }
    };
    let (old_urls, new_urls) = (urls(old), urls(new));
    for url in old_urls.iter().filter(|url| !new_urls.contains(url)) {
        comparison.report(rules::SERVER_REMOVED, &at, format!("the server {url}/ is removed"));
    }
    for url in new_urls.iter().filter(|url| !old_urls.contains(url)) {
        comparison.report(rules::SERVER_ADDED, &at, format!("the server {url}/ is new"));
    }
    if old_urls == new_urls && old.get("servers") != new.get("servers") {
        comparison.report(rules::TEXT_CHANGED, &at, "the servers are described differently");
    }
}

fn paths(comparison: &mut Comparison<'_>) {
    let (old, new) = (comparison.old, comparison.new);
    let find = |document: &'_ Value, path: &str| -> Option<String> {
        let wanted = template(path);
        traverse::members(document.get("paths"))
            .find(|(other, _)| template(other) == wanted)
            .map(|(path, _)| path.to_owned())
    };
    let mut moved = HashSet::new();
    for (path, old_item) in traverse::members(old.get("paths")) {
        let new_path = find(new, path);
        let new_item = new_path.as_ref().and_then(|path| new["paths"].get(path));
        if let Some(new_item) = new_item {
            let at = DiffLocation { operation: path.to_owned(), part: String::new() };
            let handled: Vec<&str> = traverse::METHODS.into_iter().chain(["parameters"]).collect();
            annotations::compare(comparison, &at, "the path", old_item, new_item, &handled);
        }
        for (method, operation) in methods(old_item) {
            let at = place(method, path);
            if let (Some(new_path), Some(new_item)) = (&new_path, new_item)
                && let Some(new_operation) = new_item.get(method)
            {
                let old = Entry { path, method, item: old_item, operation };
                let new = Entry { path: new_path, method, item: new_item, operation: new_operation };
                self::operation(comparison, &at, old, new);
                continue;
            }
            let id = text(operation, "operationId");
            let elsewhere = traverse::operations(new).find(|entry| {
                !id.is_empty()
                    && entry.id() == id
                    && find(old, entry.path).is_none_or(|path| old["paths"][&path].get(entry.method).is_none())
            });
            if let Some(entry) = elsewhere {
                moved.insert((entry.method, entry.path));
                let to = place(entry.method, entry.path).operation;
                comparison.report(rules::OPERATION_MOVED, &at, format!("{id} is now at {to}"));
            } else if new_item.is_none() {
                comparison.report(rules::PATH_REMOVED, &at, format!("the path {path} is removed"));
            } else {
                comparison.report(rules::OPERATION_REMOVED, &at, "the operation is removed");
            }
        }
    }
    for entry in traverse::operations(new) {
        let known = find(old, entry.path).is_some_and(|path| old["paths"][&path].get(entry.method).is_some());
        if !known && !moved.contains(&(entry.method, entry.path)) {
            comparison.report(rules::OPERATION_ADDED, &place(entry.method, entry.path), "the operation is new");
        }
    }
}

fn place(method: &str, path: &str) -> DiffLocation {
    DiffLocation { operation: format!("{} {path}", method.to_uppercase()), part: String::new() }
}

fn methods(item: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    traverse::METHODS.into_iter().filter_map(move |method| Some((method, item.get(method)?)))
}

fn operation(comparison: &mut Comparison<'_>, at: &DiffLocation, old: Entry<'_>, new: Entry<'_>) {
    let (old_id, new_id) = (text(old.operation, "operationId"), text(new.operation, "operationId"));
    if old_id != new_id {
        let message = format!("the operationId was {old_id} and is {new_id}");
        comparison.report(rules::OPERATION_ID_CHANGED, at, message);
    }
    annotations::compare(comparison, at, "the operation", old.operation, new.operation, HANDLED);
    security::compare(comparison, at, old.operation, new.operation);
    parameters::compare(comparison, at, old, new);
    body(comparison, at, old.operation.get("requestBody"), new.operation.get("requestBody"));
    responses::compare(comparison, at, old.operation.get("responses"), new.operation.get("responses"));
}

fn body(comparison: &mut Comparison<'_>, at: &DiffLocation, old: Option<&Value>, new: Option<&Value>) {
    let at = at.part("request body");
    let old = old.and_then(|body| pointer::resolve(comparison.old, body));
    let new = new.and_then(|body| pointer::resolve(comparison.new, body));
    match (old, new) {
        (None, None) => {}
        (Some(_), None) => comparison.report(rules::BODY_REMOVED, &at, "a body is no longer accepted"),
        (None, Some(new)) if flag(new, "required") => {
            comparison.report(rules::BODY_MADE_REQUIRED, &at, "a body is now required");
        }
        (None, Some(_)) => comparison.report(rules::BODY_ADDED, &at, "an optional body is now accepted"),
        (Some(old), Some(new)) => {
            match (flag(old, "required"), flag(new, "required")) {
                (false, true) => comparison.report(rules::BODY_MADE_REQUIRED, &at, "the body is now required"),
                (true, false) => comparison.report(rules::BODY_MADE_OPTIONAL, &at, "the body is now optional"),
                _ => {}
            }
            components::compare_names(comparison, &at, "requestBodies", "the body", old, new);
            annotations::compare(comparison, &at, "the body", old, new, &["required", "content"]);
            content::compare(comparison, Direction::Request, &at, old.get("content"), new.get("content"));
        }
    }
}

/// Compares webhooks. The server sends the body, so the rules for responses apply.
fn webhooks(comparison: &mut Comparison<'_>) {
    let (old, new) = (comparison.old.get("x-webhooks"), comparison.new.get("x-webhooks"));
    let place = |name: &str| DiffLocation { operation: format!("webhook {name}"), part: String::new() };
    for (name, item) in traverse::members(old) {
        let Some(other) = new.and_then(|new| new.get(name)) else {
            comparison.report(rules::WEBHOOK_REMOVED, &place(name), format!("the event {name} is no longer sent"));
            continue;
        };
        annotations::compare(comparison, &place(name), "the event", item, other, &traverse::METHODS);
        for method in
            traverse::METHODS.into_iter().filter(|method| item.get(method).is_some() || other.get(method).is_some())
        {
            let (item, other) = (&item[method], &other[method]);
            annotations::compare(comparison, &place(name), "the event", item, other, &["requestBody"]);
            let body = |document, item: &'_ Value| -> Option<Value> {
                pointer::resolve(document, item.get("requestBody")?)?.get("content").cloned()
            };
            let (item, other) = (body(comparison.old, item), body(comparison.new, other));
            let at = place(name).part("body");
            content::compare(comparison, Direction::Response, &at, item.as_ref(), other.as_ref());
        }
    }
    for (name, _) in traverse::members(new).filter(|(name, _)| old.is_none_or(|old| old.get(name).is_none())) {
        comparison.report(rules::WEBHOOK_ADDED, &place(name), format!("the event {name} is new"));
    }
}
