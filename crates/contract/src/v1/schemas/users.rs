//! Users, as others and they themselves see them.

use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{Password, example_time};
use crate::values::{EmailAddress, Id, Timestamp};

/// What an account may do.
#[derive(Clone, Copy, Debug, Deserialize, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Works on its own data.
    User,
    /// Manages the accounts, too.
    Admin,
}

/// An account.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct User {
    /// Identifies the user.
    pub id: Id,
    /// Where mail goes; unique, compared without case.
    pub email: EmailAddress,
    /// What to call the user.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// What the account may do.
    pub role: Role,
    /// Whether an administrator has disabled the account.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the account was last changed.
    pub updated_at: Timestamp,
}

impl Example for User {
    fn example() -> Self {
        Self {
            id: Id(2),
            email: "demo@example.com".into(),
            name: "Demo".into(),
            role: Role::User,
            disabled: false,
            created_at: example_time(),
            updated_at: example_time(),
        }
    }
}

/// What to change of one's own account; a field left out stays as it is.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct MePatch {
    /// What to call the user.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// The new email address; needs `current_password`.
    pub email: Option<EmailAddress>,
    /// The current password, required when the email address changes.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub current_password: Option<Password>,
}

impl Example for MePatch {
    fn example() -> Self {
        Self { name: Some("Demo".into()), email: None, current_password: None }
    }
}

/// What an administrator may change of an account; a field left out stays as it is.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct UserPatch {
    /// What the account may do.
    pub role: Option<Role>,
    /// Whether the account is disabled. Disabling ends all its sessions.
    pub disabled: Option<bool>,
}

impl Example for UserPatch {
    fn example() -> Self {
        Self { role: Some(Role::User), disabled: Some(false) }
    }
}

/// Confirms the deletion of one's own account.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct AccountDeletion {
    /// The account's password.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub password: Password,
}

impl Example for AccountDeletion {
    fn example() -> Self {
        Self { password: Password::example() }
    }
}
