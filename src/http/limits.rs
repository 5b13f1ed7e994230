//! Rate limits by GCRA, in memory: for each caller in general, and for operations that declare one of their own.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use contract::operation::Limit;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use poem::http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::Limits;

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// An account with a valid token.
    User(i64),
    /// Everybody else, by address.
    Address(IpAddr),
}

impl Key {
    /// Everybody at `address`. Of IPv6 the first 64 bits count: a household has as many addresses as it likes below them.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.into(),
                None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
            },
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

type Limiter = RateLimiter<Key, DashMapStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// One limit: so many requests in a window.
struct Policy {
    name: &'static str,
    quota: u32,
    window: Duration,
    limiter: Limiter,
}

/// All limits.
pub struct RateLimits {
    general: Policy,
    register: Policy,
    login: Policy,
    password_reset: Policy,
    search: Policy,
    clock: DefaultClock,
}

/// What a limit says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    name: &'static str,
    quota: u32,
    window: Duration,
    remaining: u32,
    /// Seconds until the request could pass; `None`: it may pass now.
    pub retry_after: Option<u32>,
}

/// How many keys a limiter holds before those at rest are dropped.
const TIDY_ABOVE: usize = 50_000;

impl RateLimits {
    /// As configured; `None` when switched off.
    #[must_use]
    pub fn new(limits: &Limits) -> Option<Self> {
        const MINUTE: Duration = Duration::from_secs(60);
        const HOUR: Duration = Duration::from_secs(3600);
        limits.rate_limit.then(|| Self {
            general: Policy::new("general", limits.general_per_minute, MINUTE),
            register: Policy::new("register", limits.register_per_minute, MINUTE),
            login: Policy::new("login", limits.login_per_minute, MINUTE),
            password_reset: Policy::new("password-reset", limits.password_reset_per_hour, HOUR),
            search: Policy::new("search", limits.search_per_minute, MINUTE),
            clock: DefaultClock::default(),
        })
    }

    /// Counts a request of `caller` from `address` against the general limit and, if the operation declares one, against
    /// that; returns the verdict of the first that refuses, else of the narrowest.
    #[must_use]
    pub fn check(&self, limit: Limit, caller: &Key, address: &Key) -> Verdict {
        let general = self.general.check(caller, &self.clock);
        let (own, key) = match limit {
            Limit::General => return general,
            Limit::Register => (&self.register, address),
            Limit::Login => (&self.login, address),
            Limit::PasswordReset => (&self.password_reset, address),
            Limit::Search => (&self.search, caller),
        };
        if general.retry_after.is_some() { general } else { own.check(key, &self.clock) }
    }
}

impl Policy {
    fn new(name: &'static str, quota: u32, window: Duration) -> Self {
        let burst = NonZeroU32::new(quota).unwrap_or(NonZeroU32::MIN);
        // Zero only for a window of no length, which no policy has.
        let rate = Quota::with_period(window / burst.get()).unwrap_or_else(|| Quota::per_second(burst));
        let limiter = RateLimiter::dashmap(rate.allow_burst(burst)).with_middleware();
        Self { name, quota: burst.get(), window, limiter }
    }

    fn check(&self, key: &Key, clock: &DefaultClock) -> Verdict {
        if self.limiter.len() > TIDY_ABOVE {
            self.limiter.retain_recent();
        }
        let (remaining, retry_after) = match self.limiter.check_key(key) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(whole_seconds(until.wait_time_from(clock.now())))),
        };
        Verdict { name: self.name, quota: self.quota, window: self.window, remaining, retry_after }
    }
}

fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

impl Verdict {
    /// The fields of draft-ietf-httpapi-ratelimit-headers-10; a draft, so they are spelled here and nowhere else.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let window = self.window.as_secs();
        let until_full = self
            .retry_after
            .map_or_else(|| u64::from(self.quota - self.remaining) * window / u64::from(self.quota), u64::from);
        let policy = format!("\"{}\";q={};w={window}", self.name, self.quota);
        let state = format!("\"{}\";r={};t={until_full}", self.name, self.remaining);
        for (name, text) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_a_burst_and_then_waits() {
        let policy = Policy::new("x", 3, Duration::from_secs(3600));
        let clock = DefaultClock::default();
        let key = Key::User(1);
        let remaining: Vec<u32> = (0..3).map(|_| policy.check(&key, &clock).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = policy.check(&key, &clock);
        assert!(refused.retry_after.is_some_and(|seconds| (1190..=1200).contains(&seconds)), "{refused:?}");
        assert_eq!(policy.check(&Key::User(2), &clock).retry_after, None);
        let mut headers = HeaderMap::new();
        refused.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"x\";q=3;w=3600");
        assert!(headers["ratelimit"].to_str().unwrap().starts_with("\"x\";r=0;t=1"));
    }

    #[test]
    fn addresses_of_one_household_count_together() {
        let key = |text: &str| Key::address(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }
}
