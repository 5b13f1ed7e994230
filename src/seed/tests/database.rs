//! A migrated database for a test.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::connection::SimpleConnection;

use crate::db::{DbConnection, Options, Target, migrations::Migrator};

/// A database that is deleted when it is dropped.
pub(super) struct Database {
    migrator: Option<Migrator>,
    target: Target,
    /// The server and the schema to drop.
    schema: Option<(String, String)>,
}

fn options(target: &Target) -> Options {
    let second = Duration::from_secs(1);
    Options { target: target.clone(), pool_size: 1, acquire_timeout: second, statement_timeout: second }
}

impl Database {
    pub(super) fn sqlite(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bucketlist-seed-{name}-{}.db", std::process::id()));
        Self::remove(&path);
        Self::migrated(Target::Sqlite(path), None)
    }

    pub(super) fn postgres(name: &str) -> Self {
        let server = std::env::var("TEST_DATABASE_URL").expect("set TEST_DATABASE_URL, or run `make test`");
        let schema = format!("seed_{name}_{}", std::process::id());
        Self::on_server(&server, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};"));
        let separator = if server.contains('?') { '&' } else { '?' };
        let target = Target::Postgres(format!("{server}{separator}options=-csearch_path%3D{schema}"));
        Self::migrated(target, Some((server, schema)))
    }

    fn migrated(target: Target, schema: Option<(String, String)>) -> Self {
        Migrator::connect(&options(&target)).unwrap().up().unwrap();
        // A second connection, because the first one is closed with its advisory lock.
        let migrator = Some(Migrator::connect(&options(&target)).unwrap());
        Self { migrator, target, schema }
    }

    fn on_server(server: &str, statements: &str) {
        let mut migrator = Migrator::connect(&options(&Target::Postgres(server.to_owned()))).unwrap();
        migrator.connection().batch_execute(statements).unwrap();
    }

    fn remove(path: &Path) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(PathBuf::from(format!("{}{suffix}", path.display())));
        }
    }

    pub(super) fn connection(&mut self) -> &mut DbConnection {
        self.migrator.as_mut().unwrap().connection()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.migrator = None;
        if let Target::Sqlite(path) = &self.target {
            Self::remove(path);
        }
        if let Some((server, schema)) = &self.schema {
            Self::on_server(server, &format!("DROP SCHEMA {schema} CASCADE"));
        }
    }
}
