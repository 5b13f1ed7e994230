//! `bucketlist backup` and `bucketlist restore`.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{CliError, database_lock::lock_for_restore, interruption::exit_without_partial_files, prepare_directories};
use crate::{
    config::Config,
    db::{
        Target,
        backup::{self, BackupError, BackupSummary},
    },
    domain::{Clock, SystemClock},
};

/// Help for the engine whose own tools make better backups.
const USE_PG_DUMP: &str = "use pg_dump and pg_restore, see docs/backup.md";

pub(super) fn back_up(config: &Config, file: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let database = sqlite_path(config, "backup")?;
    exit_without_partial_files()?;
    let summary = backup::back_up(database, file).map_err(describe)?;
    writeln!(out, "Wrote {} ({}).", file.display(), contents(&summary))?;
    Ok(())
}

pub(super) fn restore(config: &Config, file: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let database = sqlite_path(config, "restore")?;
    prepare_directories(config)?;
    // Held until the end, so that no server starts in between. Locking would create a missing database.
    let _lock = if database.exists() { lock_for_restore(config)? } else { Vec::new() };
    exit_without_partial_files()?;
    let restored = backup::restore(database, file, &SystemClock.now().compact_utc()).map_err(describe)?;
    writeln!(out, "Restored {} from {} ({}).", database.display(), file.display(), contents(&restored.summary))?;
    if let Some(replaced) = &restored.replaced {
        writeln!(out, "The previous database is {}.", replaced.display())?;
    }
    if restored.summary.pending > 0 {
        writeln!(out, "{} migrations are pending; `bucketlist serve` applies them.", restored.summary.pending)?;
    }
    Ok(())
}

fn sqlite_path<'c>(config: &'c Config, command: &str) -> Result<&'c PathBuf, CliError> {
    match &config.database.target {
        Target::Sqlite(path) => Ok(path),
        Target::Postgres(_) => Err(CliError::with_help(format!("`{command}` supports only SQLite"), USE_PG_DUMP)),
    }
}

fn contents(summary: &BackupSummary) -> String {
    format!("{} bytes, {} migrations, integrity verified", summary.bytes, summary.migrations)
}

fn describe(error: BackupError) -> CliError {
    match error.help() {
        Some(help) => CliError::with_help(error.to_string(), help),
        None => CliError::Message(error.to_string()),
    }
}
