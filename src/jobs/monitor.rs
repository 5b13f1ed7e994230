//! Reads the state of the queue for the metrics.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    db::repositories::jobs::{self, JobStatistics, KINDS},
    domain::JobState,
    metrics::JobMetrics,
    services::{Context, Error},
};

/// Interval at which the database is read. A scrape reads the latest values, because it must not wait for the database.
const INTERVAL: Duration = Duration::from_secs(10);
/// The label of kinds that this release does not know.
const OTHER: &str = "other";

/// Updates the metrics of the queue.
pub(super) struct Monitor {
    context: Arc<Context>,
    metrics: JobMetrics,
}

impl Monitor {
    pub(super) fn new(context: Arc<Context>, metrics: JobMetrics) -> Self {
        metrics.initialize(&states().collect::<Vec<_>>(), &kinds().collect::<Vec<_>>());
        Self { context, metrics }
    }

    /// Updates the metrics at regular intervals until `shutdown` is cancelled.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut interval = tokio::time::interval(INTERVAL);
        while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
            if let Err(error) = self.update().await {
                tracing::warn!(%error, "cannot read the state of the job queue");
            }
        }
    }

    /// Reads the state of the queue.
    pub(super) async fn update(&self) -> Result<(), Error> {
        let now = self.context.clock.now();
        let read = move |c: &mut _| jobs::statistics(c, now).map_err(Error::from);
        let JobStatistics { counts, oldest_due } = self.context.db.snapshot(read).await?;
        let mut numbers: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for count in counts {
            let kind = kinds().find(|kind| *kind == count.kind).unwrap_or(OTHER);
            *numbers.entry((count.state.as_str(), kind)).or_default() += count.count;
        }
        for state in states() {
            for kind in kinds() {
                self.metrics.set_count(state, kind, numbers.remove(&(state, kind)).unwrap_or_default());
            }
        }
        let age = oldest_due.map_or(0, |due| now.micros().saturating_sub(due.micros()));
        self.metrics.set_oldest_due(Duration::from_micros(u64::try_from(age).unwrap_or_default()));
        Ok(())
    }
}

fn states() -> impl Iterator<Item = &'static str> {
    JobState::ALL.iter().map(|state| state.as_str())
}

fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name).chain([OTHER])
}
