//! Connections to either engine.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection as _, ConnectionError, PgConnection, SqliteConnection,
    connection::{AnsiTransactionManager, InstrumentationEvent, SimpleConnection, TransactionManager},
    r2d2::R2D2Connection,
    result::QueryResult,
};

use super::{
    failure::Statements,
    file_lock::create_private_file,
    observer::StatementObserver,
    pooler::{self, BeginStatements, PreparedStatements},
    postgres::{self, SessionTimeouts},
    reopening::OpenConnection,
    slow_statements::SlowStatementLog,
    storage::StorageStatus,
    unreachable::Unreachable,
};
use crate::metrics::DatabaseMetrics;

/// A connection to either engine, so that queries are written once.
#[derive(diesel::MultiConnection)]
pub enum DbConnection {
    /// The embedded database.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
}

/// The location of a database.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// The embedded database in this file.
    Sqlite(PathBuf),
    /// The PostgreSQL server at this URL.
    Postgres(String),
}

/// Omits the URL, which may contain a password.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres([redacted])"),
        }
    }
}

/// Identifies the file at a path.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}

impl Target {
    /// Returns the name of the engine in traces (`db.system.name`).
    pub(super) const fn system_name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// Returns the engine's name.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// `busy_timeout` is set first, because switching to WAL takes a lock, which would otherwise fail immediately under load. FULL syncs
/// the log at each commit, so that a confirmed write survives a power failure. The writer groups commits to share the sync. A commit
/// checkpoints a log of 4,000 pages: a page that was written often is then copied once. A log that has grown beyond that, because a
/// long read prevented checkpoints, is truncated when it is reused.
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -4000;";

/// Maximum time to open an SQLite database that is locked, and the interval between two attempts.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);
const OPEN_RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// The error after the database file was removed or replaced.
pub(super) const FILE_REPLACED: &str = "the database file was removed or replaced; restart the server";

/// Opens connections for the database threads.
#[derive(Clone)]
pub(super) struct Manager {
    pub(super) target: Target,
    timeouts: SessionTimeouts,
    prepared: PreparedStatements,
    /// Whether a connection has used a pooler.
    uses_pooler: Arc<AtomicBool>,
    /// Number of statements sent, for tests that limit it.
    statements: Arc<AtomicU64>,
    /// The file that the first connection has opened.
    file: Arc<OnceLock<(u64, u64)>>,
    /// Number of connections that were lost.
    losses: Arc<AtomicU64>,
    /// Whether PostgreSQL has just not responded.
    unreachable: Unreachable,
    pub(super) storage: StorageStatus,
    /// Minimum run time of a slow statement; zero for never.
    slow_after: Duration,
    pub(super) slow_statements: SlowStatementLog,
    /// `None` if metrics are disabled.
    pub(super) metrics: Option<DatabaseMetrics>,
}

impl Manager {
    pub(super) fn new(
        target: Target,
        timeouts: SessionTimeouts,
        prepared: PreparedStatements,
        statements: Arc<AtomicU64>,
    ) -> Self {
        Self {
            target,
            timeouts,
            prepared,
            uses_pooler: Arc::default(),
            statements,
            file: Arc::default(),
            losses: Arc::default(),
            unreachable: Unreachable::default(),
            storage: StorageStatus::default(),
            slow_after: Duration::ZERO,
            slow_statements: SlowStatementLog::default(),
            metrics: None,
        }
    }

    /// Logs statements that run for `slow_after` or longer; zero disables this.
    pub(super) fn with_slow_statements(self, slow_after: Duration) -> Self {
        Self { slow_after, ..self }
    }

    pub(super) fn with_metrics(self, metrics: Option<DatabaseMetrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Returns whether the SQLite database is still the file that was opened. If the file was removed or replaced, further writes
    /// would be lost.
    pub(super) fn is_intact(&self) -> bool {
        match (&self.target, self.file.get()) {
            (Target::Sqlite(path), Some(opened)) => identity(path).as_ref() == Some(opened),
            _ => true,
        }
    }

    /// Returns whether a connection has used a pooler.
    pub(super) fn uses_pooler(&self) -> bool {
        self.uses_pooler.load(Ordering::Relaxed)
    }

    /// Opens a connection to PostgreSQL. Through a pooler, settings of the session would reach transactions of other clients, so the
    /// settings are applied in each transaction.
    fn open_postgres(&self, url: &str) -> Result<(DbConnection, BeginStatements), ConnectionError> {
        let connected = self.unreachable.attempt(|| pooler::connect(url, self.prepared, self.uses_pooler()))?;
        let mut connection = connected.connection;
        if connected.uses_pooler {
            self.uses_pooler.store(true, Ordering::Relaxed);
        } else {
            postgres::set_up(&mut connection, &self.timeouts).map_err(ConnectionError::CouldntSetupConfiguration)?;
        }
        let begin = BeginStatements::new(connected.uses_pooler, &self.timeouts);
        Ok((DbConnection::Postgres(connection), begin))
    }

    /// Records that a connection was lost: the others, which are older than the cause, are replaced before they are used again.
    pub(super) fn count_loss(&self) {
        self.losses.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the number of connections that were lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// Returns whether the connection may be used: no other was lost since it was opened, and not all of them must be replaced.
    pub(super) fn is_current(&self, connection: &PooledConnection) -> bool {
        let is_open = connection.registration.as_ref().is_none_or(OpenConnection::is_current);
        is_open && connection.losses == self.losses.load(Ordering::SeqCst)
    }

    /// Opens a connection.
    pub(super) fn open(&self) -> Result<PooledConnection, ConnectionError> {
        let losses = self.losses.load(Ordering::SeqCst);
        let registration = match &self.target {
            Target::Sqlite(_) => Some(self.storage.open_connections.register()?),
            Target::Postgres(_) => None,
        };
        let (mut connection, begin) = match &self.target {
            Target::Sqlite(path) => {
                if !self.is_intact() {
                    return Err(ConnectionError::BadConnection(FILE_REPLACED.to_owned()));
                }
                create_private_file(path);
                let connection = open_sqlite(path)?;
                if let Some(file) = identity(path) {
                    self.file.get_or_init(|| file);
                }
                (DbConnection::Sqlite(connection), BeginStatements::default())
            }
            Target::Postgres(url) => self.open_postgres(url)?,
        };
        let statements = Arc::new(Statements::new(Arc::clone(&self.statements)));
        let (log, storage) = (Arc::clone(&statements), self.storage.clone());
        let mut observer = StatementObserver::new(self.target.system_name(), self.slow_after, Arc::clone(&statements));
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| match event {
            InstrumentationEvent::StartQuery { .. } => {
                log.start();
                observer.start();
            }
            InstrumentationEvent::FinishQuery { query, error, .. } => {
                observer.finish(query, error);
                log.finish(error);
                if let Some(error) = error {
                    storage.record(error);
                }
            }
            _ => {}
        });
        let now = Instant::now();
        Ok(PooledConnection { connection, begin, losses, opened_at: now, used_at: now, statements, registration })
    }
}

/// Opens a connection to SQLite. While another process opens or closes the database, SQLite can report that it is locked without
/// waiting for `busy_timeout`.
fn open_sqlite(path: &Path) -> Result<SqliteConnection, ConnectionError> {
    let give_up_at = Instant::now() + OPEN_TIMEOUT;
    loop {
        let opened = SqliteConnection::establish(&path.to_string_lossy()).and_then(|mut connection| {
            connection.batch_execute(SQLITE_PRAGMAS).map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(connection)
        });
        match opened {
            Err(error) if is_locked(&error) && Instant::now() < give_up_at => thread::sleep(OPEN_RETRY_INTERVAL),
            result => return result,
        }
    }
}

pub(super) fn is_locked(error: &ConnectionError) -> bool {
    error.to_string().contains("database is locked")
}

/// A connection of a database thread, and its state.
pub(super) struct PooledConnection {
    pub(super) connection: DbConnection,
    pub(super) begin: BeginStatements,
    /// The number of lost connections when this one was opened.
    losses: u64,
    pub(super) opened_at: Instant,
    /// When its last unit ended.
    pub(super) used_at: Instant,
    pub(super) statements: Arc<Statements>,
    /// Dropped after the connection is closed. Only for SQLite.
    registration: Option<OpenConnection>,
}

impl DbConnection {
    /// Returns whether the server still responds. SQLite always does.
    pub(super) fn is_alive(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(connection) => connection.ping().is_ok(),
        }
    }

    /// Returns whether the server is known to have closed the connection. Reads what has arrived and does not wait.
    pub(super) fn has_been_closed(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            // The first read finds the last message of the server, the second one the end of the connection.
            Self::Postgres(connection) => {
                (0..2).any(|_| connection.notifications_iter().next().is_some_and(|read| read.is_err()))
            }
        }
    }

    /// Begins a transaction that writes. Acquires the write lock of SQLite immediately, because the upgrade of a read lock fails under
    /// concurrency.
    pub(super) fn begin_write(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    /// Commits the transaction.
    pub(super) fn commit(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::commit_transaction(c),
            Self::Postgres(c) => AnsiTransactionManager::commit_transaction(c),
        }
    }

    /// Returns whether the engine has rolled back the whole transaction, as SQLite may do if the disk is full or cannot be read. SQLite
    /// reports no error, but a new transaction can be started only then.
    pub(super) fn has_lost_transaction(&mut self) -> bool {
        match self {
            Self::Sqlite(c) => c.batch_execute("BEGIN").is_ok(),
            Self::Postgres(_) => false,
        }
    }

    /// Rolls back the transaction.
    pub(super) fn rollback(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::rollback_transaction(c),
            Self::Postgres(c) => AnsiTransactionManager::rollback_transaction(c),
        }
    }

    /// Begins a transaction, on PostgreSQL with `begin`.
    pub(super) fn begin(&mut self, begin: Option<&str>) -> QueryResult<()> {
        match (&mut *self, begin) {
            (Self::Postgres(c), Some(begin)) => AnsiTransactionManager::begin_transaction_sql(c, begin),
            _ => self.begin_write(),
        }
    }

    /// Runs statements in a transaction. On PostgreSQL, it begins with `begin`.
    pub(super) fn transaction_with<T, E: From<diesel::result::Error>>(
        &mut self,
        begin: Option<&str>,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let (Self::Postgres(c), Some(begin)) = (&mut *self, begin) else { return self.transaction(work) };
        AnsiTransactionManager::begin_transaction_sql(c, begin)?;
        match work(self) {
            Ok(value) => {
                self.commit()?;
                Ok(value)
            }
            Err(error) => match self.rollback() {
                Ok(()) | Err(diesel::result::Error::BrokenTransactionManager) => Err(error),
                Err(rollback) => Err(rollback.into()),
            },
        }
    }

    /// Runs statements that only read, in a transaction that begins with `begin`.
    pub(super) fn read_transaction<T, E: From<diesel::result::Error>>(
        &mut self,
        begin: &str,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, begin)?,
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, begin)?,
        }
        let result = work(self);
        // Nothing was written, so nothing can be lost.
        let ended = self.commit();
        let value = result?;
        ended?;
        Ok(value)
    }
}
