//! Verifies backups.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use diesel::{prelude::*, sql_query, sql_types::Text};

use super::BackupError;
use crate::db::{
    DbConnection,
    migrations::{self, MigrationError, MigrationStatus, missing_from_schema},
    read_only::open_for_reading,
};

/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The contents of a verified backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Applied migrations, also of newer releases.
    pub migrations: usize,
    /// Migrations of this release that are not applied.
    pub pending: usize,
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// A row that refers to one that does not exist.
#[derive(QueryableByName)]
struct BrokenReference {
    #[diesel(sql_type = Text)]
    child: String,
    #[diesel(sql_type = Text)]
    parent: String,
}

/// Verifies that a file is an intact database of this server, of any release.
///
/// # Errors
/// [`BackupError`].
pub fn inspect(path: &Path) -> Result<BackupSummary, BackupError> {
    let (_, status) = open_intact(path)?;
    summarize(path, &status)
}

/// Verifies that this release can use a file: like [`inspect`], and the database has all tables, no migration that this release does not know,
/// and no reference to a missing row.
///
/// # Errors
/// [`BackupError`].
pub fn inspect_for_restore(path: &Path) -> Result<BackupSummary, BackupError> {
    let (mut connection, status) = open_intact(path)?;
    if let Some(version) = status.unknown.last() {
        return Err(BackupError::Newer { path: path.to_owned(), version: version.clone() });
    }
    let summary = summarize(path, &status)?;
    let damaged = |error: MigrationError| BackupError::Damaged { path: path.to_owned(), reason: error.to_string() };
    let incomplete = |reason: String| BackupError::Incomplete { path: path.to_owned(), reason };
    if let Some(missing) = missing_from_schema(&mut connection, &status).map_err(damaged)? {
        return Err(incomplete(format!("{missing} is missing")));
    }
    let query = "SELECT DISTINCT \"table\" AS child, parent FROM pragma_foreign_key_check LIMIT 1";
    let broken: QueryResult<Option<BrokenReference>> = sql_query(query).get_result(&mut connection).optional();
    match broken.map_err(|error| BackupError::Damaged { path: path.to_owned(), reason: error.to_string() })? {
        Some(BrokenReference { child, parent }) => {
            Err(incomplete(format!("table {child} refers to rows that are missing in table {parent}")))
        }
        None => Ok(summary),
    }
}

fn summarize(path: &Path, status: &MigrationStatus) -> Result<BackupSummary, BackupError> {
    let bytes = fs::metadata(path).map_err(BackupError::file("read", path))?.len();
    let migrations = status.applied.len() + status.unknown.len();
    Ok(BackupSummary { bytes, migrations, pending: status.pending.len() })
}

fn open_intact(path: &Path) -> Result<(SqliteConnection, MigrationStatus), BackupError> {
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
    let mut connection = open_for_reading(path).map_err(|error| damaged(error.to_string()))?;
    let checks: QueryResult<Vec<Check>> = sql_query("PRAGMA integrity_check(1)").load(&mut connection);
    match checks.map_err(|error| damaged(error.to_string()))?.as_slice() {
        [check] if check.integrity_check == "ok" => {}
        checks => {
            let reasons: String = checks.iter().map(|check| check.integrity_check.as_str()).collect();
            // In one line.
            return Err(damaged(reasons.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    let mut connection = DbConnection::Sqlite(connection);
    let status = migrations::read_status(&mut connection).map_err(|error| damaged(error.to_string()))?;
    if status.applied.is_empty() {
        let error = match status.unknown.into_iter().next_back() {
            Some(version) => BackupError::Newer { path: path.to_owned(), version },
            None => BackupError::Foreign(path.to_owned()),
        };
        return Err(error);
    }
    match connection {
        DbConnection::Sqlite(connection) => Ok((connection, status)),
        DbConnection::Postgres(_) => Err(BackupError::NotDatabase(path.to_owned())),
    }
}
