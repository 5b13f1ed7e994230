//! Rate limits in the words of HTTP: which limit a request counts against, and what its answer says of it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use contract::{caller::RequestOrigin, operation::Limit};
use poem::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    domain::{AuditOrigin, RateLimit, RateLimitDecision, RateLimitSubject, RateLimiter, UserId, rate_limit_prefix},
    services::Audit,
};

/// The address of who has none.
pub(super) const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Counts requests before they are looked at.
pub struct RateLimits {
    pub(crate) limiter: Arc<dyn RateLimiter>,
    pub(crate) audit: Audit,
}

impl RateLimits {
    /// Counts a request against the general limit and, if the operation declares one, against that; the verdict is that of
    /// the first that refuses, else of the narrowest.
    pub(super) async fn check(&self, limit: Limit, user: Option<UserId>, arrival: &RequestOrigin) -> RateLimitDecision {
        let address = RateLimitSubject::Address(rate_limit_prefix(arrival.address.unwrap_or(NOWHERE)));
        let caller = user.map_or_else(|| address.clone(), RateLimitSubject::User);
        let general = self.limiter.count(RateLimit::General, &caller).decision().await;
        let (own, subject) = match limit {
            Limit::General => return general,
            Limit::Register => (RateLimit::Register, &address),
            Limit::Login => (RateLimit::Login, &address),
            Limit::Refresh => (RateLimit::Refresh, &address),
            Limit::PasswordReset => (RateLimit::PasswordReset, &address),
            Limit::Search => (RateLimit::Search, &caller),
            Limit::Exports => (RateLimit::Exports, &caller),
        };
        if !general.allows() {
            return general;
        }
        let verdict = self.limiter.count(own, subject).decision().await;
        if !verdict.allows() && matches!(limit, Limit::Login | Limit::PasswordReset) {
            let RequestOrigin { request_id, address } = arrival.clone();
            let origin = AuditOrigin { actor: user, request_id, address };
            self.audit.record_throttled_login(verdict, subject, &origin).await;
        }
        verdict
    }
}

/// Writes the fields of draft-ietf-httpapi-ratelimit-headers-10; a draft, so they are spelled here and nowhere else.
pub(super) fn write(verdict: &RateLimitDecision, headers: &mut HeaderMap) {
    let (requests, window) = (verdict.quota.requests, verdict.quota.window.as_secs());
    let until_full = (u64::from(requests - verdict.remaining) * window).div_ceil(u64::from(requests.max(1)));
    let name = verdict.limit.as_str();
    let policy = format!("\"{name}\";q={requests};w={window}");
    let state = format!("\"{name}\";r={};t={until_full}", verdict.remaining);
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Quota;

    #[test]
    fn a_verdict_is_written_as_the_draft_says() {
        let quota = Quota { requests: 3, window: Duration::from_secs(3600) };
        let mut headers = HeaderMap::new();
        write(
            &RateLimitDecision { limit: RateLimit::Search, quota, remaining: 0, retry_after: Some(1200) },
            &mut headers,
        );
        assert_eq!(headers["ratelimit-policy"], "\"search\";q=3;w=3600");
        // All of them again: `Retry-After` says when the next one is.
        assert_eq!(headers["ratelimit"], "\"search\";r=0;t=3600");
        write(&RateLimitDecision { limit: RateLimit::Search, quota, remaining: 2, retry_after: None }, &mut headers);
        assert_eq!(headers["ratelimit"], "\"search\";r=2;t=1200");
        let quota = Quota { requests: 600, window: Duration::from_secs(60) };
        write(&RateLimitDecision { limit: RateLimit::General, quota, remaining: 599, retry_after: None }, &mut headers);
        assert_eq!(headers["ratelimit"], "\"general\";r=599;t=1", "one is missing, for a part of a second");
    }
}
