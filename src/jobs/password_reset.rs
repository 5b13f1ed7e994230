//! Mails a password reset token.

use std::{sync::Arc, time::Duration};

use super::job::{Claim, Job, JobError, Outcome};
use crate::{
    auth::{RefreshTokens, digest},
    db::repositories::{jobs::PasswordResetMail, sessions, users},
    domain::Email,
    mail::{Mail, Mailer},
    services::{Context, Error},
};

/// Creates a reset token for an account and mails it. The token is created here, so that the queue never stores one.
pub(super) struct PasswordResetJob {
    pub(super) context: Arc<Context>,
    pub(super) mailer: Arc<dyn Mailer>,
    pub(super) ttl: Duration,
    pub(super) public_url: String,
}

impl Job for PasswordResetJob {
    type Payload = PasswordResetMail;

    async fn run(&self, payload: &PasswordResetMail, _: &Claim<'_>) -> Result<Outcome, JobError> {
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
        // An address that was stored by an older version may not satisfy the rules of this one.
        let to = Email::parse(&user.email).map_or(user.email, |email| email.smtp_address().to_owned());
        self.mailer.send(&self.mail(to, &token)).await?;
        Ok(Outcome::Completed)
    }
}

impl PasswordResetJob {
    /// Contains no text that a user has written: an attacker who registers the address of another person could
    /// otherwise send them any message in the name of this service.
    fn mail(&self, to: String, token: &str) -> Mail {
        let (minutes, url) = (self.ttl.as_secs().div_ceil(60), &self.public_url);
        Mail {
            to,
            subject: "Reset your BucketList password".to_owned(),
            body: format!(
                "Hello,\n\n\
                 a password reset was requested for your account at {url}.\n\n\
                 Your token. It is valid for {minutes} minutes and can be used once:\n\n    {token}\n\n\
                 Send it with your new password to {url}/v2/auth/password-reset/confirm:\n\n    \
                 {{\"token\": \"{token}\", \"new_password\": \"…\"}}\n\n\
                 If you did not request this, ignore this message. Your password has not changed.",
            ),
        }
    }
}
