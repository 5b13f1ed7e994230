//! Version 1 of the API: offset pagination with totals, and `error` objects.
//!
//! Changes within a version are additive.

pub mod document;
pub mod endpoints;
pub mod schemas;

pub use document::{contract, document};
