//! The servers that use a PostgreSQL database. Times are those of its clock, since the clocks of servers can differ.

use diesel::{
    sql_query,
    sql_types::{BigInt, Text},
};

use super::prelude::*;
use crate::{
    db::DbConnection,
    domain::{RunningServer, Timestamp},
};

/// The time of the database, in microseconds.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
/// Time in microseconds after which a server that does not renew its row counts as stopped.
const STOPPED_AFTER: i64 = 30_000_000;

#[derive(QueryableByName)]
struct ServerRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    address: String,
    #[diesel(sql_type = BigInt)]
    process: i64,
    #[diesel(sql_type = Text)]
    settings: String,
}

#[derive(QueryableByName)]
struct TimeRow {
    #[diesel(sql_type = BigInt)]
    now: i64,
}

/// Returns the time of the database; `None` on SQLite, whose clock is that of the server.
pub fn time(c: &mut DbConnection) -> QueryResult<Option<Timestamp>> {
    let DbConnection::Postgres(c) = c else { return Ok(None) };
    let row: TimeRow = sql_query(format!("SELECT {NOW} AS now")).get_result(c)?;
    Ok(Some(Timestamp::from_micros(row.now)))
}

/// Inserts or renews the row of a server. Before it inserts one, it deletes those of stopped servers, also of an earlier process on the
/// same port. Does nothing on SQLite, which has one server.
pub fn renew(c: &mut DbConnection, server: &RunningServer) -> QueryResult<()> {
    let DbConnection::Postgres(c) = c else { return Ok(()) };
    let settings = serde_json::to_string(&server.settings)
        .map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    let renewed = sql_query(format!("UPDATE running_servers SET renewed_at = {NOW} WHERE id = $1 AND settings = $2"))
        .bind::<Text, _>(&server.id)
        .bind::<Text, _>(&settings)
        .execute(c)?;
    if renewed > 0 {
        return Ok(());
    }
    sql_query(format!(
        "DELETE FROM running_servers WHERE renewed_at < {NOW} - {STOPPED_AFTER} OR (address = $1 AND address LIKE '%:%')"
    ))
    .bind::<Text, _>(&server.address)
    .execute(c)?;
    sql_query(format!(
        "INSERT INTO running_servers (id, address, process, settings, renewed_at) VALUES ($1, $2, $3, $4, {NOW}) \
         ON CONFLICT (id) DO NOTHING"
    ))
    .bind::<Text, _>(&server.id)
    .bind::<Text, _>(&server.address)
    .bind::<BigInt, _>(i64::from(server.process))
    .bind::<Text, _>(&settings)
    .execute(c)
    .map(drop)
}

/// Lists the servers that run, except the one with this ID.
pub fn list_others(c: &mut DbConnection, id: &str) -> QueryResult<Vec<RunningServer>> {
    let DbConnection::Postgres(c) = c else { return Ok(Vec::new()) };
    let rows: Vec<ServerRow> = sql_query(format!(
        "SELECT id, address, process, settings FROM running_servers \
         WHERE id <> $1 AND renewed_at >= {NOW} - {STOPPED_AFTER} ORDER BY address, id"
    ))
    .bind::<Text, _>(id)
    .load(c)?;
    // A row of another release can have another form.
    let server = |row: ServerRow| {
        let settings = serde_json::from_str(&row.settings).ok()?;
        let process = u32::try_from(row.process).unwrap_or_default();
        Some(RunningServer { id: row.id, address: row.address, process, settings })
    };
    Ok(rows.into_iter().filter_map(server).collect())
}

/// Deletes the row of a server that stops.
pub fn delete(c: &mut DbConnection, id: &str) -> QueryResult<()> {
    let DbConnection::Postgres(c) = c else { return Ok(()) };
    sql_query("DELETE FROM running_servers WHERE id = $1").bind::<Text, _>(id).execute(c).map(drop)
}
