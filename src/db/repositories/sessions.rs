//! Sessions, their refresh tokens, revoked access tokens and password resets.

use diesel::{dsl::exists, prelude::*};

use super::keyset::{Keyset, KeysetPosition, SortKey, SortValue};
use crate::db::{
    DbConnection, MultiBackend,
    schema::{password_resets, refresh_tokens, revoked_tokens, sessions, users},
};

/// A session to be stored.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = sessions)]
pub struct NewSession<'a> {
    pub user_id: i64,
    pub user_agent: Option<&'a str>,
    pub created_at: i64,
    pub last_seen_at: i64,
    pub expires_at: i64,
}

/// A session as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct SessionRow {
    pub id: i64,
    pub user_agent: Option<String>,
    pub created_at: i64,
    pub last_seen_at: i64,
    pub expires_at: i64,
}

/// How an access token stands: its account, its session and itself.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct TokenStatus {
    pub user_id: i64,
    pub role: String,
    pub disabled: bool,
    pub session_ended: bool,
    pub token_revoked: bool,
    /// How often what the account owns has changed, where the database counts it.
    pub revision: i64,
}

/// A refresh token with its session.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct RefreshRow {
    pub session_id: i64,
    pub user_id: i64,
    pub rotated_at: Option<i64>,
    pub session_created_at: i64,
    pub session_revoked_at: Option<i64>,
    pub session_expires_at: i64,
}

pub fn insert(c: &mut DbConnection, session: &NewSession<'_>) -> QueryResult<i64> {
    diesel::insert_into(sessions::table).values(session).returning(sessions::id).get_result(c)
}

/// Everything that decides whether an access token is good, in one statement.
pub fn token_status(c: &mut DbConnection, session_id: i64, token_id: &str) -> QueryResult<Option<TokenStatus>> {
    sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(session_id))
        .select((
            users::id,
            users::role,
            users::disabled,
            sessions::revoked_at.is_not_null(),
            exists(revoked_tokens::table.filter(revoked_tokens::token_id.eq(token_id))),
            users::revision,
        ))
        .first(c)
        .optional()
}

pub fn insert_refresh_token(c: &mut DbConnection, token_hash: &[u8], session_id: i64, now: i64) -> QueryResult<()> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::token_hash.eq(token_hash),
            refresh_tokens::session_id.eq(session_id),
            refresh_tokens::created_at.eq(now),
        ))
        .execute(c)
        .map(drop)
}

/// A refresh token, its session being locked until the transaction ends, so that one token has one successor. The session
/// and not the token: whoever deletes an account locks in that order, too.
pub fn find_refresh_token(c: &mut DbConnection, token_hash: &[u8]) -> QueryResult<Option<RefreshRow>> {
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
    // Read after the lock was got: whoever had it may have used the token.
    refresh_tokens::table
        .inner_join(sessions::table)
        .filter(refresh_tokens::token_hash.eq(token_hash))
        .select((
            sessions::id,
            sessions::user_id,
            refresh_tokens::rotated_at,
            sessions::created_at,
            sessions::revoked_at,
            sessions::expires_at,
        ))
        .first(c)
        .optional()
}

/// Whether this refresh token is there and has not been used.
pub fn has_unused_refresh_token(c: &mut DbConnection, token_hash: &[u8]) -> QueryResult<bool> {
    let token = refresh_tokens::table
        .filter(refresh_tokens::token_hash.eq(token_hash))
        .filter(refresh_tokens::rotated_at.is_null());
    diesel::select(exists(token)).get_result(c)
}

/// Marks a refresh token as used, and its session as seen.
pub fn rotate(c: &mut DbConnection, token_hash: &[u8], session_id: i64, now: i64, expires_at: i64) -> QueryResult<()> {
    diesel::update(refresh_tokens::table.filter(refresh_tokens::token_hash.eq(token_hash)))
        .set(refresh_tokens::rotated_at.eq(now))
        .execute(c)?;
    diesel::update(sessions::table.find(session_id))
        .set((sessions::last_seen_at.eq(now), sessions::expires_at.eq(expires_at)))
        .execute(c)
        .map(drop)
}

pub fn revoke(c: &mut DbConnection, session_id: i64, now: i64) -> QueryResult<()> {
    diesel::update(sessions::table.find(session_id).filter(sessions::revoked_at.is_null()))
        .set(sessions::revoked_at.eq(now))
        .execute(c)
        .map(drop)
}

/// Ends a session of this user. False when there is no such session that is open.
pub fn revoke_own(c: &mut DbConnection, user_id: i64, session_id: i64, now: i64) -> QueryResult<bool> {
    let session = sessions::table
        .find(session_id)
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now));
    diesel::update(session).set(sessions::revoked_at.eq(now)).execute(c).map(|rows| rows > 0)
}

/// Ends all sessions of a user but `except`.
pub fn revoke_all(c: &mut DbConnection, user_id: i64, except: Option<i64>, now: i64) -> QueryResult<()> {
    diesel::update(
        sessions::table
            .filter(sessions::user_id.eq(user_id))
            .filter(sessions::revoked_at.is_null())
            // ids start at 1
            .filter(sessions::id.ne(except.unwrap_or(0))),
    )
    .set(sessions::revoked_at.eq(now))
    .execute(c)
    .map(drop)
}

/// Blacklists an access token until it expires by itself. Twice is as good as once.
pub fn revoke_token(c: &mut DbConnection, token_id: &str, expires_at: i64) -> QueryResult<()> {
    let row = (revoked_tokens::token_id.eq(token_id), revoked_tokens::expires_at.eq(expires_at));
    let insert = diesel::insert_into(revoked_tokens::table).values(row).on_conflict_do_nothing();
    match c {
        DbConnection::Sqlite(c) => insert.execute(c).map(drop),
        DbConnection::Postgres(c) => insert.execute(c).map(drop),
    }
}

pub fn insert_password_reset(
    c: &mut DbConnection,
    token_hash: &[u8],
    user_id: i64,
    expires_at: i64,
) -> QueryResult<()> {
    diesel::insert_into(password_resets::table)
        .values((
            password_resets::token_hash.eq(token_hash),
            password_resets::user_id.eq(user_id),
            password_resets::expires_at.eq(expires_at),
        ))
        .execute(c)
        .map(drop)
}

/// The account whose reset token this is, if the token is still good.
pub fn find_password_reset(c: &mut DbConnection, token_hash: &[u8], now: i64) -> QueryResult<Option<i64>> {
    password_resets::table
        .filter(password_resets::token_hash.eq(token_hash))
        .filter(password_resets::expires_at.gt(now))
        .select(password_resets::user_id)
        .first(c)
        .optional()
}

/// Uses up a reset token of this account. False when somebody else was quicker.
pub fn take_password_reset(c: &mut DbConnection, token_hash: &[u8], user_id: i64) -> QueryResult<bool> {
    let token = password_resets::table
        .filter(password_resets::token_hash.eq(token_hash))
        .filter(password_resets::user_id.eq(user_id));
    diesel::delete(token).execute(c).map(|rows| rows > 0)
}

/// Voids the reset tokens that an account was mailed.
pub fn void_password_resets(c: &mut DbConnection, user_id: i64) -> QueryResult<()> {
    diesel::delete(password_resets::table.filter(password_resets::user_id.eq(user_id))).execute(c).map(drop)
}

/// For how long a used refresh token is remembered: a week.
const USED_TOKENS_KEPT_MICROS: i64 = 7 * 86_400 * 1_000_000;

/// Deletes what has expired; returns how many rows that were.
pub fn purge(c: &mut DbConnection, now: i64) -> QueryResult<usize> {
    let tokens = diesel::delete(revoked_tokens::table.filter(revoked_tokens::expires_at.le(now))).execute(c)?;
    let resets = diesel::delete(password_resets::table.filter(password_resets::expires_at.le(now))).execute(c)?;
    let ended = diesel::delete(sessions::table.filter(sessions::expires_at.le(now))).execute(c)?;
    // Kept for a while, so that using one again is noticed; forgotten then, so that a session does not grow for ever.
    let used = refresh_tokens::table.filter(refresh_tokens::rotated_at.le(now - USED_TOKENS_KEPT_MICROS));
    let used = diesel::delete(used).execute(c)?;
    Ok(tokens + resets + ended + used)
}

/// The sessions of a user that are neither revoked nor expired.
fn active(user_id: i64, now: i64) -> sessions::BoxedQuery<'static, MultiBackend> {
    sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .into_boxed()
}

/// The columns of [`SessionRow`], in its order.
const COLUMNS: Columns =
    (sessions::id, sessions::user_agent, sessions::created_at, sessions::last_seen_at, sessions::expires_at);
type Columns = (sessions::id, sessions::user_agent, sessions::created_at, sessions::last_seen_at, sessions::expires_at);

/// The active sessions of a user that come after one, given as (created_at, id); the newest first.
pub fn list_after(
    c: &mut DbConnection,
    user_id: i64,
    now: i64,
    after: Option<(i64, i64)>,
    limit: i64,
) -> QueryResult<Vec<SessionRow>> {
    let after = after.map(|(created_at, id)| KeysetPosition { key: SortValue::Instant(created_at), id });
    let keyset = Keyset { sort: SortKey::CreatedAt, descending: true, after, limit };
    let mut page = active(user_id, now).order(keyset.order()).limit(limit);
    if let Some(rest) = keyset.rest(c) {
        page = page.filter(rest);
    }
    page.select(COLUMNS).load(c)
}

/// An active session of a user.
pub fn find_active(c: &mut DbConnection, user_id: i64, id: i64, now: i64) -> QueryResult<Option<SessionRow>> {
    active(user_id, now).filter(sessions::id.eq(id)).select(COLUMNS).first(c).optional()
}
