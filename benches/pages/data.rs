//! Test data: many users with many bucketlists, and one user with a bucketlist of more than 10,000 pages.

use std::time::{Duration, Instant};

use bucketlist::{
    auth::Hasher,
    config::Config,
    db::Target,
    domain::SystemRandom,
    seed::{self, DummyOptions},
};
use diesel::connection::SimpleConnection;

use crate::support;

const MANY: DummyOptions = DummyOptions { users: 100, lists: 10, items: 1_000, rng_seed: 1 };
const LONG: DummyOptions = DummyOptions { users: 1, lists: 1, items: 200_100, rng_seed: 2 };
pub(crate) const ITEMS: u64 = MANY.users * MANY.lists * MANY.items + LONG.users * LONG.lists * LONG.items;

/// Parts of the email addresses of one of the many users, and of the user with the long bucketlist.
pub(crate) const SMALL_USER: &str = "dummy1-50@";
pub(crate) const LARGE_USER: &str = "dummy2-1@";

/// Fills an empty database and returns the time it took.
pub(crate) fn fill(config: &Config) -> Duration {
    let started = Instant::now();
    let hasher = Hasher::new(config.passwords).unwrap();
    let mut migrator = support::prepare(config);
    let connection = migrator.connection();
    if let Target::Sqlite(_) = config.database.target {
        // The database is temporary and needs no durability.
        connection.batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000").unwrap();
    }
    for dummy in [MANY, LONG] {
        seed::insert_dummy(connection, &hasher, &SystemRandom, &dummy, &mut |_| ()).unwrap();
    }
    let elapsed = started.elapsed();
    if let Target::Postgres(_) = config.database.target {
        // On a long-running server, autovacuum does this.
        connection.batch_execute("VACUUM ANALYZE").unwrap();
    }
    elapsed
}
