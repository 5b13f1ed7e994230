//! Notifies the consumers of deprecated operations.

use std::time::Duration;

use super::recurring::{Recurring, TaskError};
use crate::services::{Deprecations, Error};

/// Interval at which consumers with a due notice are looked up.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// Enqueues the mail to consumers that have a notice due.
pub(super) struct DeprecationNotices {
    pub(super) deprecations: Deprecations,
    pub(super) is_enabled: bool,
}

impl Recurring for DeprecationNotices {
    const NAME: &'static str = "deprecation_notices";

    fn interval(&self) -> Option<Duration> {
        self.is_enabled.then_some(INTERVAL)
    }

    async fn run(&self) -> Result<Option<u64>, TaskError> {
        Ok(Some(self.enqueue().await? as u64))
    }
}

impl DeprecationNotices {
    /// Enqueues the notices that are due; returns the number of mails.
    pub(super) async fn enqueue(&self) -> Result<usize, Error> {
        if self.is_enabled { self.deprecations.enqueue_notices().await } else { Ok(0) }
    }
}
