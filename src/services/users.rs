//! Accounts as their owners and administrators manage them.

use std::sync::Arc;

use secrecy::SecretString;
use serde::Serialize;

use super::{
    Accounts, Conflict, Context, CursorPage, CursorQuery, ETag, Error, PageRequest, Precondition, Resource,
    Unauthenticated,
};
use crate::db::{
    DbConnection,
    repositories::{
        OffsetPage, audit, sessions,
        users::{self, Filter, UserChanges, UserRow},
    },
};
use crate::domain::{AuditAction, AuditEvent, AuditOrigin, search_text};

/// Accounts as their owners and administrators manage them.
#[derive(Clone)]
pub struct Users(pub(super) Arc<Context>);

/// What a user changes of their own account; `None` stays.
#[derive(Debug, Default)]
pub struct AccountChanges {
    pub name: Option<String>,
    pub email: Option<String>,
    /// Needed when the email address changes.
    pub current_password: Option<SecretString>,
}

impl Users {
    /// One account.
    ///
    /// # Errors
    /// `NotFound(User)`.
    pub async fn get(&self, user_id: i64) -> Result<UserRow, Error> {
        let user = self.0.db.read(move |c| users::find(c, user_id).map_err(Error::from)).await?;
        user.ok_or(Error::NotFound(Resource::User))
    }

    /// One's own account.
    ///
    /// # Errors
    /// `Unauthenticated(Session)`.
    pub async fn get_own(&self, user_id: i64) -> Result<UserRow, Error> {
        self.get(user_id).await.map_err(gone)
    }

    /// Which state of an account this is, by what is shown of it.
    #[must_use]
    pub fn version(user: &UserRow) -> ETag {
        ETag::of(&shown(user))
    }

    /// A page of all accounts, by cursor.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn walk(&self, walk: CursorQuery<Filter>) -> Result<CursorPage<UserRow>, Error> {
        let is_one_statement = !walk.with_total;
        let work = move |c: &mut DbConnection| {
            let rows = users::list_after(c, &walk.filter, &walk.keyset_with_lookahead())?;
            let total = if walk.with_total { Some(users::count(c, &walk.filter)?) } else { None };
            Ok(walk.into_page(rows, total))
        };
        if is_one_statement { self.0.db.read(work).await } else { self.0.db.snapshot(work).await }
    }

    /// A page of all accounts, by number.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn list(&self, request: PageRequest) -> Result<OffsetPage<UserRow>, Error> {
        let (slice, pattern) = (request.slice(), request.pattern());
        self.0.db.snapshot(move |c| users::list_by_offset(c, pattern.as_deref(), slice).map_err(Error::from)).await
    }

    /// Changes one's own account.
    ///
    /// # Errors
    /// `Invalid`, `Conflict(EmailTaken)`, `Conflict(PreconditionFailed)`.
    pub async fn update_own(
        &self,
        user_id: i64,
        changes: AccountChanges,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<UserRow, Error> {
        if changes.name.is_none() && changes.email.is_none() {
            let user = self.get_own(user_id).await?;
            precondition.check(&shown(&user))?;
            return Ok(user);
        }
        let accounts = Accounts(Arc::clone(&self.0));
        let mut email = changes.email.as_deref().map(|email| accounts.email(email)).transpose()?;
        if let Some(new) = &email
            && self.get_own(user_id).await?.email == new.address()
        {
            // Sent back as it was read: nothing to prove.
            email = None;
        }
        if email.is_some() {
            let password = changes.current_password.ok_or_else(|| {
                Error::invalid("current_password", "REQUIRED", "is required when the email address changes")
            })?;
            accounts.verified(user_id, password, "current_password", &origin).await?;
        }
        let mut row = UserChanges {
            name: changes.name,
            email: email.as_ref().map(|email| email.address().to_owned()),
            email_key: email.as_ref().map(|email| email.key().to_owned()),
            ..UserChanges::default()
        };
        let now = self.0.clock.now();
        let user = self
            .0
            .db
            .write(move |c| {
                let Some(before) = users::find_for_update(c, user_id)? else { return Ok(None) };
                precondition.check(&shown(&before))?;
                row.updated_at = Some(now.max(before.updated_at + 1));
                let email = row.email.as_ref().unwrap_or(&before.email);
                row.search_text = Some(search_text(email, row.name.as_deref().or(Some(&before.name))));
                let user = users::update(c, user_id, &row)?;
                if row.email.is_some() {
                    // The old address must not keep a way in.
                    sessions::void_password_resets(c, user_id)?;
                    let event = AuditEvent::of_user(AuditAction::UserEmailChanged, user_id);
                    audit::append(c, &origin, &event, now)?;
                }
                Ok::<_, Error>(user)
            })
            .await?;
        user.ok_or(Error::Unauthenticated(Unauthenticated::Session))
    }

    /// Deletes one's own account with everything in it.
    ///
    /// # Errors
    /// `Invalid`, `Conflict(LastAdmin)`, `Conflict(PreconditionFailed)`.
    pub async fn delete_own(
        &self,
        user_id: i64,
        password: SecretString,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<(), Error> {
        Accounts(Arc::clone(&self.0)).verified(user_id, password, "password", &origin).await?;
        self.delete(user_id, precondition, origin).await.map_err(gone)
    }

    /// Changes an account's role, or disables it and ends its sessions.
    ///
    /// # Errors
    /// `NotFound(User)`, `Conflict(LastAdmin)`, `Conflict(PreconditionFailed)`.
    pub async fn update(
        &self,
        user_id: i64,
        role: Option<&'static str>,
        disabled: Option<bool>,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<UserRow, Error> {
        if role.is_none() && disabled.is_none() {
            let user = self.get(user_id).await?;
            precondition.check(&shown(&user))?;
            return Ok(user);
        }
        let now = self.0.clock.now();
        self.0
            .change_standing(move |c| {
                if role == Some(users::USER) || disabled == Some(true) {
                    keep_an_admin(c, user_id)?;
                }
                let before = users::find_for_update(c, user_id)?.ok_or(Error::NotFound(Resource::User))?;
                precondition.check(&shown(&before))?;
                let changes = UserChanges {
                    role: role.map(str::to_owned),
                    disabled,
                    updated_at: Some(now.max(before.updated_at + 1)),
                    ..UserChanges::default()
                };
                // The account first: whoever deletes it locks in that order, too.
                let user = users::update(c, user_id, &changes)?.ok_or(Error::NotFound(Resource::User))?;
                if disabled == Some(true) {
                    sessions::revoke_all(c, user_id, None, now)?;
                }
                for event in changes_of_standing(&before, &user) {
                    audit::append(c, &origin, &event, now)?;
                }
                Ok(user)
            })
            .await
    }

    /// Deletes an account with everything in it.
    ///
    /// # Errors
    /// `NotFound(User)`, `Conflict(LastAdmin)`, `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, user_id: i64, precondition: Precondition, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        self.0
            .change_standing(move |c| {
                keep_an_admin(c, user_id)?;
                let before = users::find_for_update(c, user_id)?.ok_or(Error::NotFound(Resource::User))?;
                precondition.check(&shown(&before))?;
                if !users::delete(c, user_id)? {
                    return Err(Error::NotFound(Resource::User));
                }
                Ok(audit::append(c, &origin, &AuditEvent::of_user(AuditAction::UserDeleted, user_id), now)?)
            })
            .await
    }
}

/// What an administrator has changed of an account, if anything.
fn changes_of_standing(before: &UserRow, after: &UserRow) -> Vec<AuditEvent> {
    let mut events = Vec::new();
    if before.role != after.role {
        let event = AuditEvent::of_user(AuditAction::UserRoleChanged, after.id);
        events.push(event.with("from", &before.role).with("to", &after.role));
    }
    if before.disabled != after.disabled {
        let action = if after.disabled { AuditAction::UserDisabled } else { AuditAction::UserEnabled };
        events.push(AuditEvent::of_user(action, after.id));
    }
    events
}

/// What is shown of an account; a password that is hashed anew is not a new state of it.
fn shown(user: &UserRow) -> impl Serialize {
    (user.id, user.email.clone(), user.name.clone(), user.role.clone(), user.disabled, user.created_at, user.updated_at)
}

/// One's own account is there until somebody deletes it: then nobody is logged in any more.
fn gone(error: Error) -> Error {
    match error {
        Error::NotFound(Resource::User) => Error::Unauthenticated(Unauthenticated::Session),
        error => error,
    }
}

/// Refuses to lose the last active administrator.
fn keep_an_admin(c: &mut DbConnection, losing: i64) -> Result<(), Error> {
    if users::lock_active_admins(c)? == [losing] { Err(Error::Conflict(Conflict::LastAdmin)) } else { Ok(()) }
}
