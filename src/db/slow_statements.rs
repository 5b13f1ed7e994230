//! Logs slow statements with their plan.
//!
//! A database that is slow must not become slower because of its log: each statement is logged once a minute, all statements together a few
//! times a minute, and the plan is only requested for a statement that is logged. The plan is that of the statement without its values.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, result::QueryResult,
    sql_query, sql_types::Text,
};

use super::{
    DbConnection,
    connection::PooledConnection,
    statement_text::{MAX_LEN, MAX_SHORT_LEN},
};

/// Interval between two log lines for the same statement.
const INTERVAL: Duration = Duration::from_secs(60);
/// Maximum number of log lines per interval, which also bounds the memory.
const MAX_PER_INTERVAL: usize = 30;
/// Maximum number of slow statements that a unit of work remembers.
pub(super) const MAX_PER_UNIT: usize = 4;
/// Name of the prepared statement whose plan is requested.
const PREPARED: &str = "bucketlist_slow_statement";

/// A statement that took too long.
#[derive(Debug)]
pub(super) struct SlowStatement {
    /// The SQL without its values.
    pub(super) text: String,
    pub(super) elapsed: Duration,
    /// The span of the log in which it ran.
    pub(super) span: tracing::Span,
}

/// Limits the log of slow statements. Shared by all connections.
#[derive(Clone, Debug, Default)]
pub(super) struct SlowStatementLog(Arc<Mutex<Recent>>);

#[derive(Debug, Default)]
struct Recent {
    hasher: RandomState,
    /// The statements that were logged within the last interval, with the number of executions that were not.
    logged: HashMap<u64, (Instant, u64)>,
}

impl Recent {
    /// Returns the number of executions that were not logged since the last line; `None` if this one must not be logged either.
    fn admit(&mut self, text: &str, now: Instant) -> Option<u64> {
        let key = self.hasher.hash_one(text);
        let is_recent = |logged_at: Instant| now.duration_since(logged_at) < INTERVAL;
        if let Some((logged_at, suppressed)) = self.logged.get_mut(&key) {
            if is_recent(*logged_at) {
                *suppressed += 1;
                return None;
            }
            *logged_at = now;
            return Some(std::mem::take(suppressed));
        }
        if self.logged.len() >= MAX_PER_INTERVAL {
            self.logged.retain(|_, (logged_at, _)| is_recent(*logged_at));
        }
        if self.logged.len() >= MAX_PER_INTERVAL {
            return None;
        }
        self.logged.insert(key, (now, 0));
        Some(0)
    }
}

impl SlowStatementLog {
    /// Logs the slow statements of the last unit of work on a connection, which is not in a transaction.
    pub(super) fn write(&self, connection: &mut PooledConnection) {
        let PooledConnection { connection, statements, .. } = connection;
        for SlowStatement { text, elapsed, span } in statements.take_slow() {
            let admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(&text, Instant::now());
            let Some(suppressed) = admitted else { continue };
            let mut plan = None;
            statements.check(|| {
                plan = explain(connection, &text);
                true
            });
            let statement = &text[..text.floor_char_boundary(MAX_SHORT_LEN)];
            let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            let _entered = span.enter();
            tracing::warn!(duration_ms, statement, plan, suppressed, "slow statement");
        }
    }
}

#[derive(QueryableByName)]
struct SqlitePlan {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresPlan {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

/// Returns the plan of a statement. `None` if the engine has none, as for `COMMIT`, or the text is incomplete.
fn explain(c: &mut DbConnection, sql: &str) -> Option<String> {
    let operation = sql.split_whitespace().next().unwrap_or_default();
    let has_plan = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|it| operation.eq_ignore_ascii_case(it));
    // Several statements have no common plan, and would be executed.
    if !has_plan || sql.len() >= MAX_LEN || sql.contains(';') {
        return None;
    }
    let lines = match c {
        DbConnection::Sqlite(c) => {
            let plan = sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load::<SqlitePlan>(c);
            plan.map(|lines| lines.into_iter().map(|line| line.detail).collect())
        }
        DbConnection::Postgres(c) => explain_generic(c, sql),
    };
    match lines {
        Ok(lines) => {
            let plan = lines.iter().map(|line: &String| line.trim()).collect::<Vec<_>>().join("; ");
            // SQLite has no steps for an INSERT of values.
            Some(plan).filter(|plan| !plan.is_empty())
        }
        Err(error) => {
            tracing::debug!(%error, "cannot explain a slow statement");
            None
        }
    }
}

/// Returns the generic plan of a statement on PostgreSQL, which does not depend on its values. Uses one transaction, so that a connection
/// pooler does not change the connection, and no setting remains.
fn explain_generic(c: &mut PgConnection, sql: &str) -> QueryResult<Vec<String>> {
    c.transaction(|c| {
        c.batch_execute(&format!("SET LOCAL plan_cache_mode = force_generic_plan; PREPARE {PREPARED} AS {sql}"))?;
        let values = vec!["NULL"; placeholders(sql)].join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        let explain = sql_query(format!("EXPLAIN EXECUTE {PREPARED}{values}"));
        // In a savepoint, so that the statement can be deallocated after an error.
        let plan = c.transaction::<Vec<PostgresPlan>, diesel::result::Error, _>(|c| explain.load(c));
        c.batch_execute(&format!("DEALLOCATE {PREPARED}"))?;
        Ok(plan?.into_iter().map(|line| line.line).collect())
    })
}

/// Returns the number of placeholders: the largest `$n`.
fn placeholders(sql: &str) -> usize {
    let number = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        text[..digits].parse::<usize>().ok()
    };
    sql.split('$').skip(1).filter_map(number).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_is_logged_once_per_interval() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        assert_eq!(recent.admit("a", start), Some(0));
        assert_eq!(recent.admit("a", start), None);
        assert_eq!(recent.admit("a", start + INTERVAL / 2), None);
        assert_eq!(recent.admit("b", start), Some(0));
        assert_eq!(recent.admit("a", start + INTERVAL), Some(2), "two executions were not logged");
        assert_eq!(recent.admit("a", start + INTERVAL), None);
    }

    #[test]
    fn different_statements_are_limited_together() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        let admitted = (0..1_000).filter(|number| recent.admit(&format!("SELECT {number}"), start).is_some()).count();
        assert_eq!((admitted, recent.logged.len()), (MAX_PER_INTERVAL, MAX_PER_INTERVAL));
        assert_eq!(recent.admit("later", start + INTERVAL), Some(0));
    }

    #[test]
    fn placeholders_are_counted() {
        for (sql, count) in [("SELECT 1", 0), ("SELECT $1, $2", 2), ("SELECT $2 + $10 + $1", 10), ("SELECT '$'", 0)] {
            assert_eq!(placeholders(sql), count, "{sql}");
        }
    }
}
