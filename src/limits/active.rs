//! The limits of requests that are in effect.

use std::sync::Arc;

use tokio::sync::watch;

use super::InMemoryRateLimiter;
use crate::config::RequestLimits;

/// Replaces the limits while the server runs.
pub struct ActiveLimits {
    limits: watch::Sender<RequestLimits>,
    /// `None` if rate limits are disabled, which only a restart changes.
    limiter: Option<Arc<InMemoryRateLimiter>>,
}

impl ActiveLimits {
    #[must_use]
    pub fn new(limits: RequestLimits, limiter: Option<Arc<InMemoryRateLimiter>>) -> Self {
        Self { limits: watch::Sender::new(limits), limiter }
    }

    /// Returns a receiver of the limits in effect.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<RequestLimits> {
        self.limits.subscribe()
    }

    /// Applies other limits to the next requests.
    pub fn replace(&self, limits: RequestLimits) {
        if let Some(limiter) = &self.limiter {
            limiter.replace_quotas(&limits);
        }
        self.limits.send_replace(limits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, Variables},
        domain::{Clock, RateLimit, RateLimitSubject, RateLimiter, SystemClock, UserId},
    };

    fn limits(general: &str) -> RequestLimits {
        let variables = Variables::from([("RATE_LIMIT_GENERAL".to_owned(), general.to_owned())]);
        Config::from_variables(&variables).unwrap().limits
    }

    #[tokio::test]
    async fn quota_of_a_changed_limit_applies_at_once() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let limiter = Arc::new(InMemoryRateLimiter::new(&limits("1"), &clock).unwrap());
        let active = ActiveLimits::new(limits("1"), Some(Arc::clone(&limiter)));
        let receiver = active.subscribe();
        let user = RateLimitSubject::User(UserId::new(1));
        let count = async |limit| limiter.count(limit, &user).decision().await;
        assert!(count(RateLimit::General).await.is_allowed() && !count(RateLimit::General).await.is_allowed());
        let searches = count(RateLimit::Search).await.remaining;
        active.replace(limits("2"));
        assert_eq!(receiver.borrow().general_per_minute, 2);
        let decision = count(RateLimit::General).await;
        assert_eq!((decision.quota.requests, decision.remaining), (2, 1));
        // The counters of the other limits are unchanged.
        assert_eq!(count(RateLimit::Search).await.remaining, searches - 1);
    }
}
