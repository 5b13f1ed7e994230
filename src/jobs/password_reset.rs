//! Mails a reset token, if the account exists. The token is made here, so that the outbox never holds one.

use std::time::Duration;

use crate::{
    auth::{RefreshTokens, digest},
    db::repositories::{sessions, users},
    mail::{Mail, Mailer},
    services::{Context, Error},
};

/// What the job needs besides the services' context.
pub(super) struct Settings {
    pub(super) ttl: Duration,
    pub(super) public_url: String,
}

/// What can keep the job from being done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Service(#[from] Error),
    #[error(transparent)]
    Mail(#[from] crate::mail::MailError),
}

pub(super) async fn run(
    context: &Context,
    mailer: &dyn Mailer,
    settings: &Settings,
    email_key: String,
) -> Result<(), Failure> {
    let user = context.db.read(move |c| users::find_by_email(c, &email_key).map_err(Error::from)).await?;
    // The caller was told the same; nobody learns here either.
    let Some(user) = user.filter(|user| !user.disabled) else {
        return Ok(());
    };
    let token = RefreshTokens::generate(&*context.random);
    let ttl = i64::try_from(settings.ttl.as_micros()).unwrap_or(i64::MAX / 4);
    let (hash, expires_at, user_id) = (digest(&token), context.clock.now().saturating_add(ttl), user.id);
    context
        .db
        .write(move |c| sessions::insert_password_reset(c, &hash, user_id, expires_at).map_err(Error::from))
        .await?;
    mailer.send(&mail(user.email, &token, settings)).await?;
    Ok(())
}

/// Says nothing that somebody has written: whoever registers the address of somebody else could say anything to them by their
/// own name.
fn mail(to: String, token: &str, settings: &Settings) -> Mail {
    let minutes = settings.ttl.as_secs().div_ceil(60);
    Mail {
        to,
        subject: "Reset your BucketList password".to_owned(),
        body: format!(
            "Hello,\n\n\
             somebody, probably you, asked to reset the password of your account at {url}.\n\n\
             Your token, good for one use within {minutes} minutes:\n\n    {token}\n\n\
             Send it with the new password to {url}/v1/auth/password-reset/confirm:\n\n    \
             {{\"token\": \"{token}\", \"new_password\": \"…\"}}\n\n\
             If it was not you, ignore this mail: nothing has changed.",
            url = settings.public_url
        ),
    }
}
