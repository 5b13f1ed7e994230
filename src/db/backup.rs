//! Backups of an SQLite database, and their restoration.
//!
//! A backup is complete or absent: it is written under another name in the same directory, verified and synchronized before it gets its
//! name. `VACUUM INTO` reads one state of the database, while a server reads and writes it.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection, prelude::*, sql_query, sql_types::Text};

use super::{DbConnection, migrations};

/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A backup or a restoration failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    #[error("{} already exists", .0.display())]
    AlreadyExists(PathBuf),
    #[error("the path {} is not valid UTF-8", .0.display())]
    InvalidPath(PathBuf),
    #[error("cannot {action} {}: {source}", .path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// For example because the disk is full.
    #[error("cannot copy {} to {}: {reason}", .database.display(), .file.display())]
    Copy { database: PathBuf, file: PathBuf, reason: String },
    #[error("{} is not an SQLite database", .0.display())]
    NotDatabase(PathBuf),
    #[error("{} is damaged: {reason}", .path.display())]
    Damaged { path: PathBuf, reason: String },
    /// It contains no migrations.
    #[error("{} is not a database of this server", .0.display())]
    Foreign(PathBuf),
    #[error("{} has migration {version}, which this version does not know", .path.display())]
    Newer { path: PathBuf, version: String },
    /// The file was copied without the log that contains its latest changes.
    #[error("{} has a write-ahead log: it is a copy of a database in use, not a backup", .0.display())]
    HasLog(PathBuf),
}

impl BackupError {
    /// Returns how to fix the error, if known.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::AlreadyExists(_) => "choose another file name, or delete the file",
            Self::Copy { .. } => "check the free space and the permissions of the directory",
            Self::Newer { .. } => "restore it with the version that created it, or a later one",
            Self::HasLog(_) | Self::Damaged { .. } | Self::NotDatabase(_) | Self::Foreign(_) => {
                "choose a file that `bucketlist backup` has written"
            }
            _ => return None,
        })
    }

    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

/// The contents of a verified backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Applied migrations.
    pub migrations: usize,
    /// Migrations of this release that are not applied.
    pub pending: usize,
}

/// The result of a restoration.
#[derive(Clone, Debug)]
pub struct Restored {
    pub summary: BackupSummary,
    /// The previous database, if there was one.
    pub replaced: Option<PathBuf>,
}

/// A file that is deleted unless it is published.
struct PartialFile(PathBuf);

impl Drop for PartialFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl PartialFile {
    /// Creates an empty file next to `path` that only this user can read.
    fn create(path: &Path) -> Result<Self, BackupError> {
        let partial = with_suffix(path, &format!(".{}.partial", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&partial).map_err(BackupError::file("create", &partial))?;
        Ok(Self(partial))
    }

    /// Renames the file after its contents are on the disk.
    fn publish(self, path: &Path) -> Result<(), BackupError> {
        let sync = File::open(&self.0).and_then(|file| file.sync_all());
        sync.map_err(BackupError::file("write", &self.0))?;
        fs::rename(&self.0, path).map_err(BackupError::file("create", path))?;
        sync_directory(path)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the names in the directory of `path` durable.
fn sync_directory(path: &Path) -> Result<(), BackupError> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(BackupError::file("write", directory))
}

/// Writes a copy of `database` to `file` and verifies it.
///
/// # Errors
/// [`BackupError`]; `file` does not exist then.
pub fn back_up(database: &Path, file: &Path) -> Result<BackupSummary, BackupError> {
    // SQLite would create it.
    if !database.exists() {
        return Err(BackupError::Missing(database.to_owned()));
    }
    if file.exists() {
        return Err(BackupError::AlreadyExists(file.to_owned()));
    }
    let partial = PartialFile::create(file)?;
    let target = partial.0.to_str().ok_or_else(|| BackupError::InvalidPath(file.to_owned()))?;
    copy(database, target).map_err(|reason| BackupError::Copy {
        database: database.to_owned(),
        file: file.to_owned(),
        reason,
    })?;
    let summary = inspect(&partial.0).map_err(|error| error.at(file))?;
    partial.publish(file)?;
    Ok(summary)
}

fn copy(database: &Path, target: &str) -> Result<(), String> {
    let mut connection = open(database).map_err(|error| error.to_string())?;
    let copied = sql_query("VACUUM INTO ?").bind::<Text, _>(target).execute(&mut connection);
    copied.map(drop).map_err(|error| error.to_string())
}

fn open(path: &Path) -> Result<SqliteConnection, Box<dyn std::error::Error>> {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    connection.batch_execute("PRAGMA busy_timeout = 5000")?;
    Ok(connection)
}

impl BackupError {
    /// Replaces the path of a partial file by the name that the user has chosen.
    fn at(self, file: &Path) -> Self {
        let path = file.to_owned();
        match self {
            Self::NotDatabase(_) => Self::NotDatabase(path),
            Self::Damaged { reason, .. } => Self::Damaged { path, reason },
            Self::Foreign(_) => Self::Foreign(path),
            Self::Newer { version, .. } => Self::Newer { path, version },
            error => error,
        }
    }
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// Verifies that a file is an intact database of this release or an earlier one.
///
/// # Errors
/// [`BackupError`].
pub fn inspect(path: &Path) -> Result<BackupSummary, BackupError> {
    let mut header = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) if header == *MAGIC => {}
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            return Err(BackupError::file("read", path)(error));
        }
        _ => return Err(BackupError::NotDatabase(path.to_owned())),
    }
    let damaged = |reason: String| BackupError::Damaged { path: path.to_owned(), reason };
    let mut connection = open(path).map_err(|error| damaged(error.to_string()))?;
    let checks: QueryResult<Vec<Check>> = sql_query("PRAGMA integrity_check(1)").load(&mut connection);
    match checks.map_err(|error| damaged(error.to_string()))?.as_slice() {
        [check] if check.integrity_check == "ok" => {}
        checks => return Err(damaged(checks.iter().map(|check| check.integrity_check.as_str()).collect())),
    }
    let status =
        migrations::status(&mut DbConnection::Sqlite(connection)).map_err(|error| damaged(error.to_string()))?;
    if let Some(version) = status.unknown.into_iter().next_back() {
        return Err(BackupError::Newer { path: path.to_owned(), version });
    }
    if status.applied.is_empty() {
        return Err(BackupError::Foreign(path.to_owned()));
    }
    let bytes = fs::metadata(path).map_err(BackupError::file("read", path))?.len();
    Ok(BackupSummary { bytes, migrations: status.applied.len(), pending: status.pending.len() })
}

/// Replaces `database` by a copy of `file`, after verifying it. The previous database is retained as
/// `<database>.replaced-<stamp>`. The caller must hold the lock of the database.
///
/// # Errors
/// [`BackupError`]; `database` is unchanged then.
pub fn restore(database: &Path, file: &Path, stamp: &str) -> Result<Restored, BackupError> {
    if !file.exists() {
        return Err(BackupError::Missing(file.to_owned()));
    }
    let log = with_suffix(file, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::HasLog(file.to_owned()));
    }
    let partial = PartialFile::create(database)?;
    fs::copy(file, &partial.0).map_err(|error| BackupError::Copy {
        database: file.to_owned(),
        file: database.to_owned(),
        reason: error.to_string(),
    })?;
    let summary = inspect(&partial.0).map_err(|error| error.at(file))?;
    let replaced = retain(database, stamp)?;
    partial.publish(database)?;
    Ok(Restored { summary, replaced })
}

/// Gives the current database a second name. It keeps its first one until the new database takes it, so that there is a database
/// at every moment.
fn retain(database: &Path, stamp: &str) -> Result<Option<PathBuf>, BackupError> {
    if !database.exists() {
        return Ok(None);
    }
    // Moves the log into the database, if it is intact.
    if let Ok(mut connection) = open(database) {
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
