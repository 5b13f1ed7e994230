//! Creations that were named by their callers, and what came of them.

use diesel::prelude::*;

use crate::db::{DbConnection, schema::idempotency_keys};

/// What came of a named creation.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Kept {
    pub fingerprint: Vec<u8>,
    pub result: String,
}

diesel::define_sql_function! {
    /// Takes a lock that ends with the transaction, if nobody has it.
    fn pg_try_advisory_xact_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}

/// Makes sure that nobody else works on the same name until the transaction ends. False when somebody does. `lock` stands
/// for owner and name.
pub fn lock(c: &mut DbConnection, lock: i64) -> QueryResult<bool> {
    match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(_) => Ok(true),
        DbConnection::Postgres(c) => diesel::select(pg_try_advisory_xact_lock(lock)).get_result(c),
    }
}

/// What came of this owner's creation of this name, if it is still remembered.
pub fn find(c: &mut DbConnection, owner: i64, name: &str, now: i64) -> QueryResult<Option<Kept>> {
    idempotency_keys::table
        .find((owner, name))
        .filter(idempotency_keys::expires_at.gt(now))
        .select((idempotency_keys::fingerprint, idempotency_keys::result))
        .first(c)
        .optional()
}

/// Remembers what came of a creation; one of the same name that has expired gives way.
pub fn keep(c: &mut DbConnection, owner: i64, name: &str, kept: &Kept, expires_at: i64) -> QueryResult<()> {
    diesel::delete(idempotency_keys::table.find((owner, name))).execute(c)?;
    diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::user_id.eq(owner),
            idempotency_keys::name.eq(name),
            idempotency_keys::fingerprint.eq(&kept.fingerprint),
            idempotency_keys::result.eq(&kept.result),
            idempotency_keys::expires_at.eq(expires_at),
        ))
        .execute(c)
        .map(drop)
}

/// Deletes what has expired; returns how many rows that were.
pub fn purge(c: &mut DbConnection, now: i64) -> QueryResult<usize> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::expires_at.le(now))).execute(c)
}
