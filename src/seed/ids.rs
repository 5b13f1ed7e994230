//! Ids by the range: taken from the engine's own counters beforehand, so that rows can name each other before they are
//! written, no statement has to return ids, and a running server never gives the same ones away.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Text},
};

use crate::db::DbConnection;

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = BigInt)]
    last: i64,
}

/// Takes `count` ids of `table` and returns the first. The caller holds [`super::lock`].
pub(super) fn reserve(c: &mut DbConnection, table: &'static str, count: i64) -> QueryResult<i64> {
    if count == 0 {
        // PostgreSQL cannot set a sequence back to before its first number; nobody uses this one.
        return Ok(0);
    }
    let last: Last = match c {
        DbConnection::Sqlite(c) => {
            // The counter of AUTOINCREMENT has no row before the table's first one.
            diesel::sql_query(
                "INSERT INTO sqlite_sequence (name, seq) \
                 SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
            )
            .bind::<Text, _>(table)
            .execute(c)?;
            diesel::sql_query("UPDATE sqlite_sequence SET seq = seq + ?2 WHERE name = ?1 RETURNING seq AS last")
                .bind::<Text, _>(table)
                .bind::<BigInt, _>(count)
                .get_result(c)?
        }
        // Ids that somebody chose by hand may be ahead of the sequence.
        DbConnection::Postgres(c) => diesel::sql_query(format!(
            "SELECT setval(sequence, greatest(nextval(sequence), (SELECT coalesce(max(id), 0) + 1 FROM {table})) + $2 - 1) AS last \
             FROM (SELECT pg_get_serial_sequence($1, 'id')::regclass AS sequence) AS s"
        ))
        .bind::<Text, _>(table)
        .bind::<BigInt, _>(count)
        .get_result(c)?,
    };
    Ok(last.last - count + 1)
}
