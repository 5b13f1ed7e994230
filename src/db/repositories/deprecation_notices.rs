//! Notices about deprecated operations: a row for each notice that was due, with the state of its mail.

use std::collections::BTreeMap;

use diesel::{
    result::Error,
    sql_types::{BigInt, Text},
};
use serde_json::{Value, json};

use super::prelude::*;
use super::statement::Statement;
use crate::{
    db::{DbConnection, schema::deprecation_notices},
    domain::{
        ApiVersion, Consumer, ConsumerKind, ConsumerNotice, NoticeState, RecordedNotice, Timestamp, UnknownValue,
    },
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
    #[diesel(sql_type = BigInt)]
    brownout_at: i64,
    #[diesel(sql_type = Text)]
    state: String,
}

impl NoticeRow {
    fn into_notice(self) -> Result<(ConsumerNotice, RecordedNotice), UnknownValue> {
        let notice = ConsumerNotice {
            consumer: Consumer::from_parts(self.consumer_kind.parse()?, self.consumer_id, ""),
            version: self.version.parse()?,
            operation: self.operation,
            notice: self.notice.parse()?,
            brownout_at: Some(self.brownout_at).filter(|at| *at != 0).map(Timestamp::from_micros),
        };
        let created_at = Timestamp::from_micros(self.created_at);
        let recorded = RecordedNotice { notice: notice.notice, created_at, state: self.state.parse()? };
        Ok((notice, recorded))
    }
}

fn into_notices(rows: Vec<NoticeRow>) -> QueryResult<Vec<(ConsumerNotice, RecordedNotice)>> {
    let notices: Result<Vec<_>, UnknownValue> = rows.into_iter().map(NoticeRow::into_notice).collect();
    notices.map_err(|error| Error::DeserializationError(Box::new(error)))
}

/// Lists the notices about operations, the oldest first.
pub fn list(c: &mut DbConnection, operations: &[&str]) -> QueryResult<Vec<(ConsumerNotice, RecordedNotice)>> {
    let rows = deprecation_notices::table
        .filter(deprecation_notices::operation.eq_any(operations))
        .order((deprecation_notices::created_at, deprecation_notices::notice, deprecation_notices::brownout_at))
        .load(c)?;
    into_notices(rows)
}

/// Inserts notices; returns those that did not exist, with their state: suppressed if they are disabled for the consumer, otherwise queued. A
/// notice that another server inserts at the same time is returned to one of them.
pub fn insert_new(
    c: &mut DbConnection,
    notices: &[ConsumerNotice],
    now: Timestamp,
) -> QueryResult<Vec<(ConsumerNotice, NoticeState)>> {
    // In the order of the key, so that concurrent servers lock the rows in the same order.
    let rows: BTreeMap<_, _> = notices
        .iter()
        .map(|ConsumerNotice { consumer, version, operation, notice, brownout_at }| {
            let (kind, id) = (consumer.kind().as_str(), consumer.id().unwrap_or_default());
            let brownout_at = brownout_at.map(Timestamp::micros).unwrap_or_default();
            let row = json!([kind, id, version.as_str(), operation, notice.as_str(), now.micros(), brownout_at]);
            ((kind, id, version.as_str(), operation.as_str(), notice.as_str(), brownout_at), row)
        })
        .collect();
    let rows: Vec<Value> = rows.into_values().collect();
    let mut inserted = Vec::new();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let elements = Value::from(rows).to_string();
        let mut statement = Statement::default();
        statement.sql(
            "INSERT INTO deprecation_notices (consumer_kind, consumer_id, version, operation, notice, created_at, brownout_at, \
             state) SELECT CAST(element.value ->> 0 AS TEXT), CAST(element.value ->> 1 AS BIGINT), CAST(element.value ->> 2 AS TEXT), \
             CAST(element.value ->> 3 AS TEXT), CAST(element.value ->> 4 AS TEXT), CAST(element.value ->> 5 AS BIGINT), \
             CAST(element.value ->> 6 AS BIGINT), CASE WHEN ",
        );
        push_is_disabled(&mut statement, ConsumerKind::User, "users");
        statement.sql(" OR ");
        push_is_disabled(&mut statement, ConsumerKind::ApiClient, "api_clients");
        statement.sql(" THEN ").text(NoticeState::Suppressed.as_str());
        statement.sql(" ELSE ").text(NoticeState::Queued.as_str()).sql(" END FROM ");
        match c {
            DbConnection::Sqlite(_) => statement.sql("json_each(").text(elements).sql(") AS element"),
            DbConnection::Postgres(_) => {
                statement.sql("json_array_elements(CAST(").text(elements).sql(" AS json)) AS element(value)")
            }
        };
        statement.sql(
            " WHERE true ON CONFLICT DO NOTHING \
             RETURNING consumer_kind, consumer_id, version, operation, notice, created_at, brownout_at, state",
        );
        let rows: Vec<NoticeRow> = statement.load(c)?;
        inserted.extend(into_notices(rows)?.into_iter().map(|(notice, recorded)| (notice, recorded.state)));
    }
    Ok(inserted)
}

/// Adds the condition that the consumer of an element is in `table` and has no notices.
fn push_is_disabled(statement: &mut Statement, kind: ConsumerKind, table: &'static str) {
    statement.sql("(element.value ->> 0 = ").text(kind.as_str()).sql(" AND EXISTS (SELECT 1 FROM ").sql(table);
    statement
        .sql(" WHERE ")
        .sql(table)
        .sql(".id = CAST(element.value ->> 1 AS BIGINT) AND NOT deprecation_notices_enabled))");
}

/// Records the state of the mail that was enqueued at `created_at`, with notices to a consumer about operations.
pub fn set_state(
    c: &mut DbConnection,
    consumer: &Consumer,
    operations: &[(ApiVersion, &str)],
    created_at: Timestamp,
    state: NoticeState,
) -> QueryResult<()> {
    let ids: Vec<&str> = operations.iter().map(|(_, operation)| *operation).collect();
    let versions: Vec<&str> = operations.iter().map(|(version, _)| version.as_str()).collect();
    let of_mail = deprecation_notices::table
        .filter(deprecation_notices::consumer_kind.eq(consumer.kind().as_str()))
        .filter(deprecation_notices::consumer_id.eq(consumer.id().unwrap_or_default()))
        .filter(deprecation_notices::created_at.eq(created_at.micros()))
        .filter(deprecation_notices::operation.eq_any(ids))
        .filter(deprecation_notices::version.eq_any(versions));
    diesel::update(of_mail).set(deprecation_notices::state.eq(state.as_str())).execute(c).map(drop)
}

/// Deletes the notices from before `until`; returns their number.
pub fn purge(c: &mut DbConnection, until: Timestamp) -> QueryResult<usize> {
    diesel::delete(deprecation_notices::table.filter(deprecation_notices::created_at.lt(until.micros()))).execute(c)
}
