//! Validation of requests and responses against a document.

mod body;
mod compiled_document;
mod draft4;
mod messages;
mod operation;
mod options;
mod parameter;
mod query;
mod response;
mod response_violation;
mod rows;
mod schema_validator;
mod sensitivity;
mod violation;

#[cfg(test)]
mod body_tests;
#[cfg(test)]
mod compiled_document_tests;
#[cfg(test)]
mod parameter_tests;

pub use body::{BodyError, BodySchema};
pub use compiled_document::{CompileError, CompiledDocument, PathItem, PathMatch, base_path};
pub use draft4::to_draft_4;
pub use operation::{Operation, is_secured};
pub use options::ValidationOptions;
pub use response_violation::ResponseViolation;
pub(crate) use schema_validator::validator_options;
pub use schema_validator::{Definitions, SchemaValidator, SchemaViolation};
pub use sensitivity::{PathSegment, Sensitivity};
pub use violation::{Location, Violation, ViolationCode};
