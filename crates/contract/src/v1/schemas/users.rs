//! User accounts.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{Secret, example_time};
use crate::values::{EmailAddress, Id, Timestamp};

/// Role of an account.
#[derive(Clone, Copy, Debug, Deserialize, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Access to the user's own data.
    User,
    /// Additionally, management of all accounts.
    Admin,
}

/// A user account.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct User {
    /// ID of the user.
    pub id: Id,
    /// Email address, unique. The comparison is case-insensitive.
    pub email: EmailAddress,
    /// Display name of the user.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// Role of the account.
    pub role: Role,
    /// Whether the account is disabled by an administrator.
    pub disabled: bool,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
}

example! { User {
    id: Id(2), email: "demo@example.com".into(), name: "Demo".into(), role: Role::User, disabled: false,
    created_at: example_time(), updated_at: example_time(),
} }

/// Changes to your account. Omitted fields keep their value.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct MePatch {
    /// Display name, 1 to 100 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// New email address. Requires `current_password`.
    pub email: Option<EmailAddress>,
    /// Current password; required to change the email address.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub current_password: Option<Secret>,
}

example! { MePatch { name: Some("Demo".into()), email: None, current_password: None } }

/// Changes to a user account by an administrator. Omitted fields keep their value.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct UserPatch {
    /// Role of the account.
    pub role: Option<Role>,
    /// Whether the account is disabled. Disabling it ends all its sessions.
    pub disabled: Option<bool>,
}

example! { UserPatch { role: Some(Role::User), disabled: Some(false) } }

/// Confirmation of the deletion of your account.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct AccountDeletion {
    /// Password of the account.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub password: Secret,
}

example! { AccountDeletion { password: Secret::example() } }
