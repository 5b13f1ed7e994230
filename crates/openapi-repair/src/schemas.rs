//! Completes schemas: adds examples, closes request objects, and marks the fields of responses as required.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Defect, RepairOptions};
use openapi_model::{text, traverse};

pub(super) fn complete(document: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    let owned = |names: BTreeSet<&str>| -> BTreeSet<String> { names.into_iter().map(str::to_owned).collect() };
    let requests = owned(traverse::reachable_schemas(document, traverse::request_roots(document)));
    let responses = owned(traverse::reachable_schemas(document, traverse::response_roots(document)));
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else {
        return;
    };
    for (name, example) in rules.schema_examples {
        match schemas.get_mut(*name).and_then(Value::as_object_mut) {
            Some(schema) => {
                schema.entry("example").or_insert_with(|| example.clone());
            }
            None => {
                defects.push(Defect::new(format!("schema {name}"), "has an example in the options, but does not exist"))
            }
        }
    }
    for (name, field) in rules.sensitive {
        let property = schemas.get_mut(*name).and_then(|schema| schema.get_mut("properties")?.get_mut(*field));
        match property.and_then(Value::as_object_mut) {
            Some(property) => drop(property.insert("x-sensitive".to_owned(), Value::Bool(true))),
            None => defects.push(Defect::new(
                format!("schema {name}"),
                format!("has no field {field}, which the options mark as sensitive"),
            )),
        }
    }
    for open in rules.open_enums {
        let property =
            schemas.get_mut(open.schema).and_then(|schema| schema.get_mut("properties")?.get_mut(open.field));
        match property.and_then(Value::as_object_mut) {
            Some(property) => document_open_enum(property, open.values),
            None => defects.push(Defect::new(
                format!("schema {}", open.schema),
                format!("has no field {}, which the options describe as an open enum", open.field),
            )),
        }
    }
    for (name, schema) in schemas.iter_mut() {
        if requests.contains(name) {
            traverse::schemas_mut(schema, &mut |schema| close(schema, rules.multi_line_from));
            if let Value::Object(schema) = schema {
                drop_absent(schema);
            }
        } else if responses.contains(name) {
            traverse::schemas_mut(schema, &mut require_nullable);
        }
        traverse::schemas_mut(schema, &mut sort_required);
    }
    // Bodies with an inline schema.
    traverse::operations_mut(document, |_, _, operation| {
        let content = operation.get_mut("requestBody").and_then(|body| body.get_mut("content"));
        for (_, media) in traverse::members_mut(content) {
            if let Some(schema) = media.get_mut("schema") {
                traverse::schemas_mut(schema, &mut |schema| close(schema, rules.multi_line_from));
            }
        }
    });
}

/// Lists the values of a field in its description, and as `x-extensible-enum`, which tools read. An `enum` would make generated
/// code reject values that are added later.
fn document_open_enum(property: &mut Map<String, Value>, values: &[(&str, &str)]) {
    let description = property.get("description").and_then(Value::as_str).unwrap_or_default();
    let list: Vec<String> = values.iter().map(|(value, meaning)| format!("- `{value}`: {meaning}")).collect();
    let description = format!("{description} New values can be added:\n\n{}", list.join("\n"));
    property.insert("description".to_owned(), description.trim_start().into());
    property.insert("x-extensible-enum".to_owned(), values.iter().map(|(value, _)| *value).collect());
}

/// Makes a request object reject unknown fields, and adds the pattern for text.
fn close(schema: &mut Map<String, Value>, multi_line_from: u64) {
    if schema.contains_key("properties") {
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    text::document_rule(schema, multi_line_from);
}

/// Removes null values of fields that are not nullable from an example. poem-openapi serializes absent options as null.
fn drop_absent(schema: &mut Map<String, Value>) {
    let nullable: BTreeSet<String> = traverse::members(schema.get("properties"))
        .filter(|(_, property)| property.get("nullable") == Some(&Value::Bool(true)))
        .map(|(name, _)| name.to_owned())
        .collect();
    if let Some(Value::Object(example)) = schema.get_mut("example") {
        example.retain(|name, value| !value.is_null() || nullable.contains(name));
    }
}

/// Adds nullable fields to the required fields, because responses contain every field.
fn require_nullable(schema: &mut Map<String, Value>) {
    let mut required = names(schema.get("required"));
    for (name, property) in traverse::members(schema.get("properties")) {
        if property.get("nullable") == Some(&Value::Bool(true)) {
            required.insert(name.to_owned());
        }
    }
    if !required.is_empty() {
        let list = required.into_iter().map(Value::String).collect();
        schema.insert("required".to_owned(), Value::Array(list));
    }
}

/// Sorts the required fields in the order of the properties.
fn sort_required(schema: &mut Map<String, Value>) {
    let mut required = names(schema.get("required"));
    if required.is_empty() || !schema.contains_key("properties") {
        return;
    }
    let mut list: Vec<Value> = traverse::members(schema.get("properties"))
        .filter_map(|(name, _)| required.take(name).map(Value::String))
        .collect();
    list.extend(required.into_iter().map(Value::String));
    schema.insert("required".to_owned(), Value::Array(list));
}

fn names(list: Option<&Value>) -> BTreeSet<String> {
    traverse::elements(list).filter_map(Value::as_str).map(str::to_owned).collect()
}
