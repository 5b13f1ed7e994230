//! Sessions, and the status of their access tokens.

use super::{KeysetPosition, Role, SessionId, SortValue, Timestamp, UserId};

/// A session of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    /// The `User-Agent` header of the request that opened the session.
    pub user_agent: Option<String>,
    pub created_at: Timestamp,
    /// When the session was opened or last refreshed.
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Session {
    /// Returns the position of this session among its user's sessions sorted by creation.
    #[must_use]
    pub const fn position(&self) -> KeysetPosition {
        KeysetPosition { value: SortValue::Timestamp(self.created_at), id: self.id.get() }
    }
}

/// A session to insert.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    pub user_id: UserId,
    pub user_agent: Option<&'a str>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Whether an access token is still valid: the state of its account, of its session and of the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStatus {
    pub user_id: UserId,
    pub role: Role,
    pub disabled: bool,
    pub session_ended: bool,
    pub token_revoked: bool,
    /// Number of changes to the resources of the account, where the database counts them.
    pub revision: i64,
    /// Whether a server that shares Redis may cache this status.
    pub is_cacheable: bool,
}

/// A refresh token and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub session_id: SessionId,
    pub user_id: UserId,
    /// When the token was exchanged for its successor.
    pub rotated_at: Option<Timestamp>,
    pub session_created_at: Timestamp,
    pub session_revoked_at: Option<Timestamp>,
    pub session_expires_at: Timestamp,
}
