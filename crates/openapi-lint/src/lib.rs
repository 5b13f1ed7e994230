//! The house rules for a document.
//!
//! Owns what makes a document good beyond being valid: every operation named and explained, every value bounded and
//! exemplified, requests and responses kept apart. Changes nothing, and must not know how a document was made.

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

/// What the rules need to know of an API. A field that is `None` switches its rule off.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintOptions<'a> {
    /// Name of the component schema that every error body has.
    pub error_schema: Option<&'a str>,
    /// Media type that every error body has.
    pub error_media_type: Option<&'a str>,
    /// Every response header there is, as it is spelled.
    pub header_names: Option<&'a [&'a str]>,
    /// The operations that anybody may call, by operationId; every other one needs credentials.
    pub public_operations: Option<&'a [&'a str]>,
    /// The query parameters by which lists are paged; each list takes one of them.
    pub page_parameters: Option<&'a [&'a str]>,
}

/// One breach of a house rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// Where: `operation getBucketlist, response 404`, `schema Bucketlist.name`.
    pub place: String,
    /// What is wrong there, and often what to do about it.
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

/// Holds a document to the house rules; empty when it keeps them all.
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
