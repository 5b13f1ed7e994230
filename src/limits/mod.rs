//! Rate limits with GCRA, counted in the memory of this process or in Redis.

mod active;
mod shared;

use std::{
    num::NonZeroU32,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use governor::{
    clock::Clock as GovernorClock,
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed, StateStore},
};
use moka::sync::Cache;

use crate::{
    config::RequestLimits,
    domain::{Clock, PendingDecision, Quota, RateLimit, RateLimitDecision, RateLimitSubject, RateLimiter},
};

pub use active::ActiveLimits;
pub use shared::SharedRateLimiter;

/// Maximum number of counters per limit. An attacker with more addresses than this is not stopped by limits per address.
const MAX_SUBJECTS: u64 = 50_000;

/// Maximum number of different quotas of API clients.
const MAX_CUSTOM_QUOTAS: u64 = 1_000;

/// Counts requests in memory.
pub struct InMemoryRateLimiter {
    /// In the order of [`RateLimit::ALL`].
    counters: RwLock<Vec<Arc<Counter>>>,
    /// Counters of API clients with their own quota, by requests per minute.
    custom: Cache<u32, Arc<Counter>>,
    clock: Uptime,
}

/// Adapts the clock of the application to governor. It never goes backwards.
#[derive(Clone)]
struct Uptime(Arc<dyn Clock>);

impl GovernorClock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.uptime()
    }
}

/// The counters of a limit. Their number is bounded, unlike that of governor's stores.
struct CounterStore(Cache<RateLimitSubject, Arc<InMemoryState>>);

impl StateStore for CounterStore {
    type Key = RateLimitSubject;

    fn measure_and_replace<T, F, E>(&self, key: &RateLimitSubject, decide: F) -> Result<T, E>
    where
        F: Fn(Option<governor::nanos::Nanos>) -> Result<(T, governor::nanos::Nanos), E>,
    {
        let state = self.0.get(key).unwrap_or_else(|| self.0.get_with(key.clone(), Arc::default));
        state.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

type Gcra = governor::RateLimiter<RateLimitSubject, CounterStore, Uptime, StateInformationMiddleware>;

struct Counter {
    limit: RateLimit,
    quota: Quota,
    gcra: Gcra,
    clock: Uptime,
}

impl InMemoryRateLimiter {
    /// Creates the counters; `None` if rate limits are disabled.
    #[must_use]
    pub fn new(limits: &RequestLimits, clock: &Arc<dyn Clock>) -> Option<Self> {
        let clock = Uptime(Arc::clone(clock));
        let counter = |limit| Arc::new(Counter::new(limit, quota(limits, limit), clock.clone()));
        let counters = || RwLock::new(RateLimit::ALL.map(counter).into());
        limits.rate_limit.then(|| Self {
            counters: counters(),
            custom: Cache::new(MAX_CUSTOM_QUOTAS),
            clock: clock.clone(),
        })
    }

    /// Changes the quotas. The counters of a limit whose quota changes start again.
    fn replace_quotas(&self, limits: &RequestLimits) {
        for counter in &mut *self.counters.write().unwrap_or_else(PoisonError::into_inner) {
            let quota = quota(limits, counter.limit);
            if quota != counter.quota {
                *counter = Arc::new(Counter::new(counter.limit, quota, self.clock.clone()));
            }
        }
    }

    fn counter(&self, limit: RateLimit) -> Option<Arc<Counter>> {
        let counters = self.counters.read().unwrap_or_else(PoisonError::into_inner);
        counters.iter().find(|counter| counter.limit == limit).cloned()
    }

    /// Returns the quota of a subject.
    fn quota(&self, limit: RateLimit, subject: &RateLimitSubject) -> Option<Quota> {
        match custom_quota(limit, subject) {
            Some(per_minute) => Some(minute_quota(per_minute)),
            None => self.counter(limit).map(|counter| counter.quota),
        }
    }

    fn custom_counter(&self, per_minute: u32) -> Arc<Counter> {
        let counter = || Arc::new(Counter::new(RateLimit::General, minute_quota(per_minute), self.clock.clone()));
        self.custom.get_with(per_minute, counter)
    }
}

const fn minute_quota(requests: u32) -> Quota {
    Quota { requests, window: Duration::from_secs(60) }
}

/// Returns the requests per minute of an API client with its own quota.
const fn custom_quota(limit: RateLimit, subject: &RateLimitSubject) -> Option<u32> {
    match (limit, subject) {
        (RateLimit::General, RateLimitSubject::ApiClient { per_minute, .. }) => *per_minute,
        _ => None,
    }
}

/// Returns the quota of a limit.
fn quota(limits: &RequestLimits, limit: RateLimit) -> Quota {
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);
    let (requests, window) = match limit {
        RateLimit::General => (limits.general_per_minute, MINUTE),
        RateLimit::Register => (limits.register_per_minute, MINUTE),
        RateLimit::Login | RateLimit::LoginAccount => (limits.login_per_minute, MINUTE),
        RateLimit::Refresh => (limits.refresh_per_minute, MINUTE),
        RateLimit::PasswordReset | RateLimit::PasswordResetAccount => (limits.password_reset_per_hour, HOUR),
        RateLimit::Search => (limits.search_per_minute, MINUTE),
        RateLimit::Exports => (limits.exports_per_hour, HOUR),
        RateLimit::Imports => (limits.imports_per_hour, HOUR),
        RateLimit::ThrottleAudit => (1, MINUTE),
    };
    Quota { requests, window }
}

impl RateLimiter for InMemoryRateLimiter {
    fn count<'a>(&'a self, limit: RateLimit, subject: &'a RateLimitSubject) -> PendingDecision<'a> {
        if let Some(per_minute) = custom_quota(limit, subject) {
            return PendingDecision::Now(self.custom_counter(per_minute).count(subject));
        }
        PendingDecision::Now(self.counter(limit).map_or_else(|| unlimited(limit), |counter| counter.count(subject)))
    }
}

/// Returns the decision of a limit without a counter.
const fn unlimited(limit: RateLimit) -> RateLimitDecision {
    let quota = Quota { requests: u32::MAX, window: Duration::from_secs(1) };
    RateLimitDecision { limit, quota, remaining: u32::MAX, retry_after: None }
}

impl Counter {
    fn new(limit: RateLimit, quota: Quota, clock: Uptime) -> Self {
        let burst = NonZeroU32::new(quota.requests).unwrap_or(NonZeroU32::MIN);
        // `None` for a period of zero, which no limit has.
        let rate = governor::Quota::with_period(quota.window / burst.get())
            .unwrap_or_else(|| governor::Quota::per_second(burst))
            .allow_burst(burst);
        // After a window without requests, the full quota is available again, and the counter can be dropped.
        let states = Cache::builder().max_capacity(MAX_SUBJECTS).time_to_idle(quota.window).build();
        let gcra = Gcra::new(rate, CounterStore(states), clock.clone());
        Self { limit, quota: Quota { requests: burst.get(), ..quota }, gcra, clock }
    }

    fn count(&self, subject: &RateLimitSubject) -> RateLimitDecision {
        let (remaining, retry_after) = match self.gcra.check_key(subject) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(whole_seconds(until.wait_time_from(self.clock.now())))),
        };
        RateLimitDecision { limit: self.limit, quota: self.quota, remaining, retry_after }
    }
}

fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ApiClientId, ManualClock, Timestamp, UserId};

    fn counter(requests: u32, window: Duration) -> (Counter, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000)));
        let counter = Counter::new(RateLimit::General, Quota { requests, window }, Uptime(clock.clone()));
        (counter, clock)
    }

    #[test]
    fn quota_is_a_burst_that_refills_over_the_window() {
        let (counter, clock) = counter(3, Duration::from_secs(3600));
        let remaining: Vec<u32> =
            (0..3).map(|_| counter.count(&RateLimitSubject::User(UserId::new(1))).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        assert_eq!(counter.count(&RateLimitSubject::User(UserId::new(1))).retry_after, Some(1200));
        assert!(counter.count(&RateLimitSubject::User(UserId::new(2))).is_allowed());
        clock.advance(Duration::from_secs(1199));
        assert_eq!(
            counter.count(&RateLimitSubject::User(UserId::new(1))).retry_after,
            Some(1),
            "rejected requests are not counted"
        );
        clock.advance(Duration::from_secs(1));
        assert!(counter.count(&RateLimitSubject::User(UserId::new(1))).is_allowed());
        assert!(!counter.count(&RateLimitSubject::User(UserId::new(1))).is_allowed());
        clock.advance(Duration::from_secs(3600));
        assert_eq!(
            counter.count(&RateLimitSubject::User(UserId::new(1))).remaining,
            2,
            "the full quota is available again"
        );
    }

    #[test]
    fn api_client_has_its_own_quota_and_bucket() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000)));
        let limits = RequestLimits {
            rate_limit: true,
            general_per_minute: 2,
            register_per_minute: 1,
            login_per_minute: 1,
            refresh_per_minute: 1,
            password_reset_per_hour: 1,
            search_per_minute: 1,
            exports_per_hour: 1,
            imports_per_hour: 1,
            body_bytes: 0,
            request_timeout: Duration::ZERO,
        };
        let limiter = InMemoryRateLimiter::new(&limits, &clock).unwrap();
        let count = |subject: &RateLimitSubject| match limiter.count(RateLimit::General, subject) {
            PendingDecision::Now(decision) => (decision.quota.requests, decision.remaining),
            PendingDecision::Later(_) => panic!("counters in memory decide at once"),
        };
        let client = |id, per_minute| RateLimitSubject::ApiClient { id: ApiClientId::new(id), per_minute };
        assert_eq!(count(&client(1, Some(5))), (5, 4));
        assert_eq!(count(&client(1, Some(5))), (5, 3));
        assert_eq!(count(&client(2, Some(5))), (5, 4));
        assert_eq!(count(&client(1, None)), (2, 1));
        assert_eq!(count(&RateLimitSubject::User(UserId::new(1))), (2, 1));
    }

    #[test]
    fn number_of_counters_is_bounded() {
        let (counter, _) = counter(2, Duration::from_secs(3600));
        for id in 1..=2 * i64::try_from(MAX_SUBJECTS).unwrap() {
            counter.count(&RateLimitSubject::User(UserId::new(id)));
        }
        let CounterStore(states) = counter.gcra.into_state_store();
        states.run_pending_tasks();
        assert!(states.entry_count() <= MAX_SUBJECTS, "{}", states.entry_count());
    }
}
