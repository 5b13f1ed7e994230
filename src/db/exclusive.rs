//! The exclusive lock on a PostgreSQL database. The server that holds it is the only writer, so it can cache data, as a server on
//! SQLite can.

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl, result::QueryResult, sql_query, sql_types::Bool,
};

use super::migrations::one_line;

/// Distinguishes the advisory lock from those of other applications: `buck` in ASCII. The second key is the schema, since several
/// schemas of a database may belong to this application.
const APPLICATION: i32 = 0x6275_636B;

/// An error while acquiring the lock.
#[derive(Debug, thiserror::Error)]
pub enum ExclusiveLockError {
    /// Another server has the lock.
    #[error("another server has locked the database")]
    AlreadyHeld,
    /// The database cannot be reached.
    #[error("cannot open the database: {0}")]
    Unreachable(String),
}

/// An exclusive lock on a database. It lasts as long as its connection, so a server that is killed releases it.
pub struct ExclusiveLock {
    url: String,
    connection: PgConnection,
}

#[derive(QueryableByName)]
struct LockResult {
    #[diesel(sql_type = Bool)]
    is_acquired: bool,
}

impl ExclusiveLock {
    /// Acquires the lock on the database at `url`.
    ///
    /// # Errors
    /// [`ExclusiveLockError`].
    pub fn new(url: &str) -> Result<Self, ExclusiveLockError> {
        let mut connection = connect(url)?;
        acquire(&mut connection, "pg_try_advisory_lock")?;
        Ok(Self { url: url.to_owned(), connection })
    }

    /// Checks that the lock is still held, and acquires it again if its connection is lost.
    ///
    /// # Errors
    /// [`ExclusiveLockError`].
    pub fn renew(&mut self) -> Result<(), ExclusiveLockError> {
        if sql_query("SELECT 1").execute(&mut self.connection).is_err() {
            *self = Self::new(&self.url)?;
        }
        Ok(())
    }
}

/// Checks that no server has locked the database at `url`. Opens a connection only for the check, so it also works through a
/// connection pooler.
///
/// # Errors
/// [`ExclusiveLockError`].
pub fn ensure_not_locked(url: &str) -> Result<(), ExclusiveLockError> {
    // Released with the transaction, which ends with the statement.
    acquire(&mut connect(url)?, "pg_try_advisory_xact_lock_shared")
}

fn connect(url: &str) -> Result<PgConnection, ExclusiveLockError> {
    PgConnection::establish(url).map_err(|error| ExclusiveLockError::Unreachable(one_line(&error)))
}

fn acquire(connection: &mut PgConnection, function: &str) -> Result<(), ExclusiveLockError> {
    let result: QueryResult<LockResult> =
        sql_query(format!("SELECT {function}({APPLICATION}, hashtext(coalesce(current_schema(), ''))) AS is_acquired"))
            .get_result(connection);
    if result.map_err(|error| ExclusiveLockError::Unreachable(error.to_string()))?.is_acquired {
        Ok(())
    } else {
        Err(ExclusiveLockError::AlreadyHeld)
    }
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::Integer;

    use super::*;

    #[derive(QueryableByName)]
    struct Backend {
        #[diesel(sql_type = Integer)]
        pid: i32,
    }

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
        let mut lock = ExclusiveLock::new(&url).unwrap();
        kill(&mut lock);
        lock.renew().unwrap();
        assert!(matches!(ensure_not_locked(&url), Err(ExclusiveLockError::AlreadyHeld)));
        kill(&mut lock);
        let _other = ExclusiveLock::new(&url).unwrap();
        assert!(matches!(lock.renew(), Err(ExclusiveLockError::AlreadyHeld)));
    }

    fn kill(lock: &mut ExclusiveLock) {
        let backend: Backend = sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut lock.connection).unwrap();
        let mut connection = PgConnection::establish(&lock.url).unwrap();
        sql_query(format!("SELECT pg_terminate_backend({}, 10000)", backend.pid)).execute(&mut connection).unwrap();
    }

    #[test]
    fn unreachable_database_is_reported_in_one_line() {
        let error = ExclusiveLock::new("postgres://nobody@127.0.0.1:1/nothing").err().unwrap();
        assert!(matches!(&error, ExclusiveLockError::Unreachable(reason) if !reason.contains('\n')), "{error}");
    }
}
