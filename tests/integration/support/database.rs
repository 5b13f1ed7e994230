//! A migrated database for each test: a copy of a template file on SQLite, a separate schema on PostgreSQL.

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use bucketlist::db::{DbConnection, Options, Target, migrations::Migrator};
use diesel::connection::SimpleConnection;
use tempfile::TempDir;

use super::engine::{Engine, PostgresSchema};

/// A database that is deleted when it is dropped.
pub struct Database {
    pub target: Target,
    pub folder: TempDir,
    /// Dropped with the database.
    _schema: Option<PostgresSchema>,
}

/// Migrated once per process and copied for each test.
static TEMPLATE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("template.db");
    let mut migrator = Migrator::connect(&options(Target::Sqlite(path.clone()))).unwrap();
    migrator.up().unwrap();
    let DbConnection::Sqlite(connection) = migrator.connection() else { unreachable!("the target is SQLite") };
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE").unwrap();
    drop(migrator);
    (folder, path)
});

pub fn options(target: Target) -> Options {
    // No test waits this long: on a slow disk, a commit alone can take seconds.
    let timeout = Duration::from_secs(120);
    Options {
        acquire_timeout: timeout,
        statement_timeout: timeout,
        lock_timeout: timeout,
        transaction_timeout: timeout,
        ..Options::new(target, 4)
    }
}

impl Database {
    /// Creates an empty database with all migrations applied.
    pub fn new(engine: Engine) -> Self {
        let database = Self::unmigrated(engine);
        match &database.target {
            Target::Sqlite(path) => {
                std::fs::copy(&TEMPLATE.1, path).unwrap();
            }
            Target::Postgres(_) => {
                database.migrator().up().unwrap();
            }
        }
        database
    }

    /// Creates a database without tables.
    pub fn unmigrated(engine: Engine) -> Self {
        let folder = TempDir::new().unwrap();
        let (target, schema) = match engine {
            Engine::Sqlite => (Target::Sqlite(folder.path().join("test.db")), None),
            Engine::Postgres => {
                let schema = PostgresSchema::create("test");
                (Target::Postgres(schema.url.clone()), Some(schema))
            }
        };
        Self { target, folder, _schema: schema }
    }

    /// Uses a database that exists, and applies all migrations.
    pub fn at(target: Target) -> Self {
        let database = Self { target, folder: TempDir::new().unwrap(), _schema: None };
        database.migrator().up().unwrap();
        database
    }

    /// Returns the same database for another app. It must be dropped before the original.
    pub fn shared(&self) -> Self {
        Self { target: self.target.clone(), folder: TempDir::new().unwrap(), _schema: None }
    }

    pub fn options(&self) -> Options {
        options(self.target.clone())
    }

    pub fn migrator(&self) -> Migrator {
        Migrator::connect(&self.options()).unwrap()
    }

    /// Runs SQL on a connection outside the app.
    pub fn execute(&self, sql: &str) {
        self.migrator().connection().batch_execute(sql).unwrap();
    }
}
