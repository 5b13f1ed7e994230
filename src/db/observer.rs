//! Observes the statements of a connection: records them in the current trace, and remembers the slow ones.

use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use diesel::result::Error as DieselError;

use super::{
    failure::{self, Statements},
    slow_statements::SlowStatement,
    statement_text::{MAX_LEN, MAX_SHORT_LEN, statement_text, summary},
};
use crate::traces::{self, KeyValue, SpanKind, Status};

/// Observes the statements of one connection.
pub(super) struct StatementObserver {
    /// Name of the engine in traces.
    engine: &'static str,
    /// Run time from which a statement is slow; zero for never.
    slow_after: Duration,
    statements: Arc<Statements>,
    /// When the current statement began. `None` if its run time is not needed.
    started: Option<Started>,
}

struct Started {
    at: Instant,
    /// `None` if no trace is recorded.
    time: Option<SystemTime>,
}

impl StatementObserver {
    pub(super) const fn new(engine: &'static str, slow_after: Duration, statements: Arc<Statements>) -> Self {
        Self { engine, slow_after, statements, started: None }
    }

    pub(super) fn start(&mut self) {
        let time = traces::is_recorded().then(SystemTime::now);
        let is_timed = time.is_some() || !self.slow_after.is_zero();
        self.started = is_timed.then(|| Started { at: Instant::now(), time });
    }

    pub(super) fn finish(&mut self, query: impl Display, error: Option<&DieselError>) {
        let Some(Started { at, time }) = self.started.take() else { return };
        let elapsed = at.elapsed();
        if !self.slow_after.is_zero() && elapsed >= self.slow_after {
            let statement = || SlowStatement {
                text: statement_text(&query, MAX_LEN),
                elapsed,
                // Names the request in the log.
                span: tracing::Span::current(),
            };
            self.statements.remember_slow(statement);
        }
        if let Some(time) = time {
            traces::record(SpanKind::Client, time, || describe(self.engine, &query, error));
        }
    }
}

/// Describes a statement with the semantic conventions of OpenTelemetry. The message of an error is left out: it can contain values.
fn describe(engine: &'static str, query: impl Display, error: Option<&DieselError>) -> (String, Vec<KeyValue>, Status) {
    let text = statement_text(query, MAX_SHORT_LEN);
    let summary = summary(&text);
    let mut attributes = vec![
        KeyValue::new("db.system.name", engine),
        KeyValue::new("db.query.text", text),
        KeyValue::new("db.query.summary", summary.clone()),
    ];
    let Some(error) = error else { return (summary, attributes, Status::Unset) };
    attributes.push(KeyValue::new("error.type", failure::code(error).unwrap_or("query")));
    (summary, attributes, Status::error(""))
}
