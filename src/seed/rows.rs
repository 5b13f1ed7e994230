//! Rows of generated data with explicit IDs, and their fast insertion in batches.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::{
    db::{
        DbConnection,
        repositories::search::{self, Document},
        schema::{bucketlists, items, users},
    },
    domain::{SearchTarget, UserId},
};

/// Number of rows per statement. SQLite accepts 32,766 values; fewer rows are as fast and need less memory.
const SQLITE_ROWS: usize = 500;

// `None` must mean NULL: on SQLite, Diesel inserts row by row if a column may have its default value.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub(super) struct UserRow {
    pub(super) id: i64,
    pub(super) email: String,
    pub(super) email_key: String,
    pub(super) name: String,
    pub(super) search_text: String,
    pub(super) password_hash: String,
    pub(super) role: &'static str,
    pub(super) disabled: bool,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = bucketlists, treat_none_as_default_value = false)]
pub(super) struct ListRow {
    pub(super) id: i64,
    pub(super) user_id: i64,
    pub(super) name: String,
    pub(super) description: Option<&'static str>,
    pub(super) search_text: String,
    pub(super) items_total: i64,
    pub(super) items_done: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = items, treat_none_as_default_value = false)]
pub(super) struct ItemRow {
    pub(super) id: i64,
    pub(super) bucketlist_id: i64,
    /// The owner of the list, for the search index.
    #[diesel(skip_insertion)]
    pub(super) owner: i64,
    pub(super) name: String,
    pub(super) description: Option<&'static str>,
    pub(super) search_text: String,
    pub(super) done: bool,
    pub(super) done_at: Option<i64>,
    pub(super) due_on: Option<NaiveDate>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// Rows to insert.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) users: Vec<UserRow>,
    pub(super) lists: Vec<ListRow>,
    pub(super) items: Vec<ItemRow>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.users.len() + self.lists.len() + self.items.len()
    }

    /// Inserts the rows, owners first, and clears the batch.
    pub(super) fn write(&mut self, c: &mut DbConnection) -> QueryResult<()> {
        match c {
            DbConnection::Sqlite(c) => {
                for rows in self.users.chunks(SQLITE_ROWS) {
                    diesel::insert_into(users::table).values(rows).execute(c)?;
                }
                for rows in self.lists.chunks(SQLITE_ROWS) {
                    diesel::insert_into(bucketlists::table).values(rows).execute(c)?;
                }
                for rows in self.items.chunks(SQLITE_ROWS) {
                    diesel::insert_into(items::table).values(rows).execute(c)?;
                }
            }
            // COPY is the fastest way to insert many rows into PostgreSQL.
            DbConnection::Postgres(c) => {
                if !self.users.is_empty() {
                    diesel::copy_from(users::table).from_insertable(&self.users).execute(c)?;
                }
                if !self.lists.is_empty() {
                    diesel::copy_from(bucketlists::table).from_insertable(&self.lists).execute(c)?;
                }
                if !self.items.is_empty() {
                    diesel::copy_from(items::table).from_insertable(&self.items).execute(c)?;
                }
            }
        }
        let lists = self.lists.iter().map(|list| Document {
            target: SearchTarget::Bucketlist,
            id: list.id,
            owner: UserId::new(list.user_id),
            name: &list.name,
            description: list.description,
        });
        let items = self.items.iter().map(|item| Document {
            target: SearchTarget::Item,
            id: item.id,
            owner: UserId::new(item.owner),
            name: &item.name,
            description: item.description,
        });
        search::upsert(c, &lists.chain(items).collect::<Vec<_>>())?;
        self.users.clear();
        self.lists.clear();
        self.items.clear();
        Ok(())
    }
}
