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
pub enum ClaimError {
    /// Somebody else has it for themselves.
    #[error("another server has claimed the database")]
    Taken,
    /// Nobody could be asked.
    #[error("cannot open the database: {0}")]
    Unreachable(String),
}

/// A claim on a database. It stands as long as its connection does: also a server that is killed gives it up.
pub struct Claim {
    url: String,
    connection: PgConnection,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    granted: bool,
}

impl Claim {
    /// Claims the database at `url`.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub fn new(url: &str) -> Result<Self, ClaimError> {
        let mut connection = connect(url)?;
        lock(&mut connection, "pg_try_advisory_lock")?;
        Ok(Self { url: url.to_owned(), connection })
    }

    /// Makes sure that the claim still stands; makes it anew where its connection is gone.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub fn renew(&mut self) -> Result<(), ClaimError> {
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
/// [`ClaimError`].
pub fn nobody_claims(url: &str) -> Result<(), ClaimError> {
    // Given up with its transaction, which ends with the statement.
    lock(&mut connect(url)?, "pg_try_advisory_xact_lock_shared")
}

fn connect(url: &str) -> Result<PgConnection, ClaimError> {
    PgConnection::establish(url).map_err(|error| ClaimError::Unreachable(one_line(&error)))
}

fn lock(connection: &mut PgConnection, function: &str) -> Result<(), ClaimError> {
    let answer: QueryResult<Answer> =
        sql_query(format!("SELECT {function}({APPLICATION}, hashtext(coalesce(current_schema(), ''))) AS granted"))
            .get_result(connection);
    if answer.map_err(|error| ClaimError::Unreachable(error.to_string()))?.granted {
        Ok(())
    } else {
        Err(ClaimError::Taken)
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
        nobody_claims(&here).unwrap();
        let claim = Claim::new(&here).unwrap();
        assert!(matches!(Claim::new(&here), Err(ClaimError::Taken)));
        assert!(matches!(nobody_claims(&here), Err(ClaimError::Taken)));
        nobody_claims(&there).unwrap();
        drop(claim);
        nobody_claims(&here).unwrap();
        Claim::new(&here).unwrap();
    }

    #[test]
    fn a_claim_whose_connection_is_lost_is_made_anew_or_given_up() {
        let url = url("claims_lost");
        let mut claim = Claim::new(&url).unwrap();
        kill(&mut claim);
        claim.renew().unwrap();
        assert!(matches!(nobody_claims(&url), Err(ClaimError::Taken)));
        kill(&mut claim);
        let _other = Claim::new(&url).unwrap();
        assert!(matches!(claim.renew(), Err(ClaimError::Taken)));
    }

    fn kill(claim: &mut Claim) {
        let backend: Backend = sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut claim.connection).unwrap();
        let mut connection = PgConnection::establish(&claim.url).unwrap();
        sql_query(format!("SELECT pg_terminate_backend({}, 10000)", backend.pid)).execute(&mut connection).unwrap();
    }

    #[test]
    fn a_database_that_is_not_there_is_said_to_be() {
        let error = Claim::new("postgres://nobody@127.0.0.1:1/nothing").err().unwrap();
        assert!(matches!(&error, ClaimError::Unreachable(reason) if !reason.contains('\n')), "{error}");
    }
}
