//! Deletes expired rows.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::worker::RetentionPeriods;
use crate::{
    db::repositories::{audit, deprecation_notices, exports, idempotency, sessions, usage},
    services::{Context, Error, retained_since},
};

const PURGE_INTERVAL: Duration = Duration::from_secs(600);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// Number of export parts deleted in one transaction.
const EXPORT_PARTS_PER_TRANSACTION: i64 = 20;

/// Deletes expired sessions, tokens, idempotency keys and exports, and old audit events and usage counters.
pub(super) struct Purge {
    context: Arc<Context>,
    retention: RetentionPeriods,
}

impl Purge {
    pub(super) const fn new(context: Arc<Context>, retention: RetentionPeriods) -> Self {
        Self { context, retention }
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
        let RetentionPeriods { audit_events, usage: usage_retention } = self.retention;
        let [hours_before, days_before] = [true, false].map(|by_hour| retained_since(now, by_hour, usage_retention));
        // A year after the counters, so that a consumer is not notified twice of one occasion.
        let notices_before = now.before(usage_retention + YEAR);
        let purge = move |c: &mut _| {
            let expired = sessions::purge(c, now)? + idempotency::purge(c, now)?;
            let expired = expired + audit::purge(c, now.before(audit_events))?;
            let expired = expired + usage::purge(c, hours_before, days_before)?;
            Ok::<_, Error>(expired + deprecation_notices::purge(c, notices_before)?)
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
