//! Stored responses of requests with idempotency keys.

use super::prelude::*;
use crate::{
    db::{DbConnection, schema::idempotency_keys},
    domain::{Timestamp, UserId},
};

/// The stored response of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// Digest of the request.
    pub fingerprint: Vec<u8>,
    /// Version of the format of `result`.
    pub version: i32,
    pub result: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
struct StoredResponseRow {
    fingerprint: Vec<u8>,
    version: i32,
    result: String,
}

impl From<StoredResponseRow> for StoredResponse {
    fn from(row: StoredResponseRow) -> Self {
        Self { fingerprint: row.fingerprint, version: row.version, result: row.result }
    }
}

diesel::define_sql_function! {
    /// Acquires a lock until the end of the transaction if it is free.
    fn pg_try_advisory_xact_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}

/// Acquires a lock until the end of the transaction. Returns `false` if another transaction holds it.
pub fn try_lock(c: &mut DbConnection, lock_id: i64) -> QueryResult<bool> {
    match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(_) => Ok(true),
        DbConnection::Postgres(c) => diesel::select(pg_try_advisory_xact_lock(lock_id)).get_result(c),
    }
}

/// Finds the response of an owner's request with this key that has not expired.
pub fn find(
    c: &mut DbConnection,
    owner: UserId,
    scope: &str,
    key: &str,
    now: Timestamp,
) -> QueryResult<Option<StoredResponse>> {
    let row: Option<StoredResponseRow> = idempotency_keys::table
        .find((owner.get(), scope, key))
        .filter(idempotency_keys::expires_at.gt(now.micros()))
        .select(StoredResponseRow::as_select())
        .first(c)
        .optional()?;
    Ok(row.map(StoredResponse::from))
}

/// Stores a response. Replaces an expired one with the same key.
pub fn store(
    c: &mut DbConnection,
    owner: UserId,
    scope: &str,
    key: &str,
    response: &StoredResponse,
    expires_at: Timestamp,
) -> QueryResult<()> {
    diesel::delete(idempotency_keys::table.find((owner.get(), scope, key))).execute(c)?;
    diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::user_id.eq(owner.get()),
            idempotency_keys::scope.eq(scope),
            idempotency_keys::name.eq(key),
            idempotency_keys::fingerprint.eq(&response.fingerprint),
            idempotency_keys::version.eq(response.version),
            idempotency_keys::result.eq(&response.result),
            idempotency_keys::expires_at.eq(expires_at.micros()),
        ))
        .execute(c)
        .map(drop)
}

/// Deletes expired responses; returns their number.
pub fn purge(c: &mut DbConnection, now: Timestamp) -> QueryResult<usize> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::expires_at.le(now.micros()))).execute(c)
}
