//! How much callers may use up: the port to whatever counts it.

use std::{
    future::Future,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    time::Duration,
};

use sha2::{Digest, Sha256};

/// A limit by name; the numbers are configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateLimit {
    /// Every request of a caller.
    General,
    /// Making accounts, at an address.
    Register,
    /// Logging in and proving one's password, at an address.
    Login,
    /// The same for one account, wherever it is tried from.
    LoginAccount,
    /// Continuing sessions, at an address.
    Refresh,
    /// Asking for password resets, at an address.
    PasswordReset,
    /// The same for one account, wherever it is asked from.
    PasswordResetAccount,
    /// Searching.
    Search,
    /// Exporting.
    Exports,
    /// Writing down that somebody was refused.
    ThrottleAudit,
}

impl RateLimit {
    /// Every limit.
    pub const ALL: [Self; 10] = [
        Self::General,
        Self::Register,
        Self::Login,
        Self::LoginAccount,
        Self::Refresh,
        Self::PasswordReset,
        Self::PasswordResetAccount,
        Self::Search,
        Self::Exports,
        Self::ThrottleAudit,
    ];

    /// The name that clients are told.
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
            Self::ThrottleAudit => "notice",
        }
    }
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateLimitSubject {
    /// An account whose token is valid.
    User(i64),
    /// Everybody at an address.
    Address(IpAddr),
    /// Everybody who names an account, whether or not it exists.
    Account(AccountKey),
    /// Those of them who are at an address.
    AccountAt(AccountKey, IpAddr),
}

/// Stands for an email address: what is remembered of it has one size, and is no address that could leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountKey([u8; 16]);

impl AccountKey {
    /// The key of an email address in lower case.
    #[must_use]
    pub fn of(email_key: &str) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&Sha256::digest(email_key)[..16]);
        Self(key)
    }
}

/// The address that stands for a rate_limit_prefix. Of IPv6 the first 64 bits count: below them a rate_limit_prefix has as many as it likes.
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

/// So many requests in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub requests: u32,
    pub window: Duration,
}

/// What a limit says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitDecision {
    pub limit: RateLimit,
    pub quota: Quota,
    /// How many more could pass now.
    pub remaining: u32,
    /// Seconds until the request could pass; `None`: it may pass now.
    pub retry_after: Option<u32>,
}

impl RateLimitDecision {
    /// Whether the request may pass.
    #[must_use]
    pub const fn allows(&self) -> bool {
        self.retry_after.is_none()
    }
}

/// A request was refused by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests for the limit `{}`", .0.limit.as_str())]
pub struct Throttled(pub RateLimitDecision);

/// A verdict that is there, or on its way: what counts in memory keeps nobody waiting, and costs no allocation.
pub enum PendingDecision<'a> {
    Now(RateLimitDecision),
    Later(Pin<Box<dyn Future<Output = RateLimitDecision> + Send + 'a>>),
}

impl PendingDecision<'_> {
    /// The verdict.
    pub async fn decision(self) -> RateLimitDecision {
        match self {
            Self::Now(verdict) => verdict,
            Self::Later(verdict) => verdict.await,
        }
    }
}

/// Counts what callers use up. What cannot count just now lets requests pass rather than shut everybody out.
pub trait RateLimiter: Send + Sync + 'static {
    /// Counts a request of `subject` against `limit`.
    fn count<'a>(&'a self, limit: RateLimit, subject: &'a RateLimitSubject) -> PendingDecision<'a>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_household_count_together() {
        let key = |text: &str| rate_limit_prefix(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }

    #[test]
    fn an_account_has_one_key() {
        assert_eq!(AccountKey::of("a@b.c"), AccountKey::of("a@b.c"));
        assert_ne!(AccountKey::of("a@b.c"), AccountKey::of("a@b.d"));
    }
}
