//! Passwords: proving, changing and resetting them, and what they must be.

use secrecy::{ExposeSecret, SecretString};

use super::{
    Accounts, Error, Unauthenticated,
    error::{Field, codes::INVALID_RESET_TOKEN},
};
use crate::{
    auth::digest,
    db::repositories::{
        audit,
        jobs::{self, PasswordResetMail},
        sessions,
        users::{self, UserChanges, UserRow},
    },
    domain::{AuditAction, AuditEvent, AuditOrigin, AuditTarget, Email, RateLimit},
};

impl Accounts {
    /// Sets a new password and ends all other sessions.
    ///
    /// # Errors
    /// `Invalid`.
    pub async fn change_password(
        &self,
        user_id: i64,
        session_id: i64,
        current: SecretString,
        new: SecretString,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let user = self.verified(user_id, current, "current_password", &origin).await?;
        self.check_password("new_password", &new, &user.email_key)?;
        self.set_password(user_id, new, Some(session_id), None, origin).await
    }

    /// Puts the mail with the token into the outbox; whether the account exists is found out there, and by the audit
    /// trail: the same statements are run whether or not it does.
    ///
    /// # Errors
    /// `Throttled`.
    pub async fn request_password_reset(&self, email: &str, origin: AuditOrigin) -> Result<(), Error> {
        self.0.count_attempt(RateLimit::PasswordResetAccount, email, &origin).await?;
        let key = Email::parse(email).map(|email| email.key().to_owned()).unwrap_or_default();
        let now = self.0.clock.now();
        let request = move |c: &mut _| {
            let user = users::find_by_email(c, &key)?;
            let event = AuditEvent {
                target: user.map(|user| (AuditTarget::User, user.id)),
                ..AuditEvent::new(AuditAction::PasswordResetRequested)
            };
            audit::append(c, &origin, &event, now)?;
            Ok::<_, Error>(jobs::enqueue(c, &PasswordResetMail { email_key: key }, now, now)?)
        };
        self.0.db.write(request).await?;
        self.0.outbox.mail.notify_one();
        Ok(())
    }

    /// Sets a new password with a mailed token and ends all sessions.
    ///
    /// # Errors
    /// `Invalid`.
    pub async fn confirm_password_reset(
        &self,
        token: SecretString,
        new: SecretString,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let invalid = || Error::invalid("token", INVALID_RESET_TOKEN, "is unknown, expired or already used");
        let (hash, now) = (digest(token.expose_secret()), self.0.clock.now());
        let lookup = hash.clone();
        let user = self
            .0
            .db
            .snapshot(move |c| {
                let owner = sessions::find_password_reset(c, &lookup, now)?;
                Ok::<_, Error>(match owner {
                    Some(owner) => users::find(c, owner)?,
                    None => None,
                })
            })
            .await?
            .ok_or_else(invalid)?;
        self.check_password("new_password", &new, &user.email_key)?;
        // Whoever has the token of the mail has proven to be its reader.
        self.set_password(user.id, new, None, Some(hash), origin.by(user.id)).await
    }

    /// The account, if `password` is its password.
    pub(super) async fn verified(
        &self,
        user_id: i64,
        password: SecretString,
        field: &'static str,
        origin: &AuditOrigin,
    ) -> Result<UserRow, Error> {
        self.0.count_proof(user_id, origin).await?;
        let user = self.0.db.read(move |c| users::find(c, user_id).map_err(Error::from)).await?;
        let user = user.ok_or(Error::Unauthenticated(Unauthenticated::Session))?;
        if self.0.hasher.verify(password, Some(user.password_hash.clone())).await? {
            return Ok(user);
        }
        let (origin, now) = (origin.clone(), self.0.clock.now());
        let event = AuditEvent::of_user(AuditAction::PasswordRejected, user_id);
        self.0.db.write(move |c| Ok::<_, Error>(audit::append(c, &origin, &event, now)?)).await?;
        Err(Error::wrong_password(field))
    }

    /// Whether `password` may be the one of the account of `email_key`.
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
        let fields = problems.into_iter().map(|problem| Field {
            name: field,
            code: problem.code(),
            message: problem.to_string(),
        });
        Err(Error::Invalid(fields.collect()))
    }

    /// With `reset`, the token is used up in the same transaction: it sets one password, once.
    async fn set_password(
        &self,
        user_id: i64,
        password: SecretString,
        keep_session: Option<i64>,
        reset: Option<Vec<u8>>,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let context = &self.0;
        let password_hash = context.hasher.hash(password, &*context.random).await?;
        let now = context.clock.now();
        context
            .change_standing(move |c| {
                let changes =
                    UserChanges { password_hash: Some(password_hash), updated_at: Some(now), ..UserChanges::default() };
                // The account first: whoever deletes it locks in that order, too.
                users::update(c, user_id, &changes)?;
                let mut action = AuditAction::UserPasswordChanged;
                if let Some(token_hash) = reset {
                    action = AuditAction::PasswordResetConfirmed;
                    if !sessions::take_password_reset(c, &token_hash, user_id)? {
                        let why = "is unknown, expired or already used";
                        return Err(Error::invalid("token", INVALID_RESET_TOKEN, why));
                    }
                }
                // A token that was mailed before must not undo this.
                sessions::void_password_resets(c, user_id)?;
                audit::append(c, &origin, &AuditEvent::of_user(action, user_id), now)?;
                Ok(sessions::revoke_all(c, user_id, keep_session, now)?)
            })
            .await
    }
}
