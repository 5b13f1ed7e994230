//! Maintains the database of a server that runs for a long time.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::recurring::{Recurring, TaskError};
use crate::{
    db::{IdleCheckpoint, Target},
    services::Context,
};

const INTERVAL: Duration = Duration::from_secs(30);
/// Interval between updates of the query planner statistics.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(3600);

/// Checkpoints SQLite while it is idle, and repairs its query planner statistics. PostgreSQL needs no maintenance from this server.
pub(super) struct Maintenance {
    context: Arc<Context>,
}

impl Maintenance {
    pub(super) const fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// Maintains the database at regular intervals until `shutdown` is cancelled.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut interval = tokio::time::interval(INTERVAL);
        let mut checkpoint = IdleCheckpoint::default();
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            self.truncate_log(&mut checkpoint).await;
            match self.context.db.repair_statistics().await {
                Ok(true) => {
                    tracing::warn!("statistics of the search index deleted; do not run ANALYZE on this database");
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "cannot repair the query planner statistics"),
            }
        }
    }

    async fn truncate_log(&self, checkpoint: &mut IdleCheckpoint) {
        match checkpoint.run(&self.context.db).await {
            Ok(true) => tracing::debug!("write-ahead log truncated"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot truncate the write-ahead log"),
        }
    }
}

/// Updates the query planner statistics of SQLite.
pub(super) struct StatisticsUpdate {
    pub(super) context: Arc<Context>,
}

impl Recurring for StatisticsUpdate {
    const NAME: &'static str = "statistics";

    fn interval(&self) -> Option<Duration> {
        let is_sqlite = matches!(self.context.db.options().target, Target::Sqlite(_));
        is_sqlite.then_some(STATISTICS_INTERVAL)
    }

    async fn run(&self) -> Result<Option<u64>, TaskError> {
        self.context.db.refresh_statistics().await?;
        Ok(None)
    }
}
