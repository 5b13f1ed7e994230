//! `bucketlist migrate`.

use std::{io::Write, process::ExitCode};

use clap::Subcommand;

use super::{CliError, prepare_folders};
use crate::{
    config::Config,
    db::{Target, migrations::Migrator},
};

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Action {
    /// Do what is pending.
    Up,
    /// Undo the newest migration.
    Down,
    /// Undo the newest migration and do it again.
    Redo,
    /// List what is done and what is pending; exits 4 when the database is not current.
    Status,
}

/// The exit code of a state that is not current, as `openapi check` has it.
const NOT_CURRENT: u8 = 4;

pub(super) fn run(config: &Config, action: Action, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let mut migrator = connect(config)?;
    match action {
        Action::Up => {
            let done = migrator.up()?;
            for name in &done {
                writeln!(out, "up    {name}")?;
            }
            if done.is_empty() {
                writeln!(out, "The database is current.")?;
            }
        }
        Action::Down => match migrator.down()? {
            Some(name) => writeln!(out, "down  {name}")?,
            None => writeln!(out, "There is no migration to undo.")?,
        },
        Action::Redo => match migrator.redo()? {
            Some(name) => writeln!(out, "redo  {name}")?,
            None => writeln!(out, "There was no migration to undo; all are done now.")?,
        },
        Action::Status => {
            let status = migrator.status()?;
            for (word, names) in [("done", &status.applied), ("pending", &status.pending), ("unknown", &status.unknown)]
            {
                for name in names {
                    writeln!(out, "{word:<8}{name}")?;
                }
            }
            if !status.is_current() {
                return Ok(ExitCode::from(NOT_CURRENT));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What to do when PostgreSQL does not answer.
pub(super) const START_POSTGRES: &str = "start the PostgreSQL server, or let DATABASE_URL name the right one";

/// A connection for migrating and seeding, or a sentence about why there is none.
pub(super) fn connect(config: &Config) -> Result<Migrator, CliError> {
    prepare_folders(config)?;
    Migrator::connect(&config.database).map_err(|error| {
        CliError::Message(match &config.database.target {
            Target::Sqlite(path) => {
                format!("{error} (`{}`); let DATABASE_URL name a file of SQLite's, or a new one", path.display())
            }
            Target::Postgres(_) => {
                format!("{error}; {START_POSTGRES}")
            }
        })
    })
}
