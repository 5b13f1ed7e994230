//! Opens SQLite databases that cannot be written, for commands that only read.

use std::{ffi::OsString, fs, path::Path};

use diesel::{Connection, ConnectionError, SqliteConnection, connection::SimpleConnection};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::connection::is_locked;

/// Characters with a meaning in the URI of a file.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

/// Minimum size of an index of the log. On a full disk, SQLite leaves a shorter one.
const INDEX_SIZE: u64 = 32_768;

/// Opens an existing database for reading, also if neither the file nor its directory can be written.
pub(super) fn open_for_reading(path: &Path) -> Result<SqliteConnection, ConnectionError> {
    match open(&path.to_string_lossy()) {
        Err(error) if can_be_read_unlocked(path, &error) => open_immutable(path),
        result => result,
    }
}

/// Returns whether a database that cannot be opened can be read without its log and without locks: SQLite creates the index of the log in the
/// directory, which can be read-only or full. With a log, the file alone is not the latest state; with an index, a server uses it.
pub(super) fn can_be_read_unlocked(path: &Path, error: &ConnectionError) -> bool {
    let beside = |suffix: &str| {
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(suffix);
        fs::metadata(name)
    };
    let has_log = beside("-wal").is_ok_and(|log| log.len() > 0);
    let has_index = beside("-shm").is_ok_and(|index| index.len() >= INDEX_SIZE);
    !is_locked(error) && !has_log && !has_index
}

/// Opens a database that nothing writes to.
pub(super) fn open_immutable(path: &Path) -> Result<SqliteConnection, ConnectionError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    open(&format!("file://{}?immutable=1", utf8_percent_encode(&path.to_string_lossy(), RESERVED)))
}

fn open(name: &str) -> Result<SqliteConnection, ConnectionError> {
    let mut connection = SqliteConnection::establish(name)?;
    // Opening alone does not read the file.
    let read = connection.batch_execute("PRAGMA busy_timeout = 5000; SELECT count(*) FROM sqlite_master");
    read.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
