//! v2 as its clients meet it.

mod access;
mod audit;
mod batch;
mod cache;
mod conditional;
mod deprecation;
mod documented;
mod examples;
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
