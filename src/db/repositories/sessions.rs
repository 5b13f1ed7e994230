//! Sessions, refresh tokens, revoked access tokens and password reset tokens.

use std::time::Duration;

use diesel::dsl::exists;

use super::keyset::KeysetSql;
use super::prelude::*;
use crate::{
    db::{
        DbConnection, MultiBackend,
        schema::{password_resets, refresh_tokens, revoked_tokens, sessions},
    },
    domain::{Keyset, NewSession, RefreshToken, Session, SessionId, Timestamp, UserId},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id: i64,
    user_agent: Option<String>,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: SessionId::new(row.id),
            user_agent: row.user_agent,
            created_at: Timestamp::from_micros(row.created_at),
            last_seen_at: Timestamp::from_micros(row.last_seen_at),
            expires_at: Timestamp::from_micros(row.expires_at),
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct RefreshedSessionRow {
    id: i64,
    user_id: i64,
    created_at: i64,
    revoked_at: Option<i64>,
    expires_at: i64,
}

/// Inserts a session.
pub fn insert(c: &mut DbConnection, session: &NewSession<'_>) -> QueryResult<SessionId> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::user_id.eq(session.user_id.get()),
            sessions::user_agent.eq(session.user_agent),
            sessions::created_at.eq(session.created_at.micros()),
            sessions::last_seen_at.eq(session.created_at.micros()),
            sessions::expires_at.eq(session.expires_at.micros()),
        ))
        .returning(sessions::id)
        .get_result(c)
        .map(SessionId::new)
}

/// Inserts a refresh token of a session.
pub fn insert_refresh_token(
    c: &mut DbConnection,
    token_hash: &[u8],
    session_id: SessionId,
    now: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::token_hash.eq(token_hash),
            refresh_tokens::session_id.eq(session_id.get()),
            refresh_tokens::created_at.eq(now.micros()),
        ))
        .execute(c)
        .map(drop)
}

/// Finds a refresh token, and locks its session until the transaction ends, so that a token has one successor. It locks
/// the session instead of the token, because the deletion of an account locks in that order.
pub fn find_refresh_token(c: &mut DbConnection, token_hash: &[u8]) -> QueryResult<Option<RefreshToken>> {
    // SQLite has one writer: its transaction is the lock.
    if let DbConnection::Postgres(c) = c {
        let session = refresh_tokens::table
            .filter(refresh_tokens::token_hash.eq(token_hash))
            .select(refresh_tokens::session_id)
            .first::<i64>(c)
            .optional()?;
        let Some(session) = session else { return Ok(None) };
        sessions::table.find(session).select(sessions::id).for_update().first::<i64>(c).optional()?;
    }
    // Read the token after acquiring the lock, because the previous holder of the lock may have used it.
    let row: Option<(RefreshedSessionRow, Option<i64>)> = refresh_tokens::table
        .inner_join(sessions::table)
        .filter(refresh_tokens::token_hash.eq(token_hash))
        .select((RefreshedSessionRow::as_select(), refresh_tokens::rotated_at))
        .first(c)
        .optional()?;
    Ok(row.map(|(session, rotated_at)| RefreshToken {
        session_id: SessionId::new(session.id),
        user_id: UserId::new(session.user_id),
        rotated_at: rotated_at.map(Timestamp::from_micros),
        session_created_at: Timestamp::from_micros(session.created_at),
        session_revoked_at: session.revoked_at.map(Timestamp::from_micros),
        session_expires_at: Timestamp::from_micros(session.expires_at),
    }))
}

/// Returns whether this refresh token exists and is unused.
pub fn has_unused_refresh_token(c: &mut DbConnection, token_hash: &[u8]) -> QueryResult<bool> {
    let token = refresh_tokens::table
        .filter(refresh_tokens::token_hash.eq(token_hash))
        .filter(refresh_tokens::rotated_at.is_null());
    diesel::select(exists(token)).get_result(c)
}

/// Marks a refresh token as used, and extends its session.
pub fn rotate(
    c: &mut DbConnection,
    token_hash: &[u8],
    session_id: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> QueryResult<()> {
    diesel::update(refresh_tokens::table.filter(refresh_tokens::token_hash.eq(token_hash)))
        .set(refresh_tokens::rotated_at.eq(now.micros()))
        .execute(c)?;
    diesel::update(sessions::table.find(session_id.get()))
        .set((sessions::last_seen_at.eq(now.micros()), sessions::expires_at.eq(expires_at.micros())))
        .execute(c)
        .map(drop)
}

/// Ends a session.
pub fn revoke(c: &mut DbConnection, session_id: SessionId, now: Timestamp) -> QueryResult<()> {
    diesel::update(sessions::table.find(session_id.get()).filter(sessions::revoked_at.is_null()))
        .set(sessions::revoked_at.eq(now.micros()))
        .execute(c)
        .map(drop)
}

/// Ends a session of this user. Returns `false` if the user has no active session with this ID.
pub fn revoke_own(c: &mut DbConnection, user_id: UserId, session_id: SessionId, now: Timestamp) -> QueryResult<bool> {
    let session = sessions::table
        .find(session_id.get())
        .filter(sessions::user_id.eq(user_id.get()))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now.micros()));
    diesel::update(session).set(sessions::revoked_at.eq(now.micros())).execute(c).map(|rows| rows > 0)
}

/// Ends all sessions of a user except one.
pub fn revoke_all(c: &mut DbConnection, user_id: UserId, except: Option<SessionId>, now: Timestamp) -> QueryResult<()> {
    diesel::update(
        sessions::table
            .filter(sessions::user_id.eq(user_id.get()))
            .filter(sessions::revoked_at.is_null())
            // IDs start at 1.
            .filter(sessions::id.ne(except.map_or(0, SessionId::get))),
    )
    .set(sessions::revoked_at.eq(now.micros()))
    .execute(c)
    .map(drop)
}

/// Revokes an access token until it expires. Has no effect on a revoked token.
pub fn revoke_token(c: &mut DbConnection, token_id: &str, expires_at: Timestamp) -> QueryResult<()> {
    let row = (revoked_tokens::token_id.eq(token_id), revoked_tokens::expires_at.eq(expires_at.micros()));
    let insert = diesel::insert_into(revoked_tokens::table).values(row).on_conflict_do_nothing();
    match c {
        DbConnection::Sqlite(c) => insert.execute(c).map(drop),
        DbConnection::Postgres(c) => insert.execute(c).map(drop),
    }
}

/// Inserts a password reset token.
pub fn insert_password_reset(
    c: &mut DbConnection,
    token_hash: &[u8],
    user_id: UserId,
    expires_at: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(password_resets::table)
        .values((
            password_resets::token_hash.eq(token_hash),
            password_resets::user_id.eq(user_id.get()),
            password_resets::expires_at.eq(expires_at.micros()),
        ))
        .execute(c)
        .map(drop)
}

/// Finds the account of a password reset token that has not expired.
pub fn find_password_reset(c: &mut DbConnection, token_hash: &[u8], now: Timestamp) -> QueryResult<Option<UserId>> {
    let user_id: Option<i64> = password_resets::table
        .filter(password_resets::token_hash.eq(token_hash))
        .filter(password_resets::expires_at.gt(now.micros()))
        .select(password_resets::user_id)
        .first(c)
        .optional()?;
    Ok(user_id.map(UserId::new))
}

/// Deletes a password reset token when it is used. Returns `false` if another request has used it.
pub fn consume_password_reset(c: &mut DbConnection, token_hash: &[u8], user_id: UserId) -> QueryResult<bool> {
    let token = password_resets::table
        .filter(password_resets::token_hash.eq(token_hash))
        .filter(password_resets::user_id.eq(user_id.get()));
    diesel::delete(token).execute(c).map(|rows| rows > 0)
}

/// Deletes all password reset tokens of an account.
pub fn delete_password_resets(c: &mut DbConnection, user_id: UserId) -> QueryResult<()> {
    diesel::delete(password_resets::table.filter(password_resets::user_id.eq(user_id.get()))).execute(c).map(drop)
}

/// Retention of used refresh tokens: long enough to detect reuse, but limited so that the number of rows per session is bounded.
const USED_TOKEN_RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// Deletes expired rows; returns their number.
pub fn purge(c: &mut DbConnection, now: Timestamp) -> QueryResult<usize> {
    let expired = now.micros();
    let tokens = diesel::delete(revoked_tokens::table.filter(revoked_tokens::expires_at.le(expired))).execute(c)?;
    let resets = diesel::delete(password_resets::table.filter(password_resets::expires_at.le(expired))).execute(c)?;
    let ended = diesel::delete(sessions::table.filter(sessions::expires_at.le(expired))).execute(c)?;
    let used = refresh_tokens::table.filter(refresh_tokens::rotated_at.le(now.before(USED_TOKEN_RETENTION).micros()));
    let used = diesel::delete(used).execute(c)?;
    Ok(tokens + resets + ended + used)
}

/// Selects the sessions of a user that are neither revoked nor expired.
fn active(user_id: UserId, now: Timestamp) -> sessions::BoxedQuery<'static, MultiBackend> {
    sessions::table
        .filter(sessions::user_id.eq(user_id.get()))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now.micros()))
        .into_boxed()
}

/// Lists the active sessions of a user after a position.
pub fn list_after(c: &mut DbConnection, user_id: UserId, now: Timestamp, keyset: &Keyset) -> QueryResult<Vec<Session>> {
    let mut page = active(user_id, now).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let rows: Vec<SessionRow> = page.select(SessionRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(Session::from).collect())
}
