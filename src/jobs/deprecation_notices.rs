//! Notifies the consumers of deprecated operations.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::services::{Deprecations, Error};

/// Interval at which consumers with a due notice are looked up.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// Enqueues the mail to consumers that have a notice due.
pub(super) struct DeprecationNotices {
    pub(super) deprecations: Deprecations,
    pub(super) is_enabled: bool,
}

impl DeprecationNotices {
    /// Enqueues notices at regular intervals until `shutdown` is cancelled.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut interval = tokio::time::interval(INTERVAL);
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            match self.enqueue().await {
                Ok(0) => {}
                Ok(mails) => tracing::info!(mails, "deprecation notices enqueued"),
                Err(error) => tracing::warn!(%error, "cannot enqueue deprecation notices"),
            }
        }
    }

    /// Enqueues the notices that are due; returns the number of mails.
    pub(super) async fn enqueue(&self) -> Result<usize, Error> {
        if self.is_enabled { self.deprecations.enqueue_notices().await } else { Ok(0) }
    }
}
