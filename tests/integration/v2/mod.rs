//! Tests of v2.

mod accounts;
mod api_clients;
mod audit;
mod authorization;
mod batch;
mod cache;
mod conditional;
mod console;
mod deprecation;
mod deprecation_notices;
mod examples;
mod exports;
mod idempotency;
mod imports;
mod jobs;
mod merge_patch;
mod negotiation;
pub mod operations;
mod pagination;
mod preconditions;
mod problems;
mod resources;
mod search;
mod sessions;
mod usage;
mod version_selection;
