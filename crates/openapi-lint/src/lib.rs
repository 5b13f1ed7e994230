//! Lint rules for OpenAPI 3.0 documents, with IDs, severities, options and suppressions.
//!
//! A [`LintConfig`] starts from a [`Preset`]: `Recommended` has rules that hold for every document, and `Strict` adds a style
//! guide. It changes the severity of single rules, and suppresses their findings at single locations. [`Rule::ALL`] lists the
//! rules.
//!
//! ```
//! use openapi_lint::{LintConfig, Preset, Rule, Severity, Suppression, lint};
//! use openapi_model::Document;
//!
//! let document = Document::from_json(
//!     r##"{
//!         "openapi": "3.0.3",
//!         "info": {"title": "Library", "version": "1.0.0"},
//!         "paths": {"/books/{id}": {"get": {
//!             "operationId": "get_book",
//!             "summary": "Retrieve a book",
//!             "description": "Returns a book.",
//!             "responses": {"200": {"description": "The book.", "content": {"application/json": {
//!                 "schema": {"type": "object", "properties": {"pages": {"type": "integer"}}},
//!                 "example": {"pages": "many"}
//!             }}}}
//!         }}}
//!     }"##,
//! )?;
//! let found = |config: &LintConfig| lint(&document, config).iter().map(ToString::to_string).collect::<Vec<_>>();
//!
//! let config = LintConfig::new(Preset::Recommended);
//! assert_eq!(
//!     found(&config),
//!     [
//!         "error: operation get_book: does not declare the path parameter id [path-parameter-declared]",
//!         "warning: operation get_book, response 200: has an invalid example at /pages: must be an integer [example-valid]",
//!     ]
//! );
//!
//! let config = config
//!     .with_severity(Rule::OperationIdCase, Severity::Error)
//!     .with_severity(Rule::ExampleValid, Severity::Off)
//!     .with_suppression(Suppression {
//!         rule: Rule::PathParameterDeclared,
//!         pointer: "/paths/~1books~1{id}".to_owned(),
//!         reason: "The gateway removes it.".to_owned(),
//!     });
//! assert_eq!(
//!     found(&config),
//!     ["error: operation get_book: has an operationId that is not in camelCase [operation-id-case]"]
//! );
//! # Ok::<(), openapi_model::ReadError>(())
//! ```

mod config;
#[cfg(test)]
mod config_tests;
mod examples;
mod finding;
mod location;
mod names;
mod operations;
#[cfg(test)]
mod public_documents_tests;
mod references;
mod responses;
mod rule;
mod schemas;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unrepaired_tests;

pub use config::{ConfigError, LintConfig, LintOptions, Suppression};
pub use finding::Finding;
pub use rule::{Preset, Rule, Severity};

use openapi_model::Document;

/// Returns the violations of the rules that the configuration enables, and its unused suppressions.
#[must_use]
pub fn lint(document: &Document, config: &LintConfig) -> Vec<Finding> {
    let value = document.value();
    let mut report = finding::Report::new(config);
    let all_resolve = references::check(value, &mut report);
    operations::check(value, &mut report);
    schemas::check(value, &mut report);
    // A schema with an unresolved reference does not compile. This is reported once, not for every example.
    if all_resolve {
        examples::check(value, &mut report);
    }
    report.finish()
}
