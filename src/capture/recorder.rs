//! From the request to the one who stores: which failures are kept, and how many at most.
//!
//! Owns the bounds. A request never waits: what finds no place is counted and dropped.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use tokio::sync::mpsc;

use incidents::{Exchange, fingerprint};

use super::CaptureFilter;

/// How many exchanges wait to be redacted and stored at most.
const QUEUE: usize = 256;
/// How many groups are counted between two looks at most.
const GROUPS: usize = 1_000;
const MINUTE: i64 = 60_000_000;
/// One in so many of a minute's exchanges may come at once, besides those that the time lets in: a storm is kept evenly, so that
/// what comes late is seen, too.
const SHARE_AT_ONCE: u32 = 2;

/// What may be kept.
#[derive(Clone, Debug)]
pub struct CaptureLimits {
    pub filter: CaptureFilter,
    /// How many bytes of a body are kept.
    pub body_bytes: usize,
    /// How many exchanges a minute are kept, and half as many at once.
    pub per_minute: u32,
}

/// Takes exchanges; cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    limits: CaptureLimits,
    queue: mpsc::Sender<Box<Exchange>>,
    pace: Pace,
    /// What comes often moves to the front, so that a storm of one kind finds its own at once.
    tallies: Mutex<Vec<Tally>>,
    counts: Arc<CaptureStats>,
}

/// How quickly exchanges are kept: by GCRA, on the clock of the app. It is not one of the limits of requests: those are counted on
/// a clock that is never set, and told to whoever asks.
struct Pace {
    /// What one exchange takes of the time.
    each: i64,
    /// How far what was kept may be ahead of the time.
    ahead: i64,
    /// Until when the time is used up.
    used_until: AtomicI64,
}

impl Pace {
    fn new(per_minute: u32) -> Self {
        let each = MINUTE / i64::from(per_minute.max(1));
        let at_once = i64::from((per_minute / SHARE_AT_ONCE).max(1));
        Self { each, ahead: each * (at_once - 1), used_until: AtomicI64::new(i64::MIN) }
    }

    fn has_room(&self, now: i64) -> bool {
        self.has_room_after(self.used_until.load(Ordering::Relaxed), now)
    }

    fn has_room_after(&self, used_until: i64, now: i64) -> bool {
        let ahead = used_until.saturating_sub(now);
        // More than a minute ahead: the clock was put back.
        ahead <= self.ahead || ahead > MINUTE
    }

    /// Takes the time of one exchange, if there is room for it.
    fn take(&self, now: i64) -> bool {
        let after = |used_until: i64| {
            let was_put_back = used_until.saturating_sub(now) > MINUTE;
            let from = if was_put_back { now } else { used_until.max(now) };
            self.has_room_after(used_until, now).then(|| from.saturating_add(self.each))
        };
        self.used_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }
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
pub struct CaptureStats {
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
    pub fn new(limits: CaptureLimits) -> (Self, Inbox) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let pace = Pace::new(limits.per_minute);
        let recorder =
            Self(Arc::new(Shared { limits, queue: sender, pace, tallies: Mutex::default(), counts: Arc::default() }));
        (recorder.clone(), Inbox { queue, recorder })
    }

    /// What may be kept.
    #[must_use]
    pub fn limits(&self) -> &CaptureLimits {
        &self.0.limits
    }

    /// What became of failures since the start.
    #[must_use]
    pub fn stats(&self) -> &CaptureStats {
        &self.0.counts
    }

    /// Whether one more could be kept now, if it fails at once.
    #[must_use]
    pub fn may_accept(&self, now: i64) -> bool {
        self.0.pace.has_room(now)
    }

    /// Whether there is a place for what is kept whatever the rate.
    #[must_use]
    pub fn has_queue_capacity(&self) -> bool {
        self.0.queue.capacity() > 0
    }

    /// Whether one more may be kept now. If so, [`Self::take`] it; else [`Self::tally`] it.
    #[must_use]
    pub fn try_acquire(&self, now: i64) -> bool {
        self.has_queue_capacity() && self.0.pace.take(now)
    }

    /// Keeps an exchange, if there is a place in the queue.
    pub fn record(&self, exchange: Box<Exchange>) {
        match self.0.queue.try_send(exchange) {
            Ok(()) => drop(self.0.counts.taken.fetch_add(1, Ordering::Relaxed)),
            Err(mpsc::error::TrySendError::Full(exchange) | mpsc::error::TrySendError::Closed(exchange)) => {
                // Somebody may have asked for one that did not fail.
                if self.0.limits.filter.has(exchange.status, exchange.code) {
                    let operation = exchange.operation.map(|operation| operation.id.as_str());
                    self.count_uncaptured(
                        operation,
                        exchange.status,
                        exchange.code,
                        &exchange.site,
                        exchange.received_at,
                    );
                }
            }
        }
    }

    /// Counts a failure that is not kept.
    pub fn count_uncaptured(
        &self,
        operation: Option<&str>,
        status: u16,
        code: Option<&'static str>,
        site: &str,
        at: i64,
    ) {
        self.0.counts.dropped.fetch_add(1, Ordering::Relaxed);
        // Not by the fingerprint: in a storm this is done for every request.
        let is_it = |tally: &Tally| {
            tally.status == status
                && tally.code == code
                && tally.operation.as_deref() == operation
                && tally.site == site
        };
        let mut tallies = self.tallies();
        match tallies.iter().position(is_it) {
            Some(place) => {
                let tally = &mut tallies[place];
                tally.count += 1;
                tally.at = tally.at.max(at);
                tallies.swap(place, place / 2);
            }
            None if tallies.len() >= GROUPS => {}
            None => {
                let (operation, site) = (operation.map(str::to_owned), site.to_owned());
                tallies.push(Tally { operation, status, code, site, count: 1, at });
            }
        }
    }

    fn tallies(&self) -> MutexGuard<'_, Vec<Tally>> {
        self.0.tallies.lock().unwrap_or_else(PoisonError::into_inner)
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
        // Let go of before the fingerprints are made: failing requests would wait for it.
        let tallies = std::mem::take(&mut *self.recorder.tallies());
        let named =
            |tally: Tally| (fingerprint(tally.operation.as_deref(), tally.status, tally.code, &tally.site), tally);
        tallies.into_iter().map(named).collect()
    }

    /// What became of failures since the start.
    #[must_use]
    pub fn stats(&self) -> Arc<CaptureStats> {
        Arc::clone(&self.recorder.0.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(per_minute: u32) -> (Recorder, Inbox) {
        let filter = "5xx".parse().unwrap();
        Recorder::new(CaptureLimits { filter, body_bytes: 1_000, per_minute })
    }

    #[test]
    fn so_many_a_minute_are_kept_and_half_as_many_at_once() {
        let (recorder, _inbox) = recorder(60);
        const SECOND: i64 = MINUTE / 60;
        let kept = |now| (0..100).filter(|_| recorder.try_acquire(now)).count();
        assert_eq!((kept(0), kept(SECOND - 1), kept(SECOND), kept(10 * SECOND)), (30, 0, 1, 9));
        // Whoever read the clock a little earlier does not make room.
        assert_eq!((kept(SECOND), kept(10 * SECOND)), (0, 0));
        let (storm, _inbox) = self::recorder(60);
        let of_a_minute = |from| (from..from + 60).filter(|now| storm.try_acquire(now * SECOND)).count();
        assert_eq!((0..100).filter(|_| storm.try_acquire(0)).count(), 30, "at once");
        assert_eq!((of_a_minute(0), of_a_minute(60)), (59, 60), "and then evenly");
        assert!(!recorder.may_accept(10 * SECOND) && recorder.may_accept(11 * SECOND));
        // After a rest, not more than at first; after the clock was put back, not nothing for ever.
        assert_eq!((kept(50 * MINUTE), kept(MINUTE)), (30, 30));
        let (one, _inbox) = self::recorder(1);
        assert_eq!([0, 1, MINUTE - 1, MINUTE].map(|now| one.try_acquire(now)), [true, false, false, true]);
    }

    #[test]
    fn what_finds_the_queue_full_is_counted_if_it_failed() {
        let (recorder, inbox) = recorder(3);
        let take = |status| {
            let exchange = super::super::tests::exchange("getMe", b"");
            recorder.record(Box::new(Exchange { status, ..exchange }));
        };
        (0..QUEUE).for_each(|_| take(500));
        assert!(!recorder.has_queue_capacity() && !recorder.try_acquire(0) && inbox.tallies().is_empty());
        take(200);
        assert!(inbox.tallies().is_empty(), "an administrator has asked for it");
        take(500);
        assert_eq!(inbox.tallies().len(), 1);
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let (recorder, inbox) = recorder(3);
        for at in [5, 9, 7] {
            recorder.count_uncaptured(Some("getItem"), 500, Some("INTERNAL_ERROR"), "panic", at);
        }
        recorder.count_uncaptured(None, 503, None, "", 1);
        let mut tallies: Vec<Tally> = inbox.tallies().into_iter().map(|(_, tally)| tally).collect();
        tallies.sort_by_key(|tally| -tally.count);
        assert_eq!((tallies.len(), tallies[0].count, tallies[0].at), (2, 3, 9));
        assert!(inbox.tallies().is_empty());
        assert_eq!(recorder.stats().dropped.load(Ordering::Relaxed), 4);
        let others: Vec<_> = (0..20)
            .map(|_| recorder.clone())
            .map(|recorder| std::thread::spawn(move || recorder.count_uncaptured(None, 503, None, "", 4)))
            .collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        let [(_, sum)] = &inbox.tallies()[..] else { panic!("one group, whoever has counted") };
        assert_eq!((sum.count, sum.at), (20, 4));
        assert_eq!(recorder.stats().dropped.load(Ordering::Relaxed), 24);
        for number in 0..2_000 {
            recorder.count_uncaptured(None, 500, None, &format!("site {number}"), 1);
        }
        assert_eq!(inbox.tallies().len(), GROUPS, "memory is bounded");
    }
}
