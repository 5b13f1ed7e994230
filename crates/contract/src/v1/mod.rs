//! The classic BucketList contract: offset pages with totals, and the `error` envelope.
//!
//! A change inside a version is additive only.

pub mod document;
pub mod endpoints;
pub mod schemas;

pub use document::{contract, document};
