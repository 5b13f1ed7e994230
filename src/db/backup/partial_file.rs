//! Files that are not complete yet.
//!
//! A partial file has a lock as long as its process writes it, so that a later backup can delete those that a killed process has left.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::{BackupError, with_suffix};

/// The end of the name of a partial file.
const PARTIAL: &str = ".partial";
/// The end of the name of the file in which SQLite stores how to undo its changes.
const JOURNAL: &str = "-journal";

/// The partial files of this process.
static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn open_files() -> MutexGuard<'static, Vec<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Deletes the partial files of this process, which must then exit: the backup or the restoration that writes them fails.
pub fn discard_partial_files() {
    for path in open_files().drain(..) {
        delete(&path);
    }
}

/// Deletes the partial files in a directory whose names begin with a prefix, unless a process still writes them.
pub fn delete_abandoned_files(directory: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let partial = name.strip_suffix(JOURNAL).unwrap_or(name);
        if !(partial.starts_with(prefix) && partial.ends_with(PARTIAL)) {
            continue;
        }
        let partial = path.with_file_name(partial);
        // Elsewhere, the lock conflicts with those of SQLite, so that there is none.
        if cfg!(target_os = "linux") {
            delete_if_abandoned(&partial);
        }
    }
}

fn delete_if_abandoned(partial: &Path) {
    match File::open(partial) {
        // The lock is released after the deletion: a process that has just created the file waits for it, and then creates another one.
        Ok(file) if file.try_lock().is_ok() => delete(partial),
        Err(error) if error.kind() == io::ErrorKind::NotFound => delete(partial),
        Ok(_) | Err(_) => {}
    }
}

fn delete(partial: &Path) {
    let _ = fs::remove_file(partial);
    let _ = fs::remove_file(with_suffix(partial, JOURNAL));
}

/// A file that is deleted unless it is published.
pub(super) struct PartialFile {
    pub(super) path: PathBuf,
    /// Has the lock.
    file: File,
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        open_files().retain(|path| *path != self.path);
        delete(&self.path);
    }
}

impl PartialFile {
    /// Creates an empty file next to `path` that only this user can read.
    pub(super) fn create(path: &Path) -> Result<Self, BackupError> {
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            delete_abandoned_files(directory(path), &format!("{name}."));
        }
        let partial = with_suffix(path, &format!(".{}{PARTIAL}", Uuid::now_v7().simple()));
        let fail = |error| BackupError::file("create", path)(error);
        loop {
            let file = create_private(&partial).map_err(fail)?;
            if cfg!(target_os = "linux") {
                file.lock().map_err(fail)?;
            }
            // Another backup can delete the file before it is locked.
            if partial.exists() {
                open_files().push(partial.clone());
                return Ok(Self { path: partial, file });
            }
        }
    }

    /// Copies another file.
    pub(super) fn copy_from(&mut self, other: &Path) -> io::Result<()> {
        // Without the permissions of the other file.
        io::copy(&mut File::open(other)?, &mut self.file).map(drop)
    }

    /// Gives the file its name after its contents are on the disk, unless there is a file with this name.
    pub(super) fn publish(self, path: &Path) -> Result<(), BackupError> {
        self.sync()?;
        match fs::hard_link(&self.path, path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::AlreadyExists(path.to_owned()));
            }
            // The file system has no links. An empty file reserves the name.
            Err(_) => {
                create_private(path).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => BackupError::AlreadyExists(path.to_owned()),
                    _ => BackupError::file("create", path)(error),
                })?;
                self.rename(path)?;
            }
        }
        sync_directory(path)
    }

    /// Gives the file its name after its contents are on the disk. Replaces a file with this name.
    pub(super) fn replace(self, path: &Path) -> Result<(), BackupError> {
        self.sync()?;
        self.rename(path)?;
        sync_directory(path)
    }

    fn sync(&self) -> Result<(), BackupError> {
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(BackupError::file("write", &self.path))
    }

    fn rename(&self, path: &Path) -> Result<(), BackupError> {
        fs::rename(&self.path, path).map_err(BackupError::file("create", path))
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Returns the directory of a file.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Makes the names in the directory of `path` durable.
fn sync_directory(path: &Path) -> Result<(), BackupError> {
    let directory = directory(path);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(BackupError::file("write", directory))
}
