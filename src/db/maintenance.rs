//! Checkpoints of SQLite's write-ahead log. PostgreSQL maintains its own.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Integer};

use super::{
    Db, DbConnection, DbError, Target,
    connection::{FILE_REPLACED, Manager},
};

#[derive(QueryableByName)]
struct CheckpointResult {
    #[diesel(sql_type = Integer)]
    busy: i32,
}

impl Db {
    /// Copies the write-ahead log of SQLite into the database file and truncates it, so that the file alone has every change. Waits up
    /// to `timeout` for readers and writers. Returns whether the checkpoint is complete.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn checkpoint(&self, timeout: Duration) -> Result<bool, DbError> {
        if !matches!(self.manager.target, Target::Sqlite(_)) {
            return Ok(true);
        }
        let manager = self.manager.clone();
        // On a separate connection, because the writer is in a transaction whenever it executes a unit.
        let checkpoint = tokio::task::spawn_blocking(move || checkpoint(&manager, timeout));
        checkpoint.await.unwrap_or(Err(DbError::Panicked))
    }
}

fn checkpoint(manager: &Manager, timeout: Duration) -> Result<bool, DbError> {
    if !manager.is_intact() {
        return Err(DbError::Unavailable(FILE_REPLACED.to_owned()));
    }
    // The registration of the connection must last until it is closed.
    let mut pooled = manager.open().map_err(|error| DbError::unreachable(&error))?;
    match &mut pooled.connection {
        DbConnection::Sqlite(c) => {
            c.batch_execute(&format!("PRAGMA busy_timeout = {}", timeout.as_millis()))?;
            let result: CheckpointResult = sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(c)?;
            Ok(result.busy == 0)
        }
        DbConnection::Postgres(_) => Ok(true),
    }
}

/// Checkpoints while the database is idle, which is when its log has not changed between two calls.
#[derive(Debug, Default)]
pub struct IdleCheckpoint {
    last: Option<LogState>,
}

#[derive(Debug, PartialEq, Eq)]
struct LogState {
    bytes: u64,
    modified: SystemTime,
}

impl IdleCheckpoint {
    /// Truncates the log if it has not changed since the last call. Returns whether it did.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn run(&mut self, db: &Db) -> Result<bool, DbError> {
        let state = match &db.options().target {
            Target::Sqlite(path) => LogState::read(path),
            Target::Postgres(_) => None,
        };
        let is_idle = state.is_some() && state == self.last;
        self.last = state;
        // A checkpoint that waits for readers would delay writers.
        Ok(is_idle && db.checkpoint(Duration::ZERO).await?)
    }
}

impl LogState {
    /// Returns the state of a log that is not empty.
    fn read(database: &Path) -> Option<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        let metadata = std::fs::metadata(path).ok().filter(|metadata| metadata.len() > 0)?;
        Some(Self { bytes: metadata.len(), modified: metadata.modified().ok()? })
    }
}
