//! Keeps failures: takes them from the recorder, redacts them, and stores them, many at once and off every request's way.
//!
//! What failed may be the database: what it does not take waits in memory, redacted, up to a bound, and is tried again. Beyond
//! the bound, and when the server stops while the database is away, it is lost, which is counted and logged.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ::incidents::{Exchange, Redacted, Redactor};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    capture::{CaptureStats, Inbox},
    services::{Error, Incidents},
};

/// How many are stored in one transaction.
const BATCH: usize = 64;
/// How many wait for the database at most.
const WAITING: usize = 1_000;
/// How long to wait before the database is tried again, at first and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often to look at what was only counted.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often to purge.
const PURGE_EVERY: Duration = Duration::from_secs(600);

/// Stores what the recorder has taken.
pub struct IncidentWriter {
    redactor: Redactor,
    incidents: Incidents,
    state: Mutex<State>,
}

struct State {
    inbox: Inbox,
    /// Redacted, not yet stored.
    waiting: VecDeque<Redacted>,
    /// How many were not kept when that was last said.
    said: u64,
}

/// What the writer waits for.
enum Event {
    Came(Box<Exchange>),
    Purge,
    Look,
    Stop,
}

impl IncidentWriter {
    /// Redacts and stores what comes into the inbox.
    #[must_use]
    pub fn new(inbox: Inbox, redactor: Redactor, incidents: Incidents) -> Self {
        Self { redactor, incidents, state: Mutex::new(State { inbox, waiting: VecDeque::new(), said: 0 }) }
    }

    /// Stores failures until `shutdown` is cancelled, then those that remain.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut purge = tokio::time::interval(PURGE_EVERY);
        let mut patience = PATIENCE.0;
        loop {
            let wait = if self.state.lock().await.waiting.is_empty() { LOOK_EVERY } else { patience };
            let event = tokio::select! {
                biased;
                () = shutdown.cancelled() => Event::Stop,
                _ = purge.tick() => Event::Purge,
                next = self.next() => next.map_or(Event::Stop, Event::Came),
                () = tokio::time::sleep(wait) => Event::Look,
            };
            let is_over = matches!(event, Event::Stop);
            match event {
                Event::Came(exchange) => {
                    let mut state = self.state.lock().await;
                    self.take_in(&mut state, vec![exchange]).await;
                }
                Event::Purge => self.purge().await,
                Event::Stop | Event::Look => {}
            }
            patience = match self.drain().await {
                Ok(()) => PATIENCE.0,
                Err(error) if is_over => return self.lose_all(&error).await,
                Err(error) => {
                    tracing::warn!(%error, "cannot store incidents; they wait");
                    (patience * 2).min(PATIENCE.1)
                }
            };
            if is_over {
                return;
            }
            // While the database is away, what comes is taken in without asking it each time.
            if !self.state.lock().await.waiting.is_empty() {
                tokio::time::sleep(patience.min(PATIENCE.0)).await;
            }
        }
    }

    /// The next failure; `None` when there will be no more. Whoever stops waiting loses nothing.
    async fn next(&self) -> Option<Box<Exchange>> {
        self.state.lock().await.inbox.next().await
    }

    /// Stores everything that was taken.
    ///
    /// # Errors
    /// When the database does not take it; then it waits.
    pub async fn drain(&self) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        loop {
            let mut taken = Vec::new();
            while taken.len() < BATCH {
                let Some(exchange) = state.inbox.next_now() else { break };
                taken.push(exchange);
            }
            let is_last = taken.len() < BATCH;
            self.take_in(&mut state, taken).await;
            if is_last {
                break;
            }
        }
        self.store(&mut state).await
    }

    async fn store(&self, state: &mut State) -> Result<(), Error> {
        let mut tallies = state.inbox.tallies();
        while !state.waiting.is_empty() || !tallies.is_empty() {
            let count = state.waiting.len().min(BATCH);
            let batch: Vec<Redacted> = state.waiting.iter().take(count).cloned().collect();
            // A tally that cannot be stored is not counted twice: it is lost.
            self.incidents.keep(&batch, &std::mem::take(&mut tallies)).await?;
            state.waiting.drain(..count);
            state.inbox.stats().stored.fetch_add(count as u64, Ordering::Relaxed);
        }
        let dropped = state.inbox.stats().dropped.load(Ordering::Relaxed);
        if dropped > state.said {
            tracing::warn!(failures = dropped - state.said, "counted failures that were too many to keep");
            state.said = dropped;
        }
        Ok(())
    }

    /// Redacts, on a thread that no request needs.
    #[expect(clippy::vec_box, reason = "as they leave the queue: large, and moved from hand to hand")]
    async fn take_in(&self, state: &mut State, exchanges: Vec<Box<Exchange>>) {
        if exchanges.is_empty() {
            return;
        }
        let (redactor, count) = (self.redactor.clone(), exchanges.len());
        let redacting = tokio::task::spawn_blocking(move || {
            exchanges.iter().map(|exchange| redactor.redact(exchange)).collect::<Vec<_>>()
        });
        match redacting.await {
            Ok(redacted) => state.waiting.extend(redacted),
            // Not redacted, not kept.
            Err(error) => {
                tracing::error!(%error, incidents = count, "cannot redact incidents: they are lost");
                state.inbox.stats().lost.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
        let excess = state.waiting.len().saturating_sub(WAITING);
        if excess > 0 {
            state.waiting.drain(..excess);
            tracing::warn!(incidents = excess, "the database is away for too long: incidents are lost");
            state.inbox.stats().lost.fetch_add(excess as u64, Ordering::Relaxed);
        }
    }

    async fn lose_all(&self, error: &Error) {
        let state = self.state.lock().await;
        tracing::error!(%error, incidents = state.waiting.len(), "stopping: incidents that could not be stored are lost");
    }

    /// What became of failures since the start.
    pub async fn stats(&self) -> Arc<CaptureStats> {
        self.state.lock().await.inbox.stats()
    }

    /// Deletes what has expired; returns how many rows.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn purge_expired(&self) -> Result<usize, Error> {
        self.incidents.purge().await
    }

    async fn purge(&self) {
        match self.purge_expired().await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "purged incidents that had expired"),
            Err(error) => tracing::warn!(%error, "cannot purge incidents"),
        }
    }
}
