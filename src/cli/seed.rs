//! `bucketlist seed`.

use std::io::{IsTerminal, Write};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{CliError, migrate::connect};
use crate::{
    app::AppError,
    auth::Hasher,
    config::Config,
    db::migrations::Migrator,
    domain::{Clock, SystemClock, SystemRandom},
    seed::{self, DummyOptions},
};

#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Add plausible fake data, the same for the same --rng-seed.
    #[arg(long)]
    dummy: bool,
    /// How many users.
    #[arg(long, default_value_t = 10, requires = "dummy")]
    users: u64,
    /// How many bucketlists each user has.
    #[arg(long, default_value_t = 10, requires = "dummy")]
    lists: u64,
    /// How many items each bucketlist has.
    #[arg(long, default_value_t = 10, requires = "dummy")]
    items: u64,
    /// What the fake data depends on.
    #[arg(long, default_value_t = 1, requires = "dummy")]
    rng_seed: u64,
}

pub(super) fn run(config: &Config, arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let mut migrator = connect(config)?;
    migrator.up()?;
    if !arguments.dummy {
        match insert_standard(config, &mut migrator)? {
            true => writeln!(out, "Added the standard data: {} and {}.", seed::ADMIN_EMAIL, seed::DEMO_EMAIL)?,
            false => writeln!(out, "There is data already; nothing was added.")?,
        }
        return Ok(());
    }
    let &Arguments { users, lists, items, rng_seed, .. } = arguments;
    let total = users.saturating_mul(lists).saturating_mul(items);
    let bar = progress_bar(total);
    let options = DummyOptions { users, lists, items, rng_seed };
    let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
    let summary = seed::insert_dummy(migrator.connection(), &hasher, &SystemRandom, &options, &mut |done| {
        bar.set_position(done)
    })?;
    bar.finish_and_clear();
    writeln!(
        out,
        "Added {} users, {} bucketlists and {} items in {:.1?}.",
        summary.users,
        summary.lists,
        summary.items,
        bar.elapsed()
    )?;
    Ok(())
}

/// Puts the standard data into an empty database; false when it was not empty.
pub(super) fn insert_standard(config: &Config, migrator: &mut Migrator) -> Result<bool, CliError> {
    let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
    let added = seed::insert_standard(migrator.connection(), &hasher, &SystemRandom, SystemClock.now())?;
    Ok(added.is_some())
}

fn progress_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    // The template is a constant; the default bar is the fallback.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} items, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
