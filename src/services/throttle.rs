//! Rate limits of attempts on one account, designed so that an attacker cannot lock its owner out.
//!
//! All attempts on an account share a counter, whether or not the account exists. When the limit is reached, clients at addresses
//! from which the owner has authenticated before have separate counters. All others must wait.

use std::net::{IpAddr, Ipv4Addr};

use super::{Context, Error};
use crate::{
    db::{
        DbConnection,
        repositories::{audit, users},
    },
    domain::{
        AccountKey, AuditAction, AuditOrigin, Email, NewAuditEvent, RateLimit, RateLimitDecision, RateLimitSubject,
        Throttled, UserId, rate_limit_prefix,
    },
};

/// An ID that no account has.
const NO_USER: UserId = UserId::new(0);

impl Context {
    /// Counts an attempt on the account with an email address.
    ///
    /// # Errors
    /// `Throttled`.
    pub(super) async fn count_attempt(&self, limit: RateLimit, email: &str, origin: &AuditOrigin) -> Result<(), Error> {
        let Some(limits) = &self.limits else { return Ok(()) };
        let email_key = Email::parse(email).map(|email| email.key().to_owned()).unwrap_or_default();
        let account = AccountKey::of(&email_key);
        let all_clients = RateLimitSubject::Account(account);
        let mut decision = limits.count(limit, &all_clients).decision().await;
        if decision.is_allowed() {
            return Ok(());
        }
        let look_up = move |c: &mut DbConnection| {
            let user = users::find_by_email(c, &email_key)?.map(|user| user.id);
            // The same queries run whether or not the account exists.
            Ok::<_, Error>((user, audit::verified_addresses(c, user.unwrap_or(NO_USER))?))
        };
        let (user, addresses) = self.db.snapshot(look_up).await?;
        let address = rate_limit_prefix(origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let mut verified = addresses.iter().filter_map(|address| address.parse().ok());
        if verified.any(|verified| rate_limit_prefix(verified) == address) {
            decision = limits.count(limit, &RateLimitSubject::AccountAt(account, address)).decision().await;
        }
        self.enforce(decision, &all_clients, user, origin).await
    }

    /// Counts a check of the password of a logged-in account.
    ///
    /// # Errors
    /// `Throttled`.
    pub(super) async fn count_password_check(&self, user_id: UserId, origin: &AuditOrigin) -> Result<(), Error> {
        let Some(limits) = &self.limits else { return Ok(()) };
        let subject = RateLimitSubject::User(user_id);
        let decision = limits.count(RateLimit::LoginAccount, &subject).decision().await;
        self.enforce(decision, &subject, Some(user_id), origin).await
    }

    async fn enforce(
        &self,
        decision: RateLimitDecision,
        subject: &RateLimitSubject,
        user: Option<UserId>,
        origin: &AuditOrigin,
    ) -> Result<(), Error> {
        if decision.is_allowed() {
            return Ok(());
        }
        self.record_throttled_login(decision, subject, user, origin).await;
        Err(Error::Throttled(Throttled(decision)))
    }

    /// Records a rate-limited attempt in the audit trail: at most once a minute for each subject, so that a flood of requests
    /// does not fill it.
    pub(super) async fn record_throttled_login(
        &self,
        decision: RateLimitDecision,
        subject: &RateLimitSubject,
        user: Option<UserId>,
        origin: &AuditOrigin,
    ) {
        let Some(limits) = &self.limits else { return };
        if !limits.count(RateLimit::ThrottleAudit, subject).decision().await.is_allowed() {
            return;
        }
        let event = NewAuditEvent::on_user(AuditAction::LoginRateLimited, user).with("limit", decision.limit.as_str());
        let (origin, now) = (origin.clone(), self.clock.now());
        let recorded = self.db.write(move |c| Ok::<_, Error>(audit::append(c, &origin, &event, now)?)).await;
        if let Err(error) = recorded {
            tracing::warn!(%error, "cannot record a rate-limited login in the audit trail");
        }
    }
}
