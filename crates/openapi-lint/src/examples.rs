//! Rules for examples: they are present and valid.

use std::sync::Arc;

use serde_json::Value;

use super::Finding;
use openapi_model::{Definitions, SchemaValidator};
use openapi_model::{pointer, traverse};

pub(super) fn check(document: &Value, findings: &mut Vec<Finding>) {
    let definitions = document.pointer("/components/schemas").and_then(Value::as_object);
    let mut checker = ExampleChecker {
        definitions: Arc::new(definitions.cloned().unwrap_or_default()),
        compiled: Vec::new(),
        findings,
    };
    for (name, schema) in traverse::members(document.pointer("/components/schemas")) {
        let place = format!("schema {name}");
        match schema.get("example") {
            Some(example) => checker.check(&place, schema, example),
            None if is_object(schema) => checker.missing(&place),
            None => {}
        }
    }
    for entry in traverse::operations(document) {
        let place = format!("operation {}", entry.name());
        for parameter in traverse::elements(entry.operation.get("parameters")) {
            if let Some(parameter) = pointer::resolve(document, parameter) {
                let name = parameter.get("name").and_then(Value::as_str).unwrap_or("?");
                checker.with_schema(&format!("{place}, parameter {name}"), parameter, true);
            }
        }
        if let Some(body) = entry.operation.get("requestBody") {
            checker.content(&format!("{place}, request body"), body);
        }
        for (status, response) in traverse::members(entry.operation.get("responses")) {
            if response.get("$ref").is_none() {
                checker.response(document, &format!("{place}, response {status}"), response);
            }
        }
    }
    for (name, response) in traverse::members(document.pointer("/components/responses")) {
        checker.response(document, &format!("response {name}"), response);
    }
    for (name, header) in traverse::members(document.pointer("/components/headers")) {
        checker.with_schema(&format!("header {name}"), header, true);
    }
}

fn is_object(schema: &Value) -> bool {
    let is = |key| schema.get(key).is_some();
    is("properties") || is("allOf") || schema.get("type").is_some_and(|kind| kind == "object")
}

/// Validates examples and reports missing ones.
struct ExampleChecker<'f> {
    definitions: Definitions,
    /// Compiled schemas. Many responses share a schema, such as that of errors.
    compiled: Vec<(Value, Option<SchemaValidator>)>,
    findings: &'f mut Vec<Finding>,
}

impl ExampleChecker<'_> {
    fn response(&mut self, document: &Value, place: &str, response: &Value) {
        self.content(place, response);
        for (name, header) in traverse::members(response.get("headers")) {
            // Shared headers are checked once, as components.
            let is_shared = header.get("$ref").is_some();
            if let Some(header) = pointer::resolve(document, header).filter(|_| !is_shared) {
                self.with_schema(&format!("{place}, header {name}"), header, true);
            }
        }
    }

    fn content(&mut self, place: &str, part: &Value) {
        for (media_type, media) in traverse::members(part.get("content")) {
            if traverse::is_json(media_type) {
                self.with_schema(place, media, false);
            } else {
                // A JSON body can have the example of its schema. For text, the schema has no example.
                self.with_schema(&format!("{place}, {media_type}"), media, true);
            }
        }
    }

    /// Checks the examples of a part with a schema.
    fn with_schema(&mut self, place: &str, part: &Value, needed: bool) {
        let Some(schema) = part.get("schema") else {
            return;
        };
        if let Some(example) = part.get("example") {
            self.check(place, schema, example);
        }
        for (name, example) in traverse::members(part.get("examples")) {
            if let Some(value) = example.get("value") {
                self.check(&format!("{place}, example {name}"), schema, value);
            }
        }
        if needed && part.get("example").is_none() && part.get("examples").is_none() {
            self.missing(place);
        }
    }

    fn missing(&mut self, place: &str) {
        self.findings.push(Finding::new(place, "has no example"));
    }

    fn check(&mut self, place: &str, schema: &Value, example: &Value) {
        let known = self.compiled.iter().position(|(known, _)| known == schema);
        let index = known.unwrap_or_else(|| {
            let compiled = SchemaValidator::new(schema, &self.definitions);
            if let Err(error) = &compiled {
                let message = format!("has a schema that does not compile: {error}");
                self.findings.push(Finding::new(place, message));
            }
            self.compiled.push((schema.clone(), compiled.ok()));
            self.compiled.len() - 1
        });
        let Some((_, Some(compiled))) = self.compiled.get(index) else {
            return;
        };
        for problem in compiled.violations(example) {
            let at = match problem.pointer.as_str() {
                "" => String::new(),
                pointer => format!(" at {pointer}"),
            };
            let message = format!("has an invalid example{at}: {}", problem.message);
            self.findings.push(Finding::new(place, message));
        }
    }
}
