//! The migrations of both engines, embedded; and a database's standing against them.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{DbConnection, IndexingProgress, Options, connection::Manager, index_missing};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Names the lock among PostgreSQL's advisory locks; any number of our own will do.
const MIGRATION_LOCK: i64 = 0x0062_7563_6b65_746c;

diesel::table! {
    #[sql_name = "__diesel_schema_migrations"]
    record (version) {
        version -> VarChar,
    }
}

/// What kept a migration from being done.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// No connection.
    #[error("cannot open the database: {}", one_line(.0))]
    Connect(#[from] diesel::ConnectionError),
    /// A migration failed; it was rolled back.
    #[error("a migration failed and was rolled back: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// The database has migrations that this binary does not know.
    #[error("the database has migration {0}, which this version does not know")]
    Newer(String),
}

/// libpq's sentences end with a line of their own, and some go over several.
pub(super) fn one_line(error: &diesel::ConnectionError) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where a database stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Done, the oldest first.
    pub applied: Vec<String>,
    /// To be done, the oldest first.
    pub pending: Vec<String>,
    /// Done by a newer binary.
    pub unknown: Vec<String>,
}

impl Status {
    /// Whether the database is exactly what this binary expects.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty()
    }
}

/// A connection of its own for migrating: outside the pools, without a statement timeout.
pub struct Migrator {
    connection: DbConnection,
}

fn names<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Vec<String> {
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().unwrap_or_default();
    migrations.iter().map(|migration| migration.name().to_string()).collect()
}

/// Diesel records a migration by its date without dashes.
fn version_of(name: &str) -> String {
    name.split('_').next().unwrap_or(name).replace('-', "")
}

/// Where the database of this connection stands.
///
/// # Errors
/// [`MigrationError::Failed`] when the record cannot be read.
pub fn status(connection: &mut DbConnection) -> Result<Status, MigrationError> {
    let applied = applied(connection).map_err(|error| MigrationError::Failed(Box::new(error)))?;
    let mut known = match connection {
        DbConnection::Sqlite(_) => names::<diesel::sqlite::Sqlite>(&SQLITE),
        DbConnection::Postgres(_) => names::<diesel::pg::Pg>(&POSTGRES),
    };
    known.sort();
    let is_unknown = |done: &&String| !known.iter().any(|name| version_of(name) == **done);
    let mut status = Status { unknown: applied.iter().filter(is_unknown).cloned().collect(), ..Status::default() };
    status.unknown.sort();
    for name in known {
        let done = applied.contains(&version_of(&name));
        if done { &mut status.applied } else { &mut status.pending }.push(name);
    }
    Ok(status)
}

impl Migrator {
    /// Connects.
    ///
    /// # Errors
    /// [`MigrationError::Connect`].
    pub fn connect(options: &Options) -> Result<Self, MigrationError> {
        let manager = Manager::new(options.target.clone(), std::time::Duration::ZERO, std::sync::Arc::default());
        Ok(Self { connection: manager.open()? })
    }

    /// Where the database stands.
    ///
    /// # Errors
    /// As [`status`].
    pub fn status(&mut self) -> Result<Status, MigrationError> {
        status(&mut self.connection)
    }

    /// Applies pending migrations, each in a transaction, and indexes rows that are missing in the search index; returns the
    /// names of the migrations.
    ///
    /// # Errors
    /// [`MigrationError::Newer`] before anything changes; [`MigrationError::Failed`].
    pub fn up(&mut self) -> Result<Vec<String>, MigrationError> {
        self.up_with(&mut |_| ())
    }

    /// As [`Self::up`], reporting the progress of the search index.
    ///
    /// # Errors
    /// As [`Self::up`].
    pub fn up_with(&mut self, progress: &mut dyn FnMut(IndexingProgress)) -> Result<Vec<String>, MigrationError> {
        self.alone(|migrator| {
            let status = migrator.status()?;
            if let Some(version) = status.unknown.last() {
                return Err(MigrationError::Newer(version.clone()));
            }
            let done = match &mut migrator.connection {
                DbConnection::Sqlite(c) => c.run_pending_migrations(SQLITE).map(|_| ()),
                DbConnection::Postgres(c) => c.run_pending_migrations(POSTGRES).map(|_| ()),
            };
            done.map_err(MigrationError::Failed)?;
            let rows = index_missing(&mut migrator.connection, progress)
                .map_err(|error| MigrationError::Failed(Box::new(error)))?;
            if rows > 0 {
                tracing::info!(rows, "search index rebuilt");
            }
            Ok(status.pending)
        })
    }

    /// Undoes the newest migration; returns its version, if there was one.
    ///
    /// # Errors
    /// [`MigrationError::Failed`].
    pub fn down(&mut self) -> Result<Option<String>, MigrationError> {
        self.alone(|migrator| {
            let Some(newest) = migrator.status()?.applied.pop() else { return Ok(None) };
            let undone = match &mut migrator.connection {
                DbConnection::Sqlite(c) => c.revert_last_migration(SQLITE).map(|_| ()),
                DbConnection::Postgres(c) => c.revert_last_migration(POSTGRES).map(|_| ()),
            };
            undone.map_err(MigrationError::Failed)?;
            Ok(Some(newest))
        })
    }

    /// Of several machines that start at once on one PostgreSQL, one migrates and the others wait. SQLite locks its file.
    fn alone<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, MigrationError>) -> Result<T, MigrationError> {
        self.lock("pg_advisory_lock")?;
        let result = work(self);
        self.lock("pg_advisory_unlock")?;
        result
    }

    fn lock(&mut self, function: &str) -> Result<(), MigrationError> {
        let DbConnection::Postgres(c) = &mut self.connection else { return Ok(()) };
        c.batch_execute(&format!("SELECT {function}({MIGRATION_LOCK})"))
            .map_err(|error| MigrationError::Failed(Box::new(error)))
    }

    /// Undoes and does again the newest migration.
    ///
    /// # Errors
    /// As [`Self::down`] and [`Self::up`].
    pub fn redo(&mut self) -> Result<Option<String>, MigrationError> {
        let undone = self.down()?;
        self.up()?;
        Ok(undone)
    }

    /// The connection, for what comes before or after migrating (seeding).
    pub fn connection(&mut self) -> &mut DbConnection {
        &mut self.connection
    }
}

/// The versions in Diesel's record of what was done; none where there is no record. Diesel itself would make one where it
/// looks for one, which the server's role on PostgreSQL need not be allowed to.
fn applied(connection: &mut DbConnection) -> QueryResult<Vec<String>> {
    let is_there = |sql: &str| diesel::select(diesel::dsl::sql::<Bool>(sql));
    let is_there: bool = match connection {
        DbConnection::Sqlite(c) => {
            is_there("EXISTS (SELECT 1 FROM sqlite_master WHERE name = '__diesel_schema_migrations')").get_result(c)?
        }
        DbConnection::Postgres(c) => is_there("to_regclass('__diesel_schema_migrations') IS NOT NULL").get_result(c)?,
    };
    if is_there { record::table.select(record::version).load(connection) } else { Ok(Vec::new()) }
}
