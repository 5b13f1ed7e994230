//! Rate limits: their names, their subjects, and the trait of the counters.

use std::{
    future::Future,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{ApiClientId, UserId};

/// A rate limit. Its quota is configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateLimit {
    /// All requests of a client.
    General,
    /// Registrations from an address.
    Register,
    /// Logins and password checks from an address.
    Login,
    /// Logins and password checks for one account, from any address.
    LoginAccount,
    /// Refreshed sessions, from an address.
    Refresh,
    /// Requested password resets, from an address.
    PasswordReset,
    /// Requested password resets for one account, from any address.
    PasswordResetAccount,
    /// Searches.
    Search,
    /// Exports.
    Exports,
    /// Imports.
    Imports,
    /// Audit events about rate-limited requests.
    ThrottleAudit,
}

impl RateLimit {
    /// All limits.
    pub const ALL: [Self; 11] = [
        Self::General,
        Self::Register,
        Self::Login,
        Self::LoginAccount,
        Self::Refresh,
        Self::PasswordReset,
        Self::PasswordResetAccount,
        Self::Search,
        Self::Exports,
        Self::Imports,
        Self::ThrottleAudit,
    ];

    /// Returns the name of the limit in the `RateLimit` header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Register => "register",
            Self::Login => "login",
            Self::LoginAccount => "login-account",
            Self::Refresh => "refresh",
            Self::PasswordReset => "password-reset",
            Self::PasswordResetAccount => "password-reset-account",
            Self::Search => "search",
            Self::Exports => "exports",
            Self::Imports => "imports",
            Self::ThrottleAudit => "throttle-audit",
        }
    }
}

/// The subject of a rate limit: requests with the same subject share a counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateLimitSubject {
    /// An authenticated account.
    User(UserId),
    /// An API client.
    ApiClient {
        id: ApiClientId,
        /// Requests per minute instead of the quota of [`RateLimit::General`].
        per_minute: Option<u32>,
    },
    /// All clients at an address.
    Address(IpAddr),
    /// All clients that log in to an account, whether or not it exists.
    Account(AccountKey),
    /// The clients at an address that log in to an account.
    AccountAt(AccountKey, IpAddr),
}

/// A digest of an email address: has a fixed size, and does not reveal the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountKey([u8; 16]);

impl AccountKey {
    /// Computes the key of an email address in lower case.
    #[must_use]
    pub fn of(email_key: &str) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&Sha256::digest(email_key)[..16]);
        Self(key)
    }

    /// Returns the digest.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Returns the address that identifies a client for rate limits. For IPv6, this is the /64 prefix, because a client usually has
/// a whole prefix.
#[must_use]
pub fn rate_limit_prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The number of requests allowed in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub requests: u32,
    pub window: Duration,
}

/// The decision of a rate limit about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitDecision {
    pub limit: RateLimit,
    pub quota: Quota,
    /// Number of further requests that would be allowed now.
    pub remaining: u32,
    /// Seconds until the request would be allowed; `None` if it is allowed now.
    pub retry_after: Option<u32>,
}

impl RateLimitDecision {
    /// Returns whether the request is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.retry_after.is_none()
    }
}

/// A request was rate-limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests for the limit `{}`", .0.limit.as_str())]
pub struct Throttled(pub RateLimitDecision);

/// A decision, or the future of one. Counters in memory decide at once, without an allocation.
pub enum PendingDecision<'a> {
    Now(RateLimitDecision),
    Later(Pin<Box<dyn Future<Output = RateLimitDecision> + Send + 'a>>),
}

impl PendingDecision<'_> {
    /// Waits for the decision.
    pub async fn decision(self) -> RateLimitDecision {
        match self {
            Self::Now(decision) => decision,
            Self::Later(decision) => decision.await,
        }
    }
}

/// Counts requests. An implementation that cannot count at the moment allows requests.
pub trait RateLimiter: Send + Sync + 'static {
    /// Counts a request of `subject` against `limit`.
    fn count<'a>(&'a self, limit: RateLimit, subject: &'a RateLimitSubject) -> PendingDecision<'a>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_prefix_share_a_counter() {
        let prefix = |text: &str| rate_limit_prefix(text.parse().unwrap());
        assert_eq!(prefix("2001:db8::1"), prefix("2001:db8::ffff"));
        assert_ne!(prefix("2001:db8::1"), prefix("2001:db8:0:1::1"));
        assert_eq!(prefix("::ffff:10.0.0.1"), prefix("10.0.0.1"));
    }

    #[test]
    fn account_key_depends_on_the_address() {
        assert_eq!(AccountKey::of("a@b.c"), AccountKey::of("a@b.c"));
        assert_ne!(AccountKey::of("a@b.c"), AccountKey::of("a@b.d"));
    }
}
