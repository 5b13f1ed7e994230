//! Notices about deprecated operations: a row for each notice that was mailed.

use std::collections::BTreeMap;

use diesel::{
    prelude::*,
    result::Error,
    sql_types::{BigInt, Text},
};
use serde_json::{Value, json};

use super::statement::Statement;
use crate::{
    db::{DbConnection, schema::deprecation_notices},
    domain::{Consumer, ConsumerNotice, Timestamp, UnknownValue},
};

/// Number of rows in a statement, which bounds the size of its value.
const ROWS_PER_STATEMENT: usize = 2_000;

#[derive(Queryable, QueryableByName)]
struct NoticeRow {
    #[diesel(sql_type = Text)]
    consumer_kind: String,
    #[diesel(sql_type = BigInt)]
    consumer_id: i64,
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    operation: String,
    #[diesel(sql_type = Text)]
    notice: String,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
}

impl NoticeRow {
    fn into_notice(self) -> Result<(ConsumerNotice, Timestamp), UnknownValue> {
        let notice = ConsumerNotice {
            consumer: Consumer::from_parts(self.consumer_kind.parse()?, self.consumer_id, ""),
            version: self.version.parse()?,
            operation: self.operation,
            notice: self.notice.parse()?,
        };
        Ok((notice, Timestamp::from_micros(self.created_at)))
    }
}

fn into_notices(rows: Vec<NoticeRow>) -> QueryResult<Vec<(ConsumerNotice, Timestamp)>> {
    let notices: Result<Vec<_>, UnknownValue> = rows.into_iter().map(NoticeRow::into_notice).collect();
    notices.map_err(|error| Error::DeserializationError(Box::new(error)))
}

/// Lists the notices about operations, with the time of each.
pub fn list(c: &mut DbConnection, operations: &[&str]) -> QueryResult<Vec<(ConsumerNotice, Timestamp)>> {
    let rows = deprecation_notices::table
        .filter(deprecation_notices::operation.eq_any(operations))
        .order((deprecation_notices::created_at, deprecation_notices::notice))
        .load(c)?;
    into_notices(rows)
}

/// Inserts notices; returns those that did not exist. A notice that another server inserts at the same time is returned to one of them.
pub fn insert_new(
    c: &mut DbConnection,
    notices: &[ConsumerNotice],
    now: Timestamp,
) -> QueryResult<Vec<ConsumerNotice>> {
    // In the order of the key, so that concurrent servers lock the rows in the same order.
    let rows: BTreeMap<_, _> = notices
        .iter()
        .map(|ConsumerNotice { consumer, version, operation, notice }| {
            let (kind, id) = (consumer.kind().as_str(), consumer.id().unwrap_or_default());
            let row = json!([kind, id, version.as_str(), operation, notice.as_str(), now.micros()]);
            ((kind, id, version.as_str(), operation.as_str(), notice.as_str()), row)
        })
        .collect();
    let rows: Vec<Value> = rows.into_values().collect();
    let mut inserted = Vec::new();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let elements = Value::from(rows).to_string();
        let mut statement = Statement::default();
        statement.sql(
            "INSERT INTO deprecation_notices (consumer_kind, consumer_id, version, operation, notice, created_at) \
             SELECT CAST(element.value ->> 0 AS TEXT), CAST(element.value ->> 1 AS BIGINT), CAST(element.value ->> 2 AS TEXT), \
             CAST(element.value ->> 3 AS TEXT), CAST(element.value ->> 4 AS TEXT), CAST(element.value ->> 5 AS BIGINT) FROM ",
        );
        match c {
            DbConnection::Sqlite(_) => statement.sql("json_each(").text(elements).sql(") AS element"),
            DbConnection::Postgres(_) => {
                statement.sql("json_array_elements(CAST(").text(elements).sql(" AS json)) AS element(value)")
            }
        };
        statement.sql(
            " WHERE true ON CONFLICT DO NOTHING \
             RETURNING consumer_kind, consumer_id, version, operation, notice, created_at",
        );
        let rows: Vec<NoticeRow> = statement.load(c)?;
        inserted.extend(into_notices(rows)?.into_iter().map(|(notice, _)| notice));
    }
    Ok(inserted)
}

/// Deletes the notices from before `until`; returns their number.
pub fn purge(c: &mut DbConnection, until: Timestamp) -> QueryResult<usize> {
    diesel::delete(deprecation_notices::table.filter(deprecation_notices::created_at.lt(until.micros()))).execute(c)
}
