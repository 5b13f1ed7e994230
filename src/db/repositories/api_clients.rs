//! API clients and the digests of their keys.

use diesel::dsl::{count_star, exists, not};

use super::prelude::*;
use super::{columns, keyset::KeysetSql};
use crate::{
    db::{
        DbConnection, MultiBackend,
        schema::{api_client_keys, api_clients, cache_suspensions, users},
    },
    domain::{ApiClient, ApiClientId, ApiKeyStatus, ApiScopes, Keyset, NewApiClient, Role, Timestamp, UserId},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_clients)]
struct ApiClientRow {
    id: i64,
    user_id: i64,
    name: String,
    contact_email: String,
    #[diesel(deserialize_as = String)]
    scopes: ApiScopes,
    rate_limit: Option<i32>,
    key_prefix: String,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    previous_valid_until: Option<i64>,
    deprecation_notices_enabled: bool,
}

impl From<ApiClientRow> for ApiClient {
    fn from(row: ApiClientRow) -> Self {
        Self {
            id: ApiClientId::new(row.id),
            name: row.name,
            contact_email: row.contact_email,
            user_id: UserId::new(row.user_id),
            scopes: row.scopes,
            rate_limit: row.rate_limit,
            key_prefix: row.key_prefix,
            expires_at: row.expires_at.map(Timestamp::from_micros),
            last_used_at: row.last_used_at.map(Timestamp::from_micros),
            previous_valid_until: row.previous_valid_until.map(Timestamp::from_micros),
            deprecation_notices_enabled: row.deprecation_notices_enabled,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_client_keys)]
struct KeyRow {
    digest: Vec<u8>,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct OwnerRow {
    #[diesel(deserialize_as = String)]
    role: Role,
    disabled: bool,
    revision: i64,
}

// `None` must mean NULL.
#[derive(AsChangeset)]
#[diesel(table_name = api_clients, treat_none_as_null = true)]
struct ContentRow<'a> {
    name: &'a str,
    contact_email: &'a str,
    scopes: String,
    rate_limit: Option<i32>,
    expires_at: Option<i64>,
    deprecation_notices_enabled: bool,
    updated_at: i64,
}

/// A key to store: its public part and its digest.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub prefix: String,
    pub digest: Vec<u8>,
}

/// Inserts an API client and its first key.
pub fn insert(c: &mut DbConnection, client: &NewApiClient, key: &NewKey) -> QueryResult<ApiClient> {
    let row: ApiClientRow = diesel::insert_into(api_clients::table)
        .values((
            api_clients::user_id.eq(client.user_id.get()),
            api_clients::name.eq(&client.name),
            api_clients::contact_email.eq(&client.contact_email),
            api_clients::scopes.eq(client.scopes.to_string()),
            api_clients::rate_limit.eq(client.rate_limit),
            api_clients::key_prefix.eq(&key.prefix),
            api_clients::expires_at.eq(client.expires_at.map(Timestamp::micros)),
            api_clients::created_at.eq(client.created_at.micros()),
            api_clients::updated_at.eq(client.created_at.micros()),
        ))
        .returning(columns::<ApiClientRow>())
        .get_result(c)?;
    let client = ApiClient::from(row);
    insert_key(c, client.id, key, client.created_at)?;
    Ok(client)
}

fn insert_key(c: &mut DbConnection, id: ApiClientId, key: &NewKey, now: Timestamp) -> QueryResult<()> {
    diesel::insert_into(api_client_keys::table)
        .values((
            api_client_keys::prefix.eq(&key.prefix),
            api_client_keys::api_client_id.eq(id.get()),
            api_client_keys::digest.eq(&key.digest),
            api_client_keys::created_at.eq(now.micros()),
        ))
        .execute(c)
        .map(drop)
}

/// Reads a key, its API client and the account in one statement.
pub fn key_status(c: &mut DbConnection, prefix: &str, now: Timestamp) -> QueryResult<Option<ApiKeyStatus>> {
    let row: Option<(KeyRow, ApiClientRow, OwnerRow, bool)> = api_client_keys::table
        .inner_join(api_clients::table.inner_join(users::table))
        .filter(api_client_keys::prefix.eq(prefix))
        .select((
            KeyRow::as_select(),
            ApiClientRow::as_select(),
            OwnerRow::as_select(),
            not(exists(cache_suspensions::table.filter(cache_suspensions::ends_at.gt(now.micros())))),
        ))
        .first(c)
        .optional()?;
    Ok(row.map(|(key, client, owner, is_cacheable)| ApiKeyStatus {
        digest: key.digest,
        key_expires_at: key.expires_at.map(Timestamp::from_micros),
        key_last_used_at: key.last_used_at.map(Timestamp::from_micros),
        client: client.into(),
        role: owner.role,
        disabled: owner.disabled,
        revision: owner.revision,
        is_cacheable,
    }))
}

/// Records a use of a key, unless one after `before` is recorded.
pub fn record_use(c: &mut DbConnection, prefix: &str, now: Timestamp, before: Timestamp) -> QueryResult<()> {
    let is_due = api_client_keys::last_used_at.is_null().or(api_client_keys::last_used_at.le(before.micros()));
    let client: Option<i64> = diesel::update(api_client_keys::table.find(prefix).filter(is_due))
        .set(api_client_keys::last_used_at.eq(now.micros()))
        .returning(api_client_keys::api_client_id)
        .get_result(c)
        .optional()?;
    let Some(client) = client else { return Ok(()) };
    let is_later = api_clients::last_used_at.is_null().or(api_clients::last_used_at.lt(now.micros()));
    diesel::update(api_clients::table.find(client).filter(is_later))
        .set(api_clients::last_used_at.eq(now.micros()))
        .execute(c)
        .map(drop)
}

/// Finds an API client.
pub fn find(c: &mut DbConnection, id: ApiClientId) -> QueryResult<Option<ApiClient>> {
    let row: Option<ApiClientRow> =
        api_clients::table.find(id.get()).select(ApiClientRow::as_select()).first(c).optional()?;
    Ok(row.map(ApiClient::from))
}

/// Like [`find`], but locks the row until the transaction ends.
pub fn find_for_update(c: &mut DbConnection, id: ApiClientId) -> QueryResult<Option<ApiClient>> {
    let client = api_clients::table.find(id.get());
    let row: Option<ApiClientRow> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => client.select(ApiClientRow::as_select()).first(c).optional()?,
        DbConnection::Postgres(c) => client.select(ApiClientRow::as_select()).for_update().first(c).optional()?,
    };
    Ok(row.map(ApiClient::from))
}

/// Writes the fields that a change may affect.
pub fn update(c: &mut DbConnection, client: &ApiClient, updated_at: Timestamp) -> QueryResult<ApiClient> {
    let content = ContentRow {
        name: &client.name,
        contact_email: &client.contact_email,
        scopes: client.scopes.to_string(),
        rate_limit: client.rate_limit,
        expires_at: client.expires_at.map(Timestamp::micros),
        deprecation_notices_enabled: client.deprecation_notices_enabled,
        updated_at: updated_at.micros(),
    };
    let row: ApiClientRow = diesel::update(api_clients::table.find(client.id.get()))
        .set(content)
        .returning(columns::<ApiClientRow>())
        .get_result(c)?;
    Ok(row.into())
}

/// Adds a key and makes it the newest one. The others cease to be valid at `previous_valid_until`, unless they do earlier; keys
/// that have expired are deleted.
pub fn rotate(
    c: &mut DbConnection,
    client: &ApiClient,
    key: &NewKey,
    previous_valid_until: Timestamp,
    now: Timestamp,
) -> QueryResult<ApiClient> {
    let keys = api_client_keys::table.filter(api_client_keys::api_client_id.eq(client.id.get()));
    diesel::delete(keys.filter(api_client_keys::expires_at.le(now.micros()))).execute(c)?;
    let is_valid_longer =
        api_client_keys::expires_at.is_null().or(api_client_keys::expires_at.gt(previous_valid_until.micros()));
    diesel::update(keys.filter(is_valid_longer))
        .set(api_client_keys::expires_at.eq(previous_valid_until.micros()))
        .execute(c)?;
    insert_key(c, client.id, key, now)?;
    let row: ApiClientRow = diesel::update(api_clients::table.find(client.id.get()))
        .set((
            api_clients::key_prefix.eq(&key.prefix),
            api_clients::previous_valid_until.eq(previous_valid_until.micros()),
            api_clients::updated_at.eq(now.later_than(client.updated_at).micros()),
        ))
        .returning(columns::<ApiClientRow>())
        .get_result(c)?;
    Ok(row.into())
}

/// Deletes an API client with its keys. Returns `false` if it does not exist.
pub fn delete(c: &mut DbConnection, id: ApiClientId) -> QueryResult<bool> {
    diesel::delete(api_clients::table.find(id.get())).execute(c).map(|rows| rows > 0)
}

/// Selects all API clients, or those of one account.
fn matching(user_id: Option<UserId>) -> api_clients::BoxedQuery<'static, MultiBackend> {
    let mut query = api_clients::table.into_boxed();
    if let Some(user_id) = user_id {
        query = query.filter(api_clients::user_id.eq(user_id.get()));
    }
    query
}

/// Lists the API clients after a position, of all accounts or of one.
pub fn list_after(c: &mut DbConnection, user_id: Option<UserId>, keyset: &Keyset) -> QueryResult<Vec<ApiClient>> {
    let mut page = matching(user_id).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let rows: Vec<ApiClientRow> = page.select(ApiClientRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(ApiClient::from).collect())
}

/// Counts the API clients of all accounts or of one.
pub fn count(c: &mut DbConnection, user_id: Option<UserId>) -> QueryResult<i64> {
    matching(user_id).select(count_star()).first(c)
}
