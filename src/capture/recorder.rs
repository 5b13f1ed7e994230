//! The queue between requests and the incident writer, and its limits.
//!
//! A request never waits: an exchange that exceeds the rate or finds the queue full is counted and dropped.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use incidents::{Exchange, fingerprint};
use tokio::sync::mpsc;

use super::CaptureFilter;

/// Maximum number of exchanges that wait for redaction.
const QUEUE_CAPACITY: usize = 256;
/// Maximum number of counters between two runs of the incident writer.
const MAX_COUNTERS: usize = 1_000;
const MINUTE: i64 = 60_000_000;
/// The burst is the limit per minute divided by this number. The rest of a minute is captured evenly, so that late failures of
/// a long outage are captured too.
const BURST_DIVISOR: u32 = 2;

/// Limits of capture.
#[derive(Clone, Debug)]
pub struct CaptureLimits {
    pub filter: CaptureFilter,
    /// Maximum number of bytes of a body.
    pub body_bytes: usize,
    /// Maximum number of exchanges per minute. The burst is half of it.
    pub per_minute: u32,
}

/// Accepts exchanges of failed requests. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    limits: CaptureLimits,
    queue: mpsc::Sender<Box<Exchange>>,
    rate: CaptureRate,
    /// Frequent counters move to the front, so that they are found quickly.
    counters: Mutex<Vec<FailureCounter>>,
    stats: Arc<CaptureStats>,
}

/// Rate limit of captures: GCRA on the clock of the application. Separate from the rate limits of requests, which use a
/// monotonic clock and are visible to clients.
struct CaptureRate {
    /// Time between two captures at the sustained rate.
    interval: i64,
    /// How far the theoretical arrival time may be ahead of the clock.
    tolerance: i64,
    /// Theoretical arrival time.
    arrival_time: AtomicI64,
}

impl CaptureRate {
    fn new(per_minute: u32) -> Self {
        let interval = MINUTE / i64::from(per_minute.max(1));
        let burst = i64::from((per_minute / BURST_DIVISOR).max(1));
        Self { interval, tolerance: interval * (burst - 1), arrival_time: AtomicI64::new(i64::MIN) }
    }

    fn would_accept(&self, now: i64) -> bool {
        self.accepts(self.arrival_time.load(Ordering::Relaxed), now)
    }

    fn accepts(&self, arrival_time: i64, now: i64) -> bool {
        let ahead = arrival_time.saturating_sub(now);
        // More than a minute ahead: the clock was set back.
        ahead <= self.tolerance || ahead > MINUTE
    }

    fn try_acquire(&self, now: i64) -> bool {
        let next = |arrival_time: i64| {
            let was_set_back = arrival_time.saturating_sub(now) > MINUTE;
            let from = if was_set_back { now } else { arrival_time.max(now) };
            self.accepts(arrival_time, now).then(|| from.saturating_add(self.interval))
        };
        self.arrival_time.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// Number of equal failures that were not captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureCounter {
    pub operation: Option<String>,
    pub status: u16,
    pub code: Option<&'static str>,
    pub site: String,
    pub count: i64,
    /// Time of the last failure, in microseconds since 1970.
    pub last_seen_at: i64,
}

/// Numbers of exchanges since the start.
#[derive(Debug, Default)]
pub struct CaptureStats {
    /// Added to the queue.
    pub queued: AtomicU64,
    /// Counted but not captured: above the rate, or the queue was full.
    pub dropped: AtomicU64,
    pub stored: AtomicU64,
    /// Not stored because redaction failed or the database was unavailable for too long.
    pub lost: AtomicU64,
}

/// The receiving end of a [`Recorder`].
pub struct CaptureReceiver {
    queue: mpsc::Receiver<Box<Exchange>>,
    recorder: Recorder,
}

impl Recorder {
    /// Creates a recorder and its receiver.
    #[must_use]
    pub fn new(limits: CaptureLimits) -> (Self, CaptureReceiver) {
        let (sender, queue) = mpsc::channel(QUEUE_CAPACITY);
        let rate = CaptureRate::new(limits.per_minute);
        let recorder =
            Self(Arc::new(Shared { limits, queue: sender, rate, counters: Mutex::default(), stats: Arc::default() }));
        (recorder.clone(), CaptureReceiver { queue, recorder })
    }

    #[must_use]
    pub fn limits(&self) -> &CaptureLimits {
        &self.0.limits
    }

    #[must_use]
    pub fn stats(&self) -> Arc<CaptureStats> {
        Arc::clone(&self.0.stats)
    }

    /// Whether the rate limit would accept an exchange now. Does not use up the limit.
    #[must_use]
    pub fn may_accept(&self, now: i64) -> bool {
        self.0.rate.would_accept(now)
    }

    /// Whether the queue has capacity. Captures requested by an administrator are not rate-limited.
    #[must_use]
    pub fn has_queue_capacity(&self) -> bool {
        self.0.queue.capacity() > 0
    }

    /// Uses up the rate limit for one exchange. If it returns true, call [`Self::record`], else [`Self::count_uncaptured`].
    #[must_use]
    pub fn try_acquire(&self, now: i64) -> bool {
        self.has_queue_capacity() && self.0.rate.try_acquire(now)
    }

    /// Adds an exchange to the queue. If the queue is full, counts the failure.
    pub fn record(&self, exchange: Box<Exchange>) {
        match self.0.queue.try_send(exchange) {
            Ok(()) => drop(self.0.stats.queued.fetch_add(1, Ordering::Relaxed)),
            Err(mpsc::error::TrySendError::Full(exchange) | mpsc::error::TrySendError::Closed(exchange)) => {
                // An administrator can request the capture of a successful response.
                if self.0.limits.filter.matches(exchange.status, exchange.code) {
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

    /// Counts a failure that is not captured.
    pub fn count_uncaptured(
        &self,
        operation: Option<&str>,
        status: u16,
        code: Option<&'static str>,
        site: &str,
        received_at: i64,
    ) {
        self.0.stats.dropped.fetch_add(1, Ordering::Relaxed);
        // Compares fields instead of fingerprints: this runs for every failed request.
        let is_equal = |counter: &FailureCounter| {
            counter.status == status
                && counter.code == code
                && counter.operation.as_deref() == operation
                && counter.site == site
        };
        let mut counters = self.counters();
        match counters.iter().position(is_equal) {
            Some(index) => {
                let counter = &mut counters[index];
                counter.count += 1;
                counter.last_seen_at = counter.last_seen_at.max(received_at);
                counters.swap(index, index / 2);
            }
            None if counters.len() >= MAX_COUNTERS => {}
            None => {
                let (operation, site) = (operation.map(str::to_owned), site.to_owned());
                counters.push(FailureCounter { operation, status, code, site, count: 1, last_seen_at: received_at });
            }
        }
    }

    fn counters(&self) -> MutexGuard<'_, Vec<FailureCounter>> {
        self.0.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CaptureReceiver {
    /// Waits for the next exchange; `None` if all recorders are dropped.
    pub async fn recv(&mut self) -> Option<Box<Exchange>> {
        self.queue.recv().await
    }

    /// Returns the next exchange if the queue is not empty.
    pub fn try_recv(&mut self) -> Option<Box<Exchange>> {
        self.queue.try_recv().ok()
    }

    /// Removes and returns the counters with their fingerprints.
    #[must_use]
    pub fn take_counters(&self) -> Vec<(String, FailureCounter)> {
        // Release the lock before hashing: failing requests wait for it.
        let counters = std::mem::take(&mut *self.recorder.counters());
        let with_fingerprint = |counter: FailureCounter| {
            (fingerprint(counter.operation.as_deref(), counter.status, counter.code, &counter.site), counter)
        };
        counters.into_iter().map(with_fingerprint).collect()
    }

    #[must_use]
    pub fn stats(&self) -> Arc<CaptureStats> {
        self.recorder.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(per_minute: u32) -> (Recorder, CaptureReceiver) {
        let filter = "5xx".parse().unwrap();
        Recorder::new(CaptureLimits { filter, body_bytes: 1_000, per_minute })
    }

    #[test]
    fn rate_is_limited_with_a_burst_of_half_a_minute() {
        let (recorder, _receiver) = recorder(60);
        const SECOND: i64 = MINUTE / 60;
        let captured = |now| (0..100).filter(|_| recorder.try_acquire(now)).count();
        assert_eq!((captured(0), captured(SECOND - 1), captured(SECOND), captured(10 * SECOND)), (30, 0, 1, 9));
        // A clock that was read earlier does not release capacity.
        assert_eq!((captured(SECOND), captured(10 * SECOND)), (0, 0));
        let (storm, _receiver) = self::recorder(60);
        let captured_in_a_minute = |from| (from..from + 60).filter(|now| storm.try_acquire(now * SECOND)).count();
        assert_eq!((0..100).filter(|_| storm.try_acquire(0)).count(), 30, "burst");
        assert_eq!((captured_in_a_minute(0), captured_in_a_minute(60)), (59, 60), "sustained rate");
        assert!(!recorder.may_accept(10 * SECOND) && recorder.may_accept(11 * SECOND));
        // Idle time does not accumulate beyond the burst, and a clock that is set back does not block captures.
        assert_eq!((captured(50 * MINUTE), captured(MINUTE)), (30, 30));
        let (one, _receiver) = self::recorder(1);
        assert_eq!([0, 1, MINUTE - 1, MINUTE].map(|now| one.try_acquire(now)), [true, false, false, true]);
    }

    #[test]
    fn failures_are_counted_when_the_queue_is_full() {
        let (recorder, receiver) = recorder(3);
        let record = |status| {
            let exchange = super::super::tests::exchange("getMe", b"");
            recorder.record(Box::new(Exchange { status, ..exchange }));
        };
        (0..QUEUE_CAPACITY).for_each(|_| record(500));
        assert!(!recorder.has_queue_capacity() && !recorder.try_acquire(0) && receiver.take_counters().is_empty());
        record(200);
        assert!(receiver.take_counters().is_empty(), "not a failure: requested by an administrator");
        record(500);
        assert_eq!(receiver.take_counters().len(), 1);
    }

    #[test]
    fn uncaptured_failures_are_counted_by_group() {
        let (recorder, receiver) = recorder(3);
        for received_at in [5, 9, 7] {
            recorder.count_uncaptured(Some("getItem"), 500, Some("INTERNAL_ERROR"), "panic", received_at);
        }
        recorder.count_uncaptured(None, 503, None, "", 1);
        let mut counters: Vec<FailureCounter> =
            receiver.take_counters().into_iter().map(|(_, counter)| counter).collect();
        counters.sort_by_key(|counter| -counter.count);
        assert_eq!((counters.len(), counters[0].count, counters[0].last_seen_at), (2, 3, 9));
        assert!(receiver.take_counters().is_empty());
        assert_eq!(recorder.stats().dropped.load(Ordering::Relaxed), 4);
        let threads: Vec<_> = (0..20)
            .map(|_| recorder.clone())
            .map(|recorder| std::thread::spawn(move || recorder.count_uncaptured(None, 503, None, "", 4)))
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let [(_, total)] = &receiver.take_counters()[..] else { panic!("all threads count the same group") };
        assert_eq!((total.count, total.last_seen_at), (20, 4));
        assert_eq!(recorder.stats().dropped.load(Ordering::Relaxed), 24);
        for number in 0..2_000 {
            recorder.count_uncaptured(None, 500, None, &format!("site {number}"), 1);
        }
        assert_eq!(receiver.take_counters().len(), MAX_COUNTERS, "memory is bounded");
    }
}
