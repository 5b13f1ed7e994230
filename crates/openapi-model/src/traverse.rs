//! Traversal of documents: their operations, schemas and references.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::pointer;

/// The methods of a path item, in canonical order.
pub const METHODS: [&str; 8] = ["get", "head", "options", "post", "put", "patch", "delete", "trace"];

/// Keys with data instead of structure: an example can contain a field named `schema`.
const DATA: [&str; 4] = ["example", "examples", "default", "enum"];

/// The prefix of every reference to a component schema.
pub const SCHEMAS: &str = "#/components/schemas/";

/// An operation with its path and method.
#[derive(Clone, Copy)]
pub struct Entry<'d> {
    pub path: &'d str,
    pub method: &'static str,
    /// The path item, which can have parameters for all of its operations.
    pub item: &'d Value,
    pub operation: &'d Value,
}

/// A parameter of an operation, after resolving its reference.
#[derive(Clone, Debug)]
pub struct ParameterEntry<'d> {
    /// JSON pointer to the parameter, which can be a component.
    pub pointer: String,
    pub value: &'d Value,
}

impl<'d> Entry<'d> {
    /// Returns the operationId, or an empty string if it is missing.
    pub fn id(&self) -> &'d str {
        self.operation.get("operationId").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the name in findings: the operationId, or else method and path.
    pub fn name(&self) -> String {
        match self.id() {
            "" => format!("{} {}", self.method.to_uppercase(), self.path),
            id => id.to_owned(),
        }
    }

    /// Returns the JSON pointer to the operation.
    pub fn pointer(&self) -> String {
        pointer::join(&pointer::join("/paths", self.path), self.method)
    }

    /// Returns the parameters of the operation, then those of its path that it does not override. References that do not
    /// resolve are skipped.
    pub fn parameters(&self, document: &'d Value) -> Vec<ParameterEntry<'d>> {
        let own = pointer::join(&self.pointer(), "parameters");
        let shared = pointer::join(&pointer::join("/paths", self.path), "parameters");
        let mut found: Vec<ParameterEntry<'d>> = Vec::new();
        for (base, list) in [(own, self.operation.get("parameters")), (shared, self.item.get("parameters"))] {
            for (index, parameter) in elements(list).enumerate() {
                let Some((component, value)) = pointer::resolve_with_pointer(document, parameter) else { continue };
                if !found.iter().any(|known| is_same_parameter(known.value, value)) {
                    let pointer = component.map_or_else(|| format!("{base}/{index}"), str::to_owned);
                    found.push(ParameterEntry { pointer, value });
                }
            }
        }
        found
    }
}

/// Returns whether two parameters have the same name and location. Header names are case-insensitive.
fn is_same_parameter(one: &Value, other: &Value) -> bool {
    let (name, other_name) = (text(one, "name"), text(other, "name"));
    let is_header = text(one, "in") == "header";
    text(one, "in") == text(other, "in") && (name == other_name || is_header && name.eq_ignore_ascii_case(other_name))
}

/// Returns a string member, or an empty string if it is missing.
pub fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns every operation, path by path.
pub fn operations(document: &Value) -> impl Iterator<Item = Entry<'_>> {
    members(document.get("paths")).flat_map(|(path, item)| {
        METHODS
            .into_iter()
            .filter_map(move |method| item.get(method).map(|operation| Entry { path, method, item, operation }))
    })
}

/// Calls `change` with path, method and every operation.
pub fn operations_mut(document: &mut Value, mut change: impl FnMut(&str, &'static str, &mut Map<String, Value>)) {
    for (path, item) in members_mut(document.get_mut("paths")) {
        for method in METHODS {
            if let Some(Value::Object(operation)) = item.get_mut(method) {
                change(path, method, operation);
            }
        }
    }
}

/// Returns the members of an object. A missing value or another type has no members.
pub fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Returns the members of an object for modification.
pub fn members_mut(value: Option<&mut Value>) -> impl Iterator<Item = (&str, &mut Value)> {
    value.and_then(Value::as_object_mut).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Returns the elements of an array. A missing value or another type has no elements.
pub fn elements(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// Calls `change` with every object of the structure, outermost first. Skips examples and other data.
pub fn objects_mut(value: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            change(map);
            for (key, inner) in map.iter_mut() {
                // A property can be named `example`. Its schema is an object with a type or a reference.
                if !DATA.contains(&key.as_str()) || is_schema(inner) {
                    objects_mut(inner, change);
                }
            }
        }
        Value::Array(list) => {
            for inner in list {
                objects_mut(inner, change);
            }
        }
        _ => {}
    }
}

fn is_schema(value: &Value) -> bool {
    value.get("$ref").is_some() || value.get("type").is_some_and(Value::is_string)
}

/// Calls `change` with the root of every schema: the component schemas and those elsewhere in the document.
pub fn schema_roots_mut(document: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    fn structure(value: &mut Value, change: &mut dyn FnMut(&mut Value)) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map.iter_mut() {
                    match key.as_str() {
                        "schema" => change(inner),
                        key if DATA.contains(&key) => {}
                        _ => structure(inner, change),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|inner| structure(inner, change)),
            _ => {}
        }
    }
    if let Some(paths) = document.get_mut("paths") {
        structure(paths, change);
    }
    for (section, content) in members_mut(document.get_mut("components")) {
        if section == "schemas" {
            members_mut(Some(content)).for_each(|(_, schema)| change(schema));
        } else {
            structure(content, change);
        }
    }
}

/// Calls `change` with a schema and its subschemas. References are not followed.
pub fn schemas_mut(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    let Value::Object(map) = schema else { return };
    change(map);
    for key in ["items", "additionalProperties", "not"] {
        if let Some(inner) = map.get_mut(key) {
            schemas_mut(inner, change);
        }
    }
    members_mut(map.get_mut("properties")).for_each(|(_, inner)| schemas_mut(inner, change));
    for key in ["allOf", "anyOf", "oneOf"] {
        if let Some(Value::Array(list)) = map.get_mut(key) {
            list.iter_mut().for_each(|inner| schemas_mut(inner, change));
        }
    }
}

/// Collects every `$ref` in the structure of `value`.
pub fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found.insert(reference);
            }
            for (key, inner) in map {
                if !DATA.contains(&key.as_str()) || is_schema(inner) {
                    references(inner, found);
                } else if key == "examples" {
                    // Named examples can be references; their values are data.
                    let named = members(Some(inner)).filter_map(|(_, example)| example.get("$ref")?.as_str());
                    found.extend(named);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

/// Returns the references that do not resolve within the document, sorted.
pub fn unresolved_references(document: &Value) -> impl Iterator<Item = &str> {
    let mut found = BTreeSet::new();
    references(document, &mut found);
    let resolves =
        |reference: &str| reference.strip_prefix('#').is_some_and(|pointer| document.pointer(pointer).is_some());
    found.into_iter().filter(move |reference| !resolves(reference))
}

/// Returns the names of the component schemas that are reachable from `roots` through any number of references.
pub fn reachable_schemas<'d>(document: &'d Value, roots: impl IntoIterator<Item = &'d Value>) -> BTreeSet<&'d str> {
    let mut pending = BTreeSet::new();
    for root in roots {
        references(root, &mut pending);
    }
    let mut seen = BTreeSet::new();
    while let Some(reference) = pending.pop_first() {
        if !seen.insert(reference) {
            continue;
        }
        if let Some(target) = reference.strip_prefix('#').and_then(|p| document.pointer(p)) {
            references(target, &mut pending);
        }
    }
    seen.into_iter().filter_map(|reference| reference.strip_prefix(SCHEMAS)).collect()
}

/// Returns every request body and parameter.
pub fn request_roots(document: &Value) -> impl Iterator<Item = &Value> {
    operations(document).flat_map(|entry| {
        let operation = entry.operation;
        let parts = [operation.get("requestBody"), operation.get("parameters"), entry.item.get("parameters")];
        parts.into_iter().flatten()
    })
}

/// Returns the responses of every operation.
pub fn response_roots(document: &Value) -> impl Iterator<Item = &Value> {
    operations(document).filter_map(|entry| entry.operation.get("responses"))
}

/// Returns the media type without its parameters: `application/json` for `application/json; charset=utf-8`.
pub fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Returns whether a media type is JSON: `application/json` or any media type with the suffix `+json`.
pub fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence.eq_ignore_ascii_case("application/json")
        || essence.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
}
