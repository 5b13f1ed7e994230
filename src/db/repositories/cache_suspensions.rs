//! The suspension of caches: while it lasts, no server may cache what it reads about accounts.

use super::prelude::*;
use crate::{
    db::{DbConnection, schema::cache_suspensions},
    domain::Timestamp,
};

/// The ID of the only row.
const ID: i64 = 1;

/// Suspends caches at least until this time.
pub fn extend(c: &mut DbConnection, ends_at: Timestamp) -> QueryResult<()> {
    let later = cache_suspensions::table.find(ID).filter(cache_suspensions::ends_at.lt(ends_at.micros()));
    let updated = diesel::update(later).set(cache_suspensions::ends_at.eq(ends_at.micros())).execute(c)?;
    if updated > 0 {
        return Ok(());
    }
    let row = (cache_suspensions::id.eq(ID), cache_suspensions::ends_at.eq(ends_at.micros()));
    let insert = diesel::insert_into(cache_suspensions::table).values(row).on_conflict_do_nothing();
    match c {
        DbConnection::Sqlite(c) => insert.execute(c).map(drop),
        DbConnection::Postgres(c) => insert.execute(c).map(drop),
    }
}
