//! Limits of the database threads and their connections.

use std::time::Duration;

use super::Options;

/// Limits of the threads and their connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Maximum run time of a unit.
    pub(super) unit: Duration,
    /// Maximum time to open a connection.
    pub(super) open: Duration,
    /// Time without a unit after which a connection is checked before its next unit.
    pub(super) check_after: Duration,
    /// Time after which an unused connection is closed.
    pub(super) idle: Duration,
    /// Time after which a connection is replaced.
    pub(super) age: Duration,
}

impl From<&Options> for Limits {
    fn from(options: &Options) -> Self {
        Self {
            unit: options.transaction_timeout,
            open: options.open_timeout,
            check_after: options.check_after,
            idle: options.idle_timeout,
            age: options.max_lifetime,
        }
    }
}
