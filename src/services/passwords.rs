//! Passwords: verifying, changing and resetting them, and the password policy.

use secrecy::{ExposeSecret, SecretString};

use super::{Accounts, Error, InvalidField, Unauthenticated};
use crate::{
    auth::digest,
    db::repositories::{
        audit,
        jobs::{self, PasswordChangedMail, PasswordResetMail},
        sessions, users,
    },
    domain::{AuditAction, AuditOrigin, Email, NewAuditEvent, RateLimit, SessionId, User, UserId},
};

impl Accounts {
    /// Sets a new password and ends all other sessions.
    ///
    /// # Errors
    /// `WrongPassword`, `Invalid`, `Throttled`.
    pub async fn change_password(
        &self,
        user_id: UserId,
        session_id: SessionId,
        current: SecretString,
        new: SecretString,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let user = self.verify_password(user_id, current, "current_password", &origin).await?;
        self.check_password("new_password", &new, &user.email_key)?;
        self.set_password(user_id, new, Some(session_id), None, origin).await
    }

    /// Enqueues the mail with a reset token. Does not reveal whether the account exists: the same statements run in either case, and
    /// the job looks the account up.
    ///
    /// # Errors
    /// `Throttled`.
    pub async fn request_password_reset(&self, email: &str, origin: AuditOrigin) -> Result<(), Error> {
        self.0.count_attempt(RateLimit::PasswordResetAccount, email, &origin).await?;
        let email_key = Email::parse(email).map(|email| email.key().to_owned()).unwrap_or_default();
        let now = self.0.clock.now();
        let request = move |c: &mut _| {
            let user = users::find_by_email(c, &email_key)?;
            let event = NewAuditEvent::on_user(AuditAction::PasswordResetRequested, user.map(|user| user.id));
            audit::append(c, &origin, &event, now)?;
            Ok::<_, Error>(jobs::enqueue(c, &PasswordResetMail { email_key: email_key.clone() }, now, now)?)
        };
        self.0.db.write(request).await?;
        self.0.outbox.notify();
        Ok(())
    }

    /// Sets a new password with a reset token from an email, and ends all sessions.
    ///
    /// # Errors
    /// `InvalidResetToken`, `Invalid`.
    pub async fn confirm_password_reset(
        &self,
        token: SecretString,
        new: SecretString,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let (hash, now) = (digest(token.expose_secret()), self.0.clock.now());
        let lookup = hash.clone();
        let user = self
            .0
            .db
            .snapshot(move |c| {
                let user_id = sessions::find_password_reset(c, &lookup, now)?;
                Ok::<_, Error>(match user_id {
                    Some(user_id) => users::find(c, user_id)?,
                    None => None,
                })
            })
            .await?
            .ok_or(Error::InvalidResetToken)?;
        self.check_password("new_password", &new, &user.email_key)?;
        // The token authenticates the reader of the mailbox.
        self.set_password(user.id, new, None, Some(hash), origin.by(user.id)).await
    }

    /// Returns the account if `password` is its password.
    ///
    /// # Errors
    /// `WrongPassword` with `field`, `Throttled`, `Unauthenticated(Session)`.
    pub(super) async fn verify_password(
        &self,
        user_id: UserId,
        password: SecretString,
        field: &'static str,
        origin: &AuditOrigin,
    ) -> Result<User, Error> {
        self.0.count_password_check(user_id, origin).await?;
        let user = self.0.db.read(move |c| users::find(c, user_id).map_err(Error::from)).await?;
        let user = user.ok_or(Error::Unauthenticated(Unauthenticated::Session))?;
        if self.0.hasher.verify(password, Some(user.password_hash.clone())).await? {
            return Ok(user);
        }
        let (origin, now) = (origin.clone(), self.0.clock.now());
        let event = NewAuditEvent::on_user(AuditAction::PasswordRejected, user_id);
        self.0.db.write(move |c| Ok::<_, Error>(audit::append(c, &origin, &event, now)?)).await?;
        Err(Error::WrongPassword { field })
    }

    /// Checks a new password for the account of `email_key` against the policy.
    pub(super) fn check_password(
        &self,
        field: &'static str,
        password: &SecretString,
        email_key: &str,
    ) -> Result<(), Error> {
        let problems = self.0.policy.problems(password.expose_secret(), email_key);
        if problems.is_empty() {
            return Ok(());
        }
        let fields = problems.into_iter().map(|problem| InvalidField {
            name: field.into(),
            code: problem.code(),
            message: problem.to_string(),
        });
        Err(Error::Invalid(fields.collect()))
    }

    /// Sets a new password. A reset token is consumed in the same transaction, so it works once.
    async fn set_password(
        &self,
        user_id: UserId,
        password: SecretString,
        except_session: Option<SessionId>,
        reset_token_hash: Option<Vec<u8>>,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let context = &self.0;
        let password_hash = context.hasher.hash(password, &*context.random).await?;
        let (now, notices) = (context.clock.now(), context.notices(&origin));
        let changed = context
            .write_token_status(user_id, move |c| {
                // The account first: the deletion of an account locks in that order.
                users::update_password(c, user_id, &password_hash, now)?;
                let mut action = AuditAction::UserPasswordChanged;
                if let Some(token_hash) = &reset_token_hash {
                    action = AuditAction::PasswordResetConfirmed;
                    if !sessions::consume_password_reset(c, token_hash, user_id)? {
                        return Err(Error::InvalidResetToken);
                    }
                }
                // Tokens that were sent earlier must not undo this change.
                sessions::delete_password_resets(c, user_id)?;
                audit::append(c, &origin, &NewAuditEvent::on_user(action, user_id), now)?;
                let is_reset = reset_token_hash.is_some();
                notices.enqueue(c, &PasswordChangedMail { user_id, changed_at: now, is_reset }, now)?;
                Ok(sessions::revoke_all(c, user_id, except_session, now)?)
            })
            .await;
        context.outbox.notify();
        changed
    }
}
