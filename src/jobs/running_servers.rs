//! Compares this server with the others that use the same PostgreSQL database.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    db::{DbError, Target, repositories::running_servers},
    domain::{Clock, Difference, MAX_CLOCK_DIFFERENCE, RunningServer, SystemClock, clock_difference, differences},
    services::Context,
};

/// Interval between two renewals.
const INTERVAL: Duration = Duration::from_secs(10);
/// Maximum time for the removal of the row when the server stops.
const REMOVAL_TIMEOUT: Duration = Duration::from_millis(500);

/// Records this server in the database, and reports settings in which others differ. Each server reports them, also the one that was
/// started first.
pub struct ServerRegistry {
    context: Arc<Context>,
    server: RunningServer,
}

/// What has been reported.
#[derive(Debug, Default)]
struct Reported {
    differences: BTreeSet<Difference>,
    is_clock_different: bool,
    has_failed: bool,
}

/// What a renewal has found.
#[derive(Debug)]
pub struct Findings {
    pub differences: BTreeSet<Difference>,
    /// Difference of the clocks of the database and of this host.
    pub clock_difference: Duration,
}

impl ServerRegistry {
    pub(super) const fn new(context: Arc<Context>, server: RunningServer) -> Self {
        Self { context, server }
    }

    /// Renews the record at regular intervals until `shutdown` is cancelled.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        if !matches!(self.context.db.options().target, Target::Postgres(_)) {
            return;
        }
        let mut interval = tokio::time::interval(INTERVAL);
        let mut reported = Reported::default();
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            let Some(result) = shutdown.run_until_cancelled(self.renew()).await else { break };
            match result {
                Ok(findings) => reported.report(findings),
                // Repeated while the database is unavailable.
                Err(error) if !reported.has_failed => {
                    reported.has_failed = true;
                    tracing::warn!(%error, "cannot compare the settings of the servers of the database");
                }
                Err(_) => {}
            }
        }
        let id = self.server.id.clone();
        let removal = self.context.db.write(move |c| running_servers::delete(c, &id).map_err(DbError::from));
        // Otherwise, the row expires.
        let _ = timeout(REMOVAL_TIMEOUT, removal).await;
    }

    /// Renews the record of this server, and compares it with the others.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn renew(&self) -> Result<Findings, DbError> {
        let server = self.server.clone();
        let before = SystemClock.now();
        let time = self.context.db.read(|c| running_servers::time(c).map_err(DbError::from)).await?;
        let clock_difference = time.map_or(Duration::ZERO, |time| clock_difference(before, time, SystemClock.now()));
        let others = self.context.db.write(move |c| {
            running_servers::renew(c, &server)?;
            running_servers::list_others(c, &server.id).map_err(DbError::from)
        });
        Ok(Findings { differences: self.compare(&others.await?), clock_difference })
    }

    fn compare(&self, others: &[RunningServer]) -> BTreeSet<Difference> {
        let with = |other: &RunningServer| differences(&self.server.settings, &other.to_string(), &other.settings);
        others.iter().flat_map(with).collect()
    }
}

impl Reported {
    /// Logs what is new.
    fn report(&mut self, findings: Findings) {
        for difference in findings.differences.difference(&self.differences) {
            tracing::warn!(
                server = difference.server,
                setting = difference.setting,
                consequence = difference.consequence(),
                "another server of this database has a different setting"
            );
        }
        let is_clock_different = findings.clock_difference > MAX_CLOCK_DIFFERENCE;
        if is_clock_different && !self.is_clock_different {
            tracing::warn!(
                seconds = findings.clock_difference.as_secs_f64(),
                "the clocks of this host and of the database differ; synchronize both with NTP"
            );
        }
        *self = Self { differences: findings.differences, is_clock_different, has_failed: false };
    }
}
