//! A migrated database for each test: a copy of one file on SQLite, a schema of its own on PostgreSQL.

use std::{
    path::PathBuf,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bucketlist::db::{DbConnection, Options, Target, migrations::Migrator};
use diesel::connection::SimpleConnection;
use tempfile::TempDir;

/// Which engine a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database that is gone when the test is.
pub struct Database {
    pub target: Target,
    pub folder: TempDir,
    schema: Option<String>,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Migrated once in each process.
static TEMPLATE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("template.db");
    let mut migrator = Migrator::connect(&options(Target::Sqlite(path.clone()))).unwrap();
    migrator.up().unwrap();
    let DbConnection::Sqlite(connection) = migrator.connection() else { unreachable!("asked for SQLite") };
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE").unwrap();
    drop(migrator);
    (folder, path)
});

pub fn options(target: Target) -> Options {
    let wait = Duration::from_secs(5);
    Options { target, pool_size: 2, acquire_timeout: wait, statement_timeout: Duration::from_secs(10) }
}

impl Database {
    /// Migrated and empty.
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

    /// Without any table.
    pub fn unmigrated(engine: Engine) -> Self {
        let folder = TempDir::new().unwrap();
        let (target, schema) = match engine {
            Engine::Sqlite => (Target::Sqlite(folder.path().join("test.db")), None),
            Engine::Postgres => {
                let schema = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
                execute(&format!("CREATE SCHEMA {schema}"));
                let url = server();
                let separator = if url.contains('?') { '&' } else { '?' };
                (Target::Postgres(format!("{url}{separator}options=-csearch_path%3D{schema}")), Some(schema))
            }
        };
        Self { target, folder, schema }
    }

    pub fn options(&self) -> Options {
        options(self.target.clone())
    }

    pub fn migrator(&self) -> Migrator {
        Migrator::connect(&self.options()).unwrap()
    }

    /// Runs SQL from outside the app.
    pub fn execute(&self, sql: &str) {
        self.migrator().connection().batch_execute(sql).unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(schema) = &self.schema {
            execute(&format!("SET client_min_messages = error; DROP SCHEMA {schema} CASCADE"));
        }
    }
}

/// The PostgreSQL server to test on.
pub fn server() -> String {
    std::env::var("TEST_DATABASE_URL").expect("set TEST_DATABASE_URL, or run `make test`")
}

fn execute(sql: &str) {
    let mut migrator = Migrator::connect(&options(Target::Postgres(server()))).unwrap();
    migrator.connection().batch_execute(sql).unwrap();
}
