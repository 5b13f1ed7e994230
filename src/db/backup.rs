//! Backups of an SQLite database, and their restoration.
//!
//! A backup is complete or absent: it is written under another name in the same directory, verified and synchronized before it is
//! renamed. `VACUUM INTO` reads one state of the database, while a server reads and writes it.

mod error;
mod inspection;
mod partial_file;

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};

pub use error::BackupError;
pub use inspection::{BackupSummary, inspect, inspect_for_restore};
use partial_file::PartialFile;
pub use partial_file::{delete_abandoned_files, discard_partial_files};

use super::read_only::open_for_reading;

/// Maximum number of symbolic links between a path and its file.
const MAX_SYMLINKS: usize = 40;

/// The result of a restoration.
#[derive(Clone, Debug)]
pub struct RestoreSummary {
    pub summary: BackupSummary,
    /// The previous database, if there was one.
    pub replaced: Option<PathBuf>,
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Resolves symbolic links, even if the target does not exist yet.
fn resolve_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_SYMLINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| target.clone(), |directory| directory.join(&target));
    }
    path
}

/// Writes a copy of `database` to `file` and verifies it.
///
/// # Errors
/// Returns [`BackupError`]; in this case, `file` is not created.
pub fn back_up(database: &Path, file: &Path) -> Result<BackupSummary, BackupError> {
    // SQLite would create it.
    if !database.exists() {
        return Err(BackupError::Missing(database.to_owned()));
    }
    if file.exists() {
        return Err(BackupError::AlreadyExists(file.to_owned()));
    }
    let target = resolve_links(file);
    let partial = PartialFile::create(&target)?;
    let partial_name = partial.path.to_str().ok_or_else(|| BackupError::InvalidPath(file.to_owned()))?;
    copy(database, partial_name).map_err(|reason| BackupError::Copy {
        database: database.to_owned(),
        file: file.to_owned(),
        reason,
    })?;
    let summary = inspect(&partial.path).map_err(|error| error.at(file))?;
    partial.publish(&target)?;
    Ok(summary)
}

fn copy(database: &Path, target: &str) -> Result<(), String> {
    let mut connection = open_for_reading(database).map_err(|error| error.to_string())?;
    let copied = sql_query("VACUUM INTO ?").bind::<Text, _>(target).execute(&mut connection);
    copied.map(drop).map_err(|error| error.to_string())
}

/// Replaces `database` by a copy of `file`, after verifying it. The previous database is retained as
/// `<database>.replaced-<stamp>`. The caller must hold the lock of the database.
///
/// # Errors
/// Returns [`BackupError`]; in this case, `database` is unchanged.
pub fn restore(database: &Path, file: &Path, stamp: &str) -> Result<RestoreSummary, BackupError> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(BackupError::NotFile(file.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BackupError::Missing(file.to_owned())),
        Err(error) => return Err(BackupError::file("read", file)(error)),
    }
    let log = with_suffix(file, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::HasWal(file.to_owned()));
    }
    let database = &resolve_links(database);
    let mut partial = PartialFile::create(database)?;
    partial.copy_from(file).map_err(|error| BackupError::Copy {
        database: file.to_owned(),
        file: database.clone(),
        reason: error::reason(&error),
    })?;
    let summary = inspect_for_restore(&partial.path).map_err(|error| error.at(file))?;
    keep_owner(database, &partial.path);
    let replaced = keep_previous_database(database, stamp)?;
    partial.replace(database)?;
    Ok(RestoreSummary { summary, replaced })
}

/// Gives a file the owner of the current database, so that its server can open it if root restores it.
#[cfg(unix)]
fn keep_owner(database: &Path, file: &Path) {
    use std::os::unix::fs::{MetadataExt, chown};
    if let Ok(owner) = fs::metadata(database) {
        // Only root may change the owner; anyone else already is the owner.
        let _ = chown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &Path) {}

/// Hard-links the current database as `<database>.replaced-<stamp>`. The original path stays until the new file is renamed over it,
/// so the database is never missing. Deletes the write-ahead log, which must not be applied to the new database.
fn keep_previous_database(database: &Path, stamp: &str) -> Result<Option<PathBuf>, BackupError> {
    if !database.exists() {
        return Ok(None);
    }
    // Copies the write-ahead log into the database, if it is intact.
    if let Ok(mut connection) = open_for_reading(database) {
        let _ = connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    let name = |number: u32| match number {
        1 => with_suffix(database, &format!(".replaced-{stamp}")),
        _ => with_suffix(database, &format!(".replaced-{stamp}-{number}")),
    };
    // Another restoration can have used the name in the same second.
    let mut number = 1;
    while let Err(error) = link(database, &name(number)) {
        match error {
            BackupError::AlreadyExists(_) => number += 1,
            error => return Err(error),
        }
    }
    let replaced = name(number);
    // The log of the previous database must not be applied to the new one.
    for suffix in ["-wal", "-shm"] {
        let (log, retained) = (with_suffix(database, suffix), with_suffix(&replaced, suffix));
        if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            link(&log, &retained)?;
        }
        match fs::remove_file(&log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BackupError::file("delete", &log)(error));
            }
            _ => {}
        }
    }
    Ok(Some(replaced))
}

/// Creates a hard link, or a copy where the file system has no links.
fn link(path: &Path, other: &Path) -> Result<(), BackupError> {
    if other.exists() {
        return Err(BackupError::AlreadyExists(other.to_owned()));
    }
    match fs::hard_link(path, other) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::AlreadyExists(other.to_owned())),
        Err(_) => fs::copy(path, other).map(drop).map_err(BackupError::file("create", other)),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
