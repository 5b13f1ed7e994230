//! Accounts, managed by their users and by administrators.

use std::sync::Arc;

use secrecy::SecretString;
use serde::Serialize;

use super::{Accounts, Conflict, Context, Error, Precondition, Resource, Unauthenticated};
use crate::{
    db::{
        DbConnection,
        repositories::{audit, jobs::EmailChangedMail, sessions, users},
    },
    domain::{
        AuditAction, AuditOrigin, CursorPage, CursorQuery, ETag, NewAuditEvent, OffsetPage, OffsetQuery, Role, User,
        UserChanges, UserFilter, UserId, Versioned,
    },
};

/// Manages accounts for their users and for administrators.
#[derive(Clone)]
pub struct Users(pub(super) Arc<Context>);

/// Changes that a user makes to their account; `None` leaves a field unchanged.
#[derive(Debug, Default)]
pub struct AccountChanges {
    pub name: Option<String>,
    pub email: Option<String>,
    /// Required if the email address changes.
    pub current_password: Option<SecretString>,
}

impl Users {
    /// Retrieves an account.
    ///
    /// # Errors
    /// `NotFound(User)`.
    pub async fn get(&self, user_id: UserId) -> Result<Versioned<User>, Error> {
        let user = self.0.db.read(move |c| users::find(c, user_id).map_err(Error::from)).await?;
        user.map(versioned).ok_or(Error::NotFound(Resource::User))
    }

    /// Retrieves the caller's account.
    ///
    /// # Errors
    /// `Unauthenticated(Session)`.
    pub async fn get_own(&self, user_id: UserId) -> Result<Versioned<User>, Error> {
        self.get(user_id).await.map_err(own_account_error)
    }

    /// Lists accounts by cursor.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(&self, query: CursorQuery<UserFilter>) -> Result<CursorPage<User>, Error> {
        let is_one_statement = !query.with_total;
        let work = move |c: &mut DbConnection| {
            let rows = users::list_after(c, &query.filter, &query.keyset_with_lookahead())?;
            let total = if query.with_total { Some(users::count(c, &query.filter)?) } else { None };
            Ok(query.to_page(rows, total))
        };
        if is_one_statement { self.0.db.read(work).await } else { self.0.db.snapshot(work).await }
    }

    /// Lists accounts by offset.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_offset(&self, query: OffsetQuery) -> Result<OffsetPage<User>, Error> {
        let (range, q) = (query.range(), query.text_filter());
        self.0.db.snapshot(move |c| Ok(users::list_by_offset(c, q.as_ref(), range)?)).await
    }

    /// Changes the caller's account.
    ///
    /// # Errors
    /// `Invalid`, `WrongPassword`, `Conflict(EmailTaken)`, `Conflict(PreconditionFailed)`.
    pub async fn update_own(
        &self,
        user_id: UserId,
        changes: AccountChanges,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<Versioned<User>, Error> {
        if changes.name.is_none() && changes.email.is_none() {
            let user = self.get_own(user_id).await?;
            precondition.check(&representation(&user.value))?;
            return Ok(user);
        }
        let accounts = Accounts(Arc::clone(&self.0));
        let mut email = changes.email.as_deref().map(|email| accounts.email(email)).transpose()?;
        if let Some(new) = &email
            && self.get_own(user_id).await?.value.email == new.address()
        {
            // Unchanged: no password is required.
            email = None;
        }
        if email.is_some() {
            let password = changes.current_password.ok_or_else(|| {
                Error::invalid("current_password", "REQUIRED", "is required when the email address changes")
            })?;
            accounts.verify_password(user_id, password, "current_password", &origin).await?;
        }
        let (name, now, notices) = (changes.name, self.0.clock.now(), self.0.notices(&origin));
        let (user, is_moved) = self
            .0
            .db
            .write(move |c| {
                let Some(before) = users::find_for_update(c, user_id)? else { return Ok((None, false)) };
                precondition.check(&representation(&before))?;
                let updated_at = now.later_than(before.updated_at);
                let user = users::update_profile(c, &before, email.as_ref(), name.as_deref(), updated_at)?;
                if email.is_some() {
                    // Tokens sent to the previous address must not remain valid.
                    sessions::delete_password_resets(c, user_id)?;
                    let event = NewAuditEvent::on_user(AuditAction::UserEmailChanged, user_id);
                    audit::append(c, &origin, &event, now)?;
                }
                // The same address in another spelling is the same mailbox.
                let is_moved = email.as_ref().is_some_and(|email| email.key() != before.email_key);
                if is_moved {
                    let mail = EmailChangedMail { user_id, previous_email: before.email, changed_at: now };
                    notices.enqueue(c, &mail, now)?;
                }
                Ok::<_, Error>((user, is_moved))
            })
            .await?;
        if is_moved {
            self.0.outbox.notify();
        }
        user.map(versioned).ok_or(Error::Unauthenticated(Unauthenticated::Session))
    }

    /// Deletes the caller's account with all its resources.
    ///
    /// # Errors
    /// `WrongPassword`, `Conflict(LastAdmin)`, `Conflict(PreconditionFailed)`.
    pub async fn delete_own(
        &self,
        user_id: UserId,
        password: SecretString,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        Accounts(Arc::clone(&self.0)).verify_password(user_id, password, "password", &origin).await?;
        self.delete(user_id, precondition, origin).await.map_err(own_account_error)
    }

    /// Changes an account's role or notices, or disables it and ends its sessions.
    ///
    /// # Errors
    /// `NotFound(User)`, `Conflict(LastAdmin)`, `Conflict(PreconditionFailed)`.
    pub async fn update(
        &self,
        user_id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<Versioned<User>, Error> {
        if changes == UserChanges::default() {
            let user = self.get(user_id).await?;
            precondition.check(&representation(&user.value))?;
            return Ok(user);
        }
        let now = self.0.clock.now();
        self.0
            .write_token_status(user_id, move |c| {
                if changes.role == Some(Role::User) || changes.disabled == Some(true) {
                    require_another_admin(c, user_id)?;
                }
                let before = users::find_for_update(c, user_id)?.ok_or(Error::NotFound(Resource::User))?;
                precondition.check(&representation(&before))?;
                let updated_at = now.later_than(before.updated_at);
                // The account first: the deletion of an account locks in that order.
                let user = users::update(c, user_id, changes, updated_at)?.ok_or(Error::NotFound(Resource::User))?;
                if changes.disabled == Some(true) {
                    sessions::revoke_all(c, user_id, None, now)?;
                }
                for event in update_events(&before, &user) {
                    audit::append(c, &origin, &event, now)?;
                }
                Ok(user)
            })
            .await
            .map(versioned)
    }

    /// Deletes an account with all its resources.
    ///
    /// # Errors
    /// `NotFound(User)`, `Conflict(LastAdmin)`, `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, user_id: UserId, precondition: Precondition, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        self.0
            .write_token_status(user_id, move |c| {
                require_another_admin(c, user_id)?;
                let before = users::find_for_update(c, user_id)?.ok_or(Error::NotFound(Resource::User))?;
                precondition.check(&representation(&before))?;
                if !users::delete(c, user_id)? {
                    return Err(Error::NotFound(Resource::User));
                }
                Ok(audit::append(c, &origin, &NewAuditEvent::on_user(AuditAction::UserDeleted, user_id), now)?)
            })
            .await
    }
}

/// Returns the audit events of the changes that an administrator has made to an account.
fn update_events(before: &User, after: &User) -> Vec<NewAuditEvent> {
    let mut events = Vec::new();
    if before.role != after.role {
        let event = NewAuditEvent::on_user(AuditAction::UserRoleChanged, after.id);
        events.push(event.with("from", before.role).with("to", after.role));
    }
    if before.disabled != after.disabled {
        let action = if after.disabled { AuditAction::UserDisabled } else { AuditAction::UserEnabled };
        events.push(NewAuditEvent::on_user(action, after.id));
    }
    if before.deprecation_notices_enabled != after.deprecation_notices_enabled {
        let action = if after.deprecation_notices_enabled {
            AuditAction::UserDeprecationNoticesEnabled
        } else {
            AuditAction::UserDeprecationNoticesDisabled
        };
        events.push(NewAuditEvent::on_user(action, after.id));
    }
    events
}

fn versioned(user: User) -> Versioned<User> {
    Versioned::with(user, |user| ETag::of(&representation(user)))
}

/// Returns the public fields of an account, from which its entity tag is computed. The password hash is not one of them, because
/// rehashing a password does not change the state.
fn representation(user: &User) -> impl Serialize + use<> {
    (
        (user.id, user.email.clone(), user.name.clone(), user.role, user.disabled, user.created_at, user.updated_at),
        user.deprecation_notices_enabled,
    )
}

/// Converts "not found" to "unauthenticated": the account of the caller was deleted after the token was verified, so the token is
/// no longer valid.
fn own_account_error(error: Error) -> Error {
    match error {
        Error::NotFound(Resource::User) => Error::Unauthenticated(Unauthenticated::Session),
        error => error,
    }
}

/// Returns `Conflict(LastAdmin)` if `user_id` is the last active administrator.
fn require_another_admin(c: &mut DbConnection, user_id: UserId) -> Result<(), Error> {
    if users::lock_active_admins(c)? == [user_id] { Err(Error::Conflict(Conflict::LastAdmin)) } else { Ok(()) }
}
