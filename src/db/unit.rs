//! A unit of work: sent to a database thread, which returns the result.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use super::{DbConnection, DbError, connection::PooledConnection, failure::Statements};
use crate::{
    domain::UserId,
    metrics::DatabaseMetrics,
    traces::{self, Context},
};

/// The interface of a unit of work for a database thread.
pub(super) trait Unit: Send {
    /// Returns whether the deadline has passed, so that the unit must not start.
    fn is_overdue(&self) -> bool;

    /// Marks the unit as started. Returns `false` if the caller has received an error: the unit must not run then.
    fn start(&mut self) -> bool;

    /// Marks a unit that had no effect as waiting again, so that its caller gets an error at the deadline. Returns `false` if the deadline
    /// has passed, so that the unit must not be repeated.
    fn release(&mut self) -> bool {
        false
    }

    /// Marks a unit that was released as started. Returns `false` if the caller has received an error.
    fn resume(&mut self) -> bool {
        true
    }

    /// Runs the work, from the beginning at each call. Returns whether it succeeded; a write that succeeded must be committed.
    fn run(&mut self, connection: &mut PooledConnection) -> bool;

    /// Sends the result of the work to the caller, or the error that prevented the commit.
    fn finish(self: Box<Self>, commit: Result<(), DbError>);

    /// Returns the call that waits for the unit, so that it can receive an error while the unit runs.
    fn call(&self) -> Arc<dyn Expire>;

    /// Returns whether each statement of the unit is committed when it ends. If the connection is lost during the statement, it is not
    /// known whether it took effect, so the unit must not be repeated.
    fn is_autocommit(&self) -> bool {
        false
    }

    /// Returns the account whose resources the unit changes.
    fn account(&self) -> Option<i64> {
        None
    }

    /// Like [`Self::run`], for a unit that is a single statement, within a transaction that it shares with others.
    fn run_shared(&mut self, connection: &mut PooledConnection) -> bool {
        self.run(connection)
    }
}

/// A call whose time can be up while its unit runs.
pub(super) trait Expire: Send + Sync {
    /// Returns an error to the caller. The unit must not commit after that.
    fn expire(&self, limit: Duration);
}

/// The transaction of a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A single statement, without an explicit transaction.
    Read,
    /// Several statements that read the same state.
    Snapshot,
    /// Changes that are committed together or not at all. Within the transaction of a group, a savepoint. `account` is the one whose row is
    /// locked first.
    Write { account: Option<UserId> },
    /// On PostgreSQL, changes of a single statement, without an explicit transaction. On SQLite, the same as [`Kind::Write`].
    WriteStatement { account: UserId },
}

/// Begins a snapshot on SQLite.
const SQLITE_SNAPSHOT: &str = "BEGIN DEFERRED";

impl Kind {
    /// Returns the name in traces.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Snapshot => "snapshot",
            Self::Write { .. } | Self::WriteStatement { .. } => "write",
        }
    }

    const fn is_write(self) -> bool {
        matches!(self, Self::Write { .. } | Self::WriteStatement { .. })
    }
}

/// Measures how long a unit waits for a connection and for its commit, for traces and metrics.
pub(super) struct Timing {
    queued_at: Instant,
    /// When the work ended; set only if it is traced.
    ended_at: Option<Instant>,
    /// `None` if the unit is not traced.
    trace: Option<Context>,
    metrics: Option<DatabaseMetrics>,
}

impl Timing {
    pub(super) fn new(trace: Option<Context>, metrics: Option<DatabaseMetrics>) -> Self {
        Self { queued_at: Instant::now(), ended_at: None, trace, metrics }
    }

    fn record_wait(&self, kind: Kind) {
        if self.trace.is_none() && self.metrics.is_none() {
            return;
        }
        let wait = self.queued_at.elapsed();
        if let Some(metrics) = &self.metrics {
            metrics.record_wait(kind.is_write(), wait);
        }
        if let Some(trace) = &self.trace {
            traces::set_milliseconds(trace, "bucketlist.db.wait_ms", wait);
        }
    }

    fn record_end(&mut self) {
        self.ended_at = self.trace.as_ref().map(|_| Instant::now());
    }

    fn record_commit(&self, kind: Kind) {
        if let (true, Some(trace), Some(ended_at)) = (kind.is_write(), &self.trace, self.ended_at) {
            traces::set_milliseconds(trace, "bucketlist.db.commit_ms", ended_at.elapsed());
        }
    }
}

/// Called with the result of a committed unit.
pub(super) type AfterCommit<T> = Box<dyn FnOnce(&T) + Send>;

/// The connection between a caller and its unit of work.
pub(super) struct Call<T, E> {
    state: Mutex<CallState>,
    reply: Mutex<Option<oneshot::Sender<Result<T, E>>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CallState {
    /// The unit is in the queue.
    Waiting,
    /// The unit has started.
    Started,
    /// The caller has received an error, and the unit must not commit.
    Expired,
}

impl<T, E> Call<T, E> {
    pub(super) fn new() -> (Arc<Self>, oneshot::Receiver<Result<T, E>>) {
        let (reply, result) = oneshot::channel();
        (Arc::new(Self { state: Mutex::new(CallState::Waiting), reply: Mutex::new(Some(reply)) }), result)
    }

    /// Cancels the unit unless it has started. Returns whether it was cancelled.
    pub(super) fn cancel(&self) -> bool {
        self.change(CallState::Waiting, CallState::Expired)
    }

    fn change(&self, from: CallState, to: CallState) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_changed = *state == from;
        if is_changed {
            *state = to;
        }
        is_changed
    }

    fn is(&self, state: CallState) -> bool {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) == state
    }

    fn reply(&self, result: Result<T, E>) {
        // Sending fails if the caller no longer waits, for example because the client has disconnected.
        if let Some(reply) = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = reply.send(result);
        }
    }
}

impl<T: Send, E: From<DbError> + Send> Expire for Call<T, E> {
    fn expire(&self, limit: Duration) {
        if self.change(CallState::Started, CallState::Expired) {
            self.reply(Err(DbError::TransactionTimeout(limit).into()));
        }
    }
}

pub(super) struct Work<F, T, E> {
    pub(super) kind: Kind,
    pub(super) work: F,
    pub(super) result: Option<Result<T, E>>,
    pub(super) call: Arc<Call<T, E>>,
    /// Called after the commit and before the caller gets the result, even if the caller no longer waits for it.
    pub(super) after: Option<AfterCommit<T>>,
    pub(super) span: Span,
    /// Time before which the unit must start.
    pub(super) deadline: Instant,
    pub(super) timing: Timing,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// The reason for rolling back a transaction.
enum Rollback {
    /// The work failed.
    Failed,
    Database(diesel::result::Error),
}

impl From<diesel::result::Error> for Rollback {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

impl<F, T, E> Unit for Work<F, T, E>
where
    F: FnMut(&mut DbConnection) -> Result<T, E> + Send,
    T: Send + 'static,
    E: From<DbError> + From<diesel::result::Error> + Send + 'static,
{
    fn is_overdue(&self) -> bool {
        Instant::now() > self.deadline || self.call.is(CallState::Expired)
    }

    fn start(&mut self) -> bool {
        let is_started = self.call.change(CallState::Waiting, CallState::Started);
        if is_started {
            self.timing.record_wait(self.kind);
        }
        is_started
    }

    fn release(&mut self) -> bool {
        !self.is_overdue() && self.call.change(CallState::Started, CallState::Waiting)
    }

    fn resume(&mut self) -> bool {
        self.call.change(CallState::Waiting, CallState::Started)
    }

    fn run(&mut self, connection: &mut PooledConnection) -> bool {
        let PooledConnection { connection, begin, statements, .. } = connection;
        let _entered = self.span.enter();
        let _attached = self.timing.trace.clone().map(Context::attach);
        statements.reset();
        let (work, call) = (&mut self.work, &self.call);
        let result = match self.kind {
            Kind::Read => catch_panic(|| match &begin.read {
                Some(begin) => connection.read_transaction(begin, work),
                None => work(connection),
            }),
            Kind::Snapshot => {
                catch_panic(|| connection.read_transaction(begin.snapshot.as_deref().unwrap_or(SQLITE_SNAPSHOT), work))
            }
            // A pooler needs a transaction for its settings.
            Kind::WriteStatement { .. } if begin.read.is_none() && matches!(connection, DbConnection::Postgres(_)) => {
                run_statement(work, connection, statements)
            }
            Kind::Write { .. } | Kind::WriteStatement { .. } => {
                let mut result = None;
                let transaction = connection.transaction_with::<(), Rollback>(begin.write.as_deref(), |connection| {
                    match catch_panic(|| work(connection)) {
                        // The caller has received an error.
                        Ok(_) if call.is(CallState::Expired) => {
                            result = Some(Err(DbError::DeadlineExceeded.into()));
                            Err(Rollback::Failed)
                        }
                        // The work has ignored an error of its last statement, so its changes may be lost.
                        Ok(_) if statements.has_last_failed() => {
                            result = Some(Err(DbError::Query(diesel::result::Error::RollbackTransaction).into()));
                            Err(Rollback::Failed)
                        }
                        Ok(value) => {
                            result = Some(Ok(value));
                            Ok(())
                        }
                        Err(error) => {
                            result = Some(Err(error));
                            Err(Rollback::Failed)
                        }
                    }
                });
                match (transaction, result) {
                    (Ok(()) | Err(Rollback::Failed), Some(result)) => result,
                    (Err(Rollback::Database(error)), _) => Err(DbError::from(error).into()),
                    (_, None) => Err(DbError::Panicked.into()),
                }
            }
        };
        let succeeded = result.is_ok();
        self.timing.record_end();
        self.result = Some(result);
        succeeded
    }

    fn finish(mut self: Box<Self>, commit: Result<(), DbError>) {
        self.timing.record_commit(self.kind);
        if let (Ok(()), Some(Ok(value)), Some(after)) = (&commit, &self.result, self.after.take()) {
            after(value);
        }
        let result = match (commit, self.result) {
            // The error of the unit is more specific than that of its group.
            (_, Some(Err(error))) => Err(error),
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Ok(()), None) => Err(DbError::Panicked.into()),
        };
        self.call.reply(result);
    }

    fn call(&self) -> Arc<dyn Expire> {
        Arc::clone(&self.call) as Arc<dyn Expire>
    }

    fn is_autocommit(&self) -> bool {
        matches!(self.kind, Kind::WriteStatement { .. })
    }

    fn account(&self) -> Option<i64> {
        match self.kind {
            Kind::Write { account } => Some(account?.get()),
            Kind::WriteStatement { account } => Some(account.get()),
            Kind::Read | Kind::Snapshot => None,
        }
    }

    fn run_shared(&mut self, connection: &mut PooledConnection) -> bool {
        let PooledConnection { connection, statements, .. } = connection;
        let _entered = self.span.enter();
        let _attached = self.timing.trace.clone().map(Context::attach);
        statements.reset();
        let result = run_statement(&mut self.work, connection, statements);
        let succeeded = result.is_ok();
        self.timing.record_end();
        self.result = Some(result);
        succeeded
    }
}

/// Runs work that is a single statement.
fn run_statement<T, E: From<DbError>>(
    work: &mut impl FnMut(&mut DbConnection) -> Result<T, E>,
    connection: &mut DbConnection,
    statements: &Statements,
) -> Result<T, E> {
    let result = catch_panic(|| {
        let result = work(connection);
        debug_assert!(statements.count() <= 1, "several statements are not atomic without a transaction");
        result
    });
    match result {
        // The work has ignored an error of its statement.
        Ok(_) if statements.has_last_failed() => Err(DbError::Query(diesel::result::Error::RollbackTransaction).into()),
        result => result,
    }
}

/// Converts a panic to an error, so that the thread continues.
fn catch_panic<T, E: From<DbError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        tracing::error!(panic = panic_message(&*panic), "unit of work panicked");
        Err(DbError::Panicked.into())
    })
}

/// Returns the message of a panic.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("non-string panic payload")
}
