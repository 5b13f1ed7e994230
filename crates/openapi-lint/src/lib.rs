//! Lint rules for OpenAPI 3.0 documents: naming, descriptions, bounds, examples, pagination and access.
//!
//! ```
//! use openapi_lint::{LintOptions, lint};
//! use openapi_model::Document;
//!
//! let text = r#"{"openapi": "3.0.3", "info": {}, "paths": {"/lists": {"get": {"responses": {}}}}}"#;
//! let findings = lint(&Document::from_json(text)?, &LintOptions::default());
//! assert_eq!(findings[0].to_string(), "operation GET /lists: has no operationId");
//! # Ok::<(), openapi_model::ReadError>(())
//! ```

mod examples;
#[cfg(test)]
mod finished_tests;
#[cfg(test)]
mod fixture;
mod operations;
mod references;
mod schemas;
#[cfg(test)]
mod tests;

use std::fmt;

use openapi_model::Document;

/// Options of the rules. `None` disables the rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintOptions<'a> {
    /// Name of the component schema of error bodies.
    pub error_schema: Option<&'a str>,
    /// Media type of error bodies.
    pub error_media_type: Option<&'a str>,
    /// Names of all response headers.
    pub header_names: Option<&'a [&'a str]>,
    /// The operations that need no authentication, by `operationId`.
    pub public_operations: Option<&'a [&'a str]>,
    /// The query parameters for pagination; each list has one of them.
    pub page_parameters: Option<&'a [&'a str]>,
}

/// A violation of a lint rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// The location: `operation getBucketlist, response 404`, `schema Bucketlist.name`.
    pub place: String,
    /// The description of the violation.
    pub message: String,
}

impl Finding {
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Finding { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)
    }
}

/// Returns all violations of the rules:
///
/// - Every operation has a unique operationId in camelCase, a summary, a description, one declared tag and one success
///   status. Its responses have a description and a three-digit status. Errors have the error schema and media type.
/// - Every operation that is not public requires credentials. Every list is paginated.
/// - Every parameter, header, component object and body that is not JSON has an example, and all examples are valid.
/// - Objects are components. Except for enums, a component is used in requests or in responses, but not in both.
/// - Names of fields and parameters are in snake_case.
/// - Request objects reject unknown fields. Strings, integers and arrays of requests and responses have bounds.
/// - Every property of a response is required or nullable.
/// - Every reference resolves, and every format and header name is known.
#[must_use]
pub fn lint(document: &Document, rules: &LintOptions<'_>) -> Vec<Finding> {
    let value = document.value();
    let mut findings = Vec::new();
    references::check(value, &mut findings);
    let references_resolve = findings.is_empty();
    operations::check(value, rules, &mut findings);
    schemas::check(value, &mut findings);
    // A schema with an unresolved reference does not compile. This is reported once, not for every example.
    if references_resolve {
        examples::check(value, &mut findings);
    }
    let mut seen = std::collections::HashSet::new();
    findings.retain(|finding| seen.insert(finding.clone()));
    findings
}
