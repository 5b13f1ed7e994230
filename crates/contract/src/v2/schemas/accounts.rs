//! User accounts and sessions.

use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{Links, Role, TokenType, example_time, some};
use crate::{
    table::Row,
    v1,
    values::{EmailAddress, Id, Nullable, Timestamp},
};

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
    /// Whether the user is notified by email of deprecated operations that the account calls. An administrator can disable these
    /// notices.
    pub deprecation_notices_enabled: bool,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for User {
    const COLUMNS: &'static [&'static str] =
        &["id", "email", "name", "role", "disabled", "created_at", "updated_at", "deprecation_notices_enabled"];
}

impl Example for User {
    fn example() -> Self {
        let v1::schemas::User { id, email, name, role, disabled, created_at, updated_at } = Example::example();
        let deprecation_notices_enabled = true;
        Self { id, email, name, role, disabled, deprecation_notices_enabled, created_at, updated_at, links: Links::Me }
    }
}

/// Changes to a user account by an administrator. Omitted fields keep their value.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct UserPatch {
    /// Role of the account.
    pub role: Option<Role>,
    /// Whether the account is disabled. Disabling it ends all its sessions.
    pub disabled: Option<bool>,
    /// Whether the user is notified by email of deprecated operations that the account calls. If `false`, notices that become due are recorded
    /// as `suppressed` and not sent later. Does not apply to the API clients of the account.
    pub deprecation_notices_enabled: Option<bool>,
}

example! { UserPatch {
    role: Some(Role::User), disabled: Some(false), deprecation_notices_enabled: Some(true),
} }

/// A session with its tokens and their lifetimes.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct AuthSession {
    /// Access token, a JWT. Send it as `Authorization: Bearer <access_token>`.
    #[oai(validator(max_length = 4096))]
    pub access_token: String,
    /// Type of the access token.
    pub token_type: TokenType,
    /// Lifetime of the access token in seconds.
    #[oai(validator(minimum(value = "1")))]
    pub expires_in: i64,
    /// Refresh token, opaque. Exchange it for new tokens with `refreshSession`.
    #[oai(validator(max_length = 128))]
    pub refresh_token: String,
    /// Lifetime of the refresh token in seconds.
    #[oai(validator(minimum(value = "1")))]
    pub refresh_expires_in: i64,
    /// The user of the session.
    pub user: User,
}

impl Example for AuthSession {
    fn example() -> Self {
        let session = v1::schemas::AuthSession::example();
        Self {
            access_token: session.access_token,
            token_type: session.token_type,
            expires_in: session.expires_in,
            refresh_token: session.refresh_token,
            refresh_expires_in: session.refresh_expires_in,
            user: User::example(),
        }
    }
}

/// A session of your account: a client that is logged in.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Session {
    /// ID of the session.
    pub id: Id,
    /// `User-Agent` of the client at login.
    #[oai(validator(max_length = 200))]
    pub device: Nullable<String>,
    /// Whether this is the session of the current request.
    pub current: bool,
    /// Time of login.
    pub created_at: Timestamp,
    /// Time of the last refresh.
    pub last_seen_at: Timestamp,
    /// Time at which the session ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

/// 30 days after the creation of the session in the example, in microseconds since 1970.
const EXAMPLE_SESSION_EXPIRY: i64 = 1_769_817_600_000_000;

example! { Session {
    id: Id(1), device: some("Mozilla/5.0 (X11; Linux x86_64)"), current: true, created_at: example_time(),
    last_seen_at: example_time(), expires_at: Timestamp::from_micros(EXAMPLE_SESSION_EXPIRY), links: Links::Session(1),
} }
