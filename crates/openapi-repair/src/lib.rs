//! From the raw document of a framework to the finished one.
//!
//! Owns the order of the steps and the rules a caller states. Each step repairs what can be repaired and reports what
//! cannot; the linter has the last word. Must not know what the API is about: all that comes in through [`RepairOptions`].

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

/// What a caller knows of its API and the raw document does not say.
pub struct RepairOptions<'a> {
    /// Name of the component schema of every error body, as published.
    pub error_schema: &'a str,
    /// Media type of every error body.
    pub error_media_type: &'a str,
    /// Every failure an operation can answer with.
    pub failures: &'a dyn Fn(&OperationInfo<'_>) -> Vec<DocumentedError>,
    /// The body that a failure of an operation has, as an example.
    pub error_example: &'a dyn Fn(&OperationInfo<'_>, &DocumentedError) -> Value,
    /// Headers that are sent on responses whatever the operation.
    pub headers: &'a [ResponseHeader],
    /// How headers are spelled whose names the raw document has in capitals.
    pub header_names: &'a [&'a str],
    /// Examples of parameters by name, for those that have none; `listTrips.q` is the `q` of one operation.
    pub parameter_examples: &'a [(&'a str, Value)],
    /// Examples of response headers by name, for those that have none; `createTrip.Location` is the one of one operation.
    pub header_examples: &'a [(&'a str, Value)],
    /// Examples of component schemas by published name, for those that cannot carry their own.
    pub schema_examples: &'a [(&'a str, Value)],
    /// Fields of component schemas that hold secrets and no format that says so: schema and field. They are marked with
    /// `x-sensitive`.
    pub sensitive: &'a [(&'a str, &'a str)],
    /// Raw and published names of component schemas: `("Page_Bucketlist", "BucketlistPage")`.
    pub renamed_schemas: &'a [(&'a str, &'a str)],
    /// The operations that anybody may call, by operationId.
    pub public_operations: &'a [&'a str],
    /// The query parameters by which lists are paged; none: they need not be.
    pub page_parameters: &'a [&'a str],
    /// What the description of a deprecated operation adds: by operationId, since when and what takes its place.
    pub deprecations: &'a [(&'a str, String)],
}

/// What decides how an operation can fail.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo<'a> {
    /// The operationId.
    pub id: &'a str,
    /// The method in capitals.
    pub method: &'a str,
    /// The path template without the server's base.
    pub path: &'a str,
    /// Whether a caller must authenticate.
    pub is_secured: bool,
    /// Whether it takes a request body.
    pub has_body: bool,
    /// Whether it has parameters in query, path or headers.
    pub has_parameters: bool,
    /// Whether it has parameters in the path.
    pub has_path_parameters: bool,
    /// Whether a successful response has a body.
    pub success_has_body: bool,
}

/// One way to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentedError {
    /// The status it is answered with.
    pub status: u16,
    /// Its stable code.
    pub code: &'static str,
    /// A sentence that explains it.
    pub message: &'static str,
}

/// A header sent on responses.
#[derive(Clone, Debug)]
pub struct ResponseHeader {
    /// Its name, spelled as published.
    pub name: &'static str,
    /// What it says.
    pub description: &'static str,
    /// The schema of its value.
    pub schema: Value,
    /// An example of its value.
    pub example: Value,
    /// Which responses have it.
    pub on: HeaderScope,
    /// Whether those have it always; false where it depends on how the server is set up.
    pub always: bool,
}

/// Which responses a header is sent on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum HeaderScope {
    /// All of them.
    All,
    /// Those with one of these statuses.
    Statuses(&'static [u16]),
    /// All those of operations that need authentication.
    Secured,
    /// Those that this function picks: by operation and status.
    Matching(fn(&OperationInfo<'_>, u16) -> bool),
}

/// Why a document cannot be repaired, one finding per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairError {
    /// What was found.
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
            let said = malformed.to_string().replace("The body", "the raw document");
            let findings = vec![Finding::new("document", said)];
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

/// The facts of an operation.
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
