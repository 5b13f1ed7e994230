//! Mail about an account: its registration, a changed password or email address, and a login from an unknown device.

use std::sync::Arc;

use super::{
    delivery::{MailDelivery, time},
    job::{Claim, Job, JobError, Outcome},
};
use crate::{
    db::repositories::{
        jobs::{EmailChangedMail, NewLoginMail, PasswordChangedMail, WelcomeMail},
        users,
    },
    domain::{DEVICE_RETENTION, UserId},
    mail::templates::{EmailChanged, Message, NewLogin, PasswordChanged, Welcome},
    services::{Context, Error},
};

/// Sends mail to the address that an account has when the mail is sent.
#[derive(Clone)]
pub(super) struct AccountMail {
    pub(super) context: Arc<Context>,
    pub(super) delivery: MailDelivery,
}

impl AccountMail {
    pub(super) async fn send(
        &self,
        user_id: UserId,
        message: &impl Message,
        claim: &Claim<'_>,
    ) -> Result<Outcome, JobError> {
        let user = self.context.db.read(move |c| users::find(c, user_id).map_err(Error::from)).await?;
        match user.filter(|user| !user.disabled) {
            Some(user) => self.delivery.send(message, user.email, claim).await,
            // The account was deleted or disabled since.
            None => Ok(Outcome::Completed),
        }
    }

    fn url(&self) -> String {
        self.delivery.url.clone()
    }
}

/// Mails a new user.
pub(super) struct WelcomeMailJob(pub(super) AccountMail);

impl Job for WelcomeMailJob {
    type Payload = WelcomeMail;

    async fn run(&self, payload: &WelcomeMail, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        self.0.send(payload.user_id, &Welcome { url: self.0.url() }, claim).await
    }
}

/// Mails that the password was changed.
pub(super) struct PasswordChangedMailJob(pub(super) AccountMail);

impl Job for PasswordChangedMailJob {
    type Payload = PasswordChangedMail;

    async fn run(&self, payload: &PasswordChangedMail, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        let message =
            PasswordChanged { url: self.0.url(), changed_at: time(payload.changed_at), is_reset: payload.is_reset };
        self.0.send(payload.user_id, &message, claim).await
    }
}

/// Mails the previous address of an account that it was replaced. Also if the account was deleted or disabled since, because another
/// person could have done that as well.
pub(super) struct EmailChangedMailJob(pub(super) AccountMail);

impl Job for EmailChangedMailJob {
    type Payload = EmailChangedMail;

    async fn run(&self, payload: &EmailChangedMail, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        let message = EmailChanged { url: self.0.url(), changed_at: time(payload.changed_at) };
        self.0.delivery.send(&message, payload.previous_email.clone(), claim).await
    }
}

/// Mails that an unknown device has logged in.
pub(super) struct NewLoginMailJob(pub(super) AccountMail);

impl Job for NewLoginMailJob {
    type Payload = NewLoginMail;

    async fn run(&self, payload: &NewLoginMail, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        let message = NewLogin {
            url: self.0.url(),
            logged_in_at: time(payload.logged_in_at),
            program: payload.program.clone(),
            address: payload.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
            days: DEVICE_RETENTION.as_secs() / 86_400,
        };
        self.0.send(payload.user_id, &message, claim).await
    }
}
