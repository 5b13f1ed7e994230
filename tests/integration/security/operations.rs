//! Every operation of both documents with its parameters, request bodies and response fields.

use std::collections::BTreeSet;

use ::contract::{self as declared, v1, v2};
use openapi_model::Operation;
use poem::http::Method;

use crate::{
    contract::is_for_admins,
    support::{Actor, RequestBuilder, TestApp, Value, documented, method, request_schema, resolve},
};

/// An operation of the v1 or v2 document.
#[derive(Clone, Copy)]
pub struct Target {
    pub operation: &'static Operation,
    /// The declaration in the endpoint trait.
    pub declared: &'static declared::Operation,
    document: &'static Value,
}

/// A part of a request body.
pub struct Text {
    /// A JSON pointer.
    pub at: String,
    pub schema: &'static Value,
}

/// Returns every operation of both documents.
pub fn targets() -> Vec<Target> {
    let of_document = |contract: &'static openapi_model::CompiledDocument,
                       document: &'static openapi_model::Document,
                       declared: Declared| {
        contract.operations().map(move |operation| Target {
            operation,
            declared: declared(&operation.id).unwrap_or_else(|| panic!("no trait declares {}", operation.id)),
            document: document.value(),
        })
    };
    let first = of_document(v1::contract(), v1::document(), v1::document::operation);
    first.chain(of_document(v2::contract(), v2::document(), v2::document::operation)).collect()
}

type Declared = fn(&str) -> Option<&'static declared::Operation>;

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {} ({})", self.operation.method, self.operation.path, self.operation.id)
    }
}

impl Target {
    pub fn method(&self) -> Method {
        method(self.operation)
    }

    pub fn is_for_admins(&self) -> bool {
        is_for_admins(self.operation)
    }

    /// Returns an actor who may call it: the administrator, or an anonymous client for public operations.
    pub fn caller<'a>(&self, app: &'a TestApp, admin: &Actor<'a>) -> Actor<'a> {
        Actor::new(app, admin.session.clone().filter(|_| self.operation.is_secured))
    }

    /// Resolves the reference of a schema.
    pub fn resolve(&self, schema: &'static Value) -> &'static Value {
        resolve(self.document, schema)
    }

    /// Returns its parameters in `path`, `query` or `header`.
    pub fn parameters(&self, location: &str) -> Vec<&'static Value> {
        let parameters = documented(self.operation)["parameters"].as_array().into_iter().flatten();
        parameters.filter(|parameter| parameter["in"] == location).collect()
    }

    /// Returns the names of its parameters in `path`, `query` or `header`.
    pub fn names(&self, location: &str) -> Vec<&'static str> {
        self.parameters(location).into_iter().map(|parameter| parameter["name"].as_str().unwrap()).collect()
    }

    /// Returns a query string with the example of every query parameter.
    pub fn example_query(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs = self.parameters("query").into_iter().map(|parameter| {
            let value = match &parameter["example"] {
                Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
                value => text(value),
            };
            // An example of a cursor is not valid.
            format!(
                "{}={}",
                parameter["name"].as_str().unwrap(),
                if parameter["name"] == "cursor" { "" } else { &value }
            )
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Returns the schema of its request body.
    pub fn body(&self) -> Option<&'static Value> {
        self.operation.request_media_types.first().map(|_| request_schema(self.operation))
    }

    /// Returns the document's example of its request body.
    pub fn example(&self) -> Value {
        self.body().map_or(Value::Null, |schema| schema["example"].clone())
    }

    /// Builds a request with this body, if the operation has a request body.
    pub fn with<'a>(&self, actor: &Actor<'a>, path: &str, body: &Value) -> RequestBuilder<'a> {
        let request = actor.request(self.method(), path);
        match self.operation.request_media_types.first() {
            Some(media_type) => request.header("content-type", media_type).bytes(body.to_string()),
            None => request,
        }
    }

    /// Builds a request with the document's example of the body.
    pub fn request<'a>(&self, actor: &Actor<'a>, path: &str) -> RequestBuilder<'a> {
        self.with(actor, path, &self.example())
    }

    /// Returns every object in its request body.
    pub fn objects(&self) -> Vec<Text> {
        let mut found = Vec::new();
        if let Some(schema) = self.body() {
            self.visit_schema(String::new(), schema, &mut |at, schema| {
                if schema["type"] == "object" {
                    found.push(Text { at: at.to_owned(), schema });
                }
            });
        }
        found
    }

    /// Returns every string in its request body.
    pub fn texts(&self) -> Vec<Text> {
        let mut found = Vec::new();
        if let Some(schema) = self.body() {
            self.visit_schema(String::new(), schema, &mut |at, schema| {
                if schema["type"] == "string" {
                    found.push(Text { at: at.to_owned(), schema });
                }
            });
        }
        found
    }

    fn visit_schema(&self, at: String, schema: &'static Value, visit: &mut dyn FnMut(&str, &'static Value)) {
        let schema = self.resolve(schema);
        visit(&at, schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.visit_schema(format!("{at}/{name}"), property, visit);
        }
        if schema["type"] == "array" {
            self.visit_schema(format!("{at}/0"), &schema["items"], visit);
        }
    }

    /// Returns the names of all fields of all successful responses in its document, at any depth.
    pub fn response_fields(&self) -> BTreeSet<&'static str> {
        self.response_names().0
    }

    /// Returns the names of those fields that are maps with arbitrary keys.
    pub fn response_maps(&self) -> BTreeSet<&'static str> {
        self.response_names().1
    }

    fn response_names(&self) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
        let (mut names, mut maps) = (BTreeSet::new(), BTreeSet::new());
        let mut schemas: Vec<&'static Value> = Vec::new();
        for item in self.document["paths"].as_object().unwrap().values() {
            for described in item.as_object().unwrap().values() {
                for (status, response) in described["responses"].as_object().into_iter().flatten() {
                    if status.starts_with('2') {
                        let content = response["content"].as_object().into_iter().flatten();
                        schemas.extend(content.map(|(_, content)| &content["schema"]));
                    }
                }
            }
        }
        let mut seen = BTreeSet::new();
        while let Some(schema) = schemas.pop() {
            let schema = self.resolve(schema);
            if !seen.insert(std::ptr::from_ref(schema)) {
                continue;
            }
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                names.insert(name.as_str());
                let more = &self.resolve(property)["additionalProperties"];
                if more.is_object() || *more == true {
                    maps.insert(name.as_str());
                }
                schemas.push(property);
            }
            schemas.push(&schema["items"]);
            schemas.extend(["allOf", "oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten());
        }
        (names, maps)
    }
}

/// Returns a copy of the body with another value at this pointer.
pub fn with_field(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match name.parse::<usize>() {
        Ok(index) if parent.is_array() => parent[index] = value,
        _ => parent[name] = value,
    }
    body
}

/// Percent-encodes every byte of a text.
pub fn percent_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
