//! Errors of backups and restorations.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A backup or a restoration failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    #[error("{} already exists", .0.display())]
    AlreadyExists(PathBuf),
    /// It is a directory or a device.
    #[error("{} is not a regular file", .0.display())]
    NotFile(PathBuf),
    #[error("the path {} is not valid UTF-8", .0.display())]
    InvalidPath(PathBuf),
    #[error("cannot {action} {}: {}", .path.display(), reason(.source))]
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// For example because the disk is full.
    #[error("cannot copy {} to {}: {reason}", .database.display(), .file.display())]
    Copy { database: PathBuf, file: PathBuf, reason: String },
    #[error("{} is not an SQLite database", .0.display())]
    NotDatabase(PathBuf),
    #[error("{} is damaged: {reason}", .path.display())]
    Damaged { path: PathBuf, reason: String },
    /// Its rows or its tables are not those that its migrations have created.
    #[error("{} is incomplete: {reason}", .path.display())]
    Incomplete { path: PathBuf, reason: String },
    /// It contains no migrations.
    #[error("{} is not a database of this server", .0.display())]
    Foreign(PathBuf),
    #[error("{} has migration {version}, which this version does not know", .path.display())]
    Newer { path: PathBuf, version: String },
    /// The file was copied without the log that contains its latest changes.
    #[error("{} has a write-ahead log: it is a copy of a database in use, not a backup", .0.display())]
    HasWal(PathBuf),
}

impl BackupError {
    /// Returns how to fix the error, if known.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::AlreadyExists(_) => "choose another file name, or delete the file",
            Self::Copy { .. } | Self::File { .. } => "check the free space and the permissions of the directory",
            Self::Newer { .. } => "restore it with the version that created it, or a later one",
            Self::HasWal(_)
            | Self::NotFile(_)
            | Self::Damaged { .. }
            | Self::Incomplete { .. }
            | Self::NotDatabase(_)
            | Self::Foreign(_) => "choose a file that `bucketlist backup` has written",
            Self::Missing(_) | Self::InvalidPath(_) => return None,
        })
    }

    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// Replaces the path of a partial file by the name that the user has chosen.
    pub(super) fn at(self, file: &Path) -> Self {
        let path = file.to_owned();
        match self {
            Self::NotDatabase(_) => Self::NotDatabase(path),
            Self::Damaged { reason, .. } => Self::Damaged { path, reason },
            Self::Incomplete { reason, .. } => Self::Incomplete { path, reason },
            Self::Foreign(_) => Self::Foreign(path),
            Self::Newer { version, .. } => Self::Newer { path, version },
            error => error,
        }
    }
}

/// Returns the reason of an I/O error without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or(&text).to_lowercase()
}
