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
    /// Where: `operation getBucketlist, response 404`, `schema Bucketlist.name`.
    pub place: String,
    /// What is wrong.
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
/// - Every operation has a unique operationId in camelCase, a summary, a description, one declared tag, one success, and
///   only responses with a description and a three-digit status; every error has the error schema and media type.
/// - Every operation needs credentials, unless it is one of those that are public; every list is paged.
/// - Every parameter, header, component object and body that is not JSON has an example, and all examples are valid.
/// - Objects are components, and serve requests or responses but not both (enums may).
/// - Fields and parameters are called in snake_case.
/// - Requests are closed. What is sent either way is bounded: strings, integers and arrays have their limits.
/// - Responses are complete: every property is required or nullable.
/// - Every reference leads somewhere, every format is one that tools know, every header is spelled as agreed.
#[must_use]
pub fn lint(document: &Document, rules: &LintOptions<'_>) -> Vec<Finding> {
    let value = document.value();
    let mut findings = Vec::new();
    references::check(value, &mut findings);
    let references_hold = findings.is_empty();
    operations::check(value, rules, &mut findings);
    schemas::check(value, &mut findings);
    // A schema with a reference that leads nowhere cannot be compiled: say it once, not for every example.
    if references_hold {
        examples::check(value, &mut findings);
    }
    let mut seen = std::collections::HashSet::new();
    findings.retain(|finding| seen.insert(finding.clone()));
    findings
}
