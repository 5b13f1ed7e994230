//! Data to start with: the standard seed that any developer recognises ([`insert_standard`]), and as much plausible fake data as a
//! test of size needs ([`insert_dummy`]).
//!
//! Owns what the rows say and how many go in at once. Knows nothing of the command line: progress is told to a callback.

mod dummy;
mod export;
mod generate;
mod ids;
mod incident;
mod rows;
mod standard;
#[cfg(test)]
mod tests;
mod themes;
mod words;

use diesel::{RunQueryDsl, connection::SimpleConnection, prelude::*};
use secrecy::SecretString;

pub use dummy::{DUMMY_PASSWORD, DummyOptions, Summary, insert_dummy};
pub use standard::{ADMIN_EMAIL, ADMIN_PASSWORD, DEMO_EMAIL, DEMO_PASSWORD, Standard, insert_standard};

use crate::{
    auth::Hasher,
    db::{DbConnection, schema::users},
    domain::Random,
};

/// 2026-01-01T00:00:00Z in microseconds: when the seeded data was made, as the examples of the contract say.
pub const SEEDED_AT: i64 = 1_767_225_600_000_000;

/// Why there is no new data, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// These rows were generated before.
    #[error("the dummy data of --rng-seed {0} is there already, all or some of it; choose another --rng-seed")]
    AlreadyThere(u64),
    /// More rows than ids.
    #[error("so many users, lists or items cannot be numbered; choose smaller numbers")]
    TooMany,
    /// argon2 refused.
    #[error("the password of the seeded accounts could not be hashed")]
    Hash,
    /// The database refused.
    #[error("the database refused the seed: {0}")]
    Query(#[from] diesel::result::Error),
}

fn hashed(hasher: &Hasher, password: &str, random: &dyn Random) -> Result<String, SeedError> {
    hasher.hash_now(&SecretString::from(password), random).ok_or(SeedError::Hash)
}

/// Keeps everybody else from adding rows until the transaction ends, so that what is decided from the tables stays true.
fn lock(c: &mut DbConnection) -> QueryResult<()> {
    match c {
        // A transaction that reads first may find, when it comes to write, that another one wrote in between: then it
        // fails at once. Any writing statement, even one without rows, waits for the lock instead.
        DbConnection::Sqlite(c) => {
            diesel::update(users::table.filter(users::id.eq(0))).set(users::id.eq(0)).execute(c).map(drop)
        }
        DbConnection::Postgres(c) => {
            c.batch_execute("LOCK TABLE users, bucketlists, items IN SHARE ROW EXCLUSIVE MODE")
        }
    }
}
