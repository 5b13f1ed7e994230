//! The lock on an SQLite database file. A server holds it while it runs.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
};

/// An error while locking a database file.
#[derive(Debug, thiserror::Error)]
pub enum FileLockError {
    /// Another process has the lock.
    #[error("another process has locked the file")]
    AlreadyHeld,
    /// The file cannot be opened for writing.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An exclusive lock on a database file, whichever path it was opened by. The operating system releases it when the process ends.
///
/// It is a `flock`, which is independent of the locks of SQLite, so other programs can still use the database. The file is
/// never closed: closing any descriptor of a file releases all locks that SQLite holds on it in this process.
pub struct FileLock {
    _file: ManuallyDrop<File>,
}

impl FileLock {
    /// Locks the database file at `path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// [`FileLockError`].
    pub fn acquire(path: &Path) -> Result<Self, FileLockError> {
        let file = ManuallyDrop::new(open_lockable(path)?);
        let locked = file.try_lock();
        Self::new(file, locked)
    }

    /// Marks the database at `path` as used by a worker. Any number of workers can use it, also while a server has locked it.
    ///
    /// # Errors
    /// [`FileLockError::AlreadyHeld`] while a command excludes workers.
    pub fn share_as_worker(path: &Path) -> Result<Self, FileLockError> {
        let file = private_file().write(true).create(true).truncate(false).open(worker_file(path))?;
        let file = ManuallyDrop::new(file);
        let locked = file.try_lock_shared();
        Self::new(file, locked)
    }

    /// Prevents workers from using the database at `path`. Returns `None` if there has never been one.
    ///
    /// # Errors
    /// [`FileLockError::AlreadyHeld`] while a worker runs.
    pub fn exclude_workers(path: &Path) -> Result<Option<Self>, FileLockError> {
        let file = match private_file().write(true).open(worker_file(path)) {
            Ok(file) => ManuallyDrop::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let locked = file.try_lock();
        Self::new(file, locked).map(Some)
    }

    fn new(file: ManuallyDrop<File>, locked: Result<(), TryLockError>) -> Result<Self, FileLockError> {
        match locked {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(FileLockError::AlreadyHeld),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// Returns the file that workers lock: a server has locked the database file itself. Resolves symbolic links, so that every path of the
/// database has the same file.
fn worker_file(database: &Path) -> PathBuf {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut path = database.into_os_string();
    path.push(".workers");
    path.into()
}

/// Opens the database file.
#[cfg(target_os = "linux")]
fn open_lockable(path: &Path) -> io::Result<File> {
    private_file().read(true).write(true).create(true).truncate(false).open(path)
}

/// Opens a file next to the database file: on other systems, a `flock` conflicts with the locks of SQLite. Resolves symbolic links, so that
/// every path of the database has the same lock file.
#[cfg(not(target_os = "linux"))]
fn open_lockable(path: &Path) -> io::Result<File> {
    private_file().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut lock = path.canonicalize()?.into_os_string();
    lock.push(".lock");
    private_file().write(true).create(true).truncate(false).open(lock)
}

/// Creates a missing database file that only its owner can read. SQLite gives its log and its index the same permissions.
pub(super) fn create_private_file(path: &Path) {
    // An error is reported by SQLite when it opens the file.
    let _ = private_file().write(true).create_new(true).open(path);
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
