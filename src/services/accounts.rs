//! Accounts and sessions: registering, logging in and out, and refreshing.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::{
    Conflict, Context, Error, Forbidden, Made, Unauthenticated,
    creation::{self, Named},
};
use crate::{
    auth::{RefreshTokens, digest},
    db::{
        DbConnection, DbError,
        repositories::{
            audit,
            sessions::{self, NewSession},
            users::{self, NewUser, UserChanges, UserRow},
        },
    },
    domain::{AuditAction, AuditEvent, AuditOrigin, AuditTarget, Email, RateLimit, search_text},
};

/// For how long after its use a refresh token still answers with its successor: two windows of one user refresh at once.
const REFRESH_GRACE_MICROS: i64 = 10_000_000;

/// Registering, logging in and out, refreshing, and passwords (which are next door).
#[derive(Clone)]
pub struct Accounts(pub(super) Arc<Context>);

/// What to make an account from.
#[derive(Debug)]
pub struct NewAccount {
    pub email: String,
    pub password: SecretString,
    pub name: Option<String>,
}

/// An open session.
#[derive(Debug)]
pub struct Session {
    pub access_token: String,
    /// Seconds.
    pub expires_in: i64,
    pub refresh_token: String,
    /// Seconds.
    pub refresh_expires_in: i64,
    pub user: UserRow,
}

/// The making of an account under a key. The line break keeps it apart from the keys of what the account makes later.
fn named(key: &str, email_key: &str, name: Option<&str>) -> Named {
    Named::new(0, format!("\nregister {key}"), "account", &(email_key, name))
}

/// What came of a refresh token.
enum Refreshed {
    Session {
        session_id: i64,
        refresh_token: String,
        expires_at: i64,
        user: UserRow,
    },
    Refused,
    Disabled,
    /// It was used before, and too long ago for a second window: somebody else may have it.
    Reused,
}

impl Accounts {
    /// Makes an account and its first session; once, if the caller names the creation: then whoever asks again, with the same
    /// password, gets another session of it. No token is kept to be given twice.
    ///
    /// # Errors
    /// `Invalid`, `Conflict(EmailTaken)`, `Throttled`.
    pub async fn register(
        &self,
        account: NewAccount,
        key: Option<String>,
        user_agent: Option<String>,
        origin: AuditOrigin,
    ) -> Result<Made<Session>, Error> {
        let Some(key) = key else {
            let value = self.make_account(account, None, user_agent, origin).await?;
            return Ok(Made { value, replayed: false });
        };
        let (email, password) = (account.email.clone(), account.password.clone());
        let named = named(&key, self.email(&email)?.key(), account.name.as_deref());
        match self.make_account(account, Some(named.clone()), user_agent.clone(), origin.clone()).await {
            Err(Error::Conflict(Conflict::EmailTaken)) => {}
            made => return Ok(Made { value: made?, replayed: false }),
        }
        let (key, now) = (self.email(&email)?.key().to_owned(), self.0.clock.now());
        let is_ours = move |c: &mut DbConnection| match users::find_by_email(c, &key)? {
            Some(user) if !user.disabled => creation::is_remembered(c, &named.of(user.id), now),
            _ => Ok(false),
        };
        if !self.0.db.snapshot(is_ours).await? {
            return Err(Error::Conflict(Conflict::EmailTaken));
        }
        match self.login(&email, password, user_agent, origin).await {
            Ok(value) => Ok(Made { value, replayed: true }),
            Err(Error::Unauthenticated(_)) => Err(creation::reused()),
            Err(Error::Forbidden(_)) => Err(Error::Conflict(Conflict::EmailTaken)),
            Err(error) => Err(error),
        }
    }

    async fn make_account(
        &self,
        account: NewAccount,
        named: Option<Named>,
        user_agent: Option<String>,
        origin: AuditOrigin,
    ) -> Result<Session, Error> {
        let context = &self.0;
        let email = self.email(&account.email)?;
        self.check_password("password", &account.password, email.key())?;
        let password_hash = context.hasher.hash(account.password, &*context.random).await?;
        let name = account.name.unwrap_or_else(|| email.local_part().chars().take(100).collect());
        let (now, session) = (context.clock.now(), self.new_session());
        let refresh_hash = digest(&session.refresh_token);
        let expires_at = self.expiry(now, now);
        let (user, session_id) = context
            .db
            .write(move |c| {
                let user = users::insert(
                    c,
                    &NewUser {
                        email: email.address(),
                        email_key: email.key(),
                        name: &name,
                        search_text: search_text(email.address(), Some(&name)),
                        password_hash: &password_hash,
                        role: users::USER,
                        disabled: false,
                        created_at: now,
                        updated_at: now,
                    },
                )?;
                if let Some(named) = named {
                    creation::remember(c, &named.of(user.id), now)?;
                }
                let session_id = open_session(c, user.id, user_agent.as_deref(), &refresh_hash, now, expires_at)?;
                let event = AuditEvent::of_user(AuditAction::UserRegistered, user.id).with("session", session_id);
                audit::append(c, &origin.by(user.id), &event, now)?;
                Ok::<_, Error>((user, session_id))
            })
            .await?;
        self.session(session_id, session.refresh_token, expires_at, user)
    }

    /// Opens a session for an email address and a password. Takes as long for an unknown account as for a known one.
    ///
    /// # Errors
    /// `Unauthenticated(Credentials)`, `Forbidden(AccountDisabled)`, `Throttled`.
    pub async fn login(
        &self,
        email: &str,
        password: SecretString,
        user_agent: Option<String>,
        origin: AuditOrigin,
    ) -> Result<Session, Error> {
        let context = &self.0;
        context.count_attempt(RateLimit::LoginAccount, email, &origin).await?;
        let user = match Email::parse(email) {
            Ok(email) => context.db.read(move |c| users::find_by_email(c, email.key()).map_err(Error::from)).await?,
            Err(_) => None,
        };
        let phc = user.as_ref().map(|user| user.password_hash.clone());
        let right = context.hasher.verify(password.clone(), phc).await?;
        let Some(user) = user.as_ref().filter(|_| right).cloned() else {
            let why = if user.is_some() { "wrong_password" } else { "unknown_account" };
            self.record_failed_login(user.map(|user| user.id), why, origin).await?;
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
        let (now, session, user_id) = (context.clock.now(), self.new_session(), user.id);
        let (refresh_hash, verified_hash) = (digest(&session.refresh_token), user.password_hash.clone());
        let expires_at = self.expiry(now, now);
        let session_id = context
            .db
            .write(move |c| {
                // The password may have been changed, the account disabled or deleted while the hash was computed.
                let is_unchanged = |user: &UserRow| user.password_hash == verified_hash && !user.disabled;
                if !users::find(c, user_id)?.is_some_and(|user| is_unchanged(&user)) {
                    return Err(Error::Unauthenticated(Unauthenticated::Credentials));
                }
                if let Some(password_hash) = new_hash {
                    let changes = UserChanges { password_hash: Some(password_hash), ..UserChanges::default() };
                    users::update(c, user_id, &changes)?;
                }
                let session_id = open_session(c, user_id, user_agent.as_deref(), &refresh_hash, now, expires_at)?;
                let event = AuditEvent::of_user(AuditAction::LoginSucceeded, user_id).with("session", session_id);
                audit::append(c, &origin.by(user_id), &event, now)?;
                Ok(session_id)
            })
            .await
            .map_err(|error| match error {
                // Deleted this very moment: as if it had never been.
                Error::Unauthenticated(_) => Error::Unauthenticated(Unauthenticated::Credentials),
                error => error,
            })?;
        self.session(session_id, session.refresh_token, expires_at, user)
    }

    /// Exchanges a refresh token for the next one and an access token.
    ///
    /// # Errors
    /// `Unauthenticated(RefreshToken)`, `Forbidden(AccountDisabled)`.
    pub async fn refresh(&self, refresh_token: SecretString, origin: AuditOrigin) -> Result<Session, Error> {
        let context = &self.0;
        let now = context.clock.now();
        let hash = digest(refresh_token.expose_secret());
        let next = context.refresh_tokens.successor(refresh_token.expose_secret(), &*context.random);
        let accounts = self.clone();
        let expiry = move |created_at| accounts.expiry(created_at, now);
        let refreshed = context.db.write(move |c| rotate(c, &hash, next, now, expiry, &origin)).await?;
        match refreshed {
            Refreshed::Session { session_id, refresh_token, expires_at, user } => {
                self.session(session_id, refresh_token, expires_at, user)
            }
            Refreshed::Disabled => Err(Error::Forbidden(Forbidden::AccountDisabled)),
            Refreshed::Refused => Err(Error::Unauthenticated(Unauthenticated::RefreshToken)),
            Refreshed::Reused => {
                context.token_status.invalidate();
                tracing::warn!("a used refresh token came again; its session was ended");
                Err(Error::Unauthenticated(Unauthenticated::RefreshToken))
            }
        }
    }

    /// Ends a session: its access token is refused from the next request on.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn logout(
        &self,
        user_id: i64,
        session_id: i64,
        token_id: String,
        token_expires_at: i64,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        let now = self.0.clock.now();
        self.0
            .change_standing(move |c| {
                sessions::revoke_token(c, &token_id, token_expires_at.saturating_mul(1_000_000))?;
                let event = AuditEvent::of_user(AuditAction::SessionLoggedOut, user_id).with("session", session_id);
                audit::append(c, &origin, &event, now)?;
                Ok(sessions::revoke(c, session_id, now)?)
            })
            .await
    }

    /// Keeps that a login failed. Somebody who guesses writes a row for each guess: the limits of logins and the time that
    /// a hash takes bound how many.
    async fn record_failed_login(&self, user_id: Option<i64>, why: &str, origin: AuditOrigin) -> Result<(), Error> {
        let event = AuditEvent {
            target: user_id.map(|id| (AuditTarget::User, id)),
            ..AuditEvent::new(AuditAction::LoginFailed).with("reason", why)
        };
        let now = self.0.clock.now();
        self.0.db.write(move |c| Ok(audit::append(c, &origin, &event, now)?)).await
    }

    pub(super) fn email(&self, text: &str) -> Result<Email, Error> {
        Email::parse(text).map_err(|error| Error::invalid("email", "INVALID_FORMAT", error.to_string()))
    }

    fn new_session(&self) -> NewTokens {
        NewTokens { refresh_token: RefreshTokens::generate(&*self.0.random) }
    }

    /// When a session ends that was opened at `created_at` and is used now: when nobody has refreshed it for long enough,
    /// and at an age at which everybody has to log in again.
    fn expiry(&self, created_at: i64, now: i64) -> i64 {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4);
        (now + micros(self.0.refresh_ttl)).min(created_at + micros(self.0.session_ttl))
    }

    fn session(
        &self,
        session_id: i64,
        refresh_token: String,
        expires_at: i64,
        user: UserRow,
    ) -> Result<Session, Error> {
        let tokens = &self.0.tokens;
        Ok(Session {
            access_token: tokens.issue(user.id, session_id, self.0.clock.now_seconds(), &*self.0.random)?,
            expires_in: tokens.ttl(),
            refresh_token,
            // What has begun counts, as it does for the access token: the clock has gone on since the session was stored.
            refresh_expires_in: ((expires_at - self.0.clock.now() + 999_999) / 1_000_000).max(1),
            user,
        })
    }
}

struct NewTokens {
    refresh_token: String,
}

fn open_session(
    c: &mut DbConnection,
    user_id: i64,
    user_agent: Option<&str>,
    refresh_hash: &[u8],
    now: i64,
    expires_at: i64,
) -> Result<i64, Error> {
    let session = NewSession { user_id, user_agent, created_at: now, last_seen_at: now, expires_at };
    let session_id = sessions::insert(c, &session)?;
    sessions::insert_refresh_token(c, refresh_hash, session_id, now)?;
    Ok(session_id)
}

fn rotate(
    c: &mut DbConnection,
    hash: &[u8],
    next: String,
    now: i64,
    expiry: impl FnOnce(i64) -> i64,
    origin: &AuditOrigin,
) -> Result<Refreshed, DbError> {
    let Some(token) = sessions::find_refresh_token(c, hash)? else {
        return Ok(Refreshed::Refused);
    };
    let Some(user) = users::find(c, token.user_id)? else {
        return Ok(Refreshed::Refused);
    };
    if user.disabled {
        return Ok(Refreshed::Disabled);
    }
    // By now, too: a session was opened when it might live for longer.
    let expires_at = expiry(token.session_created_at);
    if token.session_revoked_at.is_some() || token.session_expires_at.min(expires_at) <= now {
        return Ok(Refreshed::Refused);
    }
    let next_hash = digest(&next);
    match token.rotated_at {
        None => {
            sessions::rotate(c, hash, token.session_id, now, expires_at)?;
            sessions::insert_refresh_token(c, &next_hash, token.session_id, now)?;
        }
        // The successor is only there if the secret it was computed with is still the same; and once it was used, its
        // owner has it, and whoever still sends the parent is somebody else.
        Some(used) if now - used <= REFRESH_GRACE_MICROS && sessions::has_unused_refresh_token(c, &next_hash)? => {}
        Some(_) => {
            sessions::revoke(c, token.session_id, now)?;
            let event = AuditEvent::of_user(AuditAction::SessionTokenReused, token.user_id);
            audit::append(c, origin, &event.with("session", token.session_id), now)?;
            return Ok(Refreshed::Reused);
        }
    }
    Ok(Refreshed::Session { session_id: token.session_id, refresh_token: next, expires_at, user })
}
