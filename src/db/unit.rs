//! A unit of work on its way to a database thread and back.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    time::Instant,
};

use diesel::Connection as _;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use super::{DbConnection, DbError, connection::Held};

/// A unit as a thread sees it.
pub(super) trait Unit: Send {
    /// Does the work. True when it succeeded (and, for a write, should be kept).
    fn run(&mut self, held: &mut Held) -> bool;

    /// Whether its caller has been kept waiting for longer than they were promised; then it is not begun.
    fn is_overdue(&self) -> bool;

    /// Answers the caller: with the work's result, or with what kept it from counting.
    fn finish(self: Box<Self>, fate: Result<(), DbError>);
}

/// Whether a unit is its own transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One statement: a transaction of itself.
    Read,
    /// Several statements on one state.
    Snapshot,
    /// All is written, or nothing. Nested in a group's transaction it is a savepoint.
    Write,
}

pub(super) struct Work<F, T, E> {
    pub(super) kind: Kind,
    pub(super) work: Option<F>,
    pub(super) result: Option<Result<T, E>>,
    pub(super) reply: oneshot::Sender<Result<T, E>>,
    /// Done once the work counts, and before its caller hears of it; also when the caller has gone away.
    pub(super) after: Option<Box<dyn FnOnce() + Send>>,
    pub(super) span: Span,
    /// Until when it must have begun.
    pub(super) deadline: Instant,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// Why a transaction is rolled back.
enum Undo {
    /// The unit asked for it by failing.
    Failed,
    Database(diesel::result::Error),
}

impl From<diesel::result::Error> for Undo {
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
    fn run(&mut self, held: &mut Held) -> bool {
        let Held { connection, last_failed, .. } = held;
        let _entered = self.span.enter();
        let Some(work) = self.work.take() else {
            return false;
        };
        let result = match self.kind {
            Kind::Read => caught(|| work(connection)),
            Kind::Snapshot => caught(|| connection.snapshot(work)),
            Kind::Write => {
                let mut outcome = None;
                let kept = connection.transaction::<(), Undo, _>(|connection| match caught(|| work(connection)) {
                    // It overlooked a failure, and may believe to have written what is lost.
                    Ok(_) if last_failed.load(Ordering::Relaxed) => {
                        outcome = Some(Err(DbError::Query(diesel::result::Error::RollbackTransaction).into()));
                        Err(Undo::Failed)
                    }
                    Ok(value) => {
                        outcome = Some(Ok(value));
                        Ok(())
                    }
                    Err(error) => {
                        outcome = Some(Err(error));
                        Err(Undo::Failed)
                    }
                });
                match (kept, outcome) {
                    (Ok(()) | Err(Undo::Failed), Some(result)) => result,
                    (Err(Undo::Database(error)), _) => Err(DbError::from(error).into()),
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

    fn finish(mut self: Box<Self>, fate: Result<(), DbError>) {
        if let (Ok(()), Some(Ok(_)), Some(after)) = (&fate, &self.result, self.after.take()) {
            after();
        }
        let result = match (fate, self.result) {
            // The unit's own failure says more than the group's.
            (_, Some(Err(error))) => Err(error),
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Ok(()), None) => Err(DbError::Panicked.into()),
        };
        // A caller that went away (a client that hung up) does not want the answer.
        let _ = self.reply.send(result);
    }
}

/// A panic in a unit must not take its thread with it.
fn caught<T, E: From<DbError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        tracing::error!(panic = panic_message(&*panic), "a unit of work panicked");
        Err(DbError::Panicked.into())
    })
}

/// The sentence of a panic.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a sentence")
}
