//! From the request to the one who stores: which failures are kept, and how many at most.
//!
//! Owns the bounds. A request never waits: what finds no place is counted and dropped.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{Exchange, Selection, fingerprint};

/// How many exchanges wait to be redacted and stored at most.
const QUEUE: usize = 256;
/// How many groups are counted between two looks at most.
const GROUPS: usize = 1_000;
const MINUTE: i64 = 60_000_000;

/// What may be kept.
#[derive(Clone, Debug)]
pub struct Limits {
    pub selection: Selection,
    /// How many bytes of a body are kept.
    pub body_bytes: usize,
    /// How many exchanges a minute are kept.
    pub per_minute: u32,
}

/// Takes exchanges; cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    limits: Limits,
    queue: mpsc::Sender<Box<Exchange>>,
    /// The minute, and how many were kept in it.
    minute: Mutex<(i64, u32)>,
    tallies: Mutex<HashMap<String, Tally>>,
    counts: Arc<Counts>,
}

/// Failures that were met and not kept, by what makes them equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub operation: Option<String>,
    pub status: u16,
    pub code: Option<&'static str>,
    pub site: String,
    pub count: i64,
    pub at: i64,
}

/// What became of failures since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Handed on.
    pub taken: AtomicU64,
    /// Above the rate, or the queue was full: counted, not kept.
    pub dropped: AtomicU64,
    /// Stored.
    pub stored: AtomicU64,
    /// Redacted, and lost because the database was away for too long.
    pub lost: AtomicU64,
}

/// The other end: what was taken.
pub struct Inbox {
    queue: mpsc::Receiver<Box<Exchange>>,
    recorder: Recorder,
}

impl Recorder {
    /// A recorder, and the inbox of the one who stores.
    #[must_use]
    pub fn new(limits: Limits) -> (Self, Inbox) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let recorder = Self(Arc::new(Shared {
            limits,
            queue: sender,
            minute: Mutex::default(),
            tallies: Mutex::default(),
            counts: Arc::default(),
        }));
        (recorder.clone(), Inbox { queue, recorder })
    }

    /// What may be kept.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What became of failures since the start.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Whether one more may be kept now. If so, [`Self::take`] it; else [`Self::tally`] it.
    #[must_use]
    pub fn has_room(&self, now: i64) -> bool {
        let mut minute = self.0.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let this = now.div_euclid(MINUTE);
        if minute.0 != this {
            *minute = (this, 0);
        }
        let has_room = minute.1 < self.0.limits.per_minute && self.0.queue.capacity() > 0;
        minute.1 += u32::from(has_room);
        has_room
    }

    /// Keeps an exchange, if there is a place in the queue.
    pub fn take(&self, exchange: Box<Exchange>) {
        match self.0.queue.try_send(exchange) {
            Ok(()) => drop(self.0.counts.taken.fetch_add(1, Ordering::Relaxed)),
            Err(mpsc::error::TrySendError::Full(exchange) | mpsc::error::TrySendError::Closed(exchange)) => {
                let operation = exchange.operation.map(|operation| operation.id.as_str());
                self.tally(operation, exchange.status, exchange.code, &exchange.site, exchange.received_at);
            }
        }
    }

    /// Counts a failure that is not kept.
    pub fn tally(&self, operation: Option<&str>, status: u16, code: Option<&'static str>, site: &str, at: i64) {
        self.0.counts.dropped.fetch_add(1, Ordering::Relaxed);
        let key = fingerprint(operation, status, code, site);
        let mut tallies = self.0.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if tallies.len() >= GROUPS && !tallies.contains_key(&key) {
            return;
        }
        let new =
            || Tally { operation: operation.map(str::to_owned), status, code, site: site.to_owned(), count: 0, at };
        let tally = tallies.entry(key).or_insert_with(new);
        tally.count += 1;
        tally.at = tally.at.max(at);
    }
}

impl Inbox {
    /// The next exchange; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Box<Exchange>> {
        self.queue.recv().await
    }

    /// The next exchange, if there is one.
    pub fn next_now(&mut self) -> Option<Box<Exchange>> {
        self.queue.try_recv().ok()
    }

    /// Takes out what was counted, with its fingerprints.
    #[must_use]
    pub fn tallies(&self) -> Vec<(String, Tally)> {
        let mut tallies = self.recorder.0.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *tallies).into_iter().collect()
    }

    /// What became of failures since the start.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.recorder.0.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(per_minute: u32) -> (Recorder, Inbox) {
        let selection = "5xx".parse().unwrap();
        Recorder::new(Limits { selection, body_bytes: 1_000, per_minute })
    }

    #[test]
    fn no_more_than_so_many_a_minute_are_kept() {
        let (recorder, _inbox) = recorder(3);
        let kept = |now| (0..10).filter(|_| recorder.has_room(now)).count();
        assert_eq!((kept(5), kept(MINUTE - 1), kept(MINUTE), kept(-1)), (3, 0, 3, 3));
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let (recorder, inbox) = recorder(3);
        for at in [5, 9, 7] {
            recorder.tally(Some("getItem"), 500, Some("INTERNAL_ERROR"), "panic", at);
        }
        recorder.tally(None, 503, None, "", 1);
        let mut tallies: Vec<Tally> = inbox.tallies().into_iter().map(|(_, tally)| tally).collect();
        tallies.sort_by_key(|tally| -tally.count);
        assert_eq!((tallies.len(), tallies[0].count, tallies[0].at), (2, 3, 9));
        assert!(inbox.tallies().is_empty());
        assert_eq!(recorder.counts().dropped.load(Ordering::Relaxed), 4);
        for number in 0..2_000 {
            recorder.tally(None, 500, None, &format!("site {number}"), 1);
        }
        assert_eq!(inbox.tallies().len(), GROUPS, "memory is bounded");
    }
}
