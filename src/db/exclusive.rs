//! The exclusive lock on a PostgreSQL database. The server that holds it is the only writer, so it can cache data, as a server on
//! SQLite can.

use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl,
    result::QueryResult,
    sql_query,
    sql_types::{Bool, Integer},
};

use super::{
    migrations::one_line,
    pooler::{self, Connected, PreparedStatements},
};

/// Distinguishes the advisory lock from those of other applications: `buck` in ASCII. The second key is the schema, since several
/// schemas of a database may belong to this application.
const APPLICATION: i32 = 0x6275_636B;
/// Maximum time for a process of the server to end, in milliseconds.
const END_TIMEOUT_MS: u32 = 5_000;

/// An error while acquiring the lock.
#[derive(Debug, thiserror::Error)]
pub enum ExclusiveLockError {
    /// Another server has the lock.
    #[error("another server has locked the database")]
    AlreadyHeld,
    /// The lock would belong to the pooler, and not to this server.
    #[error("DATABASE_EXCLUSIVE requires a connection without a pooler such as PgBouncer")]
    Pooler,
    /// The database cannot be reached.
    #[error("cannot open the database: {0}")]
    Unreachable(String),
}

/// An exclusive lock on a database. It lasts as long as its connection, so a server that is killed releases it.
pub struct ExclusiveLock {
    url: String,
    held: Mutex<Held>,
}

/// The connection that holds the lock, and its process on the server.
struct Held {
    /// `None` while it is checked, and if it does not respond.
    connection: Option<PgConnection>,
    pid: i32,
}

#[derive(QueryableByName)]
struct LockResult {
    #[diesel(sql_type = Bool)]
    is_acquired: bool,
    #[diesel(sql_type = Integer)]
    pid: i32,
}

impl ExclusiveLock {
    /// Acquires the lock on the database at `url`.
    ///
    /// # Errors
    /// [`ExclusiveLockError`].
    pub fn new(url: &str) -> Result<Self, ExclusiveLockError> {
        let mut connection = connect_directly(url)?;
        let pid = acquire(&mut connection, "pg_try_advisory_lock")?;
        Ok(Self { url: url.to_owned(), held: Mutex::new(Held { connection: Some(connection), pid }) })
    }

    /// Checks that the lock is still held, and acquires it again if its connection is lost. A call that gets no response may be
    /// abandoned: the next one replaces the connection.
    ///
    /// # Errors
    /// [`ExclusiveLockError`].
    pub fn renew(&self) -> Result<(), ExclusiveLockError> {
        let (connection, pid) = {
            let mut held = self.held();
            (held.connection.take(), held.pid)
        };
        if let Some(mut connection) = connection
            && sql_query("SELECT 1").execute(&mut connection).is_ok()
        {
            self.held().connection.get_or_insert(connection);
            return Ok(());
        }
        let mut connection = connect_directly(&self.url)?;
        end_process(&mut connection, pid)?;
        let pid = acquire(&mut connection, "pg_try_advisory_lock")?;
        *self.held() = Held { connection: Some(connection), pid };
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process of a connection that does not respond, so that it releases the lock. Only if it holds the lock: process numbers
/// are reused.
fn end_process(connection: &mut PgConnection, pid: i32) -> Result<(), ExclusiveLockError> {
    let end = format!(
        "SELECT pg_terminate_backend(pid, {END_TIMEOUT_MS}) FROM pg_locks \
         WHERE locktype = 'advisory' AND classid = {APPLICATION} AND pid = {pid} AND granted"
    );
    sql_query(end).execute(connection).map(|_| ()).map_err(|error| ExclusiveLockError::Unreachable(error.to_string()))
}

/// Checks that no server has locked the database at `url`. Opens a connection only for the check, so it also works through a
/// connection pooler.
///
/// # Errors
/// [`ExclusiveLockError`].
pub fn ensure_not_locked(url: &str) -> Result<(), ExclusiveLockError> {
    // Released with the transaction, which ends with the statement.
    acquire(&mut connect(url)?.connection, "pg_try_advisory_xact_lock_shared").map(|_| ())
}

fn connect(url: &str) -> Result<Connected, ExclusiveLockError> {
    let connected = pooler::connect(url, PreparedStatements::Auto, false);
    connected.map_err(|error| ExclusiveLockError::Unreachable(one_line(&error)))
}

fn connect_directly(url: &str) -> Result<PgConnection, ExclusiveLockError> {
    let Connected { connection, uses_pooler } = connect(url)?;
    if uses_pooler { Err(ExclusiveLockError::Pooler) } else { Ok(connection) }
}

/// Returns the process of the connection on the server.
fn acquire(connection: &mut PgConnection, function: &str) -> Result<i32, ExclusiveLockError> {
    let query = format!(
        "SELECT {function}({APPLICATION}, hashtext(coalesce(current_schema(), ''))) AS is_acquired, pg_backend_pid() AS pid"
    );
    let result: QueryResult<LockResult> = sql_query(query).get_result(connection);
    let result = result.map_err(|error| ExclusiveLockError::Unreachable(error.to_string()))?;
    if result.is_acquired { Ok(result.pid) } else { Err(ExclusiveLockError::AlreadyHeld) }
}

#[cfg(test)]
mod tests {
    use diesel::Connection as _;

    use super::*;

    /// Creates a schema of this test, and returns a URL with it.
    fn url(schema: &str) -> String {
        let server = std::env::var("TEST_DATABASE_URL").expect("set TEST_DATABASE_URL, or run `make test`");
        let separator = if server.contains('?') { '&' } else { '?' };
        let mut connection = PgConnection::establish(&server).unwrap();
        let schema = format!("{schema}_{}", std::process::id());
        sql_query(format!("CREATE SCHEMA {schema}")).execute(&mut connection).unwrap();
        format!("{server}{separator}options=-csearch_path%3D{schema}")
    }

    #[test]
    fn lock_is_held_until_it_is_dropped() {
        let (here, there) = (url("claims_here"), url("claims_there"));
        ensure_not_locked(&here).unwrap();
        let lock = ExclusiveLock::new(&here).unwrap();
        assert!(matches!(ExclusiveLock::new(&here), Err(ExclusiveLockError::AlreadyHeld)));
        assert!(matches!(ensure_not_locked(&here), Err(ExclusiveLockError::AlreadyHeld)));
        ensure_not_locked(&there).unwrap();
        drop(lock);
        ensure_not_locked(&here).unwrap();
        ExclusiveLock::new(&here).unwrap();
    }

    #[test]
    fn lock_with_a_lost_connection_is_acquired_again_if_it_is_free() {
        let url = url("claims_lost");
        let lock = ExclusiveLock::new(&url).unwrap();
        kill(&lock);
        lock.renew().unwrap();
        assert!(matches!(ensure_not_locked(&url), Err(ExclusiveLockError::AlreadyHeld)));
        kill(&lock);
        let _other = ExclusiveLock::new(&url).unwrap();
        assert!(matches!(lock.renew(), Err(ExclusiveLockError::AlreadyHeld)));
    }

    #[test]
    fn lock_whose_connection_does_not_respond_is_acquired_again() {
        let url = url("claims_silent");
        let lock = ExclusiveLock::new(&url).unwrap();
        // A renewal that waits for a response has taken the connection.
        let silent = lock.held().connection.take();
        lock.renew().unwrap();
        drop(silent);
        assert!(matches!(ensure_not_locked(&url), Err(ExclusiveLockError::AlreadyHeld)));
        lock.renew().unwrap();
    }

    fn kill(lock: &ExclusiveLock) {
        let mut connection = PgConnection::establish(&lock.url).unwrap();
        let pid = lock.held().pid;
        sql_query(format!("SELECT pg_terminate_backend({pid}, 10000)")).execute(&mut connection).unwrap();
    }

    #[test]
    fn unreachable_database_is_reported_in_one_line() {
        let error = ExclusiveLock::new("postgres://nobody@127.0.0.1:1/nothing").err().unwrap();
        assert!(matches!(&error, ExclusiveLockError::Unreachable(reason) if !reason.contains('\n')), "{error}");
    }
}
