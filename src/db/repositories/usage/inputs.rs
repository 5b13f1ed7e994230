//! The query parameters and body fields that consumers have sent: one row per day, operation, consumer and name.

use std::collections::{BTreeSet, HashMap};

use diesel::{
    result::Error,
    sql_query,
    sql_types::{BigInt, Text},
};
use serde_json::{Value, json};

use super::{DAY_LENGTH, ROWS_PER_STATEMENT};
use crate::db::repositories::prelude::*;
use crate::{
    db::{DbConnection, repositories::statement::Statement, schema::usage_inputs},
    domain::{ApiVersion, Consumer, ConsumerKind, SentInput, Timestamp, UnknownValue, UsageCounters, UsageKey},
};

/// Stores the inputs of requests. Those that are stored already are not changed.
pub(super) fn add(c: &mut DbConnection, counters: &HashMap<UsageKey, UsageCounters>) -> QueryResult<()> {
    // In the order of the key, so that concurrent servers lock the rows in the same order.
    let mut rows = BTreeSet::new();
    for (key, counters) in counters {
        let (day, consumer) = (key.hour.floor(DAY_LENGTH).micros(), &key.consumer);
        let (id, user_agent) = (consumer.id().unwrap_or_default(), consumer.user_agent().unwrap_or_default());
        for input in counters.inputs.names() {
            rows.insert((day, key.version.as_str(), key.operation, consumer.kind().as_str(), id, user_agent, input));
        }
    }
    let rows: Vec<Value> = rows.into_iter().map(|row| json!(row)).collect();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let elements = Value::from(rows).to_string();
        match c {
            DbConnection::Sqlite(c) => {
                sql_query(insert("json_each($1) AS element")).bind::<Text, _>(elements).execute(c)?;
            }
            DbConnection::Postgres(c) => {
                let elements_of = "json_array_elements(CAST($1 AS json)) AS element(value)";
                sql_query(insert(elements_of)).bind::<Text, _>(elements).execute(c)?;
            }
        }
    }
    Ok(())
}

/// Returns the statement that inserts rows of a JSON array, except those that exist.
fn insert(elements: &str) -> String {
    format!(
        "INSERT INTO usage_inputs (day, version, operation, consumer_kind, consumer_id, user_agent, input) \
         SELECT CAST(element.value ->> 0 AS BIGINT), CAST(element.value ->> 1 AS TEXT), CAST(element.value ->> 2 AS TEXT), \
         CAST(element.value ->> 3 AS TEXT), CAST(element.value ->> 4 AS BIGINT), CAST(element.value ->> 5 AS TEXT), \
         CAST(element.value ->> 6 AS TEXT) FROM {elements} WHERE true ON CONFLICT DO NOTHING"
    )
}

#[derive(QueryableByName)]
struct InputRow {
    #[diesel(sql_type = Text)]
    operation: String,
    #[diesel(sql_type = Text)]
    consumer_kind: String,
    #[diesel(sql_type = BigInt)]
    consumer_id: i64,
    #[diesel(sql_type = Text)]
    user_agent: String,
    #[diesel(sql_type = Text)]
    input: String,
}

/// Lists the inputs that consumers have sent in a period, to a version or to all.
pub fn list_inputs(
    c: &mut DbConnection,
    from: Timestamp,
    until: Timestamp,
    version: Option<ApiVersion>,
) -> QueryResult<Vec<SentInput>> {
    let mut statement = Statement::default();
    statement.sql(
        "SELECT DISTINCT operation, consumer_kind, consumer_id, user_agent, input FROM usage_inputs WHERE day >= ",
    );
    statement.integer(from.micros()).sql(" AND day < ").integer(until.micros());
    if let Some(version) = version {
        statement.sql(" AND version = ").text(version.as_str());
    }
    let rows: Vec<InputRow> = statement.load(c)?;
    rows.into_iter()
        .map(|row| {
            let kind: Result<ConsumerKind, UnknownValue> = row.consumer_kind.parse();
            let kind = kind.map_err(|error| Error::DeserializationError(Box::new(error)))?;
            let consumer = Consumer::from_parts(kind, row.consumer_id, &row.user_agent);
            Ok(SentInput { operation: row.operation, consumer, input: row.input })
        })
        .collect()
}

/// Deletes the inputs of days before `before`; returns their number.
pub(super) fn purge(c: &mut DbConnection, before: Timestamp) -> QueryResult<usize> {
    diesel::delete(usage_inputs::table.filter(usage_inputs::day.lt(before.micros()))).execute(c)
}
