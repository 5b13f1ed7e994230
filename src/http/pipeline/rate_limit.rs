//! Rate limits: counts requests and writes the `RateLimit` headers.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use contract::{ApiError, ErrorCode, caller::RequestOrigin, operation::OperationLimit};
use poem::http::{HeaderMap, HeaderName, HeaderValue};

use super::context::RequestContext;
use crate::{
    domain::{AuditOrigin, RateLimit, RateLimitDecision, RateLimitSubject, RateLimiter, UserId, rate_limit_prefix},
    services::Audit,
};

/// Address of clients whose address is unknown.
pub(super) const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Counts requests before they are processed.
pub struct RateLimits {
    pub(crate) limiter: Arc<dyn RateLimiter>,
    pub(crate) audit: Audit,
}

impl RateLimits {
    /// Counts a request against the general limit of its caller and, if the operation declares another limit, against that one.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED`; the context contains the exceeded limit, or else the most specific one.
    pub(super) async fn check(
        &self,
        limit: OperationLimit,
        origin: &RequestOrigin,
        context: &mut RequestContext,
    ) -> Result<(), ApiError> {
        let identity = &context.identity;
        let decision = self.decide(limit, identity.user_id(), identity.rate_limit_subject(), origin).await;
        context.rate_limit = Some(decision);
        match decision.retry_after {
            None => Ok(()),
            retry_after => Err(ApiError { retry_after, ..ApiError::new(ErrorCode::RateLimitExceeded) }),
        }
    }

    async fn decide(
        &self,
        limit: OperationLimit,
        user_id: Option<UserId>,
        caller: Option<RateLimitSubject>,
        origin: &RequestOrigin,
    ) -> RateLimitDecision {
        let address = RateLimitSubject::Address(rate_limit_prefix(origin.address.unwrap_or(NO_ADDRESS)));
        let caller = caller.unwrap_or_else(|| address.clone());
        let general = self.limiter.count(RateLimit::General, &caller).decision().await;
        let (specific, subject) = match limit {
            OperationLimit::General => return general,
            OperationLimit::Register => (RateLimit::Register, &address),
            OperationLimit::Login => (RateLimit::Login, &address),
            OperationLimit::Refresh => (RateLimit::Refresh, &address),
            OperationLimit::PasswordReset => (RateLimit::PasswordReset, &address),
            OperationLimit::Search => (RateLimit::Search, &caller),
            OperationLimit::Exports => (RateLimit::Exports, &caller),
            OperationLimit::Imports => (RateLimit::Imports, &caller),
        };
        if !general.is_allowed() {
            return general;
        }
        let decision = self.limiter.count(specific, subject).decision().await;
        if !decision.is_allowed() && matches!(limit, OperationLimit::Login | OperationLimit::PasswordReset) {
            let RequestOrigin { request_id, address, .. } = origin.clone();
            let origin = AuditOrigin { actor: user_id, request_id, address, ..AuditOrigin::default() };
            self.audit.record_throttled_login(decision, subject, &origin).await;
        }
        decision
    }
}

/// Writes the headers of draft-ietf-httpapi-ratelimit-headers-10. The draft may change: only this function depends on its syntax.
pub(super) fn write_headers(decision: &RateLimitDecision, headers: &mut HeaderMap) {
    let (requests, window) = (decision.quota.requests, decision.quota.window.as_secs());
    // Seconds until the next request is allowed and until all others are, which become available at regular intervals.
    let missing = match decision.retry_after {
        Some(_) => requests.saturating_sub(1),
        None => requests - decision.remaining,
    };
    let until_full = u64::from(decision.retry_after.unwrap_or_default())
        + (u64::from(missing) * window).div_ceil(u64::from(requests.max(1)));
    let name = decision.limit.as_str();
    let policy = format!("\"{name}\";q={requests};w={window}");
    let state = format!("\"{name}\";r={};t={until_full}", decision.remaining);
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
    fn headers_follow_the_draft() {
        let quota = Quota { requests: 3, window: Duration::from_secs(3600) };
        let mut headers = HeaderMap::new();
        let exceeded = RateLimitDecision { limit: RateLimit::Search, quota, remaining: 0, retry_after: Some(1200) };
        write_headers(&exceeded, &mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"search\";q=3;w=3600");
        // Seconds until all requests are available; `Retry-After` has the seconds until the next one.
        assert_eq!(headers["ratelimit"], "\"search\";r=0;t=3600");
        // Part of the wait is over.
        write_headers(&RateLimitDecision { retry_after: Some(300), ..exceeded }, &mut headers);
        assert_eq!(headers["ratelimit"], "\"search\";r=0;t=2700");
        write_headers(&RateLimitDecision { remaining: 2, retry_after: None, ..exceeded }, &mut headers);
        assert_eq!(headers["ratelimit"], "\"search\";r=2;t=1200");
        let quota = Quota { requests: 600, window: Duration::from_secs(60) };
        let decision = RateLimitDecision { limit: RateLimit::General, quota, remaining: 599, retry_after: None };
        write_headers(&decision, &mut headers);
        assert_eq!(headers["ratelimit"], "\"general\";r=599;t=1", "fractions of a second are rounded up");
    }
}
