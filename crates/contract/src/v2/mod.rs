//! Version 2 of the API: cursor pagination, problem details, links, conditional requests and idempotency.
//!
//! IDs and error codes are those of [`crate::v1`], and so are request schemas without new fields.

pub mod document;
pub mod endpoints;
pub mod parameters;
pub mod schemas;

pub use document::{contract, document};

pub use crate::{
    problem::ProblemResponse,
    request_headers::{IdempotencyKey, IfMatch, IfNoneMatch},
    responses,
};

/// The result of an operation of v2.
pub type Result<T> = std::result::Result<T, ProblemResponse>;
