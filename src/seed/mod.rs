//! Sample data for an empty database ([`insert_standard`]), and any amount of generated data ([`insert_dummy`]).
//!
//! Independent of the command line: progress is reported to a callback.

mod api_client;
mod dummy;
mod export;
mod generate;
mod ids;
mod incident;
mod job;
mod rows;
mod standard;
mod themes;
mod usage;
mod words;

use diesel::{RunQueryDsl, connection::SimpleConnection, prelude::*};
use secrecy::SecretString;

pub use dummy::{DUMMY_PASSWORD, DummyOptions, RowCounts, insert_dummy};
pub use standard::{ADMIN_EMAIL, ADMIN_PASSWORD, DEMO_EMAIL, DEMO_PASSWORD, Standard, insert_standard};

use crate::{
    auth::Hasher,
    db::{DbConnection, schema::users},
    domain::Random,
};

/// Creation time of the sample data in microseconds: 2026-01-01T00:00:00Z, as in the examples of the contract.
pub const SEEDED_AT: i64 = 1_767_225_600_000_000;

/// An error while inserting data. A part of the data may have been inserted.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The rows of this seed exist.
    #[error("data of --rng-seed {0} already exists")]
    AlreadyExists(u64),
    /// More rows than half of the range of IDs.
    #[error("too many users, lists or items")]
    TooMany,
    #[error("cannot hash the password of the accounts")]
    Hash,
    #[error("cannot insert data: {0}")]
    Query(#[from] diesel::result::Error),
}

impl SeedError {
    /// Returns how to fix the error, if known.
    #[must_use]
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::AlreadyExists(_) => Some("choose another --rng-seed"),
            Self::TooMany => Some("choose smaller numbers"),
            Self::Hash => Some("check PASSWORD_HASH_MEMORY_KIB"),
            Self::Query(_) => None,
        }
    }
}

fn hash(hasher: &Hasher, password: &str, random: &dyn Random) -> Result<String, SeedError> {
    hasher.hash_blocking(&SecretString::from(password), random).ok_or(SeedError::Hash)
}

/// Prevents other transactions from inserting rows until this one ends, so that decisions based on the tables remain valid.
fn lock(c: &mut DbConnection) -> QueryResult<()> {
    match c {
        // A transaction that reads before it writes fails if another one writes in between. A writing statement waits for
        // the lock instead, even if it changes no rows.
        DbConnection::Sqlite(c) => {
            diesel::update(users::table.filter(users::id.eq(0))).set(users::id.eq(0)).execute(c).map(drop)
        }
        DbConnection::Postgres(c) => {
            c.batch_execute("LOCK TABLE users, bucketlists, items IN SHARE ROW EXCLUSIVE MODE")
        }
    }
}
