//! v2 as its clients meet it.

mod access;
mod accounts;
mod audit;
mod batch;
mod cache;
mod conditional;
mod deprecation;
pub mod documented;
mod examples;
mod exports;
mod idempotency;
mod merge_patch;
mod negotiation;
mod pages;
mod preconditions;
mod problems;
mod resources;
mod search;
mod sessions;
mod versions;
