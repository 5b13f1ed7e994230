//! The database: SQLite or PostgreSQL behind one connection type, accessed in units of work.
//!
//! [`Db::read`], [`Db::snapshot`] and [`Db::write`] are the only access to connections. Each has a bounded
//! wait ([`DbError::AcquireTimeout`]), a deadline and one transaction, runs on a database thread, and keeps the tracing span.
//! Repositories take `&mut DbConnection`, never acquire one and never commit, so that they can be combined.

mod account_queues;
pub mod backup;
mod batch;
mod checkpointer;
mod connection;
mod email_domains;
mod error;
pub mod exclusive;
mod executor;
mod failure;
mod file_lock;
mod group;
mod indexing;
mod limits;
mod maintenance;
pub mod migrations;
pub mod notifications;
mod observer;
mod options;
mod pooler;
mod postgres;
mod postgres_url;
mod read_only;
mod reopening;
mod replicas;
pub mod repositories;
pub mod schema;
mod slow_statements;
mod statement_text;
mod statistics;
mod storage;
mod unit;
mod unit_queue;
mod unreachable;
mod worker;

use std::{
    any::type_name_of_val,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

pub use batch::BatchableWork;
pub use connection::{DbConnection, Target};
use connection::{Manager, MultiBackend};
pub use error::{DbError, UniqueConstraint};
use executor::Executor;
pub use file_lock::{FileLock, FileLockError};
pub use indexing::{IndexingProgress, index_missing};
use limits::Limits;
pub use maintenance::IdleCheckpoint;
pub use options::Options;
pub use pooler::{PreparedStatements, loses_prepared_statements};
use postgres::SessionTimeouts;
pub use postgres::run_within;
pub use postgres_url::PostgresUrl;
use replicas::Replicas;
pub use replicas::{MinRevision, ReplicaMonitor, ReplicaProblem, check_replicas};
use statement_text::function_name;
pub use unit::panic_message;
use unit::{AfterCommit, Batchable, Call, Kind, Perform, Timing, Work};

use crate::{
    domain::UserId,
    metrics::{DatabaseMetrics, ReplicaMetrics},
    traces::{self, ActiveSpan, KeyValue, SpanKind},
};

/// Sizes of the files of an SQLite database, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SqliteFileSizes {
    pub database: u64,
    /// The write-ahead log.
    pub wal: u64,
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    reads: Executor,
    writes: Executor,
    replicas: Replicas,
    options: Arc<Options>,
    manager: Manager,
    statements: Arc<AtomicU64>,
}

/// Where a unit of work runs.
struct Dispatch<'a> {
    executor: &'a Executor,
    /// Maximum time before it starts.
    wait: Duration,
    /// The name of the replica; `None` for the primary.
    replica: Option<&'a str>,
}

impl Db {
    /// Opens the pools. Connections are opened on demand, so that a server can start before its database.
    ///
    /// # Errors
    /// Fails if the threads cannot be started.
    pub fn open(options: Options) -> std::io::Result<Self> {
        Self::open_metered(options, None, None)
    }

    /// Like [`Self::open`], but measures the units of work.
    ///
    /// # Errors
    /// Fails if the threads cannot be started.
    pub fn open_metered(
        options: Options,
        metrics: Option<DatabaseMetrics>,
        replica_metrics: Option<ReplicaMetrics>,
    ) -> std::io::Result<Self> {
        let statements = Arc::new(AtomicU64::new(0));
        let timeouts = SessionTimeouts {
            statement: options.statement_timeout,
            lock: options.lock_timeout,
            idle_in_transaction: options.transaction_timeout,
        };
        if matches!(options.target, Target::Sqlite(_)) {
            bus_errors::install()?;
        }
        let manager = Manager::new(options.target.clone(), timeouts, options.prepared, Arc::clone(&statements))
            .with_slow_statements(options.slow_query)
            .with_metrics(metrics);
        let limits = Limits::from(&options);
        let threads = options.pool_size.max(1) as usize;
        let (reads, writes) = match options.target {
            Target::Sqlite(_) => Executor::sqlite(&manager, threads, limits)?,
            Target::Postgres(_) => Executor::postgres(&manager, threads, limits)?,
        };
        let replicas = Replicas::start(&options, timeouts, limits, replica_metrics)?;
        Ok(Self { reads, writes, replicas, options: Arc::new(options), manager, statements })
    }

    /// Returns the options with which the database was opened.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the maximum number of connections.
    #[must_use]
    pub fn connections(&self) -> u64 {
        // SQLite has a writer in addition to the readers.
        let writers = u64::from(matches!(self.options.target, Target::Sqlite(_)));
        u64::from(self.options.pool_size.max(1)) + writers
    }

    /// Returns the number of statements sent since the start.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Returns the sizes of the SQLite files; `None` on PostgreSQL.
    #[must_use]
    pub fn sqlite_file_sizes(&self) -> Option<SqliteFileSizes> {
        let Target::Sqlite(path) = &self.options.target else { return None };
        let mut wal = path.clone().into_os_string();
        wal.push("-wal");
        let size = |path: &Path| path.metadata().map_or(0, |file| file.len());
        Some(SqliteFileSizes { database: size(path), wal: size(Path::new(&wal)) })
    }

    /// Returns whether the SQLite database is still the file that was opened.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.manager.is_intact()
    }

    /// Runs a unit of work that reads with one statement. Like every unit, it is repeated if it failed before it had an effect: because
    /// the connection was closed while it was not used, or because of a concurrent transaction.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run.
    pub async fn read<T, E>(&self, work: impl FnMut(&mut DbConnection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.reads, Kind::Read, type_name_of_val(&work), work, None).await
    }

    /// Like [`Self::read`], but PostgreSQL can do the work together with that of other callers. The traced unit has the name of a closure.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run.
    pub async fn read_batchable_as<B: BatchableWork>(
        &self,
        closure: &'static str,
        work: B,
    ) -> Result<B::Output, DbError> {
        self.run(&self.reads, Kind::Read, closure, Batchable(work), None).await
    }

    /// Runs a unit of work that reads with several statements, which read the same state.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run.
    pub async fn snapshot<T, E>(
        &self,
        work: impl FnMut(&mut DbConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.reads, Kind::Snapshot, type_name_of_val(&work), work, None).await
    }

    /// Runs a unit of work that writes. All changes are durable when it returns `Ok`, and none of them when it returns `Err`.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run or was not committed.
    pub async fn write<T, E>(
        &self,
        work: impl FnMut(&mut DbConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.writes, Kind::Write { account: None }, type_name_of_val(&work), work, None).await
    }

    /// Like [`Self::write`], but calls `after` with the result after the commit and before it returns, even if the caller no longer
    /// waits. The traced unit has the name of another closure, which `work` only wraps.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run or was not committed.
    pub async fn write_then_as<T, E>(
        &self,
        closure: &'static str,
        work: impl FnMut(&mut DbConnection) -> Result<T, E> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.writes, Kind::Write { account: None }, closure, work, Some(Box::new(after))).await
    }

    /// Like [`Self::write_then_as`], for work that locks the row of `account` first. On PostgreSQL, one thread at a time runs such units of
    /// an account, so that they do not occupy the others while they wait for the row.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run or was not committed.
    pub async fn write_account_then_as<T, E>(
        &self,
        account: UserId,
        closure: &'static str,
        work: impl FnMut(&mut DbConnection) -> Result<T, E> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        let kind = Kind::Write { account: Some(account) };
        self.run(&self.writes, kind, closure, work, Some(Box::new(after))).await
    }

    /// Like [`Self::write_account_then_as`], for changes that are a single statement on PostgreSQL, possibly together with those of other
    /// callers. If the connection is lost during the statement, the result is an error although the statement may have taken effect, as for
    /// a connection that is lost during a commit.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run or was not committed.
    pub async fn write_batchable_then_as<B: BatchableWork, E>(
        &self,
        account: UserId,
        closure: &'static str,
        work: B,
        after: impl FnOnce(&B::Output) + Send + 'static,
    ) -> Result<B::Output, E>
    where
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        let kind = Kind::WriteStatement { account };
        self.run(&self.writes, kind, closure, Batchable(work), Some(Box::new(after))).await
    }

    /// Runs a unit of work on the primary.
    async fn run<T, E>(
        &self,
        executor: &Executor,
        kind: Kind,
        closure: &'static str,
        work: impl Perform<T, E>,
        after: Option<AfterCommit<T>>,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        let dispatch = Dispatch { executor, wait: self.options.acquire_timeout, replica: None };
        self.dispatch(dispatch, kind, closure, work, after).await
    }

    /// Runs a unit of work. In traces, its span is named after the function that the closure belongs to.
    async fn dispatch<T, E>(
        &self,
        Dispatch { executor, wait, replica }: Dispatch<'_>,
        kind: Kind,
        closure: &'static str,
        work: impl Perform<T, E>,
        after: Option<AfterCommit<T>>,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        let span = traces::start(SpanKind::Internal, || {
            let function = function_name(closure);
            let mut attributes = vec![
                KeyValue::new("db.system.name", self.options.target.system_name()),
                KeyValue::new("code.function.name", function.clone()),
                KeyValue::new("bucketlist.unit_of_work", kind.as_str()),
            ];
            attributes.extend(replica.map(|name| KeyValue::new("bucketlist.db.replica", name.to_owned())));
            (function, attributes)
        });
        // The waiting times of a replica are not those of the primary.
        let metrics = self.manager.metrics.clone().filter(|_| replica.is_none());
        let timing = Timing::new(span.as_ref().map(ActiveSpan::context), metrics);
        let deadline = Instant::now() + wait;
        let permit = executor.permit(wait).await?;
        let (call, mut result) = Call::new();
        let unit = Work {
            kind,
            work,
            result: None,
            call: Arc::clone(&call),
            after,
            span: tracing::Span::current(),
            deadline,
            timing,
            // The readers of SQLite need no round trips, and its writer has groups.
            runs_alone: matches!(self.options.target, Target::Sqlite(_)),
            _permit: permit,
        };
        executor.send(Box::new(unit))?;
        let result = match tokio::time::timeout_at(deadline.into(), &mut result).await {
            Ok(result) => result,
            // All threads are busy. The unit remains in the queue, and is not run.
            Err(_) if call.cancel() => return Err(DbError::DeadlineExceeded.into()),
            // It has started, and has a separate limit.
            Err(_) => result.await,
        };
        result.unwrap_or_else(|_| Err(DbError::Panicked.into()))
    }
}
