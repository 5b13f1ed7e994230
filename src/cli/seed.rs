//! `bucketlist seed`.

use std::io::Write;

use clap::Args;

use super::{
    CliError,
    migrate::{connect, migrate_up},
    progress::progress_bar,
};
use crate::{
    app::AppError,
    auth::Hasher,
    config::Config,
    db::migrations::Migrator,
    domain::{Clock, SystemClock, SystemRandom},
    seed::{self, DummyOptions},
};

/// Maximum number of items that one command generates.
const MAX_ITEMS: u64 = 1_000_000_000;

#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Insert generated data. The same numbers and --rng-seed generate the same data.
    #[arg(long)]
    dummy: bool,
    /// Number of users, at most 1,000,000.
    #[arg(long, default_value_t = 10, requires = "dummy", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    users: u64,
    /// Number of bucketlists per user.
    #[arg(long, default_value_t = 10, requires = "dummy", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    lists: u64,
    /// Number of items per bucketlist.
    #[arg(long, default_value_t = 10, requires = "dummy", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    items: u64,
    /// Seed of the random number generator.
    #[arg(long, default_value_t = 1, requires = "dummy")]
    rng_seed: u64,
}

pub(super) fn run(config: &Config, arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let Arguments { users, lists, items, .. } = *arguments;
    if users.saturating_mul(lists).saturating_mul(items) > MAX_ITEMS {
        let message =
            format!("{users} users with {lists} bucketlists of {items} items have more than {MAX_ITEMS} items");
        return Err(CliError::with_help(message, "choose smaller numbers"));
    }
    let mut migrator = connect(config)?;
    migrate_up(config, &mut migrator)?;
    if !arguments.dummy {
        match insert_sample_data(config, &mut migrator)? {
            true => writeln!(out, "Sample data inserted. Users: {} and {}.", seed::ADMIN_EMAIL, seed::DEMO_EMAIL)?,
            false => writeln!(out, "The database is not empty. Nothing was inserted.")?,
        }
        return Ok(());
    }
    let &Arguments { users, lists, items, rng_seed, .. } = arguments;
    let bar = progress_bar(users.saturating_mul(lists).saturating_mul(items), "items");
    let options = DummyOptions { users, lists, items, rng_seed };
    let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
    let inserted = seed::insert_dummy(migrator.connection(), &hasher, &SystemRandom, &options, &mut |items| {
        bar.set_position(items);
    })?;
    bar.finish_and_clear();
    writeln!(
        out,
        "Inserted {} users, {} bucketlists and {} items in {:.1?}.",
        inserted.users,
        inserted.lists,
        inserted.items,
        bar.elapsed()
    )?;
    Ok(())
}

/// Inserts the sample data into an empty database; returns `false` if the database is not empty.
pub(super) fn insert_sample_data(config: &Config, migrator: &mut Migrator) -> Result<bool, CliError> {
    let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
    let host = config.public_host();
    let inserted = seed::insert_standard(migrator.connection(), &hasher, &SystemRandom, host, SystemClock.now())?;
    Ok(inserted.is_some())
}
