//! The incident writer: receives exchanges from the recorder, redacts them and stores them in batches.
//!
//! The database may be the cause of a failure. Incidents that cannot be stored remain in memory, redacted, and are retried. The
//! buffer is bounded: incidents that exceed it, and those that remain when the server stops, are lost, counted and logged.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ::incidents::{Exchange, RedactedIncident, Redactor};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    capture::{CaptureReceiver, CaptureStats},
    services::{Error, Incidents},
};

/// Maximum number of incidents in a transaction.
const BATCH_SIZE: usize = 64;
/// Maximum number of incidents that wait for the database.
const MAX_PENDING: usize = 1_000;
/// Initial and maximum delay before the database is retried.
const RETRY_DELAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Interval at which counters are stored.
const FLUSH_INTERVAL: Duration = Duration::from_secs(10);

/// Redacts and stores captured exchanges.
pub struct IncidentWriter {
    redactor: Redactor,
    incidents: Incidents,
    state: Mutex<State>,
}

struct State {
    receiver: CaptureReceiver,
    /// Redacted incidents that are not stored yet.
    pending: VecDeque<RedactedIncident>,
    /// Value of `dropped` when it was last logged.
    logged_dropped: u64,
}

/// An event that the writer waits for.
enum Event {
    Exchange(Box<Exchange>),
    Flush,
    Shutdown,
}

impl IncidentWriter {
    #[must_use]
    pub fn new(receiver: CaptureReceiver, redactor: Redactor, incidents: Incidents) -> Self {
        let state = State { receiver, pending: VecDeque::new(), logged_dropped: 0 };
        Self { redactor, incidents, state: Mutex::new(state) }
    }

    /// Stores incidents until shutdown, and then the remaining ones.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut retry_delay = RETRY_DELAY.0;
        loop {
            let timeout = if self.state.lock().await.pending.is_empty() { FLUSH_INTERVAL } else { retry_delay };
            let event = tokio::select! {
                biased;
                () = shutdown.cancelled() => Event::Shutdown,
                next = self.recv() => next.map_or(Event::Shutdown, Event::Exchange),
                () = tokio::time::sleep(timeout) => Event::Flush,
            };
            let is_shutdown = matches!(event, Event::Shutdown);
            match event {
                Event::Exchange(exchange) => {
                    let mut state = self.state.lock().await;
                    self.redact(&mut state, vec![exchange]).await;
                }
                Event::Shutdown | Event::Flush => {}
            }
            retry_delay = match self.drain().await {
                Ok(()) => RETRY_DELAY.0,
                Err(error) if is_shutdown => return self.log_lost(&error).await,
                Err(error) => {
                    tracing::warn!(%error, retry_in = ?retry_delay, "cannot store incidents");
                    (retry_delay * 2).min(RETRY_DELAY.1)
                }
            };
            if is_shutdown {
                return;
            }
            // While the database is unavailable, do not retry for every exchange.
            if !self.state.lock().await.pending.is_empty() {
                tokio::time::sleep(retry_delay.min(RETRY_DELAY.0)).await;
            }
        }
    }

    /// Waits for the next exchange; `None` if the recorder was dropped. Cancel-safe.
    async fn recv(&self) -> Option<Box<Exchange>> {
        self.state.lock().await.receiver.recv().await
    }

    /// Stores all captured exchanges and counters.
    ///
    /// # Errors
    /// Fails if the database fails. The incidents stay in memory.
    pub async fn drain(&self) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        loop {
            let mut exchanges = Vec::new();
            while exchanges.len() < BATCH_SIZE {
                let Some(exchange) = state.receiver.try_recv() else { break };
                exchanges.push(exchange);
            }
            let is_last = exchanges.len() < BATCH_SIZE;
            self.redact(&mut state, exchanges).await;
            if is_last {
                break;
            }
        }
        self.store(&mut state).await
    }

    async fn store(&self, state: &mut State) -> Result<(), Error> {
        let mut counters = state.receiver.take_counters();
        while !state.pending.is_empty() || !counters.is_empty() {
            let count = state.pending.len().min(BATCH_SIZE);
            let batch: Vec<RedactedIncident> = state.pending.iter().take(count).cloned().collect();
            // Counters that cannot be stored are lost: retrying could count them twice.
            self.incidents.store(&batch, &std::mem::take(&mut counters)).await?;
            state.pending.drain(..count);
            state.receiver.stats().stored.fetch_add(count as u64, Ordering::Relaxed);
        }
        let dropped = state.receiver.stats().dropped.load(Ordering::Relaxed);
        if dropped > state.logged_dropped {
            let failures = dropped - state.logged_dropped;
            tracing::warn!(failures, "failures counted but not captured: capture limit reached");
            state.logged_dropped = dropped;
        }
        Ok(())
    }

    /// Redacts exchanges on a blocking thread.
    #[expect(clippy::vec_box, reason = "exchanges are large and boxed in the queue")]
    async fn redact(&self, state: &mut State, exchanges: Vec<Box<Exchange>>) {
        if exchanges.is_empty() {
            return;
        }
        let (redactor, count) = (self.redactor.clone(), exchanges.len());
        let redacting = tokio::task::spawn_blocking(move || {
            exchanges.iter().map(|exchange| redactor.redact(exchange)).collect::<Vec<_>>()
        });
        match redacting.await {
            Ok(redacted) => state.pending.extend(redacted),
            // Without redaction, an exchange must not be stored.
            Err(error) => {
                tracing::error!(%error, incidents = count, "incidents lost: redaction failed");
                state.receiver.stats().lost.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
        let excess = state.pending.len().saturating_sub(MAX_PENDING);
        if excess > 0 {
            state.pending.drain(..excess);
            tracing::warn!(incidents = excess, "incidents lost: database unavailable for too long");
            state.receiver.stats().lost.fetch_add(excess as u64, Ordering::Relaxed);
        }
    }

    async fn log_lost(&self, error: &Error) {
        let incidents = self.state.lock().await.pending.len();
        tracing::error!(%error, incidents, "incidents lost: database unavailable during shutdown");
    }

    /// Returns the number of captured, dropped and lost exchanges since the start.
    pub async fn stats(&self) -> Arc<CaptureStats> {
        self.state.lock().await.receiver.stats()
    }
}
