//! Keeps a process running when a memory-mapped file can no longer be written.
//!
//! SQLite maps the index of its write-ahead log, the file `*-shm`, into memory. After an I/O error has made the file system read-only, or an
//! administrator has made the file immutable, the next write to a clean page of the mapping raises SIGBUS, which ends the
//! process. After [`install`], the page is replaced by a private copy of its contents instead, and [`count`] increases.
//!
//! The index is then no longer shared with other processes. Close all connections to the database before anything is written to it
//! again.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod maps;

use std::io;

#[cfg(target_os = "linux")]
use linux as system;

/// Systems where nothing is installed.
#[cfg(not(target_os = "linux"))]
mod system {
    pub(crate) fn install() -> std::io::Result<()> {
        Ok(())
    }

    pub(crate) fn count() -> u64 {
        0
    }
}

/// Installs the signal handler for this process. Later calls have no effect. It does nothing on systems other than Linux.
///
/// # Errors
/// Fails if the operating system rejects the handler.
pub fn install() -> io::Result<()> {
    system::install()
}

/// Returns the number of pages that were replaced since the process started.
#[must_use]
pub fn count() -> u64 {
    system::count()
}
