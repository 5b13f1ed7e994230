//! Accounts.

use super::{Email, KeysetPosition, SortKey, TextFilter, Timestamp, UserId, text_enum::text_enum};

text_enum! {
    /// The role of an account.
    Role {
        /// Manages their own lists and items.
        User "user"
        /// Manages accounts, the audit log and incidents.
        Admin "admin"
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    /// The address in lower case, which is unique.
    pub email_key: String,
    pub name: String,
    /// In PHC format.
    pub password_hash: String,
    pub role: Role,
    pub disabled: bool,
    /// Whether the user gets email notices about deprecated operations that the account calls.
    pub deprecation_notices_enabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl User {
    /// Returns whether the account is an administrator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Returns the position of this account in a list sorted by `sort`.
    #[must_use]
    pub fn position(&self, sort: SortKey) -> KeysetPosition {
        sort.position(self.id.get(), self.created_at, self.updated_at, &self.name)
    }
}

/// An account to insert.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    pub email: &'a Email,
    pub name: &'a str,
    pub password_hash: &'a str,
    pub role: Role,
    pub disabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Changes to an account by an administrator; `None` leaves a value unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserChanges {
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    pub deprecation_notices_enabled: Option<bool>,
}

/// Selects accounts; `None` selects all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserFilter {
    pub q: Option<TextFilter>,
    pub created_after: Option<Timestamp>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
}
