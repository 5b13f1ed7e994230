//! Much plausible fake data, quickly: generated row by row, written batch by batch.

use diesel::{
    Connection,
    dsl::exists,
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
};

use super::{
    SeedError,
    generate::{Generator, email_pattern},
    hashed, ids, lock,
    rows::Batch,
};
use crate::{
    auth::Hasher,
    db::{DbConnection, repositories::search, schema::users},
    domain::Random,
};

/// The password of every dummy user: hashing one for each would take longer than all the rest.
pub const DUMMY_PASSWORD: &str = "bucketlist-dummy";

/// How many rows are held in memory at most.
const BATCH: usize = 5_000;
/// How many rows share a commit, about: a list and its counts are never torn apart, so it may be more.
const TRANSACTION: usize = 10_000;

/// How much of it, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DummyOptions {
    pub users: u64,
    /// For each user.
    pub lists: u64,
    /// For each list.
    pub items: u64,
    /// The same seed makes the same rows, apart from ids and the password hash.
    pub rng_seed: u64,
}

/// What was put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub users: u64,
    pub lists: u64,
    pub items: u64,
}

impl DummyOptions {
    /// How many rows that makes.
    ///
    /// # Errors
    /// [`SeedError::TooMany`] when ids do not go that far.
    pub fn summary(&self) -> Result<Summary, SeedError> {
        let lists = self.users.checked_mul(self.lists).ok_or(SeedError::TooMany)?;
        let items = lists.checked_mul(self.items).ok_or(SeedError::TooMany)?;
        let summary = Summary { users: self.users, lists, items };
        // Half of the ids of 64 bits, so that those already given away cannot matter.
        let fits = |count: u64| count < 1 << 62;
        if fits(self.users) && fits(lists) && fits(items) && fits(self.lists) && fits(self.items) {
            Ok(summary)
        } else {
            Err(SeedError::TooMany)
        }
    }
}

/// Puts in fake users with lists and items that read like a bucketlist's; all users have [`DUMMY_PASSWORD`]. `progress` is
/// told now and then how many items are in.
///
/// It commits every ten thousand rows or so. Whatever interrupts it, the lists that are there are complete.
///
/// # Errors
/// [`SeedError::AlreadyThere`] and [`SeedError::TooMany`] before anything is done; [`SeedError::Hash`] and
/// [`SeedError::Query`].
pub fn insert_dummy(
    c: &mut DbConnection,
    hasher: &Hasher,
    random: &dyn Random,
    options: &DummyOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, SeedError> {
    let summary = options.summary()?;
    let first = c.transaction(|c| {
        lock(c)?;
        let pattern = email_pattern(options.rng_seed);
        if diesel::select(exists(users::table.filter(users::email_key.like(pattern)))).get_result(c)? {
            return Err(SeedError::AlreadyThere(options.rng_seed));
        }
        let mut reserve = |table, count: u64| ids::reserve(c, table, i64::try_from(count).unwrap_or(i64::MAX));
        Ok(FirstIds {
            user: reserve("users", summary.users)?,
            list: reserve("bucketlists", summary.lists)?,
            item: reserve("items", summary.items)?,
        })
    })?;
    let password_hash = hashed(hasher, DUMMY_PASSWORD, random)?;
    let mut run = Run {
        options,
        generator: Generator::new(options, first, password_hash),
        batch: Batch::default(),
        written: 0,
        progress,
    };
    run.all(c).map_err(|error| match error {
        // Somebody else is at it, with the same seed and at the same time.
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => SeedError::AlreadyThere(options.rng_seed),
        error => SeedError::Query(error),
    })?;
    Ok(summary)
}

/// Where the ids of the generated rows begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstIds {
    pub(super) user: i64,
    pub(super) list: i64,
    pub(super) item: i64,
}

struct Run<'a> {
    options: &'a DummyOptions,
    generator: Generator,
    batch: Batch,
    /// Items so far.
    written: u64,
    progress: &'a mut dyn FnMut(u64),
}

/// Where a run is: the next user, and that user's next list.
#[derive(Clone, Copy, Default)]
struct Position {
    user: u64,
    list: u64,
}

impl Run<'_> {
    fn all(&mut self, c: &mut DbConnection) -> QueryResult<()> {
        let mut position = Position::default();
        while position.user < self.options.users {
            position = c.transaction(|c| self.one_transaction(c, position))?;
        }
        Ok(())
    }

    fn one_transaction(&mut self, c: &mut DbConnection, mut at: Position) -> QueryResult<Position> {
        search::begin_bulk_load(c)?;
        let mut rows = 0;
        while at.user < self.options.users && rows < TRANSACTION {
            if at.list == 0 {
                let user = self.generator.user(at.user);
                self.batch.users.push(user);
                rows += 1;
            }
            if at.list < self.options.lists {
                rows = self.list(c, at.list)?.saturating_add(rows);
                at.list += 1;
            }
            if at.list == self.options.lists {
                at = Position { user: at.user + 1, list: 0 };
            }
        }
        self.flush(c)?;
        search::finish_bulk_load(c)?;
        Ok(at)
    }

    /// The list with all its items; returns how many rows that is.
    fn list(&mut self, c: &mut DbConnection, number: u64) -> QueryResult<usize> {
        let list = self.generator.list(number);
        self.batch.lists.push(list);
        for number in 0..self.options.items {
            let item = self.generator.item(number);
            self.batch.items.push(item);
            if self.batch.len() >= BATCH {
                self.flush(c)?;
            }
        }
        Ok(usize::try_from(self.options.items).unwrap_or(usize::MAX).saturating_add(1))
    }

    fn flush(&mut self, c: &mut DbConnection) -> QueryResult<()> {
        let items = self.batch.items.len();
        self.batch.write(c)?;
        self.written += items as u64;
        (self.progress)(self.written);
        Ok(())
    }
}
