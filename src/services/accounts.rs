//! Registration, login, refresh and logout.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::{
    Conflict, Context, Error, Forbidden, Idempotent, Unauthenticated,
    idempotency::{self, Fingerprint, KeyedRequest},
};
use crate::{
    auth::{RefreshTokens, digest},
    db::{
        DbConnection, DbError,
        repositories::{audit, jobs::WelcomeMail, sessions, users},
    },
    domain::{
        AuditAction, AuditOrigin, Email, NewAuditEvent, NewSession, NewUser, RateLimit, Role, SessionId, Timestamp,
        User, UserId,
    },
};

/// Time for which a used refresh token returns its successor, because two windows of one user may refresh at the same time.
const REFRESH_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// Registration, login, refresh, logout and passwords.
#[derive(Clone)]
pub struct Accounts(pub(super) Arc<Context>);

/// An account to register.
#[derive(Debug)]
pub struct NewAccount {
    pub email: String,
    pub password: SecretString,
    /// Defaults to the part of the email address before the `@`.
    pub name: Option<String>,
}

/// The tokens of an active session, and its account.
#[derive(Debug)]
pub struct SessionTokens {
    pub access_token: String,
    /// Seconds.
    pub expires_in: i64,
    pub refresh_token: String,
    /// Seconds.
    pub refresh_expires_in: i64,
    pub user: User,
}

/// The result of a refresh request.
enum RefreshOutcome {
    Refreshed {
        session_id: SessionId,
        refresh_token: String,
        expires_at: Timestamp,
        user: User,
    },
    Invalid,
    AccountDisabled,
    /// The token was used before the grace period: it may have been stolen. The session is ended.
    Reused {
        account: UserId,
    },
}

/// An idempotency key of a registration, and the fingerprint of its request.
#[derive(Clone)]
struct RegistrationKey {
    key: String,
    fingerprint: Fingerprint,
}

impl RegistrationKey {
    fn request(&self, user_id: UserId) -> KeyedRequest {
        KeyedRequest::registration(user_id, self.key.clone(), self.fingerprint.clone())
    }
}

impl Accounts {
    /// Creates an account and its first session.
    ///
    /// Tokens are not stored, so a request that is retried with the same idempotency key and password gets another session of the
    /// same account.
    ///
    /// # Errors
    /// `Invalid`, `Conflict(EmailTaken)`, `IdempotencyKeyReused`, `Throttled`.
    pub async fn register(
        &self,
        account: NewAccount,
        idempotency_key: Option<String>,
        user_agent: Option<String>,
        origin: AuditOrigin,
    ) -> Result<Idempotent<SessionTokens>, Error> {
        let Some(key) = idempotency_key else {
            let value = self.create_account(account, None, user_agent, origin).await?;
            return Ok(Idempotent { value, replayed: false });
        };
        let (address, password) = (account.email.clone(), account.password.clone());
        let email = self.email(&address)?;
        let fingerprint = Fingerprint::new("account", &(email.key(), account.name.as_deref()))?;
        let registration = RegistrationKey { key, fingerprint };
        match self.create_account(account, Some(registration.clone()), user_agent.clone(), origin.clone()).await {
            Err(Error::Conflict(Conflict::EmailTaken)) => {}
            created => return Ok(Idempotent { value: created?, replayed: false }),
        }
        let now = self.0.clock.now();
        let is_repeated = move |c: &mut DbConnection| match users::find_by_email(c, email.key())? {
            Some(user) if !user.disabled => idempotency::is_recorded(c, &registration.request(user.id), now),
            _ => Ok(false),
        };
        if !self.0.db.snapshot(is_repeated).await? {
            return Err(Error::Conflict(Conflict::EmailTaken));
        }
        match self.login(&address, password, user_agent, origin).await {
            Ok(value) => Ok(Idempotent { value, replayed: true }),
            Err(Error::Unauthenticated(_)) => Err(Error::IdempotencyKeyReused),
            Err(Error::Forbidden(_)) => Err(Error::Conflict(Conflict::EmailTaken)),
            Err(error) => Err(error),
        }
    }

    async fn create_account(
        &self,
        account: NewAccount,
        registration: Option<RegistrationKey>,
        user_agent: Option<String>,
        origin: AuditOrigin,
    ) -> Result<SessionTokens, Error> {
        let context = &self.0;
        let email = self.email(&account.email)?;
        self.check_password("password", &account.password, email.key())?;
        let password_hash = context.hasher.hash(account.password, &*context.random).await?;
        let name = account.name.unwrap_or_else(|| email.local_part().chars().take(100).collect());
        let (now, refresh_token) = (context.clock.now(), RefreshTokens::generate(&*context.random));
        let refresh_hash = digest(&refresh_token);
        let (expires_at, notices) = (self.expiry(now, now), context.notices(&origin));
        let (user, session_id) = context
            .db
            .write(move |c| {
                let new = NewUser {
                    email: &email,
                    name: &name,
                    password_hash: &password_hash,
                    role: Role::User,
                    disabled: false,
                    created_at: now,
                    updated_at: now,
                };
                let user = users::insert(c, &new)?;
                if let Some(registration) = &registration {
                    idempotency::record(c, &registration.request(user.id), now)?;
                }
                let session_id = open_session(c, user.id, user_agent.as_deref(), &refresh_hash, now, expires_at)?;
                let event = NewAuditEvent::on_user(AuditAction::UserRegistered, user.id).with("session", session_id);
                audit::append(c, &origin.clone().by(user.id), &event, now)?;
                notices.record_login(c, user.id, user_agent.as_deref(), &origin, now)?;
                notices.enqueue(c, &WelcomeMail { user_id: user.id }, now)?;
                Ok::<_, Error>((user, session_id))
            })
            .await?;
        context.outbox.notify();
        self.session_tokens(session_id, refresh_token, expires_at, user)
    }

    /// Opens a session. Takes the same time for an unknown account as for a known one.
    ///
    /// # Errors
    /// `Unauthenticated(Credentials)`, `Forbidden(AccountDisabled)`, `Throttled`.
    pub async fn login(
        &self,
        email: &str,
        password: SecretString,
        user_agent: Option<String>,
        origin: AuditOrigin,
    ) -> Result<SessionTokens, Error> {
        let context = &self.0;
        context.count_attempt(RateLimit::LoginAccount, email, &origin).await?;
        let user = match Email::parse(email) {
            Ok(email) => context.db.read(move |c| users::find_by_email(c, email.key()).map_err(Error::from)).await?,
            Err(_) => None,
        };
        let phc = user.as_ref().map(|user| user.password_hash.clone());
        let is_verified = context.hasher.verify(password.clone(), phc).await?;
        let Some(user) = user.as_ref().filter(|_| is_verified).cloned() else {
            let reason = if user.is_some() { "wrong_password" } else { "unknown_account" };
            self.record_failed_login(user.map(|user| user.id), reason, origin).await?;
            return Err(Error::Unauthenticated(Unauthenticated::Credentials));
        };
        if user.disabled {
            self.record_failed_login(Some(user.id), "disabled_account", origin).await?;
            return Err(Error::Forbidden(Forbidden::AccountDisabled));
        }
        let new_hash = if context.hasher.is_outdated(&user.password_hash) {
            Some(context.hasher.hash(password, &*context.random).await?)
        } else {
            None
        };
        let (now, refresh_token, user_id) = (context.clock.now(), RefreshTokens::generate(&*context.random), user.id);
        let (refresh_hash, verified_hash) = (digest(&refresh_token), user.password_hash.clone());
        let (expires_at, notices) = (self.expiry(now, now), context.notices(&origin));
        let (session_id, is_reported) = context
            .db
            .write(move |c| {
                // The password may have been changed, or the account disabled or deleted, while the hash was computed.
                let is_unchanged = |user: &User| user.password_hash == verified_hash && !user.disabled;
                if !users::find(c, user_id)?.is_some_and(|user| is_unchanged(&user)) {
                    return Err(Error::Unauthenticated(Unauthenticated::Credentials));
                }
                if let Some(password_hash) = &new_hash {
                    users::rehash_password(c, user_id, password_hash)?;
                }
                let session_id = open_session(c, user_id, user_agent.as_deref(), &refresh_hash, now, expires_at)?;
                let event = NewAuditEvent::on_user(AuditAction::LoginSucceeded, user_id).with("session", session_id);
                audit::append(c, &origin.clone().by(user_id), &event, now)?;
                let is_reported = notices.record_login(c, user_id, user_agent.as_deref(), &origin, now)?;
                Ok((session_id, is_reported))
            })
            .await
            .map_err(|error| match error {
                // The account was deleted in the meantime: respond as for an unknown account.
                Error::Unauthenticated(_) => Error::Unauthenticated(Unauthenticated::Credentials),
                error => error,
            })?;
        if is_reported {
            context.outbox.notify();
        }
        self.session_tokens(session_id, refresh_token, expires_at, user)
    }

    /// Exchanges a refresh token for its successor and an access token.
    ///
    /// # Errors
    /// `Unauthenticated(RefreshToken)`, `Forbidden(AccountDisabled)`.
    pub async fn refresh(&self, refresh_token: SecretString, origin: AuditOrigin) -> Result<SessionTokens, Error> {
        let context = &self.0;
        let now = context.clock.now();
        let hash = digest(refresh_token.expose_secret());
        let next = context.refresh_tokens.successor(refresh_token.expose_secret(), &*context.random);
        let accounts = self.clone();
        let expiry = move |created_at| accounts.expiry(created_at, now);
        let work = move |c: &mut DbConnection| Ok(rotate(c, &hash, &next, now, &expiry, &origin)?);
        let changed = |outcome: &RefreshOutcome| match outcome {
            RefreshOutcome::Reused { account } => Some(*account),
            _ => None,
        };
        let outcome = context.write_token_status_of(work, changed).await?;
        match outcome {
            RefreshOutcome::Refreshed { session_id, refresh_token, expires_at, user } => {
                self.session_tokens(session_id, refresh_token, expires_at, user)
            }
            RefreshOutcome::AccountDisabled => Err(Error::Forbidden(Forbidden::AccountDisabled)),
            RefreshOutcome::Invalid => Err(Error::Unauthenticated(Unauthenticated::RefreshToken)),
            RefreshOutcome::Reused { .. } => {
                tracing::warn!("refresh token reused, session ended");
                Err(Error::Unauthenticated(Unauthenticated::RefreshToken))
            }
        }
    }

    /// Ends a session. Its access token is rejected from then on.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn logout(
        &self,
        user_id: UserId,
        session_id: SessionId,
        token_id: String,
        token_expires_at: Timestamp,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let now = self.0.clock.now();
        self.0
            .write_token_status(user_id, move |c| {
                sessions::revoke_token(c, &token_id, token_expires_at)?;
                let event = NewAuditEvent::on_user(AuditAction::SessionLoggedOut, user_id).with("session", session_id);
                audit::append(c, &origin, &event, now)?;
                Ok(sessions::revoke(c, session_id, now)?)
            })
            .await
    }

    /// Records a failed login. Each failed attempt inserts a row. Rate limits and the cost of hashing limit their number.
    async fn record_failed_login(
        &self,
        user_id: Option<UserId>,
        reason: &str,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let event = NewAuditEvent::on_user(AuditAction::LoginFailed, user_id).with("reason", reason);
        let now = self.0.clock.now();
        self.0.db.write(move |c| Ok(audit::append(c, &origin, &event, now)?)).await
    }

    pub(super) fn email(&self, text: &str) -> Result<Email, Error> {
        Email::parse(text).map_err(|error| Error::invalid("email", "INVALID_FORMAT", error.to_string()))
    }

    /// Returns the expiry of a session that was opened at `created_at` and is used now: the refresh lifetime from now, but no more
    /// than the session lifetime in total.
    fn expiry(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        (now + self.0.refresh_ttl).min(created_at + self.0.session_ttl)
    }

    fn session_tokens(
        &self,
        session_id: SessionId,
        refresh_token: String,
        expires_at: Timestamp,
        user: User,
    ) -> Result<SessionTokens, Error> {
        let (tokens, clock) = (&self.0.tokens, &self.0.clock);
        let issued_at = clock.now_seconds();
        let remaining = expires_at.micros().saturating_sub(clock.now().micros());
        Ok(SessionTokens {
            access_token: tokens.issue(user.id.get(), session_id.get(), issued_at, &*self.0.random)?,
            expires_in: tokens.ttl(),
            refresh_token,
            // Round up, as for the access token, because time has passed since the session was stored.
            refresh_expires_in: (remaining.saturating_add(999_999) / 1_000_000).max(1),
            user,
        })
    }
}

fn open_session(
    c: &mut DbConnection,
    user_id: UserId,
    user_agent: Option<&str>,
    refresh_hash: &[u8],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<SessionId, Error> {
    let session_id = sessions::insert(c, &NewSession { user_id, user_agent, created_at: now, expires_at })?;
    sessions::insert_refresh_token(c, refresh_hash, session_id, now)?;
    Ok(session_id)
}

fn rotate(
    c: &mut DbConnection,
    hash: &[u8],
    next: &str,
    now: Timestamp,
    expiry: impl Fn(Timestamp) -> Timestamp,
    origin: &AuditOrigin,
) -> Result<RefreshOutcome, DbError> {
    let Some(token) = sessions::find_refresh_token(c, hash)? else {
        return Ok(RefreshOutcome::Invalid);
    };
    let Some(user) = users::find(c, token.user_id)? else {
        return Ok(RefreshOutcome::Invalid);
    };
    if user.disabled {
        return Ok(RefreshOutcome::AccountDisabled);
    }
    // Check both expiries, because the configured lifetime may have been shortened since the session was opened.
    let expires_at = expiry(token.session_created_at);
    if token.session_revoked_at.is_some() || token.session_expires_at.min(expires_at) <= now {
        return Ok(RefreshOutcome::Invalid);
    }
    let next_hash = digest(next);
    match token.rotated_at {
        None => {
            sessions::rotate(c, hash, token.session_id, now, expires_at)?;
            sessions::insert_refresh_token(c, &next_hash, token.session_id, now)?;
        }
        // The successor exists only if the secret from which it is derived is unchanged. If the successor was already used, its
        // client has received it, so the parent was sent by another client.
        Some(rotated_at)
            if now <= rotated_at + REFRESH_GRACE_PERIOD && sessions::has_unused_refresh_token(c, &next_hash)? => {}
        Some(_) => {
            sessions::revoke(c, token.session_id, now)?;
            let event = NewAuditEvent::on_user(AuditAction::SessionTokenReused, token.user_id);
            audit::append(c, origin, &event.with("session", token.session_id), now)?;
            return Ok(RefreshOutcome::Reused { account: token.user_id });
        }
    }
    Ok(RefreshOutcome::Refreshed { session_id: token.session_id, refresh_token: next.to_owned(), expires_at, user })
}
