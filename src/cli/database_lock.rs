//! The lock that prevents two servers from using one database, and a migration from being reverted under a running server.

use std::{io, path::Path};

use super::{
    CliError,
    error::io_reason,
    migrate::{RESPONSE_TIMEOUT, connect_help},
    prepare_directories,
};
use crate::{
    config::Config,
    db::{
        FileLock, FileLockError, Target,
        exclusive::{ExclusiveLock, ExclusiveLockError, ensure_not_locked},
        migrations::MigrationError,
        run_within,
    },
};

/// Prevents a second server from using the database if this one caches data from it. The operating system releases the lock when
/// the process ends.
pub(super) enum DatabaseLock {
    File {
        _lock: FileLock,
    },
    Advisory(ExclusiveLock),
    /// Several servers share the database and do not cache data.
    Shared,
}

/// Acquires the lock of a server.
pub(super) fn lock_database(config: &Config) -> Result<DatabaseLock, CliError> {
    match &config.database.target {
        Target::Postgres(url) if config.is_exclusive => {
            let url = url.clone();
            run_on_server(move || ExclusiveLock::new(&url)).map(DatabaseLock::Advisory)
        }
        _ => {
            let help = "stop the other server, or use PostgreSQL to run several servers";
            Ok(lock_file(config, help)?.map_or(DatabaseLock::Shared, |lock| DatabaseLock::File { _lock: lock }))
        }
    }
}

/// Checks that no server relies on the latest migration. Servers that share a PostgreSQL database are not checked: each of them reports
/// a schema that it cannot use as not ready. Returns the locks of an SQLite database, which prevent servers and workers from starting.
pub(super) fn lock_for_revert(config: &Config) -> Result<Vec<FileLock>, CliError> {
    lock_exclusively(config, "before you revert a migration")
}

/// Checks that no server and no worker uses the database that a backup replaces. Returns the locks of an SQLite database.
pub(super) fn lock_for_restore(config: &Config) -> Result<Vec<FileLock>, CliError> {
    lock_exclusively(config, "; restoring replaces the database that it uses")
}

/// Marks an SQLite database as used by a worker. Workers share it with each other and with a server.
pub(super) fn lock_for_worker(config: &Config) -> Result<Option<FileLock>, CliError> {
    let Target::Sqlite(path) = &config.database.target else { return Ok(None) };
    prepare_directories(config)?;
    FileLock::share_as_worker(path).map(Some).map_err(|error| {
        let help = "wait until the command that replaces or migrates the database has ended";
        file_error(error, path, "a command", help)
    })
}

fn lock_exclusively(config: &Config, reason: &str) -> Result<Vec<FileLock>, CliError> {
    let separator = if reason.starts_with(';') { "" } else { " " };
    let server = lock_file(config, &format!("stop the server{separator}{reason}"))?;
    let workers = match &config.database.target {
        Target::Sqlite(path) => FileLock::exclude_workers(path)
            .map_err(|error| file_error(error, path, "a worker", &format!("stop the worker{separator}{reason}")))?,
        Target::Postgres(_) => None,
    };
    Ok(server.into_iter().chain(workers).collect())
}

fn lock_file(config: &Config, help: &str) -> Result<Option<FileLock>, CliError> {
    let path = match &config.database.target {
        Target::Sqlite(path) => path,
        Target::Postgres(url) => {
            let url = url.clone();
            return run_on_server(move || ensure_not_locked(&url)).map(|()| None);
        }
    };
    prepare_directories(config)?;
    FileLock::acquire(path).map(Some).map_err(|error| file_error(error, path, "another server", help))
}

fn file_error(error: FileLockError, path: &Path, user: &str, help: &str) -> CliError {
    let database = path.display();
    match error {
        FileLockError::AlreadyHeld => CliError::with_help(format!("{user} uses database {database}"), help.to_owned()),
        FileLockError::Io(error) if is_read_only(&error) => CliError::with_help(
            format!("cannot write to database {database}: {}", io_reason(&error)),
            "make the file writable, or set DATABASE_URL to another file",
        ),
        FileLockError::Io(error) => CliError::with_help(
            format!("cannot open database {database}: {}", io_reason(&error)),
            "set DATABASE_URL to an SQLite database or to a new file",
        ),
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Runs a call to PostgreSQL, with a limit on its time.
fn run_on_server<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExclusiveLockError> + Send + 'static,
) -> Result<T, CliError> {
    let no_response = || ExclusiveLockError::Unreachable(MigrationError::NoResponse(RESPONSE_TIMEOUT).to_string());
    run_within(RESPONSE_TIMEOUT, work).unwrap_or_else(|| Err(no_response())).map_err(|error| lock_error(&error))
}

fn lock_error(error: &ExclusiveLockError) -> CliError {
    match error {
        ExclusiveLockError::AlreadyHeld => CliError::with_help(
            "another server uses the database exclusively",
            "stop that server, or set DATABASE_EXCLUSIVE=false on all servers",
        ),
        ExclusiveLockError::Pooler => CliError::with_help(
            error.to_string(),
            "set DATABASE_EXCLUSIVE=false, or set DATABASE_URL to the PostgreSQL server",
        ),
        ExclusiveLockError::Unreachable(_) => {
            let message = error.to_string();
            let help = connect_help(&message);
            CliError::with_help(message, help)
        }
    }
}
