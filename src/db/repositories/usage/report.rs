//! Reports: counters of a period, grouped and in a total order.

use diesel::{
    result::Error,
    sql_types::{BigInt, Integer, Nullable, Text},
};

use super::{DAY, HOUR, latency_columns};
use crate::db::repositories::prelude::*;
use crate::{
    db::{DbConnection, repositories::statement::Statement},
    domain::{
        Consumer, ConsumerFilter, ConsumerKind, DeprecatedOperation, Keyset, LatencyHistogram, NamedConsumer,
        Timestamp, UnknownValue, UsageFilter, UsageGrouping, UsageRow, UsageRowKey,
    },
};

#[derive(QueryableByName)]
struct ReportRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    starts_at: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    version: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    operation: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    consumer_kind: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    consumer_id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    user_agent: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    status_class: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    contact_email: Option<String>,
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = BigInt)]
    errors: i64,
    #[diesel(sql_type = BigInt)]
    bytes_in: i64,
    #[diesel(sql_type = BigInt)]
    bytes_out: i64,
    #[diesel(sql_type = BigInt)]
    last_seen_at: i64,
    /// The buckets of the histogram, separated by commas.
    #[diesel(sql_type = Text)]
    latency: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl ReportRow {
    fn into_row(self) -> QueryResult<UsageRow> {
        let unknown = |error: UnknownValue| Error::DeserializationError(Box::new(error));
        let consumer = match (self.consumer_kind, self.consumer_id, self.user_agent) {
            (Some(kind), Some(id), Some(user_agent)) => {
                let kind: ConsumerKind = kind.parse().map_err(unknown)?;
                let name = if kind == ConsumerKind::Anonymous { Some(user_agent.clone()) } else { self.name };
                let consumer = Consumer::from_parts(kind, id, &user_agent);
                Some(NamedConsumer { consumer, name, contact_email: self.contact_email })
            }
            _ => None,
        };
        let mut counts = [0; LatencyHistogram::BUCKETS];
        for (count, text) in counts.iter_mut().zip(self.latency.split(',')) {
            *count = text.parse().unwrap_or_default();
        }
        Ok(UsageRow {
            starts_at: self.starts_at.map(Timestamp::from_micros),
            version: self.version.map(|version| version.parse()).transpose().map_err(unknown)?,
            operation: self.operation,
            consumer,
            status_class: self.status_class.and_then(|class| u8::try_from(class).ok()),
            requests: self.requests,
            errors: self.errors,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            latency: LatencyHistogram::from_counts(counts),
            last_seen_at: Timestamp::from_micros(self.last_seen_at),
        })
    }
}

/// Lists the rows of a report after a position, the latest period first or those with the most requests, then by version, operation and
/// consumer.
pub fn list_after(
    c: &mut DbConnection,
    filter: &UsageFilter,
    deprecated: &[DeprecatedOperation],
    keyset: &Keyset,
) -> QueryResult<Vec<UsageRow>> {
    let invalid = || Error::QueryBuilderError("the position belongs to another list".into());
    let after = match &keyset.after {
        Some(position) => Some(UsageRowKey::from_position(position).ok_or_else(invalid)?),
        None => None,
    };
    let after = after.as_ref().zip(keyset.after.as_ref().map(|position| position.id));
    load(c, filter, deprecated, after, keyset.limit)
}

/// Lists the rows of a report with the most requests.
pub fn list_most_used(
    c: &mut DbConnection,
    filter: &UsageFilter,
    deprecated: &[DeprecatedOperation],
    limit: i64,
) -> QueryResult<Vec<UsageRow>> {
    load(c, &UsageFilter { by_requests: true, ..filter.clone() }, deprecated, None, limit)
}

/// Counts the rows of a report.
pub fn count(c: &mut DbConnection, filter: &UsageFilter, deprecated: &[DeprecatedOperation]) -> QueryResult<i64> {
    let mut statement = Statement::default();
    statement.sql("SELECT count(*) AS count FROM (SELECT 1 FROM usage_counters");
    add_conditions(&mut statement, filter, deprecated);
    statement.sql(&format!(" GROUP BY {}) AS report", group_columns(filter.grouping).join(", ")));
    let rows: Vec<Count> = statement.load(c)?;
    Ok(rows.first().map_or(0, |row| row.count))
}

fn load(
    c: &mut DbConnection,
    filter: &UsageFilter,
    deprecated: &[DeprecatedOperation],
    after: Option<(&UsageRowKey, i64)>,
    limit: i64,
) -> QueryResult<Vec<UsageRow>> {
    let order = order(filter);
    let groups = group_columns(filter.grouping);
    let selected: Vec<String> = ALL_GROUPS
        .iter()
        .map(|(column, kind)| match groups.contains(column) {
            true => (*column).to_owned(),
            false => format!("CAST(NULL AS {kind}) AS {column}"),
        })
        .collect();
    let sum = |column: &str| format!("CAST(sum({column}) AS BIGINT)");
    let requests = requests_column(filter);
    let latency: Vec<String> = latency_columns().map(|column| sum(&column)).collect();
    let mut statement = Statement::default();
    // Names are joined to the rows of the page only. Within the report, the sort keys are the names of the columns.
    statement.sql(&format!(
        "SELECT report.*, coalesce(users.email, api_clients.name) AS name, coalesce(users.email, api_clients.contact_email) AS contact_email \
         FROM (SELECT {}, {} AS requests, {} AS errors, {} AS bytes_in, \
         {} AS bytes_out, max(last_seen_at) AS last_seen_at, {} AS latency FROM usage_counters",
        selected.join(", "),
        sum(requests),
        sum(&format!("CASE WHEN status_class >= 4 THEN {requests} ELSE 0 END")),
        sum("bytes_in"),
        sum("bytes_out"),
        latency.join(" || ',' || "),
    ));
    add_conditions(&mut statement, filter, deprecated);
    if let (Some((after, _)), false) = (after, filter.by_requests) {
        // It can precede the grouping, because it compares only grouped columns.
        add_position(&mut statement, filter.grouping, after);
    }
    statement.sql(&format!(" GROUP BY {}", groups.join(", ")));
    if let (Some((after, count)), true) = (after, filter.by_requests) {
        statement.sql(&format!(" HAVING (sum({requests}) < ")).integer(count);
        statement.sql(&format!(" OR (sum({requests}) = ")).integer(count);
        add_position(&mut statement, filter.grouping, after);
        statement.sql("))");
    }
    statement.sql(&format!(" ORDER BY {order} LIMIT ")).integer(limit);
    statement.sql(&format!(
        ") AS report LEFT JOIN users ON report.consumer_kind = 'user' AND users.id = report.consumer_id \
         LEFT JOIN api_clients ON report.consumer_kind = 'api_client' AND api_clients.id = report.consumer_id ORDER BY {}",
        order.split(", ").map(|term| format!("report.{term}")).collect::<Vec<_>>().join(", ")
    ));
    let rows: Vec<ReportRow> = statement.load(c)?;
    rows.into_iter().map(ReportRow::into_row).collect()
}

/// Every column that a report can be grouped by, with its type.
const ALL_GROUPS: [(&str, &str); 7] = [
    ("starts_at", "BIGINT"),
    ("version", "TEXT"),
    ("operation", "TEXT"),
    ("consumer_kind", "TEXT"),
    ("consumer_id", "BIGINT"),
    ("user_agent", "TEXT"),
    ("status_class", "INTEGER"),
];

/// The requests of a row that a report counts.
fn requests_column(filter: &UsageFilter) -> &'static str {
    if filter.who_is_left { "(requests - rejected)" } else { "requests" }
}

fn group_columns(grouping: UsageGrouping) -> Vec<&'static str> {
    let is_grouped = |column: &str| match column {
        "starts_at" => grouping.has_start(),
        "version" => grouping.by_version,
        "operation" => grouping.by_operation,
        "status_class" => grouping.by_status,
        _ => grouping.by_consumer,
    };
    ALL_GROUPS.iter().map(|(column, _)| *column).filter(|column| is_grouped(column)).collect()
}

/// Named consumers first, if that is selected, then the most requests, then the latest period, then by the other columns.
fn order(filter: &UsageFilter) -> String {
    let direction = |column: &str| if column == "starts_at" { " DESC" } else { "" };
    let columns = group_columns(filter.grouping);
    let terms = columns.iter().map(|column| format!("{column}{}", direction(column)));
    let named = (filter.who_is_left && filter.grouping.by_consumer).then(|| "consumer_kind = 'anonymous'".to_owned());
    let requests = filter.by_requests.then(|| "requests DESC".to_owned());
    named.into_iter().chain(requests).chain(terms).collect::<Vec<_>>().join(", ")
}

fn add_conditions(statement: &mut Statement, filter: &UsageFilter, deprecated: &[DeprecatedOperation]) {
    statement.sql(" WHERE period = ").text(if filter.grouping.by_hour { HOUR } else { DAY });
    statement.sql(" AND starts_at >= ").integer(filter.from.micros());
    statement.sql(" AND starts_at < ").integer(filter.until.micros());
    if let Some(version) = filter.version {
        statement.sql(" AND version = ").text(version.as_str());
    }
    if let Some(operation) = &filter.operation {
        statement.sql(" AND operation = ").text(operation);
    }
    match &filter.consumer {
        None => {}
        Some(ConsumerFilter::Kind(kind)) => {
            statement.sql(" AND consumer_kind = ").text(kind.as_str());
        }
        Some(ConsumerFilter::Named) => {
            statement.sql(" AND consumer_kind <> ").text(ConsumerKind::Anonymous.as_str());
        }
        Some(ConsumerFilter::One(consumer)) => {
            statement.sql(" AND consumer_kind = ").text(consumer.kind().as_str());
            statement.sql(" AND consumer_id = ").integer(consumer.id().unwrap_or_default());
            statement.sql(" AND user_agent = ").text(consumer.user_agent().unwrap_or_default());
        }
    }
    if let Some(class) = filter.status_class {
        statement.sql(" AND status_class = ").integer(i64::from(class));
    }
    if filter.who_is_left {
        statement.sql(
            " AND requests > rejected AND (consumer_kind = 'anonymous' \
             OR consumer_kind = 'user' AND EXISTS (SELECT 1 FROM users WHERE users.id = usage_counters.consumer_id) \
             OR consumer_kind = 'api_client' AND EXISTS (SELECT 1 FROM api_clients WHERE api_clients.id = usage_counters.consumer_id))",
        );
    }
    if let Some(is_deprecated) = filter.deprecated {
        statement.sql(if is_deprecated { " AND (1 = 0" } else { " AND NOT (1 = 0" });
        for deprecated in deprecated {
            statement.sql(" OR (version = ").text(deprecated.version.as_str());
            statement.sql(" AND operation = ").text(deprecated.operation).sql(")");
        }
        statement.sql(")");
    }
}

/// Adds the condition for rows after a position by their grouped columns.
fn add_position(statement: &mut Statement, grouping: UsageGrouping, after: &UsageRowKey) {
    let columns: Vec<&str> = group_columns(grouping).into_iter().filter(|column| *column != "starts_at").collect();
    statement.sql(" AND (");
    if grouping.has_start() {
        statement.sql("starts_at < ").integer(after.starts_at);
        if columns.is_empty() {
            statement.sql(")");
            return;
        }
        statement.sql(" OR (starts_at = ").integer(after.starts_at).sql(" AND ");
    }
    statement.sql(&format!("({}) > (", columns.join(", ")));
    for (index, column) in columns.iter().enumerate() {
        statement.sql(if index > 0 { ", " } else { "" });
        match *column {
            "version" => statement.text(&after.version),
            "operation" => statement.text(&after.operation),
            "consumer_kind" => statement.text(&after.consumer_kind),
            "consumer_id" => statement.integer(after.consumer_id),
            "status_class" => statement.integer(after.status_class),
            _ => statement.text(&after.user_agent),
        };
    }
    statement.sql(if grouping.has_start() { ")))" } else { "))" });
}
