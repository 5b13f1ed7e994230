//! The units of callers: closures, and changes that can share a statement.

use std::{
    any::{Any, TypeId},
    iter::once,
    sync::Arc,
    time::Instant,
};

use diesel::QueryResult;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

use super::{AfterCommit, Call, CallState, Expire, Kind, SQLITE_SNAPSHOT, Timing, Unit, catch_panic};
use crate::{
    db::{DbConnection, DbError, batch::BatchableWork, connection::PooledConnection, failure::Statements},
    traces::Context,
};

/// The work of a unit.
pub(in crate::db) trait Perform<T, E>: Send + 'static {
    /// Whether [`Self::perform_all`] exists.
    const IS_BATCHABLE: bool = false;

    fn perform(&mut self, c: &mut DbConnection) -> Result<T, E>;

    /// See [`BatchableWork::run_all`].
    fn perform_all(works: &[&Self], _: &mut DbConnection) -> QueryResult<Vec<Option<T>>> {
        Ok(works.iter().map(|_| None).collect())
    }
}

impl<F: FnMut(&mut DbConnection) -> Result<T, E> + Send + 'static, T, E> Perform<T, E> for F {
    fn perform(&mut self, c: &mut DbConnection) -> Result<T, E> {
        self(c)
    }
}

/// Work that can share a statement.
#[derive(Clone)]
pub(in crate::db) struct Batchable<B>(pub(in crate::db) B);

impl<B: BatchableWork, E: From<diesel::result::Error>> Perform<B::Output, E> for Batchable<B> {
    const IS_BATCHABLE: bool = true;

    fn perform(&mut self, c: &mut DbConnection) -> Result<B::Output, E> {
        self.0.run(c).map_err(E::from)
    }

    fn perform_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<B::Output>>> {
        B::run_all(&works.iter().map(|work| &work.0).collect::<Vec<_>>(), c)
    }
}

pub(in crate::db) struct Work<W, T, E> {
    pub(in crate::db) kind: Kind,
    pub(in crate::db) work: W,
    pub(in crate::db) result: Option<Result<T, E>>,
    pub(in crate::db) call: Arc<Call<T, E>>,
    /// Called after the commit and before the caller gets the result, even if the caller no longer waits for it.
    pub(in crate::db) after: Option<AfterCommit<T>>,
    pub(in crate::db) span: Span,
    /// Time before which the unit must start.
    pub(in crate::db) deadline: Instant,
    pub(in crate::db) timing: Timing,
    /// Whether the unit is excluded from batches.
    pub(in crate::db) runs_alone: bool,
    pub(in crate::db) _permit: OwnedSemaphorePermit,
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

impl<W, T, E> Unit for Work<W, T, E>
where
    W: Perform<T, E>,
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
        let (unit, call) = (&mut self.work, &self.call);
        let mut work = |c: &mut DbConnection| unit.perform(c);
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

    fn batch_kind(&self) -> Option<TypeId> {
        (W::IS_BATCHABLE && !self.runs_alone).then(TypeId::of::<Self>)
    }

    fn run_batch(&mut self, others: &mut [Box<dyn Unit>], connection: &mut PooledConnection) -> bool {
        let PooledConnection { connection, begin, statements, .. } = connection;
        let span = self.span.clone();
        let _entered = span.enter();
        let _attached = self.timing.trace.clone().map(Context::attach);
        statements.reset();
        let mut others: Vec<&mut Self> =
            others.iter_mut().filter_map(|unit| (&mut **unit as &mut dyn Any).downcast_mut()).collect();
        let works: Vec<&W> = once(&self.work).chain(others.iter().map(|unit| &unit.work)).collect();
        let run = |c: &mut DbConnection| catch_panic(|| W::perform_all(&works, c).map_err(E::from));
        // A pooler needs a transaction for its settings.
        let result = match (&begin.read, self.kind) {
            (None, _) => run_statement(run, connection, statements),
            (Some(begin), Kind::Read) => connection.read_transaction(begin, run),
            (Some(_), _) => connection.transaction_with(begin.write.as_deref(), run),
        };
        let size = works.len();
        let succeeded = result.is_ok();
        match result {
            Ok(outputs) => {
                debug_assert_eq!(outputs.len(), size, "one output for each unit");
                for (unit, output) in once(&mut *self).chain(others.iter_mut().map(|unit| &mut **unit)).zip(outputs) {
                    unit.result = output.map(Ok);
                    unit.timing.record_batch(size);
                    unit.timing.record_end();
                }
            }
            // The error may concern another unit.
            Err(_) if size > 1 => {}
            Err(error) => {
                self.result = Some(Err(error));
                self.timing.record_end();
            }
        }
        succeeded
    }

    fn has_result(&self) -> bool {
        self.result.is_some()
    }

    fn run_alone(&mut self) {
        self.runs_alone = true;
    }
}

/// Runs work that is a single statement.
fn run_statement<T, E: From<DbError>>(
    mut work: impl FnMut(&mut DbConnection) -> Result<T, E>,
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
