//! The time limits of the contract.

use std::time::Duration;

use contract::{v1, v2};

/// Returns the longest time limit that an operation declares.
#[must_use]
pub fn longest_time_limit() -> Duration {
    let operations = v1::document::operations().chain(v2::document::operations());
    operations.filter_map(|operation| operation.time_limit).max().unwrap_or_default()
}
