//! The database: SQLite or PostgreSQL behind one connection type, reached by units of work only.
//!
//! [`Db::read`], [`Db::snapshot`] and [`Db::write`] are the only ways to a connection: a bounded wait for a place (timeout:
//! [`DbError::AcquireTimeout`]), one hop off the runtime that keeps the tracing span, one transaction. Repositories take
//! `&mut DbConnection`, never acquire one and never commit, so they compose.

mod connection;
mod error;
pub mod exclusive;
mod indexing;
mod lane;
pub mod migrations;
pub mod repositories;
pub mod schema;
mod unit;

use std::{
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
pub use error::DbError;
pub use indexing::{IndexingProgress, index_missing};
use lane::Lane;
pub use unit::panic_message;
use unit::{Kind, Work};

/// How to reach the database, and how patiently.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which database.
    pub target: Target,
    /// How many connections serve requests (SQLite: readers; there is one writer besides).
    pub pool_size: u32,
    /// How long a unit of work may wait for a place.
    pub acquire_timeout: Duration,
    /// How long a statement may run (PostgreSQL).
    pub statement_timeout: Duration,
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    reads: Lane,
    writes: Lane,
    options: Arc<Options>,
    manager: Manager,
    statements: Arc<AtomicU64>,
}

impl Db {
    /// Opens the pools. The connections follow as they are needed, so that a server can start before its database.
    ///
    /// # Errors
    /// When the threads cannot be started.
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
                // Checking a connection out costs a query otherwise; a dead one is found out by its use.
                .test_on_check_out(false)
                .connection_timeout(options.acquire_timeout.min(Duration::from_secs(2)))
                .idle_timeout(None)
                .error_handler(Box::new(LogConnectionErrors))
                .thread_pool(Arc::clone(&helpers))
                .build_unchecked(manager.clone())
        };
        let size = options.pool_size.max(1);
        let reads = Lane::parallel("db", &pool(size), &manager, size as usize)?;
        let writes = match options.target {
            Target::Sqlite(_) => Lane::grouping("db-writer", &pool(1), manager.clone())?,
            Target::Postgres(_) => reads.clone(),
        };
        Ok(Self { reads, writes, options: Arc::new(options), manager, statements })
    }

    /// How the database is reached.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How many statements have been sent since the start.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Whether the embedded database is still the file that was opened.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.manager.is_intact()
    }

    /// Runs a unit of one statement.
    ///
    /// # Errors
    /// The unit's own; [`DbError`] when it could not run.
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

    /// Runs a unit of several reading statements on one state of the database.
    ///
    /// # Errors
    /// The unit's own; [`DbError`] when it could not run.
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

    /// Runs a unit that writes: all of it is durable when this returns `Ok`, and nothing of it is when it returns `Err`.
    ///
    /// # Errors
    /// The unit's own; [`DbError`] when it could not run or could not be made durable.
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

    /// As [`Self::write`]; `after` is done once the unit is durable, before this returns, and even if whoever waits for
    /// this has gone away.
    ///
    /// # Errors
    /// The unit's own; [`DbError`] when it could not run or could not be made durable.
    pub async fn write_then<T, E>(
        &self,
        work: impl FnOnce(&mut DbConnection) -> Result<T, E> + Send + 'static,
        after: impl FnOnce() + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run(&self.writes, Kind::Write, work, Some(Box::new(after))).await
    }

    async fn run<T, E>(
        &self,
        lane: &Lane,
        kind: Kind,
        work: impl FnOnce(&mut DbConnection) -> Result<T, E> + Send + 'static,
        after: Option<Box<dyn FnOnce() + Send>>,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        let deadline = Instant::now() + self.options.acquire_timeout;
        let permit = lane.place(self.options.acquire_timeout).await?;
        let (reply, answer) = oneshot::channel();
        let span = tracing::Span::current();
        let work = Some(work);
        lane.send(Box::new(Work { kind, work, result: None, reply, after, span, deadline, _permit: permit }))?;
        answer.await.unwrap_or_else(|_| Err(DbError::Panicked.into()))
    }
}

/// r2d2 retries in the background; each failure is worth one line.
#[derive(Debug)]
struct LogConnectionErrors;

impl r2d2::HandleError<diesel::ConnectionError> for LogConnectionErrors {
    fn handle_error(&self, error: diesel::ConnectionError) {
        tracing::warn!(%error, "cannot connect to the database");
    }
}
