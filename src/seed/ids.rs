//! Reserves ranges of IDs in the sequences of the database. Rows can refer to each other before they are inserted, no
//! statement needs to return IDs, and a running server does not assign the same ones.

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

/// Reserves `count` IDs of `table` and returns the first one. The caller holds [`super::lock`].
pub(super) fn reserve(c: &mut DbConnection, table: &'static str, count: i64) -> QueryResult<i64> {
    if count == 0 {
        // PostgreSQL cannot set a sequence to a value before its first one. The result is unused.
        return Ok(0);
    }
    let last: Last = match c {
        DbConnection::Sqlite(c) => {
            // SQLite has no counter for a table before its first row.
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
        // Rows with explicit IDs may be ahead of the sequence.
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
