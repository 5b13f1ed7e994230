//! Connections to either engine.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use diesel::{
    Connection as _, ConnectionError, PgConnection, SqliteConnection,
    connection::{AnsiTransactionManager, InstrumentationEvent, SimpleConnection, TransactionManager},
    r2d2::R2D2Connection,
    result::QueryResult,
};

use super::{file_lock::create_private_file, storage::StorageStatus};

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
/// the log at each commit, so that a confirmed write survives a power failure. The writer groups commits to share the sync. A log that
/// has grown, because a long read prevented checkpoints, is truncated when it is reused.
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -4000;";

/// The error after the database file was removed or replaced.
pub(super) const FILE_REPLACED: &str = "the database file was removed or replaced; restart the server";

/// Opens connections for a pool.
#[derive(Clone)]
pub(super) struct Manager {
    pub(super) target: Target,
    pub(super) statement_timeout: Duration,
    /// Number of statements sent, for tests that limit it.
    pub(super) statements: Arc<AtomicU64>,
    /// The file that the first connection has opened.
    file: Arc<OnceLock<(u64, u64)>>,
    /// Number of connections that were found to be closed.
    deaths: Arc<AtomicU64>,
    pub(super) storage: StorageStatus,
}

impl Manager {
    pub(super) fn new(target: Target, statement_timeout: Duration, statements: Arc<AtomicU64>) -> Self {
        Self {
            target,
            statement_timeout,
            statements,
            file: Arc::default(),
            deaths: Arc::default(),
            storage: StorageStatus::default(),
        }
    }

    /// Returns whether the SQLite database is still the file that was opened. If the file was removed or replaced, further writes
    /// would be lost.
    pub(super) fn is_intact(&self) -> bool {
        match (&self.target, self.file.get()) {
            (Target::Sqlite(path), Some(opened)) => identity(path).as_ref() == Some(opened),
            _ => true,
        }
    }

    pub(super) fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::SeqCst)
    }

    pub(super) fn count_death(&self) {
        self.deaths.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn open(&self) -> Result<DbConnection, ConnectionError> {
        Ok(self.open_pooled()?.connection)
    }

    fn open_pooled(&self) -> Result<PooledConnection, ConnectionError> {
        let deaths = self.deaths();
        let mut connection = match &self.target {
            Target::Sqlite(path) => {
                if !self.is_intact() {
                    return Err(ConnectionError::BadConnection(FILE_REPLACED.to_owned()));
                }
                create_private_file(path);
                let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
                connection.batch_execute(SQLITE_PRAGMAS).map_err(ConnectionError::CouldntSetupConfiguration)?;
                if let Some(file) = identity(path) {
                    self.file.get_or_init(|| file);
                }
                DbConnection::Sqlite(connection)
            }
            Target::Postgres(url) => {
                let mut connection = PgConnection::establish(url)?;
                let setup = format!(
                    "SET statement_timeout = {}; SET TIME ZONE 'UTC'; SET client_min_messages = warning;",
                    self.statement_timeout.as_millis()
                );
                connection.batch_execute(&setup).map_err(ConnectionError::CouldntSetupConfiguration)?;
                DbConnection::Postgres(connection)
            }
        };
        let statements = Arc::clone(&self.statements);
        let last_failed = Arc::new(AtomicBool::new(false));
        let (failed, storage) = (Arc::clone(&last_failed), self.storage.clone());
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| match event {
            InstrumentationEvent::StartQuery { .. } => {
                statements.fetch_add(1, Ordering::Relaxed);
                failed.store(false, Ordering::Relaxed);
            }
            InstrumentationEvent::FinishQuery { error: Some(error), .. } => {
                failed.store(true, Ordering::Relaxed);
                storage.record(error);
            }
            _ => {}
        });
        Ok(PooledConnection { connection, is_dead: false, deaths, last_failed })
    }
}

/// A connection in a pool, and its state.
pub(super) struct PooledConnection {
    pub(super) connection: DbConnection,
    /// Whether the connection was found to be closed.
    pub(super) is_dead: bool,
    /// The number of closed connections when this one was last known to be open.
    pub(super) deaths: u64,
    /// Whether the last statement failed. In a transaction of PostgreSQL every further statement fails then, and COMMIT rolls back
    /// without an error.
    pub(super) last_failed: Arc<AtomicBool>,
}

impl r2d2::ManageConnection for Manager {
    type Connection = PooledConnection;
    type Error = ConnectionError;

    fn connect(&self) -> Result<PooledConnection, ConnectionError> {
        self.open_pooled()
    }

    fn is_valid(&self, pooled: &mut PooledConnection) -> Result<(), ConnectionError> {
        pooled.connection.ping().map_err(ConnectionError::CouldntSetupConfiguration)
    }

    fn has_broken(&self, pooled: &mut PooledConnection) -> bool {
        pooled.is_dead || pooled.connection.is_broken()
    }
}

impl DbConnection {
    /// Returns whether the server still responds. SQLite always does.
    pub(super) fn is_alive(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(connection) => connection.ping().is_ok(),
        }
    }

    /// Begins the transaction of a group of write units. Acquires the write lock of SQLite immediately, because the upgrade of a read
    /// lock fails under concurrency.
    pub(super) fn begin_group(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    /// Commits the transaction of the group.
    pub(super) fn commit_group(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::commit_transaction(c),
            Self::Postgres(c) => AnsiTransactionManager::commit_transaction(c),
        }
    }

    /// Returns whether the engine has rolled back the whole group, as SQLite may do if the disk is full or cannot be read. SQLite
    /// reports no error, but a new transaction can be started only then.
    pub(super) fn has_lost_group(&mut self) -> bool {
        match self {
            Self::Sqlite(c) => c.batch_execute("BEGIN").is_ok(),
            Self::Postgres(_) => false,
        }
    }

    /// Rolls back the transaction of the group.
    pub(super) fn rollback_group(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::rollback_transaction(c),
            Self::Postgres(c) => AnsiTransactionManager::rollback_transaction(c),
        }
    }

    /// Runs several statements that read the same state of the database.
    pub(super) fn snapshot<T, E: From<diesel::result::Error>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN DEFERRED")?,
            Self::Postgres(c) => {
                AnsiTransactionManager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            }
        }
        let result = work(self);
        // Nothing was written, so nothing can be lost.
        let ended = self.commit_group();
        let value = result?;
        ended?;
        Ok(value)
    }
}
