//! Usage counters: one row per hour or day, operation, consumer and status class.

mod inputs;
mod report;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use diesel::{sql_query, sql_types::Text};
use serde_json::{Value, json};

pub use inputs::list_inputs;
pub use report::{count, list_after, list_most_used};

use super::prelude::*;
use crate::{
    db::{DbConnection, schema::usage_counters},
    domain::{LatencyHistogram, Timestamp, UsageCounters, UsageKey},
};

/// Values of the column `period`.
const HOUR: &str = "hour";
const DAY: &str = "day";
const DAY_LENGTH: Duration = Duration::from_secs(86_400);

/// Number of rows in a statement, which bounds the size of its value.
const ROWS_PER_STATEMENT: usize = 2_000;

/// Columns of the primary key, then the counters that are added up.
const KEY: [&str; 8] =
    ["period", "starts_at", "version", "operation", "consumer_kind", "consumer_id", "user_agent", "status_class"];
const SUMS: [&str; 4] = ["requests", "rejected", "bytes_in", "bytes_out"];

fn latency_columns() -> impl Iterator<Item = String> {
    (0..LatencyHistogram::BUCKETS).map(|bucket| format!("latency_{bucket}"))
}

/// Adds counters to the rows of their hours and days, and stores the inputs of their requests. One statement adds up to 1,000
/// counters.
pub fn add(c: &mut DbConnection, counters: &HashMap<UsageKey, UsageCounters>) -> QueryResult<()> {
    // In the order of the key, so that concurrent servers lock the rows in the same order.
    let mut rows: BTreeMap<(&str, Timestamp, UsageKey), UsageCounters> = BTreeMap::new();
    for (key, counters) in counters {
        let day = key.hour.floor(DAY_LENGTH);
        for (period, starts_at) in [(HOUR, key.hour), (DAY, day)] {
            let key = UsageKey { hour: starts_at, ..key.clone() };
            rows.entry((period, starts_at, key)).or_default().add(counters);
        }
    }
    let rows: Vec<Value> = rows.iter().map(|((period, _, key), counters)| json_row(period, key, counters)).collect();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        // The rows are one value: a statement has a limited number of values, and its text would differ for each number.
        let rows = Value::from(rows).to_string();
        match c {
            DbConnection::Sqlite(c) => {
                sql_query(upsert("json_each($1)")).bind::<Text, _>(rows).execute(c)?;
            }
            DbConnection::Postgres(c) => {
                sql_query(upsert("json_array_elements(CAST($1 AS json))")).bind::<Text, _>(rows).execute(c)?;
            }
        }
    }
    inputs::add(c, counters)
}

/// Returns the values of a row, in the order of the columns in [`upsert`].
fn json_row(period: &str, key: &UsageKey, counters: &UsageCounters) -> Value {
    let consumer = &key.consumer;
    let mut row = vec![
        json!(period),
        json!(key.hour.micros()),
        json!(key.version.as_str()),
        json!(key.operation),
        json!(consumer.kind().as_str()),
        json!(consumer.id().unwrap_or_default()),
        json!(consumer.user_agent().unwrap_or_default()),
        json!(key.status_class),
        json!(counters.requests),
        json!(counters.rejected),
        json!(counters.bytes_in),
        json!(counters.bytes_out),
        json!(counters.last_seen_at.micros()),
    ];
    row.extend(counters.latency.counts().iter().map(|count| json!(count)));
    row.into()
}

/// Returns the statement that inserts rows of a JSON array, or adds them to existing ones.
fn upsert(elements: &str) -> String {
    const TEXTS: [&str; 5] = ["period", "version", "operation", "consumer_kind", "user_agent"];
    let sums: Vec<String> = SUMS.map(str::to_owned).into_iter().chain(latency_columns()).collect();
    let columns: Vec<&str> = KEY
        .into_iter()
        .chain(SUMS)
        .chain(["last_seen_at"])
        .chain(sums[SUMS.len()..].iter().map(String::as_str))
        .collect();
    let values: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let kind = if TEXTS.contains(column) { "TEXT" } else { "BIGINT" };
            format!("CAST(element.value ->> {index} AS {kind})")
        })
        .collect();
    let added: Vec<String> =
        sums.iter().map(|column| format!("{column} = usage_counters.{column} + excluded.{column}")).collect();
    format!(
        "INSERT INTO usage_counters ({}) SELECT {} FROM {elements} AS element{} WHERE true ON CONFLICT ({}) DO UPDATE SET {}, \
         last_seen_at = CASE WHEN excluded.last_seen_at > usage_counters.last_seen_at THEN excluded.last_seen_at \
         ELSE usage_counters.last_seen_at END",
        columns.join(", "),
        values.join(", "),
        // PostgreSQL has no name for the elements; SQLite accepts no other one.
        if elements.starts_with("json_each") { "" } else { "(value)" },
        KEY.join(", "),
        added.join(", "),
    )
}

/// Deletes the counters of hours before `hours_before`, and the counters and inputs of days before `days_before`; returns their
/// number.
pub fn purge(c: &mut DbConnection, hours_before: Timestamp, days_before: Timestamp) -> QueryResult<usize> {
    let mut rows = inputs::purge(c, days_before)?;
    for (period, before) in [(HOUR, hours_before), (DAY, days_before)] {
        let expired = usage_counters::table
            .filter(usage_counters::period.eq(period))
            .filter(usage_counters::starts_at.lt(before.micros()));
        rows += diesel::delete(expired).execute(c)?;
    }
    Ok(rows)
}
