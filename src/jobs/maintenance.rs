//! Maintains the database of a server that runs for a long time.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{db::IdleCheckpoint, services::Context};

const INTERVAL: Duration = Duration::from_secs(30);
/// Interval between updates of the query planner statistics.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(3600);

/// Checkpoints SQLite while it is idle, and updates its query planner statistics. PostgreSQL needs no maintenance from this server.
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
        // The server has updated the statistics when it started.
        let mut next_update = Instant::now() + STATISTICS_INTERVAL;
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            self.truncate_log(&mut checkpoint).await;
            let is_due = Instant::now() >= next_update;
            if is_due {
                next_update = Instant::now() + STATISTICS_INTERVAL;
            }
            self.update_statistics(is_due).await;
        }
    }

    async fn truncate_log(&self, checkpoint: &mut IdleCheckpoint) {
        match checkpoint.run(&self.context.db).await {
            Ok(true) => tracing::debug!("write-ahead log truncated"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot truncate the write-ahead log"),
        }
    }

    async fn update_statistics(&self, is_due: bool) {
        let db = &self.context.db;
        let updated = if is_due { db.refresh_statistics().await.map(|()| false) } else { db.repair_statistics().await };
        match updated {
            Ok(true) => tracing::warn!("statistics of the search index deleted; do not run ANALYZE on this database"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot update the query planner statistics"),
        }
    }
}
