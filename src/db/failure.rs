//! Failures of the databases: one table of error codes and what follows from each.
//!
//! Diesel reports the kind of some errors, but neither the SQLSTATE of PostgreSQL nor the result code of SQLite. The other
//! rows are therefore recognized by the message that the engine documents for the code. The texts of SQLite are constants.
//! PostgreSQL translates its texts, so connections request the untranslated ones (`lc_messages`).

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::slow_statements::{MAX_PER_UNIT, SlowStatement};

/// What follows from an error of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The transaction was rolled back because of a concurrent one. It is repeated a few times; then the response is 503.
    Conflict,
    /// A temporary condition: the response is 503.
    Temporary,
    /// The connection cannot be used any more: the response is 503, and the connection is replaced.
    Connection,
    /// No space is left for the data: the response is 507.
    StorageFull,
    /// Any other error, such as an invalid statement: the response is 500.
    Query,
}

/// How the message of an error is recognized.
#[derive(Clone, Copy, Debug)]
enum Text {
    Is(&'static str),
    StartsWith(&'static str),
    Contains(&'static str),
    EndsWith(&'static str),
}

impl Text {
    fn matches(self, message: &str) -> bool {
        match self {
            Self::Is(text) => message == text,
            Self::StartsWith(text) => message.starts_with(text),
            Self::Contains(text) => message.contains(text),
            Self::EndsWith(text) => message.ends_with(text),
        }
    }
}

/// A row of the table: a code, what follows from it, and how it is recognized.
struct Row {
    /// The SQLSTATE, or the result code of SQLite.
    code: &'static str,
    failure: Failure,
    kind: Option<DatabaseErrorKind>,
    texts: &'static [Text],
}

const fn kind(code: &'static str, failure: Failure, kind: DatabaseErrorKind) -> Row {
    Row { code, failure, kind: Some(kind), texts: &[] }
}

const fn text(code: &'static str, failure: Failure, texts: &'static [Text]) -> Row {
    Row { code, failure, kind: None, texts }
}

use Failure::{Conflict, Connection, StorageFull, Temporary};
use Text::{Contains, EndsWith, Is, StartsWith};

/// Every code whose response is not 500. PostgreSQL: Appendix A of its manual. SQLite: <https://sqlite.org/rescode.html>.
const TABLE: &[Row] = &[
    // PostgreSQL. Diesel recognizes class 08, and any error after which the connection is closed.
    kind("08006", Connection, DatabaseErrorKind::ClosedConnection),
    // Texts of libpq, for a connection that is closed while a statement runs.
    text(
        "08006",
        Connection,
        &[
            // After the last message of the server, if there is one.
            Contains("server closed the connection unexpectedly"),
            StartsWith("could not receive data from server: "),
            StartsWith("could not send data to server: "),
            StartsWith("SSL connection has been closed unexpectedly"),
            StartsWith("SSL SYSCALL error: "),
        ],
    ),
    kind("08P01", Connection, DatabaseErrorKind::UnableToSendCommand),
    // PgBouncer.
    text(
        "08P01",
        Connection,
        &[Is("server conn crashed?"), Is("query_wait_timeout"), StartsWith("server login has been failing")],
    ),
    text("0A000", Connection, &[Is("cached plan must not change result type")]),
    // A standby that was the primary before a failover.
    kind("25006", Connection, DatabaseErrorKind::ReadOnlyTransaction),
    text("25P03", Connection, &[Is("terminating connection due to idle-in-transaction timeout")]),
    text("25P04", Connection, &[Is("terminating connection due to transaction timeout")]),
    kind("40001", Conflict, DatabaseErrorKind::SerializationFailure),
    text("40P01", Conflict, &[Is("deadlock detected")]),
    text("53000", Temporary, &[EndsWith(": Too many open files"), EndsWith(": Too many open files in system")]),
    text(
        "53100",
        StorageFull,
        &[EndsWith(": No space left on device"), EndsWith(": Disk quota exceeded"), Contains(": wrote only ")],
    ),
    text("53200", Temporary, &[Is("out of memory"), Is("out of shared memory"), EndsWith(": Cannot allocate memory")]),
    text(
        "53300",
        Temporary,
        &[
            Is("sorry, too many clients already"),
            StartsWith("too many connections for "),
            StartsWith("remaining connection slots are reserved for "),
        ],
    ),
    text("53400", Temporary, &[StartsWith("temporary file size exceeds temp_file_limit ")]),
    text("55P03", Temporary, &[Is("canceling statement due to lock timeout"), StartsWith("could not obtain lock on ")]),
    text(
        "57014",
        Temporary,
        &[Is("canceling statement due to statement timeout"), Is("canceling statement due to user request")],
    ),
    text("57P01", Connection, &[Is("terminating connection due to administrator command")]),
    text("57P02", Connection, &[Is("terminating connection because of crash of another server process")]),
    text("57P03", Connection, &[StartsWith("the database system is ")]),
    text("57P05", Connection, &[Is("terminating connection due to idle-session timeout")]),
    text("58030", Temporary, &[EndsWith(": Input/output error")]),
    // SQLite.
    text("SQLITE_BUSY", Temporary, &[Is("database is locked")]),
    text(
        "SQLITE_LOCKED",
        Temporary,
        &[StartsWith("database table is locked"), StartsWith("database schema is locked")],
    ),
    text("SQLITE_READONLY", Connection, &[Is("attempt to write a readonly database")]),
    text("SQLITE_IOERR", Connection, &[Is("disk I/O error")]),
    text("SQLITE_CORRUPT", Connection, &[Is("database disk image is malformed")]),
    text("SQLITE_FULL", StorageFull, &[Is("database or disk is full")]),
    text("SQLITE_CANTOPEN", Connection, &[Is("unable to open database file")]),
    text("SQLITE_PROTOCOL", Temporary, &[Is("locking protocol")]),
    text("SQLITE_NOTADB", Connection, &[Is("file is not a database")]),
];

impl Failure {
    /// Classifies an error.
    pub(super) fn of(error: &DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, info) => {
                Self::find(*kind, info.message()).map_or(Self::Query, |row| row.failure)
            }
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::of(commit_error),
            DieselError::BrokenTransactionManager => Self::Connection,
            _ => Self::Query,
        }
    }

    fn find(kind: DatabaseErrorKind, message: &str) -> Option<&'static Row> {
        let is_row = |row: &&Row| match row.kind {
            Some(known) => known == kind,
            None => kind == DatabaseErrorKind::Unknown && row.texts.iter().any(|text| text.matches(message)),
        };
        TABLE.iter().find(is_row)
    }
}

/// Returns the code of an error that is in the table, for the log.
pub(super) fn code(error: &DieselError) -> Option<&'static str> {
    match error {
        DieselError::DatabaseError(kind, info) => Failure::find(*kind, info.message()).map(|row| row.code),
        _ => None,
    }
}

/// The statements of the current unit on a connection.
#[derive(Debug, Default)]
pub(super) struct Statements {
    has_succeeded: AtomicBool,
    /// In a transaction of PostgreSQL every further statement fails after an error, and COMMIT rolls back without an error.
    has_last_failed: AtomicBool,
    /// Number of statements of the unit.
    count: AtomicU64,
    /// The first failure that is in the table, or the loss of the connection.
    failure: Mutex<Option<Failure>>,
    /// Number of statements that units have sent on all connections, for tests that limit it.
    sent: Arc<AtomicU64>,
    /// Whether the current statement checks the connection, which is not part of a unit.
    is_check: AtomicBool,
    /// The slow statements that are not logged yet.
    slow: Mutex<Vec<SlowStatement>>,
    has_slow: AtomicBool,
}

impl Statements {
    pub(super) fn new(sent: Arc<AtomicU64>) -> Self {
        Self { sent, ..Self::default() }
    }

    /// Begins a unit.
    pub(super) fn reset(&self) {
        self.count.store(0, Ordering::Relaxed);
        self.has_succeeded.store(false, Ordering::Relaxed);
        self.has_last_failed.store(false, Ordering::Relaxed);
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Runs a check of the connection, whose statements do not count.
    pub(super) fn check(&self, check: impl FnOnce() -> bool) -> bool {
        self.is_check.store(true, Ordering::Relaxed);
        let succeeded = check();
        self.is_check.store(false, Ordering::Relaxed);
        succeeded
    }

    pub(super) fn start(&self) {
        if !self.is_check.load(Ordering::Relaxed) {
            self.count.fetch_add(1, Ordering::Relaxed);
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        self.has_last_failed.store(false, Ordering::Relaxed);
    }

    pub(super) fn finish(&self, error: Option<&DieselError>) {
        let Some(error) = error else { return self.has_succeeded.store(true, Ordering::Relaxed) };
        self.has_last_failed.store(true, Ordering::Relaxed);
        let failure = Failure::of(error);
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure == Failure::Connection || (failure != Failure::Query && first.is_none()) {
            *first = Some(failure);
        }
    }

    /// Remembers a slow statement of the current unit.
    pub(super) fn remember_slow(&self, describe: impl FnOnce() -> SlowStatement) {
        if self.is_check.load(Ordering::Relaxed) {
            return;
        }
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if slow.len() < MAX_PER_UNIT {
            slow.push(describe());
            self.has_slow.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn has_slow(&self) -> bool {
        self.has_slow.load(Ordering::Relaxed)
    }

    /// Returns the slow statements that are not logged yet.
    pub(super) fn take_slow(&self) -> Vec<SlowStatement> {
        self.has_slow.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.slow.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn has_succeeded(&self) -> bool {
        self.has_succeeded.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn has_last_failed(&self) -> bool {
        self.has_last_failed.load(Ordering::Relaxed)
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: DatabaseErrorKind, message: &str) -> Failure {
        Failure::of(&DieselError::DatabaseError(kind, Box::new(message.to_owned())))
    }

    /// Every row, with a message as the engine writes it.
    const MESSAGES: &[(&str, &str, Failure)] = &[
        ("0A000", "cached plan must not change result type", Connection),
        (
            "08006",
            "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n",
            Connection,
        ),
        ("08P01", "server conn crashed?", Connection),
        ("08P01", "query_wait_timeout", Connection),
        ("08P01", "server login has been failing, try again later (server_login_retry)", Connection),
        ("08006", "could not receive data from server: Connection reset by peer\n", Connection),
        ("08006", "could not send data to server: Broken pipe\n", Connection),
        ("08006", "SSL connection has been closed unexpectedly\n", Connection),
        ("08006", "SSL SYSCALL error: EOF detected\n", Connection),
        ("25P03", "terminating connection due to idle-in-transaction timeout", Connection),
        ("25P04", "terminating connection due to transaction timeout", Connection),
        ("40P01", "deadlock detected", Conflict),
        ("53000", "could not open file \"base/5/16384\": Too many open files in system", Temporary),
        ("53100", "could not extend file \"base/5/16384\": No space left on device", StorageFull),
        ("53100", "could not write to file \"base/pgsql_tmp/pgsql_tmp7.0\": No space left on device", StorageFull),
        ("53100", "could not extend file \"base/5/16384\": wrote only 4096 of 8192 bytes at block 7", StorageFull),
        ("53200", "out of memory", Temporary),
        ("53200", "out of shared memory", Temporary),
        ("53300", "sorry, too many clients already", Temporary),
        ("53300", "too many connections for role \"bucketlist\"", Temporary),
        ("53400", "temporary file size exceeds temp_file_limit (64kB)", Temporary),
        ("55P03", "canceling statement due to lock timeout", Temporary),
        ("55P03", "could not obtain lock on row in relation \"items\"", Temporary),
        ("57014", "canceling statement due to statement timeout", Temporary),
        ("57014", "canceling statement due to user request", Temporary),
        ("57P01", "terminating connection due to administrator command", Connection),
        ("57P02", "terminating connection because of crash of another server process", Connection),
        ("57P03", "the database system is shutting down", Connection),
        ("57P03", "the database system is starting up", Connection),
        ("57P05", "terminating connection due to idle-session timeout", Connection),
        ("58030", "could not read block 7 in file \"base/5/16384\": Input/output error", Temporary),
        ("SQLITE_BUSY", "database is locked", Temporary),
        ("SQLITE_LOCKED", "database table is locked: items", Temporary),
        ("SQLITE_READONLY", "attempt to write a readonly database", Connection),
        ("SQLITE_IOERR", "disk I/O error", Connection),
        ("SQLITE_CORRUPT", "database disk image is malformed", Connection),
        ("SQLITE_FULL", "database or disk is full", StorageFull),
        ("SQLITE_CANTOPEN", "unable to open database file", Connection),
        ("SQLITE_PROTOCOL", "locking protocol", Temporary),
        ("SQLITE_NOTADB", "file is not a database", Connection),
    ];

    #[test]
    fn every_row_is_recognized() {
        for (code, message, expected) in MESSAGES {
            let row = Failure::find(DatabaseErrorKind::Unknown, message).unwrap_or_else(|| panic!("{code} {message}"));
            assert_eq!((row.code, row.failure), (*code, *expected), "{message}");
        }
        for row in TABLE {
            let is_covered = row.kind.is_some() || MESSAGES.iter().any(|(code, ..)| *code == row.code);
            assert!(is_covered, "no message for {}", row.code);
        }
        for (kind, expected) in [
            (DatabaseErrorKind::ClosedConnection, Connection),
            (DatabaseErrorKind::UnableToSendCommand, Connection),
            (DatabaseErrorKind::ReadOnlyTransaction, Connection),
            (DatabaseErrorKind::SerializationFailure, Conflict),
        ] {
            assert_eq!(failure(kind, "any text"), expected);
        }
    }

    #[test]
    fn other_errors_are_defects() {
        for message in ["relation \"items\" does not exist", "no such table: items", "deadlock detected by the client"]
        {
            assert_eq!(failure(DatabaseErrorKind::Unknown, message), Failure::Query);
        }
        // The message of a constraint contains values.
        assert_eq!(failure(DatabaseErrorKind::CheckViolation, "deadlock detected"), Failure::Query);
        assert_eq!(Failure::of(&DieselError::NotFound), Failure::Query);
        assert_eq!(Failure::of(&DieselError::BrokenTransactionManager), Connection);
    }

    #[test]
    fn the_first_failure_of_a_unit_is_remembered() {
        let error =
            |message: &str| DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()));
        let statements = Statements::default();
        statements.finish(None);
        statements.finish(Some(&error("deadlock detected")));
        statements.finish(Some(&error("current transaction is aborted")));
        assert!(statements.has_succeeded() && statements.has_last_failed());
        assert_eq!(statements.failure(), Some(Conflict));
        statements.start();
        assert!(!statements.has_last_failed());
        statements.reset();
        assert!(!statements.has_succeeded() && statements.failure().is_none());
    }
}
