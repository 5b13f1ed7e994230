//! A unit of work: sent to a database thread, which returns the result.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    time::Instant,
};

use diesel::Connection as _;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use super::{DbConnection, DbError, connection::PooledConnection};

/// The interface of a unit of work for a database thread.
pub(super) trait Unit: Send {
    /// Runs the work. Returns whether it succeeded; a write that succeeded must be committed.
    fn run(&mut self, connection: &mut PooledConnection) -> bool;

    /// Returns whether the deadline has passed, so that the unit must not start.
    fn is_overdue(&self) -> bool;

    /// Sends the result of the work to the caller, or the error that prevented the commit.
    fn finish(self: Box<Self>, commit: Result<(), DbError>);
}

/// The transaction of a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A single statement, without an explicit transaction.
    Read,
    /// Several statements that read the same state.
    Snapshot,
    /// Changes that are committed together or not at all. Within the transaction of a group, a savepoint.
    Write,
}

/// Called with the result of a committed unit.
pub(super) type AfterCommit<T> = Box<dyn FnOnce(&T) + Send>;

pub(super) struct Work<F, T, E> {
    pub(super) kind: Kind,
    pub(super) work: Option<F>,
    pub(super) result: Option<Result<T, E>>,
    pub(super) reply: oneshot::Sender<Result<T, E>>,
    /// Called after the commit and before the caller gets the result, even if the caller no longer waits for it.
    pub(super) after: Option<AfterCommit<T>>,
    pub(super) span: Span,
    /// Time before which the unit must start.
    pub(super) deadline: Instant,
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
    F: FnOnce(&mut DbConnection) -> Result<T, E> + Send,
    T: Send,
    E: From<DbError> + From<diesel::result::Error> + Send,
{
    fn run(&mut self, connection: &mut PooledConnection) -> bool {
        let PooledConnection { connection, last_failed, .. } = connection;
        let _entered = self.span.enter();
        let Some(work) = self.work.take() else {
            return false;
        };
        let result = match self.kind {
            Kind::Read => catch_panic(|| work(connection)),
            Kind::Snapshot => catch_panic(|| connection.snapshot(work)),
            Kind::Write => {
                let mut result = None;
                let transaction =
                    connection.transaction::<(), Rollback, _>(|connection| match catch_panic(|| work(connection)) {
                        // The work has ignored an error of its last statement, so its changes may be lost.
                        Ok(_) if last_failed.load(Ordering::Relaxed) => {
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
                    });
                match (transaction, result) {
                    (Ok(()) | Err(Rollback::Failed), Some(result)) => result,
                    (Err(Rollback::Database(error)), _) => Err(DbError::from(error).into()),
                    (_, None) => Err(DbError::Panicked.into()),
                }
            }
        };
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn is_overdue(&self) -> bool {
        Instant::now() > self.deadline
    }

    fn finish(mut self: Box<Self>, commit: Result<(), DbError>) {
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
        // Fails if the caller no longer waits, for example because the client has disconnected.
        let _ = self.reply.send(result);
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
