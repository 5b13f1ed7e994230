//! The data: many users with many lists, and one user with a list so long that its page 10,000 is not its last.

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

/// What finds one of the many users in the admin's list, and the one with the long list.
pub(crate) const ONE_OF_MANY: &str = "dummy1-50@";
pub(crate) const THE_ONE: &str = "dummy2-1@";

/// Fills an empty database; tells how long it took.
pub(crate) fn fill(config: &Config) -> Duration {
    let started = Instant::now();
    let hasher = Hasher::new(config.passwords).unwrap();
    let mut migrator = support::prepare(config);
    let connection = migrator.connection();
    if let Target::Sqlite(_) = config.database.target {
        // Nobody misses this database if the power goes.
        connection.batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000").unwrap();
    }
    for dummy in [MANY, LONG] {
        seed::insert_dummy(connection, &hasher, &SystemRandom, &dummy, &mut |_| ()).unwrap();
    }
    let took = started.elapsed();
    if let Target::Postgres(_) = config.database.target {
        // What autovacuum does for a server that lives longer.
        connection.batch_execute("VACUUM ANALYZE").unwrap();
    }
    took
}
