//! Generates data row by row and inserts it in batches.

use diesel::{
    Connection,
    dsl::exists,
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
};

use super::{
    SeedError,
    generate::{Generator, email_pattern},
    hash, ids, lock,
    rows::Batch,
};
use crate::{
    auth::Hasher,
    db::{DbConnection, repositories::search, schema::users},
    domain::Random,
};

/// The password of every generated user. Hashing one password per user would take longer than all other work.
pub const DUMMY_PASSWORD: &str = "bucketlist-dummy";

/// Number of rows after which items are inserted.
const BATCH_SIZE: usize = 5_000;
/// Minimum number of rows per transaction. A list and its items are in one transaction, so it may be more.
const MIN_TRANSACTION_ROWS: usize = 10_000;
/// Every number is below half of the range of IDs, so that IDs that are already assigned do not matter.
const COUNT_LIMIT: u64 = 1 << 62;

/// Amount and seed of the generated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DummyOptions {
    pub users: u64,
    /// Number of lists per user.
    pub lists: u64,
    /// Number of items per list.
    pub items: u64,
    /// The same seed and the same numbers generate the same rows, except for IDs and the password hash.
    pub rng_seed: u64,
}

/// Numbers of users, bucketlists and items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    pub users: u64,
    pub lists: u64,
    pub items: u64,
}

impl DummyOptions {
    /// Returns the number of rows to insert.
    ///
    /// # Errors
    /// [`SeedError::TooMany`] if a number reaches 2^62, half of the range of IDs.
    pub fn counts(&self) -> Result<RowCounts, SeedError> {
        let lists = self.users.checked_mul(self.lists).ok_or(SeedError::TooMany)?;
        let items = lists.checked_mul(self.items).ok_or(SeedError::TooMany)?;
        let counts = RowCounts { users: self.users, lists, items };
        if [self.users, lists, items, self.lists, self.items].iter().all(|count| *count < COUNT_LIMIT) {
            Ok(counts)
        } else {
            Err(SeedError::TooMany)
        }
    }
}

/// Inserts generated users with lists and items. All users have [`DUMMY_PASSWORD`]. `progress` receives the number of items
/// inserted so far.
///
/// Commits about every ten thousand rows. If it is interrupted, the inserted lists are complete.
///
/// # Errors
/// [`SeedError::AlreadyExists`] and [`SeedError::TooMany`] before anything is inserted; [`SeedError::Hash`] and
/// [`SeedError::Query`].
pub fn insert_dummy(
    c: &mut DbConnection,
    hasher: &Hasher,
    random: &dyn Random,
    options: &DummyOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<RowCounts, SeedError> {
    let counts = options.counts()?;
    let first = c.transaction(|c| {
        lock(c)?;
        let pattern = email_pattern(options.rng_seed);
        if diesel::select(exists(users::table.filter(users::email_key.like(pattern)))).get_result(c)? {
            return Err(SeedError::AlreadyExists(options.rng_seed));
        }
        let mut reserve = |table, count: u64| ids::reserve(c, table, i64::try_from(count).unwrap_or(i64::MAX));
        Ok(FirstIds {
            user: reserve("users", counts.users)?,
            list: reserve("bucketlists", counts.lists)?,
            item: reserve("items", counts.items)?,
        })
    })?;
    let password_hash = hash(hasher, DUMMY_PASSWORD, random)?;
    let mut insert = DummyInsert {
        options,
        generator: Generator::new(options, first, password_hash),
        batch: Batch::default(),
        inserted: 0,
        progress,
    };
    insert.insert_all(c).map_err(|error| match error {
        // Another process inserts data of the same seed concurrently.
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => SeedError::AlreadyExists(options.rng_seed),
        error => SeedError::Query(error),
    })?;
    Ok(counts)
}

/// First IDs of the generated rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstIds {
    pub(super) user: i64,
    pub(super) list: i64,
    pub(super) item: i64,
}

struct DummyInsert<'a> {
    options: &'a DummyOptions,
    generator: Generator,
    batch: Batch,
    /// Number of items inserted so far.
    inserted: u64,
    progress: &'a mut dyn FnMut(u64),
}

/// Position of an insertion: the next user, and the next list of that user.
#[derive(Clone, Copy, Default)]
struct Position {
    user: u64,
    list: u64,
}

impl DummyInsert<'_> {
    fn insert_all(&mut self, c: &mut DbConnection) -> QueryResult<()> {
        let mut position = Position::default();
        while position.user < self.options.users {
            position = c.transaction(|c| self.insert_transaction(c, position))?;
        }
        Ok(())
    }

    fn insert_transaction(&mut self, c: &mut DbConnection, mut at: Position) -> QueryResult<Position> {
        search::begin_bulk_load(c)?;
        let mut rows = 0;
        while at.user < self.options.users && rows < MIN_TRANSACTION_ROWS {
            if at.list == 0 {
                let user = self.generator.user(at.user);
                self.batch.users.push(user);
                rows += 1;
            }
            if at.list < self.options.lists {
                rows = self.add_list(c, at.list)?.saturating_add(rows);
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

    /// Generates a list with its items and returns the number of rows.
    fn add_list(&mut self, c: &mut DbConnection, number: u64) -> QueryResult<usize> {
        let list = self.generator.list(number);
        self.batch.lists.push(list);
        for number in 0..self.options.items {
            let item = self.generator.item(number);
            self.batch.items.push(item);
            if self.batch.len() >= BATCH_SIZE {
                self.flush(c)?;
            }
        }
        Ok(usize::try_from(self.options.items).unwrap_or(usize::MAX).saturating_add(1))
    }

    fn flush(&mut self, c: &mut DbConnection) -> QueryResult<()> {
        let items = self.batch.items.len();
        self.batch.write(c)?;
        self.inserted += items as u64;
        (self.progress)(self.inserted);
        Ok(())
    }
}
