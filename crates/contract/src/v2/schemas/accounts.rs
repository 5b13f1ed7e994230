//! Accounts and their sessions.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{Links, Role, TokenType, example_time, some};
use crate::{
    table::Row,
    v1,
    values::{EmailAddress, Id, Nullable, Timestamp},
};

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
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for User {
    const COLUMNS: &'static [&'static str] = &["id", "email", "name", "role", "disabled", "created_at", "updated_at"];
}

impl Example for User {
    fn example() -> Self {
        let v1::schemas::User { id, email, name, role, disabled, created_at, updated_at } = Example::example();
        Self { id, email, name, role, disabled, created_at, updated_at, links: Links::Me }
    }
}

/// A session: what to authenticate with, and for how long.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct AuthSession {
    /// A JWT; send it as `Authorization: Bearer <access_token>`.
    #[oai(validator(max_length = 4096))]
    pub access_token: String,
    /// How to send the access token.
    pub token_type: TokenType,
    /// Seconds until the access token ends.
    #[oai(validator(minimum(value = "1")))]
    pub expires_in: i64,
    /// Opaque; exchange it for the next session with `refreshSession`.
    #[oai(validator(max_length = 128))]
    pub refresh_token: String,
    /// Seconds until the refresh token ends.
    #[oai(validator(minimum(value = "1")))]
    pub refresh_expires_in: i64,
    /// Whose session it is.
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

/// One of your sessions: a program that is logged in.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Session {
    /// Identifies the session.
    pub id: Id,
    /// The program, as it called itself when it logged in.
    #[oai(validator(max_length = 200))]
    pub device: Nullable<String>,
    /// Whether it is the session of this request.
    pub current: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last continued by its refresh token.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is continued.
    pub expires_at: Timestamp,
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Example for Session {
    fn example() -> Self {
        Self {
            id: Id(1),
            device: some("Mozilla/5.0 (X11; Linux x86_64)"),
            current: true,
            created_at: example_time(),
            last_seen_at: example_time(),
            expires_at: example_time(),
            links: Links::Session(1),
        }
    }
}
