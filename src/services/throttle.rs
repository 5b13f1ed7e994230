//! How often one account may be tried, without letting anybody lock its owner out.
//!
//! Everybody who names an account shares one allowance, whether or not it exists. When that is used up, whoever comes from
//! an address that the account was logged in to from before goes on with an allowance of their own; others have to wait.

use std::net::{IpAddr, Ipv4Addr};

use super::{Context, Error};
use crate::{
    db::{
        DbConnection,
        repositories::{audit, users},
    },
    domain::{
        AccountKey, AuditAction, AuditEvent, AuditOrigin, AuditTarget, Email, RateLimit, RateLimitDecision,
        RateLimitSubject, Throttled, rate_limit_prefix,
    },
};

impl Context {
    /// Counts an attempt on the account of an email address.
    ///
    /// # Errors
    /// `Throttled`.
    pub(super) async fn count_attempt(&self, limit: RateLimit, email: &str, origin: &AuditOrigin) -> Result<(), Error> {
        let Some(limits) = &self.limits else { return Ok(()) };
        let email_key = Email::parse(email).map(|email| email.key().to_owned()).unwrap_or_default();
        let account = AccountKey::of(&email_key);
        let everybody = RateLimitSubject::Account(account);
        let mut verdict = limits.count(limit, &everybody).decision().await;
        if verdict.allows() {
            return Ok(());
        }
        let look_up = move |c: &mut DbConnection| {
            let user = users::find_by_email(c, &email_key)?.map(|user| user.id);
            // Nobody has the id 0: as much is asked of the database whether or not there is an account.
            Ok::<_, Error>((user, audit::addresses_of(c, user.unwrap_or(0))?))
        };
        let (user, addresses) = self.db.snapshot(look_up).await?;
        let address = rate_limit_prefix(origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let mut known = addresses.iter().filter_map(|address| address.parse().ok());
        if known.any(|known| rate_limit_prefix(known) == address) {
            verdict = limits.count(limit, &RateLimitSubject::AccountAt(account, address)).decision().await;
        }
        self.judge(verdict, &everybody, user, origin).await
    }

    /// Counts an attempt to prove the password of an account that somebody is logged in to.
    ///
    /// # Errors
    /// `Throttled`.
    pub(super) async fn count_proof(&self, user_id: i64, origin: &AuditOrigin) -> Result<(), Error> {
        let Some(limits) = &self.limits else { return Ok(()) };
        let subject = RateLimitSubject::User(user_id);
        let verdict = limits.count(RateLimit::LoginAccount, &subject).decision().await;
        self.judge(verdict, &subject, Some(user_id), origin).await
    }

    async fn judge(
        &self,
        verdict: RateLimitDecision,
        subject: &RateLimitSubject,
        user: Option<i64>,
        origin: &AuditOrigin,
    ) -> Result<(), Error> {
        if verdict.allows() {
            return Ok(());
        }
        self.note_refusal(verdict, subject, user, origin).await;
        Err(Error::Throttled(Throttled(verdict)))
    }

    /// Writes down that a limit refused somebody: once a minute for each, so that refusing stays cheap.
    pub(super) async fn note_refusal(
        &self,
        verdict: RateLimitDecision,
        subject: &RateLimitSubject,
        user: Option<i64>,
        origin: &AuditOrigin,
    ) {
        let Some(limits) = &self.limits else { return };
        if !limits.count(RateLimit::ThrottleAudit, subject).decision().await.allows() {
            return;
        }
        let event = AuditEvent {
            target: user.map(|id| (AuditTarget::User, id)),
            ..AuditEvent::new(AuditAction::LoginThrottled).with("limit", verdict.limit.as_str())
        };
        let (origin, now) = (origin.clone(), self.clock.now());
        let noted = self.db.write(move |c| Ok::<_, Error>(audit::append(c, &origin, &event, now)?)).await;
        if let Err(error) = noted {
            tracing::warn!(%error, "cannot write down that somebody was refused");
        }
    }
}
