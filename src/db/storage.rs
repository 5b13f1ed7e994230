//! Whether the database can be written: the storage of SQLite may be read-only, and so may a PostgreSQL server after a failover.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use diesel::{
    QueryableByName, RunQueryDsl, connection::SimpleConnection, result::Error as DieselError, sql_query,
    sql_types::Bool,
};

use super::{
    Db, DbConnection, DbError, Target,
    reopening::{OpenConnections, STILL_IN_USE},
};

/// Time for which a result is reused, so that health checks cost one write per second at most.
const MAX_AGE: Duration = Duration::from_secs(1);
/// Maximum time that a check waits for other writers. A database that is only busy can be written.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Message of SQLite for SQLITE_FULL.
const DISK_FULL: &str = "database or disk is full";
/// Messages of SQLite for SQLITE_READONLY, SQLITE_IOERR and SQLITE_FULL. Diesel does not provide the codes.
const SQLITE_FAILURES: [&str; 3] = ["attempt to write a readonly database", "disk I/O error", DISK_FULL];
/// The error of a server that does not accept writes.
const READ_ONLY: &str = "the PostgreSQL server is read-only";

/// The state of the storage; shared by all connections.
#[derive(Clone, Default)]
pub(super) struct StorageStatus {
    state: Arc<Mutex<State>>,
    pub(super) open_connections: OpenConnections,
}

/// The last failures and checks.
#[derive(Default)]
struct State {
    failure: Option<String>,
    /// The last check, and why the database could not be written.
    check: Option<(Instant, Option<String>)>,
}

impl StorageStatus {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records the error of a statement if it is a failure of the storage.
    pub(super) fn record(&self, error: &DieselError) {
        if let DieselError::DatabaseError(_, info) = error
            && SQLITE_FAILURES.contains(&info.message())
        {
            let failure = info.message().to_owned();
            if failure != DISK_FULL {
                // Connections that were opened while the storage was read-only remain so.
                self.open_connections.record_failure();
            }
            self.with(|state| *state = State { failure: Some(failure), check: None });
        }
    }

    /// Returns the result of a recent check.
    fn recent(&self) -> Option<Result<(), DbError>> {
        let (checked_at, failure) = self.with(|state| state.check.clone())?;
        (checked_at.elapsed() < MAX_AGE).then(|| failure.map_or(Ok(()), |failure| Err(DbError::Unavailable(failure))))
    }
}

impl Db {
    /// Checks that the database can be written, with a write that changes nothing. A database that is busy counts as writable.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the storage or the server is read-only, or if writes to the storage fail.
    pub async fn check_writable(&self) -> Result<(), DbError> {
        let storage = &self.manager.storage;
        if let Some(result) = storage.recent() {
            return result;
        }
        storage.with(|state| state.failure = None);
        let probe = async {
            match self.options.target {
                Target::Sqlite(_) => self.write(probe_write).await,
                // Writes that wait for a lock must not delay the check.
                Target::Postgres(_) => self.read(probe_write).await,
            }
        };
        let outcome = tokio::time::timeout(MAX_WAIT, probe).await;
        let failure = match outcome {
            Ok(Err(DbError::Unavailable(reason))) if [READ_ONLY, STILL_IN_USE].contains(&reason.as_str()) => {
                if reason == READ_ONLY {
                    // After a failover, a new connection may reach the primary.
                    self.manager.count_loss();
                }
                Some(reason)
            }
            // The error of a failed commit is that of the group, so the statements have recorded it.
            Ok(Err(_)) => storage.with(|state| state.failure.clone()),
            Ok(Ok(())) | Err(_) => None,
        };
        storage.with(|state| state.check = Some((Instant::now(), failure.clone())));
        failure.map_or(Ok(()), |failure| Err(DbError::Unavailable(failure)))
    }
}

#[derive(QueryableByName)]
struct Mode {
    #[diesel(sql_type = Bool)]
    is_read_only: bool,
}

/// Checks that the database can be written. Writes an unused value to SQLite; reads the mode of PostgreSQL, which reports it.
pub(super) fn probe_write(c: &mut DbConnection) -> Result<(), DbError> {
    match c {
        DbConnection::Sqlite(c) => Ok(c.batch_execute("PRAGMA user_version = 0")?),
        DbConnection::Postgres(c) => {
            let query = "SELECT current_setting('transaction_read_only')::boolean AS is_read_only";
            let mode: Mode = sql_query(query).get_result(c)?;
            if mode.is_read_only { Err(DbError::Unavailable(READ_ONLY.to_owned())) } else { Ok(()) }
        }
    }
}
