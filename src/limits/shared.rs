//! Rate limits whose counters several servers share in Redis.

use std::{net::IpAddr, sync::Arc};

use super::{InMemoryRateLimiter, whole_seconds};
use crate::{
    domain::{PendingDecision, RateLimit, RateLimitDecision, RateLimitSubject, RateLimiter},
    metrics::RedisUse,
    redis::Redis,
};

/// Counts requests in Redis; in memory while Redis is unavailable.
pub struct SharedRateLimiter {
    redis: Redis,
    /// Also has the quotas.
    local: Arc<InMemoryRateLimiter>,
}

impl SharedRateLimiter {
    #[must_use]
    pub const fn new(redis: Redis, local: Arc<InMemoryRateLimiter>) -> Self {
        Self { redis, local }
    }

    fn count_locally<'a>(&'a self, limit: RateLimit, subject: &'a RateLimitSubject) -> PendingDecision<'a> {
        self.redis.record_fallback(RedisUse::RateLimit);
        self.local.count(limit, subject)
    }
}

impl RateLimiter for SharedRateLimiter {
    fn count<'a>(&'a self, limit: RateLimit, subject: &'a RateLimitSubject) -> PendingDecision<'a> {
        let (Some(link), Some(quota)) = (self.redis.link(), self.local.quota(limit, subject)) else {
            return self.count_locally(limit, subject);
        };
        PendingDecision::Later(Box::pin(async move {
            let counter = format!("{}:{}", limit.as_str(), subject_key(subject));
            let Ok(decision) = self.redis.count(&link, &counter, quota).await else {
                return self.count_locally(limit, subject).decision().await;
            };
            let retry_after = decision.wait.map(whole_seconds);
            RateLimitDecision { limit, quota, remaining: decision.remaining, retry_after }
        }))
    }
}

/// Returns the name of a subject in keys. It contains no email address.
fn subject_key(subject: &RateLimitSubject) -> String {
    let canonical = |address: &IpAddr| address.to_canonical();
    match subject {
        RateLimitSubject::User(id) => format!("user:{id}"),
        RateLimitSubject::ApiClient { id, .. } => format!("client:{id}"),
        RateLimitSubject::Address(address) => format!("address:{}", canonical(address)),
        RateLimitSubject::Account(account) => format!("account:{}", hex::encode(account.bytes())),
        RateLimitSubject::AccountAt(account, address) => {
            format!("account:{}:{}", hex::encode(account.bytes()), canonical(address))
        }
    }
}
