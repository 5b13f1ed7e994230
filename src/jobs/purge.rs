//! Deletes expired rows.

use std::{sync::Arc, time::Duration};

use super::{
    recurring::{Recurring, TaskError},
    worker::RetentionPeriods,
};
use crate::{
    db::{
        DbConnection,
        repositories::{audit, deprecation_notices, exports, idempotency, jobs, sessions, usage},
    },
    domain::Timestamp,
    services::{Context, Error, Incidents, retained_since},
};

const INTERVAL: Duration = Duration::from_secs(600);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// Number of export parts deleted in one transaction.
const EXPORT_PARTS_PER_TRANSACTION: i64 = 20;

/// Deletes expired sessions, tokens, idempotency keys, exports and incidents, and old audit events, usage counters and jobs.
pub(super) struct Purge {
    context: Arc<Context>,
    incidents: Incidents,
    retention: RetentionPeriods,
}

impl Recurring for Purge {
    const NAME: &'static str = "purge";

    fn interval(&self) -> Option<Duration> {
        Some(INTERVAL)
    }

    async fn run(&self) -> Result<Option<u64>, TaskError> {
        Ok(Some(self.purge_expired().await? as u64))
    }
}

/// Marks exports as failed that no job will write: the job has failed for the last time, and its payload does not say which export it
/// was to write.
fn fail_abandoned_exports(c: &mut DbConnection, now: Timestamp) -> Result<(), Error> {
    // In this order: an export that is created in between is not in the list, and one that is finished in between remains finished.
    let mut abandoned = exports::list_pending(c)?;
    if abandoned.is_empty() {
        return Ok(());
    }
    let Some(pending) = jobs::list_pending_exports(c)? else { return Ok(()) };
    abandoned.retain(|export| !pending.contains(export));
    for export in abandoned {
        exports::fail(c, export, now)?;
        tracing::warn!(id = %export, "export without a job marked as failed");
    }
    Ok(())
}

impl Purge {
    pub(super) const fn new(context: Arc<Context>, incidents: Incidents, retention: RetentionPeriods) -> Self {
        Self { context, incidents, retention }
    }

    /// Deletes everything that has expired; returns the number of rows.
    pub(super) async fn purge_expired(&self) -> Result<usize, Error> {
        let now = self.context.clock.now();
        let RetentionPeriods { audit_events, usage: usage_retention, jobs: job_retention } = self.retention;
        let [hours_before, days_before] = [true, false].map(|by_hour| retained_since(now, by_hour, usage_retention));
        // A year after the counters, so that a consumer is not notified twice of one occasion.
        let notices_before = now.before(usage_retention + YEAR);
        let purge = move |c: &mut DbConnection| {
            let expired = sessions::purge(c, now)? + idempotency::purge(c, now)?;
            let expired = expired + audit::purge(c, now.before(audit_events))?;
            let expired = expired + usage::purge(c, hours_before, days_before)?;
            let expired = expired + jobs::purge(c, job_retention, now)?;
            fail_abandoned_exports(c, now)?;
            Ok::<_, Error>(expired + deprecation_notices::purge(c, notices_before)?)
        };
        let mut total = self.context.db.write(purge).await? + self.incidents.purge().await?;
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
