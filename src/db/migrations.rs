//! The migrations of both engines, embedded in the binary, and the migration status of a database.

mod error;
mod read_only;
mod schema_check;

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    DbConnection, DbError, IndexingProgress, Options,
    connection::{Manager, PooledConnection},
    email_domains::normalize_email_domains,
    index_missing,
    pooler::{BeginStatements, PreparedStatements},
    postgres::{self, SessionTimeouts},
    schema::schema_compatibility,
    statistics, storage,
};

pub use error::MigrationError;
pub(super) use error::one_line;
pub(super) use schema_check::missing_from_schema;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Key of the advisory lock on PostgreSQL.
const MIGRATION_LOCK: i64 = 0x0062_7563_6b65_746c;

/// Records that email domains are normalized. SQL cannot normalize them, so [`Migrator`] does before it applies this migration.
const EMAIL_DOMAINS_MIGRATION: &str = "2026-11-30-150000_normalize_email_domains";

diesel::table! {
    #[sql_name = "__diesel_schema_migrations"]
    applied_migrations (version) {
        version -> VarChar,
    }
}

fn failed(error: diesel::result::Error) -> MigrationError {
    MigrationError::Failed(Box::new(error))
}

/// The migration status of a database.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Applied migrations, the oldest first.
    pub applied: Vec<String>,
    /// Pending migrations, the oldest first.
    pub pending: Vec<String>,
    /// Versions of migrations that a newer release has applied.
    pub unknown: Vec<String>,
    /// Oldest migration version that a release must include to use this database; `None` if this release is compatible.
    pub min_version: Option<String>,
}

impl MigrationStatus {
    /// Returns whether the schema matches this release.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty()
    }

    /// Returns whether this release can use the database: no migration is pending, and the unknown migrations are compatible with it.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        self.pending.is_empty() && self.min_version.is_none()
    }
}

/// Migrates a database, on a connection outside of the pools, without a statement timeout and with statements that every pooler supports.
pub struct Migrator {
    manager: Manager,
    connection: DbConnection,
    begin: BeginStatements,
}

fn names<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Vec<String> {
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().unwrap_or_default();
    migrations.iter().map(|migration| migration.name().to_string()).collect()
}

/// Returns the version that Diesel records for a migration: its date without dashes.
fn version_of(name: &str) -> String {
    name.split('_').next().unwrap_or(name).replace('-', "")
}

/// Reads the migration status of a database.
///
/// # Errors
/// [`MigrationError::Failed`].
pub fn read_status(connection: &mut DbConnection) -> Result<MigrationStatus, MigrationError> {
    let applied = applied(connection).map_err(failed)?;
    let mut known = match connection {
        DbConnection::Sqlite(_) => names::<diesel::sqlite::Sqlite>(&SQLITE),
        DbConnection::Postgres(_) => names::<diesel::pg::Pg>(&POSTGRES),
    };
    known.sort();
    let is_unknown = |version: &&String| !known.iter().any(|name| version_of(name) == **version);
    let mut status =
        MigrationStatus { unknown: applied.iter().filter(is_unknown).cloned().collect(), ..MigrationStatus::default() };
    status.unknown.sort();
    for name in known {
        let is_applied = applied.contains(&version_of(&name));
        if is_applied { &mut status.applied } else { &mut status.pending }.push(name);
    }
    status.min_version = min_version(connection, &status).map_err(|error| MigrationError::Failed(Box::new(error)))?;
    Ok(status)
}

/// Returns the oldest migration version that a release must include to use this database; `None` if this release is compatible. A newer
/// release stores the oldest version that it is compatible with.
fn min_version(connection: &mut DbConnection, status: &MigrationStatus) -> QueryResult<Option<String>> {
    let Some(newest_unknown) = status.unknown.last() else { return Ok(None) };
    let newest_known = status.applied.last().map(|name| version_of(name)).unwrap_or_default();
    // If migrations are pending while unknown ones are applied, the histories have diverged: the database is treated as incompatible.
    if !status.pending.is_empty() || !has_table(connection, "schema_compatibility")? {
        return Ok(Some(newest_unknown.clone()));
    }
    let minimum = schema_compatibility::table.select(schema_compatibility::minimum_version);
    let minimum: Option<String> = minimum.first(connection).optional()?;
    // Without a row, no older release is compatible.
    let minimum = minimum.unwrap_or_else(|| newest_unknown.clone());
    Ok((minimum > newest_known).then_some(minimum))
}

impl Migrator {
    /// Connects to the database.
    ///
    /// # Errors
    /// [`MigrationError::Connect`], [`MigrationError::Encoding`].
    pub fn connect(options: &Options) -> Result<Self, MigrationError> {
        let (timeouts, prepared) = (SessionTimeouts::default(), PreparedStatements::Auto);
        let manager = Manager::new(options.target.clone(), timeouts, prepared, std::sync::Arc::default());
        let PooledConnection { mut connection, begin, .. } = manager.open()?;
        if let DbConnection::Postgres(c) = &mut connection
            && let Some(encoding) = postgres::unsupported_encoding(c).map_err(failed)?
        {
            return Err(MigrationError::Encoding(encoding));
        }
        Ok(Self { manager, connection, begin })
    }

    /// Returns whether the connection uses a pooler.
    #[must_use]
    pub fn uses_pooler(&self) -> bool {
        self.manager.uses_pooler()
    }

    /// Checks that pending migrations can be applied.
    ///
    /// # Errors
    /// [`MigrationError::Privilege`], [`MigrationError::Failed`].
    pub fn check_privileges(&mut self) -> Result<(), MigrationError> {
        let DbConnection::Postgres(c) = &mut self.connection else { return Ok(()) };
        match postgres::missing_create_privilege(c).map_err(failed)? {
            Some((schema, role)) => Err(MigrationError::Privilege { schema, role }),
            None => Ok(()),
        }
    }

    /// Returns whether the server localizes its messages (`lc_messages`). Some errors can then not be classified.
    ///
    /// # Errors
    /// [`MigrationError::Failed`].
    pub fn has_localized_messages(&mut self) -> Result<bool, MigrationError> {
        match &mut self.connection {
            DbConnection::Sqlite(_) => Ok(false),
            DbConnection::Postgres(c) => Ok(!postgres::has_unlocalized_messages(c).map_err(failed)?),
        }
    }

    /// Reads the migration status.
    ///
    /// # Errors
    /// The errors of [`read_status`].
    pub fn status(&mut self) -> Result<MigrationStatus, MigrationError> {
        read_status(&mut self.connection)
    }

    /// Applies pending migrations, each in a transaction, adds rows missing from the search index, and returns the names of the
    /// applied migrations.
    ///
    /// # Errors
    /// [`MigrationError::Newer`] and [`MigrationError::Privilege`] before anything changes; [`MigrationError::Failed`].
    pub fn up(&mut self) -> Result<Vec<String>, MigrationError> {
        self.up_with_progress(&mut |_| ())
    }

    /// Like [`Self::up`], but reports the progress of the search index.
    ///
    /// # Errors
    /// The errors of [`Self::up`].
    pub fn up_with_progress(
        &mut self,
        progress: &mut dyn FnMut(IndexingProgress),
    ) -> Result<Vec<String>, MigrationError> {
        self.with_lock(|migrator| {
            let status = migrator.status()?;
            if let Some(version) = status.min_version {
                return Err(MigrationError::Newer(version));
            }
            if !status.pending.is_empty() {
                migrator.check_privileges()?;
            }
            // A new database has no accounts.
            if !status.applied.is_empty() && status.pending.iter().any(|name| name == EMAIL_DOMAINS_MIGRATION) {
                normalize_email_domains(&mut migrator.connection).map_err(failed)?;
            }
            for _ in &status.pending {
                migrator.apply_next()?;
            }
            migrator.index_missing_rows(progress)?;
            Ok(status.pending)
        })
    }

    fn index_missing_rows(&mut self, progress: &mut dyn FnMut(IndexingProgress)) -> Result<(), MigrationError> {
        let rows = index_missing(&mut self.connection, progress).map_err(failed)?;
        if rows > 0 {
            tracing::info!(rows, "search index rebuilt");
        }
        Ok(())
    }

    /// Reverts the latest migration. Returns its name, if there is one.
    ///
    /// # Errors
    /// [`MigrationError::Newer`] if the latest migration is unknown; [`MigrationError::Failed`].
    pub fn down(&mut self) -> Result<Option<String>, MigrationError> {
        self.with_lock(Self::revert_latest)
    }

    fn revert_latest(&mut self) -> Result<Option<String>, MigrationError> {
        let mut status = self.status()?;
        if let Some(version) = status.unknown.pop() {
            return Err(MigrationError::Newer(version));
        }
        let Some(newest) = status.applied.pop() else { return Ok(None) };
        if let DbConnection::Sqlite(c) = &mut self.connection {
            c.revert_last_migration(SQLITE).map_err(MigrationError::Failed)?;
        } else {
            self.in_transaction(|c| c.revert_last_migration(POSTGRES).map(|_| ()))?;
        }
        Ok(Some(newest))
    }

    fn apply_next(&mut self) -> Result<(), MigrationError> {
        if let DbConnection::Sqlite(c) = &mut self.connection {
            return c.run_next_migration(SQLITE).map(|_| ()).map_err(MigrationError::Failed);
        }
        self.in_transaction(|c| c.run_next_migration(POSTGRES).map(|_| ()))
    }

    /// Runs a migration on PostgreSQL in a transaction that overrides timeouts configured for the role.
    fn in_transaction(
        &mut self,
        migrate: impl FnOnce(&mut PgConnection) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<(), MigrationError> {
        let migrated = self.connection.transaction_with(self.begin.write.as_deref(), |connection| match connection {
            DbConnection::Postgres(c) => migrate(c),
            DbConnection::Sqlite(_) => Ok(()),
        });
        migrated.map_err(MigrationError::Failed)
    }

    /// Runs `work` with an advisory lock: of several servers that start at the same time, one migrates and the others wait. SQLite
    /// locks its file.
    fn with_lock<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, MigrationError>) -> Result<T, MigrationError> {
        let lock = self.lock()?;
        let result = work(self);
        if let Some(mut lock) = lock {
            // If this fails, the connection was lost, which also released the lock.
            let _ = lock.commit();
        }
        result
    }

    /// Acquires the advisory lock of PostgreSQL in a transaction of another connection. A session-level lock could not be reliably
    /// released through a pooler.
    fn lock(&self) -> Result<Option<DbConnection>, MigrationError> {
        if matches!(self.connection, DbConnection::Sqlite(_)) {
            return Ok(None);
        }
        let PooledConnection { mut connection, begin, .. } = self.manager.open()?;
        connection.begin(begin.write.as_deref()).map_err(failed)?;
        connection.batch_execute(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).map_err(failed)?;
        Ok(Some(connection))
    }

    /// Updates the query planner statistics of SQLite.
    ///
    /// # Errors
    /// Returns the error of the database.
    pub fn refresh_statistics(&mut self) -> QueryResult<()> {
        let c = &mut self.connection;
        c.begin_write()?;
        match statistics::refresh(c) {
            Ok(()) => c.commit(),
            Err(error) => {
                // The first error is more specific than that of the rollback.
                let _ = c.rollback();
                Err(error)
            }
        }
    }

    /// Reverts and reapplies the latest applied migration. Pending migrations stay pending. Returns its name, if there is one.
    ///
    /// # Errors
    /// The errors of [`Self::down`] and [`Self::up`].
    pub fn redo(&mut self) -> Result<Option<String>, MigrationError> {
        self.with_lock(|migrator| {
            migrator.check_privileges()?;
            let Some(name) = migrator.revert_latest()? else { return Ok(None) };
            if name == EMAIL_DOMAINS_MIGRATION {
                normalize_email_domains(&mut migrator.connection).map_err(failed)?;
            }
            migrator.apply_next()?;
            // A pending migration can create the search index.
            if migrator.status()?.is_current() {
                migrator.index_missing_rows(&mut |_| ())?;
            }
            Ok(Some(name))
        })
    }

    /// Checks that the database can be written, with a write that changes nothing.
    ///
    /// # Errors
    /// Fails if the database or its storage is read-only, or if another process has locked it.
    pub fn check_writable(&mut self) -> Result<(), DbError> {
        storage::probe_write(&mut self.connection)
    }

    /// Returns the connection, for work before or after migrating, such as seeding.
    pub fn connection(&mut self) -> &mut DbConnection {
        &mut self.connection
    }
}

/// Reads the versions that Diesel has recorded; none if its table does not exist. Diesel's `applied_migrations` would create the table,
/// which requires a privilege that the server does not otherwise need on PostgreSQL.
fn applied(connection: &mut DbConnection) -> QueryResult<Vec<String>> {
    if has_table(connection, "__diesel_schema_migrations")? {
        applied_migrations::table.select(applied_migrations::version).load(connection)
    } else {
        Ok(Vec::new())
    }
}

fn has_table(connection: &mut DbConnection, name: &str) -> QueryResult<bool> {
    let exists = |sql: &str| diesel::select(diesel::dsl::sql::<Bool>(sql));
    match connection {
        DbConnection::Sqlite(c) => {
            exists(&format!("EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{name}')")).get_result(c)
        }
        DbConnection::Postgres(c) => exists(&format!("to_regclass('{name}') IS NOT NULL")).get_result(c),
    }
}
