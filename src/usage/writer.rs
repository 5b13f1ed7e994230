//! Adds the counters of this server to the database.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::UsageRecorder;
use crate::{
    db::{Db, DbConnection, DbError, repositories::usage},
    domain::{UsageCounters, UsageKey},
};

/// Interval at which counters are stored.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum number of counters that wait for the database.
const MAX_PENDING: usize = 100_000;

/// Stores the counters of a recorder.
pub struct UsageWriter {
    recorder: UsageRecorder,
    db: Db,
    /// Counters that could not be stored yet. Locked during a flush.
    pending: Mutex<HashMap<UsageKey, UsageCounters>>,
}

impl UsageWriter {
    #[must_use]
    pub fn new(recorder: UsageRecorder, db: Db) -> Self {
        Self { recorder, db, pending: Mutex::default() }
    }

    /// Stores counters at regular intervals until shutdown, and then the remaining ones.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut ticks = interval(FLUSH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_shutdown = shutdown.run_until_cancelled(ticks.tick()).await.is_none();
            if let Err(error) = self.flush().await {
                let counters = self.pending.lock().await.len();
                if is_shutdown {
                    tracing::error!(%error, counters, "usage counters lost: database unavailable during shutdown");
                } else {
                    tracing::warn!(%error, counters, retry_in = ?FLUSH_INTERVAL, "cannot store usage counters");
                }
            }
            if is_shutdown {
                return;
            }
        }
    }

    /// Stores all counters.
    ///
    /// # Errors
    /// Fails if the database fails. The counters are retained for the next attempt.
    pub async fn flush(&self) -> Result<(), DbError> {
        let mut pending = self.pending.lock().await;
        self.recorder.take_into(&mut pending);
        if pending.len() > MAX_PENDING {
            tracing::error!(counters = pending.len(), "usage counters lost: database unavailable for too long");
            pending.clear();
        }
        if pending.is_empty() {
            return Ok(());
        }
        let counters = std::mem::take(&mut *pending);
        let stored = counters.clone();
        let result = self.db.write(move |c: &mut DbConnection| usage::add(c, &stored).map_err(DbError::from)).await;
        if result.is_err() {
            *pending = counters;
        }
        result
    }
}
