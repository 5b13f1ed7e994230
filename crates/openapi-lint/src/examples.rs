//! Rules for examples: they are present and valid.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Rule, finding::Report, location::LintLocation};
use openapi_model::{Definitions, SchemaValidator};
use openapi_model::{pointer, traverse};

pub(super) fn check(document: &Value, report: &mut Report<'_>) {
    let definitions = document.pointer("/components/schemas").and_then(Value::as_object);
    let mut checker = ExampleChecker {
        document,
        definitions: Arc::new(definitions.cloned().unwrap_or_default()),
        compiled: HashMap::new(),
        report,
    };
    for (name, schema) in traverse::members(document.pointer("/components/schemas")) {
        let location = LintLocation::component("schemas", "schema", name);
        match schema.get("example") {
            Some(example) => checker.check(&location, schema, example),
            None if is_object(schema) => checker.missing(&location),
            None => {}
        }
    }
    for entry in traverse::operations(document) {
        checker.operation(&entry);
    }
    for (name, response) in traverse::members(document.pointer("/components/responses")) {
        checker.response(&LintLocation::component("responses", "response", name), response);
    }
    for (name, header) in traverse::members(document.pointer("/components/headers")) {
        checker.with_schema(&LintLocation::component("headers", "header", name), header, true);
    }
}

fn is_object(schema: &Value) -> bool {
    let is = |key| schema.get(key).is_some();
    is("properties") || is("allOf") || schema.get("type").is_some_and(|kind| kind == "object")
}

/// Validates examples and reports missing ones.
struct ExampleChecker<'d, 'r, 'c> {
    document: &'d Value,
    definitions: Definitions,
    /// Compiled schemas by their text. Many responses share a schema, such as that of errors.
    compiled: HashMap<String, Option<SchemaValidator>>,
    report: &'r mut Report<'c>,
}

impl<'d> ExampleChecker<'d, '_, '_> {
    fn operation(&mut self, entry: &traverse::Entry<'d>) {
        let location = LintLocation::operation(entry);
        for parameter in entry.parameters(self.document) {
            self.with_schema(&location.parameter(&parameter), parameter.value, true);
        }
        if let Some(body) = entry.operation.get("requestBody") {
            self.content(&location.part(&["requestBody"], "request body"), body);
        }
        for (status, response) in traverse::members(entry.operation.get("responses")) {
            // Shared responses are checked once, as components.
            if response.get("$ref").is_none() {
                self.response(&location.part(&["responses", status], &format!("response {status}")), response);
            }
        }
    }

    fn response(&mut self, location: &LintLocation, response: &Value) {
        self.content(location, response);
        for (name, header) in traverse::members(response.get("headers")) {
            let is_shared = header.get("$ref").is_some();
            if let Some(header) = pointer::resolve(self.document, header).filter(|_| !is_shared) {
                self.with_schema(&location.part(&["headers", name], &format!("header {name}")), header, true);
            }
        }
    }

    fn content(&mut self, location: &LintLocation, part: &Value) {
        for (media_type, media) in traverse::members(part.get("content")) {
            let tokens = ["content", media_type];
            if traverse::is_json(media_type) {
                self.with_schema(&location.at(&tokens), media, false);
            } else {
                // A JSON body can have the example of its schema. For text, the schema has no example.
                self.with_schema(&location.part(&tokens, media_type), media, true);
            }
        }
    }

    /// Checks the examples of a part with a schema.
    fn with_schema(&mut self, location: &LintLocation, part: &Value, needed: bool) {
        let Some(schema) = part.get("schema") else {
            return;
        };
        if let Some(example) = part.get("example") {
            self.check(location, schema, example);
        }
        for (name, example) in traverse::members(part.get("examples")) {
            if let Some(value) = pointer::resolve(self.document, example).and_then(|example| example.get("value")) {
                self.check(&location.part(&["examples", name], &format!("example {name}")), schema, value);
            }
        }
        if needed && part.get("example").is_none() && part.get("examples").is_none() {
            self.missing(location);
        }
    }

    fn missing(&mut self, location: &LintLocation) {
        self.report.add(Rule::ExamplePresent, location, "has no example");
    }

    fn check(&mut self, location: &LintLocation, schema: &Value, example: &Value) {
        let (definitions, report) = (&self.definitions, &mut *self.report);
        let compiled = self.compiled.entry(schema.to_string()).or_insert_with(|| {
            let compiled = SchemaValidator::new(schema, definitions);
            if let Err(error) = &compiled {
                let message = format!("has a schema that does not compile: {error}");
                report.add(Rule::SchemaCompiles, location, message);
            }
            compiled.ok()
        });
        for problem in compiled.iter().flat_map(|compiled| compiled.violations(example)) {
            let at = match problem.pointer.as_str() {
                "" => String::new(),
                pointer => format!(" at {pointer}"),
            };
            let message = format!("has an invalid example{at}: {}", problem.message);
            report.add(Rule::ExampleValid, location, message);
        }
    }
}
