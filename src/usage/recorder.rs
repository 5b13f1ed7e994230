//! Counts requests in memory.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::user_agents::UserAgents;
use crate::domain::{ApiVersion, Consumer, InputSet, Timestamp, UsageCounters, UsageKey};

/// Number of shards. Threads use different shards as far as possible, so that they do not wait for each other.
const SHARDS: usize = 16;
/// Maximum number of counters in a shard between two flushes, which bounds the memory. Requests of further consumers are counted
/// together.
const MAX_KEYS_PER_SHARD: usize = 5_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// Counts requests. Cheap to clone.
#[derive(Clone, Default)]
pub struct UsageRecorder(Arc<Shared>);

#[derive(Default)]
struct Shared {
    shards: [Mutex<HashMap<UsageKey, UsageCounters>>; SHARDS],
    user_agents: UserAgents,
}

/// A request whose response was sent.
#[derive(Clone, Debug)]
pub struct UsageEvent {
    /// When the request was received.
    pub received_at: Timestamp,
    pub version: ApiVersion,
    pub operation: &'static str,
    pub consumer: Consumer,
    pub status: u16,
    /// Whether the credentials, the permissions or a rate limit of the consumer were the reason of an error.
    pub is_rejected: bool,
    /// The query parameters and body fields of the request.
    pub inputs: InputSet,
    /// Time until the response was ready.
    pub latency: Duration,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes of the response body that were sent.
    pub bytes_out: u64,
}

thread_local! {
    /// The shard of this thread.
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

fn shard_of_thread() -> usize {
    SHARD.with(|shard| {
        shard.get().unwrap_or_else(|| {
            let next = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
            shard.set(Some(next));
            next
        })
    })
}

impl UsageRecorder {
    /// Returns the consumer of a request without valid credentials.
    #[must_use]
    pub fn anonymous(&self, user_agent: Option<&str>, now: Timestamp) -> Consumer {
        Consumer::Anonymous(self.0.user_agents.intern(user_agent.unwrap_or(Consumer::NO_USER_AGENT), now))
    }

    /// Counts a request.
    pub fn record(&self, event: UsageEvent) {
        let UsageEvent { received_at, version, operation, consumer, status, latency, bytes_in, bytes_out, .. } = event;
        let status_class = u8::try_from(status / 100).unwrap_or_default();
        let mut key = UsageKey { hour: received_at.floor(HOUR), version, operation, consumer, status_class };
        let mut counters = self.lock(shard_of_thread());
        if counters.len() >= MAX_KEYS_PER_SHARD && !counters.contains_key(&key) {
            key.consumer = Consumer::Anonymous(self.0.user_agents.other());
        }
        let counters = counters.entry(key).or_default();
        counters.record(received_at, latency, bytes_in, bytes_out);
        counters.record_inputs(event.inputs, event.is_rejected);
    }

    /// Takes the counters since the last call.
    #[must_use]
    pub fn take(&self) -> HashMap<UsageKey, UsageCounters> {
        let mut counters = HashMap::new();
        self.take_into(&mut counters);
        counters
    }

    /// Takes the counters of all shards since the last call and adds them to `counters`.
    pub(super) fn take_into(&self, counters: &mut HashMap<UsageKey, UsageCounters>) {
        for shard in 0..SHARDS {
            let taken = std::mem::take(&mut *self.lock(shard));
            for (key, taken) in taken {
                counters.entry(key).or_default().add(&taken);
            }
        }
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, HashMap<UsageKey, UsageCounters>> {
        self.0.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::domain::UserId;

    const NOON: Timestamp = Timestamp::from_seconds(1_800_014_400);

    fn event(consumer: Consumer, status: u16) -> UsageEvent {
        UsageEvent {
            received_at: NOON + Duration::from_secs(59),
            version: ApiVersion::V2,
            operation: "listItems",
            consumer,
            status,
            is_rejected: false,
            inputs: InputSet::default(),
            latency: Duration::from_millis(3),
            bytes_in: 2,
            bytes_out: 5,
        }
    }

    #[test]
    fn requests_of_all_threads_are_counted_once() {
        let recorder = UsageRecorder::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for number in 0..1_000 {
                        let consumer = Consumer::User(UserId::new(1 + number % 2));
                        recorder.record(event(consumer, if number < 10 { 503 } else { 200 }));
                    }
                });
            }
        });
        let counters = recorder.take();
        assert_eq!(counters.len(), 4, "{counters:?}");
        for (key, counters) in &counters {
            assert_eq!((key.hour, key.operation), (NOON, "listItems"));
            let requests = if key.status_class == 5 { 40 } else { 3_960 };
            assert_eq!(
                (counters.requests, counters.bytes_in, counters.bytes_out),
                (requests, 2 * requests, 5 * requests)
            );
            assert_eq!(counters.last_seen_at, NOON + Duration::from_secs(59));
        }
        assert_eq!(recorder.take(), HashMap::new(), "counters are taken once");
    }

    #[test]
    fn number_of_counters_is_bounded() {
        let recorder = UsageRecorder::default();
        for id in 1..=20_000 {
            recorder.record(event(Consumer::User(UserId::new(id)), 200));
        }
        let counters = recorder.take();
        assert_eq!(counters.len(), MAX_KEYS_PER_SHARD + 1);
        assert_eq!(counters.values().map(|counters| counters.requests).sum::<i64>(), 20_000);
        let other = counters.iter().find(|(key, _)| key.consumer.user_agent() == Some("other")).unwrap();
        assert_eq!(other.1.requests, 15_000);
    }
}
