//! `bucketlist migrate`.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Subcommand;

use super::{
    CliError,
    database_lock::lock_for_revert,
    logging, prepare_directories,
    progress::{IndexingLog, progress_bar},
};
use crate::{
    config::Config,
    db::{
        Target,
        migrations::{MigrationError, Migrator},
        run_within,
    },
};

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Action {
    /// Apply all pending migrations.
    Up,
    /// Revert the latest migration. Stop the server first.
    Down,
    /// Revert and reapply the latest applied migration. Pending migrations stay pending. Stop the server first.
    Redo,
    /// List applied, pending and unknown migrations. Exits with 4 if migrations are pending, or if this version cannot use the database.
    Status,
}

/// Exit code for a database that this version cannot use as it is; `openapi check` uses the same for documents.
const NOT_UP_TO_DATE: u8 = 4;

pub(super) fn run(config: &Config, action: Action, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    if let Action::Status = action {
        return print_status(config, out);
    }
    // Held until the command ends.
    let _lock = match action {
        Action::Down | Action::Redo => lock_for_revert(config)?,
        Action::Up | Action::Status => Vec::new(),
    };
    let mut migrator = connect(config)?;
    match action {
        Action::Up => {
            let applied = migrate_up(config, &mut migrator)?;
            for name in &applied {
                writeln!(out, "up    {name}")?;
            }
            if applied.is_empty() {
                writeln!(out, "The database is up to date.")?;
            }
        }
        Action::Down => match migrator.down()? {
            Some(name) => writeln!(out, "down  {name}")?,
            None => writeln!(out, "There is no migration to revert.")?,
        },
        Action::Redo => match migrator.redo()? {
            Some(name) => writeln!(out, "redo  {name}")?,
            None => writeln!(out, "There is no migration to redo.")?,
        },
        Action::Status => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn print_status(config: &Config, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let read = {
        let config = config.clone();
        move || Ok::<_, CliError>(connect_to_existing(&config)?.status()?)
    };
    let no_response = || CliError::with_help(MigrationError::NoResponse(RESPONSE_TIMEOUT).to_string(), START_POSTGRES);
    let status = run_within(RESPONSE_TIMEOUT, read).ok_or_else(no_response)??;
    let groups = [("applied", &status.applied), ("pending", &status.pending), ("unknown", &status.unknown)];
    for (state, names) in groups {
        for name in names {
            writeln!(out, "{state:<8}{name}")?;
        }
    }
    Ok(if status.is_compatible() { ExitCode::SUCCESS } else { ExitCode::from(NOT_UP_TO_DATE) })
}

/// Applies pending migrations. Shows the progress of the search index as a bar on a terminal, else in the log.
pub(super) fn migrate_up(config: &Config, migrator: &mut Migrator) -> Result<Vec<String>, CliError> {
    if std::io::stderr().is_terminal() {
        let bar = progress_bar(0, "rows indexed");
        let applied = migrator.up_with_progress(&mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.rows);
        });
        bar.finish_and_clear();
        return Ok(applied?);
    }
    let _log = logging::start(config);
    let mut log = IndexingLog::default();
    Ok(migrator.up_with_progress(&mut |progress| log.record(progress))?)
}

/// Checks that the database can be written.
pub(super) fn ensure_writable(config: &Config, migrator: &mut Migrator) -> Result<(), CliError> {
    let Err(error) = migrator.check_writable() else { return Ok(()) };
    Err(match &config.database.target {
        Target::Sqlite(path) => {
            let error = error.to_string();
            let help = if is_disk_full(&error) {
                FREE_SPACE
            } else {
                "make the file and its directory writable, or set DATABASE_URL to another file"
            };
            CliError::with_help(format!("cannot write to database {}: {error}", path.display()), help)
        }
        Target::Postgres(_) => CliError::with_help(
            format!("cannot write to the database: {error}"),
            "set DATABASE_URL to the primary server",
        ),
    })
}

/// Maximum time for a database to respond to a command that only reads.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Help for a PostgreSQL server that cannot be reached.
const START_POSTGRES: &str = "start the PostgreSQL server, or correct DATABASE_URL";

/// Texts of libpq for a server that has not the role that `target_session_attrs` requires.
const OTHER_ROLE: [&str; 4] = [
    "session is read-only",
    "session is not read-only",
    "server is in hot standby mode",
    "server is not in hot standby mode",
];

/// Returns the help for a PostgreSQL server that cannot be used, from the error.
pub(super) fn connect_help(reason: &str) -> &'static str {
    if reason.contains("database \"") && reason.contains("\" does not exist") {
        return "create it with `CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`, or correct the name in DATABASE_URL";
    }
    if OTHER_ROLE.iter().any(|text| reason.contains(text)) {
        return "no server in DATABASE_URL has the role in target_session_attrs; list the primary, with target_session_attrs=read-write";
    }
    START_POSTGRES
}

/// Opens a connection for migrations and seeding.
pub(super) fn connect(config: &Config) -> Result<Migrator, CliError> {
    prepare_directories(config)?;
    Migrator::connect(&config.database).map_err(|error| connection_error(&config.database.target, error))
}

/// Opens a connection for a command that only reads. Does not create a missing SQLite database, and does not migrate: the database must
/// have the schema of this release or a compatible one.
pub(super) fn connect_for_reading(config: &Config) -> Result<Migrator, CliError> {
    let mut migrator = connect_to_existing(config)?;
    let status = migrator.status()?;
    if let Some(version) = status.min_version {
        return Err(MigrationError::Newer(version).into());
    }
    match status.pending.len() {
        0 => Ok(migrator),
        1 => Err(CliError::with_help("1 migration is pending", "run `bucketlist migrate up`")),
        count => Err(CliError::with_help(format!("{count} migrations are pending"), "run `bucketlist migrate up`")),
    }
}

/// Opens a connection for reading, with any schema.
fn connect_to_existing(config: &Config) -> Result<Migrator, CliError> {
    Migrator::connect_for_reading(&config.database).map_err(|error| connection_error(&config.database.target, error))
}

fn connection_error(target: &Target, error: MigrationError) -> CliError {
    match (target, error) {
        (Target::Sqlite(path), MigrationError::Connect(reason)) => {
            let message = format!("cannot open database {}: {reason}", path.display());
            CliError::with_help(message, connection_help(target, &MigrationError::Connect(reason)))
        }
        (_, error @ (MigrationError::Connect(_) | MigrationError::NoResponse(_))) => {
            let message = error.to_string();
            let help = connect_help(&message);
            CliError::with_help(message, help)
        }
        (_, error) => error.into(),
    }
}

/// Returns how to fix an error of a connection.
pub(super) fn connection_help(target: &Target, error: &MigrationError) -> &'static str {
    let text = error.to_string();
    match target {
        Target::Postgres(_) => connect_help(&text),
        Target::Sqlite(_) if is_disk_full(&text) => FREE_SPACE,
        // Of the index of the log, which is created in the directory.
        Target::Sqlite(_) if text.contains("disk I/O error") => {
            "check the free space and the health of the disk, and that the directory is writable"
        }
        Target::Sqlite(path) if text.contains("readonly") || text.contains("unable to open") && path.is_file() => {
            "make the file and its directory writable, or set DATABASE_URL to another file"
        }
        Target::Sqlite(_) => "set DATABASE_URL to an SQLite database or to a new file",
    }
}

pub(super) fn is_disk_full(error: &str) -> bool {
    error.contains("disk is full")
}

/// Help for a full disk.
pub(super) const FREE_SPACE: &str = "free space on the disk, or set DATABASE_URL to a file on another disk";
