//! The modern BucketList contract: cursor pages, problem details, links, conditional and idempotent requests.
//!
//! Ids, error codes and rules are those of [`crate::v1`]; what is sent is, too, wherever nothing more is to be said.

pub mod document;
pub mod endpoints;
pub mod headers;
pub mod long_running;
pub mod parameters;
mod refusal;
pub mod responses;
pub mod schemas;

pub use document::{contract, document};
pub use headers::{IdempotencyKey, IfMatch, IfNoneMatch};
pub use refusal::ProblemResponse;
