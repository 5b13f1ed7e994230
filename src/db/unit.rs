//! A unit of work: sent to a database thread, which returns the result.

mod work;

use std::{
    any::{Any, TypeId},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub(super) use work::{Batchable, Perform, Work};

use super::{DbError, connection::PooledConnection};
use crate::{
    domain::UserId,
    metrics::DatabaseMetrics,
    traces::{self, Context},
};

/// The interface of a unit of work for a database thread.
pub(super) trait Unit: Any + Send {
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

    /// Returns the kind of a unit that one statement can run together with others of the same kind; `None` if it must run alone.
    fn batch_kind(&self) -> Option<TypeId> {
        None
    }

    /// Runs the unit and others of the same kind with one statement. Returns whether the statement succeeded. Then, each unit has a result or
    /// must run alone.
    fn run_batch(&mut self, _others: &mut [Box<dyn Unit>], connection: &mut PooledConnection) -> bool {
        self.run(connection)
    }

    fn has_result(&self) -> bool {
        true
    }

    /// Excludes the unit from batches.
    fn run_alone(&mut self) {}
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
    /// On PostgreSQL, changes of a single statement, without an explicit transaction, which can be those of several units. On SQLite, the same
    /// as [`Kind::Write`].
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
    has_started: bool,
    /// When the work ended; set only if it is traced.
    ended_at: Option<Instant>,
    /// `None` if the unit is not traced.
    trace: Option<Context>,
    metrics: Option<DatabaseMetrics>,
}

impl Timing {
    pub(super) fn new(trace: Option<Context>, metrics: Option<DatabaseMetrics>) -> Self {
        Self { queued_at: Instant::now(), has_started: false, ended_at: None, trace, metrics }
    }

    /// Records the time until the unit has started for the first time.
    fn record_wait(&mut self, kind: Kind) {
        if std::mem::replace(&mut self.has_started, true) || (self.trace.is_none() && self.metrics.is_none()) {
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

    /// Records that the statement of the unit makes the changes of `size` units.
    fn record_batch(&self, size: usize) {
        if let Some(trace) = &self.trace {
            traces::set_count(trace, "db.operation.batch.size", size);
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
