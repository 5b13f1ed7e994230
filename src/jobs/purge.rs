//! Deletes expired rows.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    db::repositories::{audit, exports, idempotency, sessions},
    services::{Context, Error},
};

const PURGE_INTERVAL: Duration = Duration::from_secs(600);
/// Number of export parts deleted in one transaction.
const EXPORT_PARTS_PER_TRANSACTION: i64 = 20;

/// Deletes expired sessions, tokens, idempotency keys and exports, and old audit events.
pub(super) struct Purge {
    context: Arc<Context>,
    audit_retention: Duration,
}

impl Purge {
    pub(super) const fn new(context: Arc<Context>, audit_retention: Duration) -> Self {
        Self { context, audit_retention }
    }

    /// Purges at regular intervals until `shutdown` is cancelled.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut interval = tokio::time::interval(PURGE_INTERVAL);
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            match self.purge_expired().await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "expired rows purged"),
                Err(error) => tracing::warn!(%error, "cannot purge expired rows"),
            }
        }
    }

    /// Deletes everything that has expired; returns the number of rows.
    pub(super) async fn purge_expired(&self) -> Result<usize, Error> {
        let now = self.context.clock.now();
        let retention = self.audit_retention;
        let purge = move |c: &mut _| {
            let expired = sessions::purge(c, now)? + idempotency::purge(c, now)?;
            Ok::<_, Error>(expired + audit::purge(c, now.before(retention))?)
        };
        let mut total = self.context.db.write(purge).await?;
        loop {
            // Export parts are large. Separate transactions let other writers proceed in between.
            let purge = move |c: &mut _| exports::purge(c, now, EXPORT_PARTS_PER_TRANSACTION).map_err(Error::from);
            match self.context.db.write(purge).await? {
                0 => return Ok(total),
                rows => total += rows,
            }
        }
    }
}
