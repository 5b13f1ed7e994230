//! OpenAPI 3.0 documents: reading and writing, validation of requests and responses, comparison, and OpenAPI 3.1.
//!
//! | task | entry point |
//! |---|---|
//! | read or write a document | [`Document::from_json`], [`Document::to_json`], [`Document::to_yaml`] |
//! | convert a document to OpenAPI 3.1 | [`Document::to_openapi_3_1`], verified by [`compare_with_3_1`] |
//! | list the changes between two documents by their effect on clients | [`diff`](diff()) |
//! | find an operation and validate requests and responses | [`CompiledDocument`], [`Operation`], [`BodySchema`] |
//! | measure which documented responses were observed | [`Coverage`] |
//!
//! The crate depends on no web framework and on no particular API. Validation returns [`Violation`]s; the caller decides
//! how to report them.

pub mod bounds;
mod coverage;
mod diff;
mod document;
mod format;
pub mod json;
#[cfg(test)]
mod json_tests;
mod key_order;
mod media_types;
mod openapi31;
pub mod pointer;
#[cfg(test)]
mod public_documents_tests;
pub mod text;
pub mod traverse;
mod validation;

#[cfg(test)]
mod fixture;

pub use coverage::{Coverage, Covered};
pub use diff::{Difference, Kind, RULES, Rule, diff};
pub use document::{Document, ReadError, yaml_text};
pub use format::{is_email, normalize_date_time};
pub use json::JsonError;
pub use openapi31::{OpenApi31Document, compare_with_3_1};
pub use validation::{
    BodyError, BodySchema, CompileError, CompiledDocument, Definitions, Location, Operation, PathItem, PathMatch,
    PathSegment, ResponseViolation, SchemaValidator, SchemaViolation, Sensitivity, ValidationOptions, Violation,
    ViolationCode, base_path, is_secured, to_draft_4,
};
