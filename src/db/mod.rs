//! The database: SQLite or PostgreSQL behind one connection type, accessed in units of work.
//!
//! [`Db::read`], [`Db::snapshot`] and [`Db::write`] are the only access to connections. Each has a bounded
//! wait ([`DbError::AcquireTimeout`]), a deadline and one transaction, runs on a database thread, and keeps the tracing span.
//! Repositories take `&mut DbConnection`, never acquire one and never commit, so that they can be combined.

mod connection;
mod error;
pub mod exclusive;
mod executor;
mod file_lock;
mod indexing;
mod maintenance;
pub mod migrations;
pub mod repositories;
pub mod schema;
mod statistics;
mod storage;
mod unit;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use connection::Manager;
use connection::MultiBackend;
pub use connection::{DbConnection, Target};
pub use error::{DbError, UniqueConstraint};
use executor::Executor;
pub use file_lock::{FileLock, FileLockError};
pub use indexing::{IndexingProgress, index_missing};
pub use maintenance::IdleCheckpoint;
pub use unit::panic_message;
use unit::{AfterCommit, Kind, Work};

/// The location of the database, and its timeouts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The location of the database.
    pub target: Target,
    /// Number of connections (SQLite: of readers, in addition to one writer).
    pub pool_size: u32,
    /// Maximum time that a unit of work waits before it starts.
    pub acquire_timeout: Duration,
    /// Maximum run time of a statement (PostgreSQL).
    pub statement_timeout: Duration,
}

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
    options: Arc<Options>,
    manager: Manager,
    statements: Arc<AtomicU64>,
}

impl Db {
    /// Opens the pools. Connections are opened on demand, so that a server can start before its database.
    ///
    /// # Errors
    /// Fails if the threads cannot be started.
    pub fn open(options: Options) -> std::io::Result<Self> {
        let statements = Arc::new(AtomicU64::new(0));
        let manager = Manager::new(options.target.clone(), options.statement_timeout, Arc::clone(&statements));
        let helpers = Arc::new(
            scheduled_thread_pool::ScheduledThreadPool::builder()
                .num_threads(1)
                .thread_name_pattern("db-pool-{}")
                .build(),
        );
        let pool = |size: u32| {
            r2d2::Pool::builder()
                .max_size(size)
                .min_idle(Some(0))
                // A check would need a query. A closed connection is detected when it is used.
                .test_on_check_out(false)
                .connection_timeout(options.acquire_timeout.min(Duration::from_secs(2)))
                .idle_timeout(None)
                .error_handler(Box::new(LogConnectionErrors))
                .thread_pool(Arc::clone(&helpers))
                .build_unchecked(manager.clone())
        };
        let size = options.pool_size.max(1);
        let reads = Executor::parallel("db", &pool(size), &manager, size as usize)?;
        let writes = match options.target {
            Target::Sqlite(_) => Executor::grouping("db-writer", &pool(1), manager.clone())?,
            Target::Postgres(_) => reads.clone(),
        };
        Ok(Self { reads, writes, options: Arc::new(options), manager, statements })
    }

    /// Returns the options with which the database was opened.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
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

    /// Runs a unit of work that reads with one statement.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&mut DbConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.reads, Kind::Read, work, None).await
    }

    /// Runs a unit of work that reads with several statements, which read the same state.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run.
    pub async fn snapshot<T, E>(
        &self,
        work: impl FnOnce(&mut DbConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.reads, Kind::Snapshot, work, None).await
    }

    /// Runs a unit of work that writes. All changes are durable when it returns `Ok`, and none of them when it returns `Err`.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run or was not committed.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut DbConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.writes, Kind::Write, work, None).await
    }

    /// Like [`Self::write`], but calls `after` with the result after the commit and before it returns, even if the caller no longer
    /// waits.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run or was not committed.
    pub async fn write_then<T, E>(
        &self,
        work: impl FnOnce(&mut DbConnection) -> Result<T, E> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.writes, Kind::Write, work, Some(Box::new(after))).await
    }

    async fn run<T, E>(
        &self,
        executor: &Executor,
        kind: Kind,
        work: impl FnOnce(&mut DbConnection) -> Result<T, E> + Send + 'static,
        after: Option<AfterCommit<T>>,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        let deadline = Instant::now() + self.options.acquire_timeout;
        let permit = executor.permit(self.options.acquire_timeout).await?;
        let (reply, result) = oneshot::channel();
        let span = tracing::Span::current();
        let work = Some(work);
        executor.send(Box::new(Work { kind, work, result: None, reply, after, span, deadline, _permit: permit }))?;
        result.await.unwrap_or_else(|_| Err(DbError::Panicked.into()))
    }
}

/// Logs failed connections: r2d2 retries in the background.
#[derive(Debug)]
struct LogConnectionErrors;

impl r2d2::HandleError<diesel::ConnectionError> for LogConnectionErrors {
    fn handle_error(&self, error: diesel::ConnectionError) {
        tracing::warn!(%error, "cannot connect to the database");
    }
}
