//! The canonical order of keys.
//!
//! Paths, properties and examples remain in the order of their author. Components and responses are sorted. Keys that are
//! not listed here come last, sorted by name.

use serde_json::{Map, Value};

/// A part of a document, by its shape.
#[derive(Clone, Copy)]
enum Part {
    Document,
    Info,
    PathItem,
    Operation,
    Parameter,
    RequestBody,
    Response,
    Header,
    Media,
    Components,
    SecurityScheme,
    Schema,
    /// An array of parts.
    List(&'static Part),
    /// Named parts in their existing order.
    Named(&'static Part),
    /// Named parts, sorted by name.
    Sorted(&'static Part),
    /// Data, which is not sorted.
    Data,
}

use Part::{
    Components, Data, Header, Info, List, Media, Named, Operation, Parameter, PathItem, RequestBody, Response, Schema,
    SecurityScheme, Sorted,
};

type Keys = &'static [(&'static str, Part)];

const DOCUMENT: Keys = &[
    ("openapi", Data),
    ("jsonSchemaDialect", Data),
    ("info", Info),
    ("servers", Data),
    ("tags", Data),
    ("security", Data),
    ("paths", Named(&PathItem)),
    ("webhooks", Sorted(&PathItem)),
    ("x-webhooks", Sorted(&PathItem)),
    ("components", Components),
    ("externalDocs", Data),
];
const INFO: Keys = &[
    ("title", Data),
    ("version", Data),
    ("description", Data),
    ("termsOfService", Data),
    ("contact", Data),
    ("license", Data),
];
const PATH_ITEM: Keys = &[
    ("summary", Data),
    ("description", Data),
    ("parameters", List(&Parameter)),
    ("get", Operation),
    ("head", Operation),
    ("options", Operation),
    ("post", Operation),
    ("put", Operation),
    ("patch", Operation),
    ("delete", Operation),
    ("trace", Operation),
];
const OPERATION: Keys = &[
    ("tags", Data),
    ("summary", Data),
    ("description", Data),
    ("externalDocs", Data),
    ("operationId", Data),
    ("deprecated", Data),
    ("parameters", List(&Parameter)),
    ("requestBody", RequestBody),
    ("responses", Sorted(&Response)),
    ("security", Data),
];
const PARAMETER: Keys = &[
    ("$ref", Data),
    ("name", Data),
    ("in", Data),
    ("description", Data),
    ("required", Data),
    ("deprecated", Data),
    ("style", Data),
    ("allowEmptyValue", Data),
    ("explode", Data),
    ("schema", Schema),
    ("example", Data),
    ("examples", Data),
];
const REQUEST_BODY: Keys = &[("$ref", Data), ("description", Data), ("required", Data), ("content", Named(&Media))];
const RESPONSE: Keys =
    &[("$ref", Data), ("description", Data), ("headers", Sorted(&Header)), ("content", Named(&Media)), ("links", Data)];
const MEDIA: Keys = &[("schema", Schema), ("example", Data), ("examples", Data)];
const COMPONENTS: Keys = &[
    ("schemas", Sorted(&Schema)),
    ("parameters", Sorted(&Parameter)),
    ("requestBodies", Sorted(&RequestBody)),
    ("responses", Sorted(&Response)),
    ("headers", Sorted(&Header)),
    ("securitySchemes", Sorted(&SecurityScheme)),
];
const SECURITY_SCHEME: Keys =
    &[("type", Data), ("description", Data), ("scheme", Data), ("bearerFormat", Data), ("name", Data), ("in", Data)];
const SCHEMA: Keys = &[
    ("$ref", Data),
    ("type", Data),
    ("format", Data),
    ("title", Data),
    ("description", Data),
    ("nullable", Data),
    ("deprecated", Data),
    ("enum", Data),
    ("default", Data),
    ("pattern", Data),
    ("minLength", Data),
    ("maxLength", Data),
    ("minimum", Data),
    ("exclusiveMinimum", Data),
    ("maximum", Data),
    ("exclusiveMaximum", Data),
    ("multipleOf", Data),
    ("minItems", Data),
    ("maxItems", Data),
    ("uniqueItems", Data),
    ("items", Schema),
    ("minProperties", Data),
    ("maxProperties", Data),
    ("required", Data),
    ("properties", Named(&Schema)),
    ("additionalProperties", Schema),
    ("allOf", List(&Schema)),
    ("anyOf", List(&Schema)),
    ("oneOf", List(&Schema)),
    ("not", Schema),
    ("discriminator", Data),
    ("example", Data),
    ("examples", Data),
];

/// Sorts the keys of a document into canonical order.
pub(crate) fn document(value: &mut Value) {
    arrange(value, Part::Document);
}

fn arrange(value: &mut Value, part: Part) {
    match (part, value) {
        (Data, _) => {}
        (List(inner), Value::Array(list)) => {
            list.iter_mut().for_each(|value| arrange(value, *inner));
        }
        (Named(inner), Value::Object(map)) => {
            map.values_mut().for_each(|value| arrange(value, *inner));
        }
        (Sorted(inner), Value::Object(map)) => {
            map.sort_keys();
            map.values_mut().for_each(|value| arrange(value, *inner));
        }
        (_, Value::Object(map)) => by_table(map, keys(part)),
        _ => {}
    }
}

fn keys(part: Part) -> Keys {
    match part {
        Part::Document => DOCUMENT,
        Info => INFO,
        PathItem => PATH_ITEM,
        Operation => OPERATION,
        // A header is a parameter without a name and a location.
        Parameter | Header => PARAMETER,
        RequestBody => REQUEST_BODY,
        Response => RESPONSE,
        Media => MEDIA,
        Components => COMPONENTS,
        SecurityScheme => SECURITY_SCHEME,
        Schema => SCHEMA,
        List(_) | Named(_) | Sorted(_) | Data => &[],
    }
}

fn by_table(map: &mut Map<String, Value>, table: Keys) {
    let mut rest = std::mem::take(map);
    for (key, part) in table {
        if let Some(mut value) = rest.shift_remove(*key) {
            arrange(&mut value, *part);
            map.insert((*key).to_owned(), value);
        }
    }
    rest.sort_keys();
    map.extend(rest);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_names_remain_in_order() {
        let mut value = json!({
            "components": {"schemas": {"B": {"properties": {"type": {"example": 1, "type": "integer"}, "a": {}}, "type": "object"}, "A": {}}},
            "x-other": {"z": 1, "a": 2},
            "paths": {"/z": {"put": {"responses": {"404": {}, "200": {"content": {}, "description": "d"}}, "operationId": "x", "tags": []}, "get": {}}, "/a": {}},
            "openapi": "3.0.3"
        });
        let before = value.clone();
        document(&mut value);
        assert_eq!(value, before);
        let expected = r#"{"openapi":"3.0.3","paths":{"/z":{"get":{},"put":{"tags":[],"operationId":"x","responses":{"200":{"description":"d","content":{}},"404":{}}}},"/a":{}},"components":{"schemas":{"A":{},"B":{"type":"object","properties":{"type":{"type":"integer","example":1},"a":{}}}}},"x-other":{"z":1,"a":2}}"#;
        assert_eq!(value.to_string(), expected);
    }
}
