//! Mails a password reset token.

use std::{sync::Arc, time::Duration};

use super::{
    delivery::MailDelivery,
    job::{Claim, Job, JobError, Outcome},
};
use crate::{
    auth::{RefreshTokens, digest},
    db::repositories::{jobs::PasswordResetMail, sessions, users},
    mail::templates::PasswordReset,
    services::{Context, Error},
};

/// Creates a reset token for an account and mails it. The token is created here, so that the queue never stores one.
pub(super) struct PasswordResetJob {
    pub(super) context: Arc<Context>,
    pub(super) delivery: MailDelivery,
    pub(super) ttl: Duration,
}

impl Job for PasswordResetJob {
    type Payload = PasswordResetMail;

    async fn run(&self, payload: &PasswordResetMail, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        let context = &self.context;
        let email_key = payload.email_key.clone();
        let user = context.db.read(move |c| users::find_by_email(c, &email_key).map_err(Error::from)).await?;
        // The response did not reveal whether the account exists, and neither does the absence of an error.
        let Some(user) = user.filter(|user| !user.disabled) else { return Ok(Outcome::Completed) };
        let token = RefreshTokens::generate(&*context.random);
        let (hash, expires_at, user_id) = (digest(&token), context.clock.now() + self.ttl, user.id);
        context
            .db
            .write(move |c| sessions::insert_password_reset(c, &hash, user_id, expires_at).map_err(Error::from))
            .await?;
        let (url, minutes) = (self.delivery.url.clone(), self.ttl.as_secs().div_ceil(60));
        self.delivery.send(&PasswordReset { url, token, minutes }, user.email, claim).await
    }
}
