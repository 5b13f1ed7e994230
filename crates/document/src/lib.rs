//! What can be done with any OpenAPI 3.0 document: finish the raw one a framework emits, lint it, write it, compare it
//! with another one, and check requests and responses against it.
//!
//! | to | use |
//! |---|---|
//! | turn a raw document into the published one | [`Document::finish`] with [`RepairOptions`] |
//! | read or write a finished document | [`Document::from_json`], [`Document::to_json`], [`Document::to_yaml`] |
//! | have the same as OpenAPI 3.1 | [`Document::to_openapi_3_1`], and [`agree`] to see that it is the same |
//! | hold a document to the house rules | [`lint`] with [`LintOptions`] |
//! | know what changed between two documents, and who notices | [`diff`](diff()) with its policy [`RULES`] |
//! | find an operation and check traffic against it | [`CompiledDocument`], [`Operation`], [`BodySchema`] |
//! | know which promised answers somebody has got | [`Coverage`] |
//! | write a Postman collection that tests itself | [`postman`] |
//!
//! The crate owns the knowledge of the OpenAPI format. It must not know any particular API, any web framework, or how an
//! error is put on the wire: it answers with [`Violation`]s and sentences, the caller decides what becomes of them.

mod check;
mod coverage;
mod diff;
mod document;
mod finish;
mod format;
mod json;
#[cfg(test)]
mod json_tests;
mod lint;
mod media_types;
mod modern;
mod order;
mod pointer;
pub mod postman;
mod text;
mod walk;

#[cfg(test)]
mod fixture;

pub use check::{
    BodyError, BodySchema, CompileError, CompiledDocument, Location, MAX_VIOLATIONS, Operation, PathItem, PathMatch,
    PathSegment, ResponseViolation, Sensitivity, Violation, ViolationCode,
};
pub use coverage::{Coverage, Covered};
pub use diff::{Difference, Kind, RULES, Rule, diff};
pub use document::{Document, ReadError};
pub use finish::{DocumentedError, HeaderScope, OperationInfo, RepairError, RepairOptions, ResponseHeader};
pub use format::{is_email, normalize_date_time};
pub use json::{JsonError, MAX_DEPTH};
pub use lint::{Finding, LintOptions, lint};
pub use modern::{OpenApi31Document, agree};
