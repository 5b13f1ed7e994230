//! Being the only server of a PostgreSQL database. Such a server may remember what it has read, as one on SQLite may.

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl, result::QueryResult, sql_query, sql_types::Bool,
};

use super::migrations::one_line;

/// Whose advisory lock it is: `buck` in ASCII. Several applications may share a database, and several schemas of it may be of
/// this one.
const APPLICATION: i32 = 0x6275_636B;

/// Why a database cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ExclusiveLockError {
    /// Somebody else has it for themselves.
    #[error("another server has claimed the database")]
    AlreadyHeld,
    /// Nobody could be asked.
    #[error("cannot open the database: {0}")]
    Unreachable(String),
}

/// A claim on a database. It stands as long as its connection does: also a server that is killed gives it up.
pub struct ExclusiveLock {
    url: String,
    connection: PgConnection,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    granted: bool,
}

impl ExclusiveLock {
    /// Claims the database at `url`.
    ///
    /// # Errors
    /// [`ExclusiveLockError`].
    pub fn new(url: &str) -> Result<Self, ExclusiveLockError> {
        let mut connection = connect(url)?;
        lock(&mut connection, "pg_try_advisory_lock")?;
        Ok(Self { url: url.to_owned(), connection })
    }

    /// Makes sure that the claim still stands; makes it anew where its connection is gone.
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

/// Makes sure that nobody has the database at `url` for themselves. Costs one connection for a moment and keeps none, so that
/// it works through a pooler, too.
///
/// # Errors
/// [`ExclusiveLockError`].
pub fn ensure_not_locked(url: &str) -> Result<(), ExclusiveLockError> {
    // Given up with its transaction, which ends with the statement.
    lock(&mut connect(url)?, "pg_try_advisory_xact_lock_shared")
}

fn connect(url: &str) -> Result<PgConnection, ExclusiveLockError> {
    PgConnection::establish(url).map_err(|error| ExclusiveLockError::Unreachable(one_line(&error)))
}

fn lock(connection: &mut PgConnection, function: &str) -> Result<(), ExclusiveLockError> {
    let answer: QueryResult<Answer> =
        sql_query(format!("SELECT {function}({APPLICATION}, hashtext(coalesce(current_schema(), ''))) AS granted"))
            .get_result(connection);
    if answer.map_err(|error| ExclusiveLockError::Unreachable(error.to_string()))?.granted {
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

    /// Schemas that no other test has.
    fn url(schema: &str) -> String {
        let server = std::env::var("TEST_DATABASE_URL").expect("set TEST_DATABASE_URL, or run `make test`");
        let separator = if server.contains('?') { '&' } else { '?' };
        let mut connection = PgConnection::establish(&server).unwrap();
        let schema = format!("{schema}_{}", std::process::id());
        sql_query(format!("CREATE SCHEMA {schema}")).execute(&mut connection).unwrap();
        format!("{server}{separator}options=-csearch_path%3D{schema}")
    }

    #[test]
    fn one_claim_stands_until_it_is_dropped() {
        let (here, there) = (url("claims_here"), url("claims_there"));
        ensure_not_locked(&here).unwrap();
        let claim = ExclusiveLock::new(&here).unwrap();
        assert!(matches!(ExclusiveLock::new(&here), Err(ExclusiveLockError::AlreadyHeld)));
        assert!(matches!(ensure_not_locked(&here), Err(ExclusiveLockError::AlreadyHeld)));
        ensure_not_locked(&there).unwrap();
        drop(claim);
        ensure_not_locked(&here).unwrap();
        ExclusiveLock::new(&here).unwrap();
    }

    #[test]
    fn a_claim_whose_connection_is_lost_is_made_anew_or_given_up() {
        let url = url("claims_lost");
        let mut claim = ExclusiveLock::new(&url).unwrap();
        kill(&mut claim);
        claim.renew().unwrap();
        assert!(matches!(ensure_not_locked(&url), Err(ExclusiveLockError::AlreadyHeld)));
        kill(&mut claim);
        let _other = ExclusiveLock::new(&url).unwrap();
        assert!(matches!(claim.renew(), Err(ExclusiveLockError::AlreadyHeld)));
    }

    fn kill(claim: &mut ExclusiveLock) {
        let backend: Backend = sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut claim.connection).unwrap();
        let mut connection = PgConnection::establish(&claim.url).unwrap();
        sql_query(format!("SELECT pg_terminate_backend({}, 10000)", backend.pid)).execute(&mut connection).unwrap();
    }

    #[test]
    fn a_database_that_is_not_there_is_said_to_be() {
        let error = ExclusiveLock::new("postgres://nobody@127.0.0.1:1/nothing").err().unwrap();
        assert!(matches!(&error, ExclusiveLockError::Unreachable(reason) if !reason.contains('\n')), "{error}");
    }
}
