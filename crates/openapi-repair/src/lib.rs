//! Completes the raw OpenAPI document of poem-openapi.
//!
//! Each step repairs a part of the document and reports what it cannot repair. The linter checks the result. Everything
//! that is specific to an API is in [`RepairOptions`].

mod failures;
#[cfg(test)]
mod fixture;
mod headers;
mod prune;
mod repair;
mod schemas;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

use openapi_lint::{Finding, LintOptions};
use openapi_model::Document;
use openapi_model::json::{self, DuplicateKeys};

/// Information about an API that is not in the raw document.
pub struct RepairOptions<'a> {
    /// Published name of the component schema of error bodies.
    pub error_schema: &'a str,
    /// Media type of error bodies.
    pub error_media_type: &'a str,
    /// Returns the documented errors of an operation.
    pub failures: &'a dyn Fn(&OperationInfo<'_>) -> Vec<DocumentedError>,
    /// Returns an example of the body of an error.
    pub error_example: &'a dyn Fn(&OperationInfo<'_>, &DocumentedError) -> Value,
    /// Response headers that do not depend on the operation.
    pub headers: &'a [ResponseHeader],
    /// Published names of other headers, which the raw document has in upper case.
    pub header_names: &'a [&'a str],
    /// Examples of parameters without an example, by name; `listTrips.q` is the `q` of one operation.
    pub parameter_examples: &'a [(&'a str, Value)],
    /// Examples of response headers without an example, by name; `createTrip.Location` is the header of one operation.
    pub header_examples: &'a [(&'a str, Value)],
    /// Examples of component schemas without an example, by published name.
    pub schema_examples: &'a [(&'a str, Value)],
    /// Sensitive fields without a format for sensitive data, as schema and field. They are marked with `x-sensitive`.
    pub sensitive: &'a [(&'a str, &'a str)],
    /// Raw and published names of component schemas: `("Page_Bucketlist", "BucketlistPage")`.
    pub renamed_schemas: &'a [(&'a str, &'a str)],
    /// Operations that need no authentication, by operationId.
    pub public_operations: &'a [&'a str],
    /// Query parameters for pagination. If empty, lists need no pagination.
    pub page_parameters: &'a [&'a str],
    /// Deprecation notices that are added to descriptions, by operationId: the date and the replacement.
    pub deprecations: &'a [(&'a str, String)],
}

/// The properties of an operation that determine its documented errors.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo<'a> {
    /// The operationId.
    pub id: &'a str,
    /// The method in upper case.
    pub method: &'a str,
    /// The path template without the base of the server.
    pub path: &'a str,
    /// Whether the operation requires authentication.
    pub is_secured: bool,
    /// Whether it accepts a request body.
    pub has_body: bool,
    /// Whether it has parameters in query, path or headers.
    pub has_parameters: bool,
    /// Whether it has parameters in the path.
    pub has_path_parameters: bool,
    /// Whether a successful response has a body.
    pub success_has_body: bool,
}

/// A documented error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentedError {
    /// The status of the response.
    pub status: u16,
    /// The stable code of the error.
    pub code: &'static str,
    /// A sentence that explains the error.
    pub message: &'static str,
}

/// A header of responses.
#[derive(Clone, Debug)]
pub struct ResponseHeader {
    /// The published name.
    pub name: &'static str,
    /// The description of the value.
    pub description: &'static str,
    /// The schema of its value.
    pub schema: Value,
    /// An example of its value.
    pub example: Value,
    /// The responses that have the header.
    pub on: HeaderScope,
    /// Whether these responses always have the header. False if it depends on the configuration of the server.
    pub always: bool,
}

/// The responses that have a header.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum HeaderScope {
    /// All responses.
    All,
    /// Responses with one of these statuses.
    Statuses(&'static [u16]),
    /// Responses of operations that require authentication.
    Secured,
    /// Responses for which the function returns true, by operation and status.
    Matching(fn(&OperationInfo<'_>, u16) -> bool),
}

/// The reason why a document cannot be repaired. `Display` writes one finding per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairError {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl fmt::Display for RepairError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RepairError {}

/// Creates a complete document from the output of poem-openapi and lints it.
///
/// # Errors
/// Returns everything that could not be repaired and the findings of [`openapi_lint::lint()`].
pub fn repair(raw: &str, rules: &RepairOptions<'_>) -> Result<Document, RepairError> {
    let mut findings = Vec::new();
    let (mut value, repeated) = match json::parse_document(raw, DuplicateKeys::MergeIn("paths")) {
        Ok(read) => read,
        Err(malformed) => {
            let message = malformed.to_string().replace("The body", "the raw document");
            let findings = vec![Finding::new("document", message)];
            return Err(RepairError { findings });
        }
    };
    for pointer in repeated {
        findings.push(Finding::new("document", format!("{pointer} is declared more than once")));
    }
    for part in ["info", "paths", "components"] {
        if !value.get(part).is_some_and(Value::is_object) {
            findings.push(Finding::new("document", format!("has no \"{part}\" object")));
            return Err(RepairError { findings });
        }
    }
    repair::repair(&mut value, rules, &mut findings);
    deprecate(&mut value, rules, &mut findings);
    schemas::complete(&mut value, rules, &mut findings);
    failures::document(&mut value, rules, &mut findings);
    headers::document(&mut value, rules, &mut findings);
    failures::share(&mut value);
    prune::prune(&mut value);
    let document = match Document::from_value(value) {
        Ok(document) => document,
        Err(error) => {
            findings.push(Finding::new("document", error.to_string()));
            return Err(RepairError { findings });
        }
    };
    let header_names: Vec<&str> = headers::names(rules).collect();
    let lint_rules = LintOptions {
        error_schema: Some(rules.error_schema),
        error_media_type: Some(rules.error_media_type),
        header_names: Some(&header_names),
        public_operations: Some(rules.public_operations),
        page_parameters: Some(rules.page_parameters).filter(|names| !names.is_empty()),
    };
    findings.extend(openapi_lint::lint(&document, &lint_rules));
    if findings.is_empty() { Ok(document) } else { Err(RepairError { findings }) }
}

/// Marks deprecated operations and adds the notice to their descriptions.
fn deprecate(value: &mut Value, rules: &RepairOptions<'_>, findings: &mut Vec<Finding>) {
    let mut left: Vec<&str> = rules.deprecations.iter().map(|(id, _)| *id).collect();
    openapi_model::traverse::operations_mut(value, |_, _, operation| {
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
        let Some((id, notice)) = rules.deprecations.iter().find(|(known, _)| *known == id) else { return };
        left.retain(|known| known != id);
        let description = operation.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = format!("{description}\n\n{notice}");
        operation.insert("description".to_owned(), description.trim_start().into());
        operation.insert("deprecated".to_owned(), Value::Bool(true));
    });
    for id in left {
        findings.push(Finding::new(format!("operation {id}"), "is declared deprecated, but does not exist"));
    }
}

/// Returns the properties of an operation.
fn facts<'a>(
    document_security: Option<&Value>,
    path: &'a str,
    method: &'a str,
    operation: &'a serde_json::Map<String, Value>,
) -> OperationInfo<'a> {
    let parameters = || operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let is_success = |status: &str| status.starts_with('2');
    OperationInfo {
        id: operation.get("operationId").and_then(Value::as_str).unwrap_or_default(),
        method,
        path,
        is_secured: openapi_model::is_secured(operation.get("security").or(document_security)),
        has_body: operation.contains_key("requestBody"),
        has_parameters: parameters().next().is_some(),
        has_path_parameters: parameters().any(|one| one.get("in").is_some_and(|place| place == "path")),
        success_has_body: openapi_model::traverse::members(operation.get("responses"))
            .any(|(status, response)| is_success(status) && response.get("content").is_some()),
    }
}
