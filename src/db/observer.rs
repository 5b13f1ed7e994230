//! Observes the statements of a connection: records them in the current trace, and remembers the slow ones.

use std::{
    cell::{Cell, RefCell},
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
    /// Minimum run time of a slow statement; zero for never.
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
            let (name, attributes, status) = describe(self.engine, &query, error);
            FinishedStatement { started: time, name, attributes, status }.record_with_rows();
        }
    }
}

/// A statement of a trace.
struct FinishedStatement {
    started: SystemTime,
    name: String,
    attributes: Vec<KeyValue>,
    status: Status,
}

/// How the number of rows of the current statement is reported.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowReport {
    /// The statement returns no rows, or its caller does not report them.
    None,
    /// The caller reports them after the statement.
    Expected,
    /// The statement has ended. It is recorded when its rows are reported.
    Due,
}

thread_local! {
    static ROW_REPORT: Cell<RowReport> = const { Cell::new(RowReport::None) };
    /// The statement that has ended, if a report is due.
    static FINISHED: RefCell<Option<FinishedStatement>> = const { RefCell::new(None) };
}

impl FinishedStatement {
    /// Records the statement, after its rows if the caller reports them.
    fn record_with_rows(self) {
        if ROW_REPORT.get() == RowReport::None {
            return self.record(None);
        }
        ROW_REPORT.set(RowReport::Due);
        if let Some(previous) = FINISHED.replace(Some(self)) {
            previous.record(None);
        }
    }

    fn record(self, rows: Option<usize>) {
        let Self { started, name, mut attributes, status } = self;
        let rows = rows.and_then(|rows| i64::try_from(rows).ok());
        attributes.extend(rows.map(|rows| KeyValue::new("db.response.returned_rows", rows)));
        traces::record(SpanKind::Client, started, || (name, attributes, status));
    }
}

/// Runs a statement that returns rows, and records their number in its span. Without a trace, this only sets and reads a variable of the
/// thread.
pub(super) fn with_returned_rows<T>(run: impl FnOnce() -> T, count: impl FnOnce(&T) -> Option<usize>) -> T {
    /// Records the statement also after a panic.
    struct EndReport;

    impl Drop for EndReport {
        fn drop(&mut self) {
            report_rows(|| None);
        }
    }

    let _end = EndReport;
    ROW_REPORT.set(RowReport::Expected);
    let result = run();
    report_rows(|| count(&result));
    result
}

/// Records the statement that has ended, if a report is due, and ends the report.
fn report_rows(count: impl FnOnce() -> Option<usize>) {
    if ROW_REPORT.replace(RowReport::None) == RowReport::Due
        && let Some(finished) = FINISHED.take()
    {
        finished.record(count());
    }
}

/// Describes a statement with the semantic conventions of OpenTelemetry. The message of an error is omitted: it can contain values.
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
