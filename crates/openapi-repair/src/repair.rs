//! Corrections of the output of poem-openapi that do not change its meaning, such as bounds, formats and nullable
//! references.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Defect, RepairOptions, headers};
use openapi_model::{bounds, text, traverse};

pub(super) fn repair(document: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    if let Value::Object(map) = document {
        map.insert("openapi".to_owned(), json!("3.0.3"));
        // OpenAPI 3.0 has no webhooks, so they become an extension.
        match map.shift_remove("webhooks") {
            Some(Value::Object(hooks)) if !hooks.is_empty() => {
                map.insert("x-webhooks".to_owned(), Value::Object(hooks));
            }
            _ => {}
        }
    }
    remove(document.get_mut("info"), "summary");
    remove(document.pointer_mut("/info/license"), "identifier");
    integers(document);
    titles(document);
    rename_schemas(document, rules, defects);
    strip_media_types(document, defects);
    media_examples(document);
    let targets = targets(document);
    traverse::schema_roots_mut(document, &mut |root| {
        traverse::schemas_mut(root, &mut |schema| {
            drop_defaults(schema);
            unwrap_reference(schema, &targets);
            formats(schema);
            bounds::redundant_bounds(schema).into_iter().for_each(|keyword| drop(schema.shift_remove(keyword)));
            allow_null(schema);
        });
    });
    traverse::operations_mut(document, |_, _, operation| {
        drop_defaults(operation);
        // Without `security`, an operation inherits the requirements of the document.
        operation.entry("security").or_insert_with(|| json!([]));
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
            for parameter in parameters.iter_mut().filter_map(Value::as_object_mut) {
                repair_parameter(parameter, &id, rules);
            }
        }
    });
    order_tags(document);
    headers::spell(document, rules, defects);
}

/// Orders the tags as their first operations. poem-openapi orders them by name.
fn order_tags(document: &mut Value) {
    let mut used: Vec<Value> = Vec::new();
    traverse::operations_mut(document, |_, _, operation| {
        used.extend(traverse::elements(operation.get("tags")).cloned())
    });
    if let Some(Value::Array(tags)) = document.get_mut("tags") {
        tags.sort_by_key(|tag| used.iter().position(|name| Some(name) == tag.get("name")).unwrap_or(used.len()));
    }
}

fn remove(from: Option<&mut Value>, key: &str) {
    if let Some(Value::Object(map)) = from {
        map.shift_remove(key);
    }
}

/// Converts bounds such as `100.0` to integers. poem-openapi writes them as floating-point numbers.
fn integers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            // As a floating-point number, the largest 64-bit integer is 2^63. The cast restores it.
            if float.fract() == 0.0 && float.abs() <= 9_223_372_036_854_775_808.0 {
                #[allow(clippy::cast_possible_truncation)] // saturating is intended
                let integer = float as i64;
                *value = integer.into();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(integers),
        Value::Object(map) => map.values_mut().for_each(integers),
        _ => {}
    }
}

/// Removes titles that repeat the name of their schema. Some code generators would create a second type for them.
fn titles(document: &mut Value) {
    for (name, schema) in traverse::members_mut(document.pointer_mut("/components/schemas")) {
        if schema.get("title").is_some_and(|title| title == name) {
            remove(Some(schema), "title");
        }
    }
}

fn rename_schemas(document: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    let renamed: BTreeMap<&str, &str> = rules.renamed_schemas.iter().copied().collect();
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else {
        return;
    };
    for (raw, published) in rules.renamed_schemas {
        if !schemas.contains_key(*raw) {
            defects.push(Defect::new(
                format!("schema {raw}"),
                format!("is in the options with the published name {published}, but does not exist"),
            ));
        }
    }
    for (name, schema) in std::mem::take(schemas) {
        let published = renamed.get(name.as_str()).map_or(name.clone(), |&new| new.to_owned());
        if schemas.insert(published.clone(), schema).is_some() {
            let message = format!("is the published name of {name} and of another schema");
            defects.push(Defect::new(format!("schema {published}"), message));
        }
    }
    traverse::objects_mut(document, &mut |map| {
        for (_, value) in map.iter_mut() {
            // References and the values in the mapping of a discriminator.
            if let Value::String(text) = value
                && let Some(new) = text.strip_prefix(traverse::SCHEMAS).and_then(|name| renamed.get(name))
            {
                *text = format!("{}{new}", traverse::SCHEMAS);
            }
        }
    });
}

fn strip_media_types(document: &mut Value, defects: &mut Vec<Defect>) {
    traverse::operations_mut(document, |path, method, operation| {
        let mut strip = |part: &mut Value| {
            let Some(Value::Object(content)) = part.get_mut("content") else {
                return;
            };
            for (media_type, media) in std::mem::take(content) {
                let essence = traverse::essence(&media_type).to_owned();
                if content.insert(essence.clone(), media.clone()).is_some_and(|old| old != media) {
                    let place = format!("{} {path}", method.to_uppercase());
                    defects.push(Defect::new(place, format!("documents {essence} twice")));
                }
            }
        };
        if let Some(body) = operation.get_mut("requestBody") {
            strip(body);
        }
        traverse::members_mut(operation.get_mut("responses")).for_each(|(_, response)| strip(response));
    });
}

/// Moves the example of an inline schema of a body to the media type. poem-openapi writes examples only into schemas.
fn media_examples(document: &mut Value) {
    traverse::operations_mut(document, |_, _, operation| {
        let lift = |part: &mut Value| {
            for (_, media) in traverse::members_mut(part.get_mut("content")) {
                let schema = media.get_mut("schema").and_then(Value::as_object_mut);
                let own = schema.and_then(|schema| schema.shift_remove("example"));
                if let (Some(example), Value::Object(media)) = (own, media) {
                    media.entry("example").or_insert(example);
                }
            }
        };
        if let Some(body) = operation.get_mut("requestBody") {
            lift(body);
        }
        traverse::members_mut(operation.get_mut("responses")).for_each(|(_, response)| lift(response));
    });
}

fn drop_defaults(map: &mut Map<String, Value>) {
    if map.get("deprecated") == Some(&Value::Bool(false)) {
        map.shift_remove("deprecated");
    }
}

/// Returns every component schema by reference. A nullable reference repeats the type and enum of its target.
fn targets(document: &Value) -> BTreeMap<String, Value> {
    traverse::members(document.pointer("/components/schemas"))
        .map(|(name, schema)| (format!("{}{name}", traverse::SCHEMAS), schema.clone()))
        .collect()
}

/// Simplifies a reference with annotations, which poem-openapi writes as `{X, allOf: [{$ref}, {X}]}`.
fn unwrap_reference(schema: &mut Map<String, Value>, targets: &BTreeMap<String, Value>) {
    let Some(Value::Array(parts)) = schema.get("allOf") else {
        return;
    };
    let [first, repeats @ ..] = parts.as_slice() else {
        return;
    };
    let Some(Value::String(reference)) = first.get("$ref") else {
        return;
    };
    let (reference, first) = (reference.clone(), first.clone());
    let is_redundant = repeats.iter().all(|part| {
        part.as_object()
            .is_some_and(|part| part.iter().all(|(key, value)| key != "$ref" && schema.get(key) == Some(value)))
    });
    if !is_redundant {
        return;
    }
    if schema.len() == 1 {
        *schema = Map::from_iter([("$ref".to_owned(), Value::String(reference))]);
        return;
    }
    schema.insert("allOf".to_owned(), json!([first]));
    if schema.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    // `nullable` has no effect without `type`.
    let target = targets.get(&reference);
    let kind = target.and_then(|target| target.get("type")).cloned();
    schema.insert("type".to_owned(), kind.unwrap_or_else(|| json!("object")));
    // An enum without null rejects null, so it is repeated here with null added.
    if let Some(allowed) = target.and_then(|target| target.get("enum")) {
        schema.shift_remove("allOf");
        schema.insert("enum".to_owned(), allowed.clone());
    }
}

fn formats(schema: &mut Map<String, Value>) {
    let (format, low, high) = match schema.get("format").and_then(Value::as_str) {
        Some("naive-date") => ("date", None, None),
        Some("naive-time") => ("time", None, None),
        Some("int8") => ("int32", Some(-128), Some(127)),
        Some("int16") => ("int32", Some(-32_768), Some(32_767)),
        Some("uint8") => ("int32", Some(0), Some(255)),
        Some("uint16") => ("int32", Some(0), Some(65_535)),
        Some("uint32") => ("int64", Some(0), Some(4_294_967_295_i64)),
        Some("uint64") => ("int64", Some(0), Some(i64::MAX)),
        _ => return,
    };
    schema.insert("format".to_owned(), format.into());
    for (key, bound) in [("minimum", low), ("maximum", high)] {
        if let Some(bound) = bound {
            schema.entry(key).or_insert_with(|| bound.into());
        }
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    if schema.get("nullable") == Some(&Value::Bool(true))
        && let Some(Value::Array(allowed)) = schema.get_mut("enum")
        && !allowed.contains(&Value::Null)
    {
        allowed.push(Value::Null);
    }
}

fn repair_parameter(parameter: &mut Map<String, Value>, operation: &str, rules: &RepairOptions<'_>) {
    drop_defaults(parameter);
    let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, place) = (text("name"), text("in"));
    let schema = parameter.get("schema");
    let is_array = schema.and_then(|schema| schema.get("type")).is_some_and(|kind| kind == "array");
    // `explode` applies only to arrays, and `true` is the default in a query.
    if !is_array || (place == "query" && parameter.get("explode") == Some(&Value::Bool(true))) {
        parameter.shift_remove("explode");
    }
    if place == "path" {
        parameter.insert("required".to_owned(), Value::Bool(true));
    } else if parameter.get("required") == Some(&Value::Bool(false)) {
        parameter.shift_remove("required");
    }
    if place == "header"
        && let Some(spelled) = headers::spelling(rules, &name)
    {
        parameter.insert("name".to_owned(), spelled.into());
    }
    // poem-openapi writes the example into the schema, where Postman and Schemathesis ignore it.
    let own =
        parameter.get_mut("schema").and_then(Value::as_object_mut).and_then(|schema| schema.shift_remove("example"));
    let stated = |name: &str| rules.parameter_examples.iter().find(|(known, _)| *known == name);
    let stated = || stated(&format!("{operation}.{name}")).or_else(|| stated(&name));
    if let Some(example) = own.or_else(|| stated().map(|(_, example)| example.clone())) {
        parameter.entry("example").or_insert(example);
    }
    if let Some(Value::Object(schema)) = parameter.get_mut("schema") {
        text::document_rule(schema, rules.multi_line_from);
        if let Some(Value::Object(items)) = schema.get_mut("items") {
            text::document_rule(items, rules.multi_line_from);
        }
    }
    if place == "query" && accepts_empty_value(parameter, rules.multi_line_from) {
        parameter.insert("allowEmptyValue".to_owned(), Value::Bool(true));
    }
}

/// Returns whether a query parameter may be sent without a value: as an empty text, or as a list without elements that is
/// written as one value. poem-openapi cannot declare it, and strict clients reject an empty value that is not declared.
fn accepts_empty_value(parameter: &Map<String, Value>, multi_line_from: u64) -> bool {
    let Some(schema) = parameter.get("schema") else { return false };
    let is_unbounded = |key: &str| schema.get(key).and_then(Value::as_u64).unwrap_or(0) == 0;
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => is_unbounded("minItems") && parameter.get("explode") == Some(&Value::Bool(false)),
        _ => is_unbounded("minLength") && text::is_any(schema, multi_line_from),
    }
}
