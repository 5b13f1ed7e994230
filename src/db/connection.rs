//! One connection to either engine, and how it is opened.

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

/// A connection to either engine; queries are written once.
#[derive(diesel::MultiConnection)]
pub enum DbConnection {
    /// The embedded database.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
}

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// The embedded database in this file.
    Sqlite(PathBuf),
    /// The PostgreSQL server at this URL.
    Postgres(String),
}

/// The URL may hold a password.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres([redacted])"),
        }
    }
}

/// Which file a path leads to.
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
    /// The engine's name.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// busy_timeout comes first: switching to WAL takes a lock itself, and would fail at once under load. FULL syncs the log at
/// each commit, so that an acknowledged write survives a power cut; the writer groups commits to share the sync.
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -4000;";

/// Opens connections for a pool.
#[derive(Clone)]
pub(super) struct Manager {
    pub(super) target: Target,
    pub(super) statement_timeout: Duration,
    /// Counts every statement sent, for tests that prove how many a call needs.
    pub(super) statements: Arc<AtomicU64>,
    /// The file that the first connection opened.
    file: Arc<OnceLock<(u64, u64)>>,
    /// How often a connection was found dead.
    deaths: Arc<AtomicU64>,
}

impl Manager {
    pub(super) fn new(target: Target, statement_timeout: Duration, statements: Arc<AtomicU64>) -> Self {
        Self { target, statement_timeout, statements, file: Arc::default(), deaths: Arc::default() }
    }

    /// Whether the embedded database is still the file that was opened. Removed or replaced under the server, it would go
    /// on taking writes that nobody finds again.
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
        Ok(self.hold()?.connection)
    }

    fn hold(&self) -> Result<Held, ConnectionError> {
        let deaths = self.deaths();
        let mut connection = match &self.target {
            Target::Sqlite(path) => {
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
        let failed = Arc::clone(&last_failed);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| match event {
            InstrumentationEvent::StartQuery { .. } => {
                statements.fetch_add(1, Ordering::Relaxed);
                failed.store(false, Ordering::Relaxed);
            }
            InstrumentationEvent::FinishQuery { error: Some(_), .. } => failed.store(true, Ordering::Relaxed),
            _ => {}
        });
        Ok(Held { connection, dead: false, deaths, last_failed })
    }
}

/// A pooled connection, and what is known of it.
pub(super) struct Held {
    pub(super) connection: DbConnection,
    /// Whether it was found to be dead.
    pub(super) dead: bool,
    /// How many deaths there had been when it was last known to live.
    pub(super) deaths: u64,
    /// Whether the newest statement failed. In a transaction of PostgreSQL nothing can succeed after that, and a COMMIT
    /// rolls back without saying so.
    pub(super) last_failed: Arc<AtomicBool>,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Held;
    type Error = ConnectionError;

    fn connect(&self) -> Result<Held, ConnectionError> {
        self.hold()
    }

    fn is_valid(&self, held: &mut Held) -> Result<(), ConnectionError> {
        held.connection.ping().map_err(ConnectionError::CouldntSetupConfiguration)
    }

    fn has_broken(&self, held: &mut Held) -> bool {
        held.dead || held.connection.is_broken()
    }
}

impl DbConnection {
    /// Whether the server still answers; SQLite always does.
    pub(super) fn is_alive(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(connection) => connection.ping().is_ok(),
        }
    }

    /// Begins the transaction that a group of write units shares. Taking SQLite's write lock at once avoids the upgrade
    /// from a read lock, which fails under concurrency.
    pub(super) fn begin_group(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    /// Makes the group durable.
    pub(super) fn commit_group(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::commit_transaction(c),
            Self::Postgres(c) => AnsiTransactionManager::commit_transaction(c),
        }
    }

    /// Whether the engine has rolled the whole group back by itself, as SQLite may when the disk is full or cannot be
    /// read. It does not say so; but then there is no transaction, and one can be begun.
    pub(super) fn has_lost_group(&mut self) -> bool {
        match self {
            Self::Sqlite(c) => c.batch_execute("BEGIN").is_ok(),
            Self::Postgres(_) => false,
        }
    }

    /// Forgets the group.
    pub(super) fn rollback_group(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::rollback_transaction(c),
            Self::Postgres(c) => AnsiTransactionManager::rollback_transaction(c),
        }
    }

    /// Runs several statements on one unchanging state of the database.
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
        // Nothing was written: ending the transaction cannot lose anything, and its failure shows at the next use.
        let ended = self.commit_group();
        let value = result?;
        ended?;
        Ok(value)
    }
}
