//! Creates bucketlists and items together with everything that changes with them: the revision of the owner, the counts of the
//! bucketlist, and the search document. One statement on PostgreSQL, which therefore needs no transaction around it, and which can create
//! resources of several requests.

mod together;

use super::prelude::*;
use super::{
    bucketlists::{self, BucketlistRow},
    items::{self, ItemRow},
    search::{self, Document},
    search_text,
    statement::Statement,
};
use crate::{
    db::{BatchableWork, DbConnection},
    domain::{
        Bucketlist, BucketlistContent, Item, ItemContent, NewBucketlist, NewItem, SearchTarget, Timestamp, UserId,
    },
};

/// Creates a bucketlist without items. The output is `None` if the account of the owner was deleted.
#[derive(Clone, Debug)]
pub struct CreateBucketlist(pub NewBucketlist);

/// Creates an item. The output is `None` if `owner` has no such bucketlist.
#[derive(Clone, Debug)]
pub struct CreateItem {
    pub owner: UserId,
    pub item: NewItem,
}

/// What a statement does if another transaction has locked a row that it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Locked {
    Wait,
    /// Creates nothing.
    Skip,
}

impl BatchableWork for CreateBucketlist {
    type Output = Option<Bucketlist>;

    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output> {
        let Self(list) = self;
        if let DbConnection::Sqlite(_) = c {
            let created = bucketlists::insert(c, list)?;
            search::upsert(c, &[self.document(created.id.get())])?;
            return Ok(Some(created));
        }
        self.create(c, Locked::Wait)
    }

    fn run_all(changes: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>> {
        match (c, changes) {
            (c @ DbConnection::Sqlite(_), _) => changes.iter().map(|change| change.run(c).map(Some)).collect(),
            (c, [change]) => Ok(vec![change.create(c, Locked::Skip)?.map(Some)]),
            (DbConnection::Postgres(c), _) => together::create_bucketlists(c, changes),
        }
    }
}

impl CreateBucketlist {
    /// Returns the search document of the bucketlist with this ID.
    fn document(&self, id: i64) -> Document<'_> {
        let NewBucketlist { owner, content: BucketlistContent { name, description }, .. } = &self.0;
        let description = description.as_deref();
        Document { target: SearchTarget::Bucketlist, id, owner: *owner, name, description }
    }

    fn create(&self, c: &mut DbConnection, locked: Locked) -> QueryResult<Option<Bucketlist>> {
        let Self(list) = self;
        let BucketlistContent { name, description } = &list.content;
        let description = description.as_deref();
        let mut statement = Statement::cached();
        push_owner(&mut statement, list.owner, locked);
        statement
            .sql(
                ", created AS (INSERT INTO bucketlists \
                 (user_id, name, description, search_text, items_total, items_done, created_at, updated_at) \
                 SELECT id, ",
            )
            .text(name)
            .sql(", ")
            .optional_text(description)
            .sql(", ")
            .text(search_text(name, description))
            .sql(", 0, 0, ")
            .integer(list.created_at.micros())
            .sql(", ")
            .integer(list.updated_at.micros())
            .sql(
                " FROM owner RETURNING id, name, description, items_total, items_done, created_at, updated_at), \
                 indexed AS (",
            );
        search::push_insert(&mut statement, &self.document(0), "created");
        statement.sql(") SELECT * FROM created");
        let rows: Vec<BucketlistRow> = statement.load(c)?;
        Ok(rows.into_iter().next().map(Bucketlist::from))
    }
}

impl BatchableWork for CreateItem {
    type Output = Option<Item>;

    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output> {
        let Self { owner, item } = self;
        if let DbConnection::Sqlite(_) = c {
            // The counts first: this fails if the bucketlist does not belong to the owner.
            if !bucketlists::adjust_counts(c, *owner, item.bucketlist_id, 1, i64::from(item.content.done))? {
                return Ok(None);
            }
            let created = items::insert(c, item)?;
            search::upsert(c, &[self.document(created.id.get())])?;
            return Ok(Some(created));
        }
        self.create(c, Locked::Wait)
    }

    fn run_all(changes: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>> {
        match (c, changes) {
            (c @ DbConnection::Sqlite(_), _) => changes.iter().map(|change| change.run(c).map(Some)).collect(),
            (c, [change]) => Ok(vec![change.create(c, Locked::Skip)?.map(Some)]),
            (DbConnection::Postgres(c), _) => together::create_items(c, changes),
        }
    }
}

impl CreateItem {
    /// Returns the search document of the item with this ID.
    fn document(&self, id: i64) -> Document<'_> {
        let ItemContent { name, description, .. } = &self.item.content;
        Document { target: SearchTarget::Item, id, owner: self.owner, name, description: description.as_deref() }
    }

    fn create(&self, c: &mut DbConnection, locked: Locked) -> QueryResult<Option<Item>> {
        let Self { owner, item } = self;
        let ItemContent { name, description, done, due_on } = &item.content;
        let description = description.as_deref();
        let mut statement = Statement::cached();
        // The account first, then the bucketlist: every other unit of work locks in that order.
        push_owner(&mut statement, *owner, locked);
        statement
            .sql(", list AS (UPDATE bucketlists SET items_total = items_total + 1, items_done = items_done + ")
            .integer(i64::from(*done))
            .sql(" FROM owner WHERE bucketlists.id = ")
            .integer(item.bucketlist_id.get())
            .sql(
                " AND bucketlists.user_id = owner.id RETURNING bucketlists.id), created AS (INSERT INTO items \
                 (bucketlist_id, name, description, search_text, done, done_at, due_on, created_at, updated_at) \
                 SELECT id, ",
            )
            .text(name)
            .sql(", ")
            .optional_text(description)
            .sql(", ")
            .text(search_text(name, description))
            .sql(", ")
            .bool(*done)
            .sql(", ")
            .optional_integer(item.effective_done_at().map(Timestamp::micros))
            .sql(", ")
            .optional_date(*due_on)
            .sql(", ")
            .integer(item.created_at.micros())
            .sql(", ")
            .integer(item.updated_at.micros())
            .sql(
                " FROM list RETURNING id, bucketlist_id, name, description, done, done_at, due_on, created_at, updated_at), \
                 indexed AS (",
            );
        search::push_insert(&mut statement, &self.document(0), "created");
        statement.sql(") SELECT * FROM created");
        let rows: Vec<ItemRow> = statement.load(c)?;
        Ok(rows.into_iter().next().map(Item::from))
    }
}

/// Appends the change of the account, on PostgreSQL: before the other changes, because the deletion of an account locks in that order.
fn push_owner(statement: &mut Statement, owner: UserId, locked: Locked) {
    statement.sql("WITH owner AS (UPDATE users SET revision = revision + 1 ");
    match locked {
        Locked::Wait => statement.sql("WHERE id = ").integer(owner.get()).sql(" RETURNING id)"),
        Locked::Skip => statement
            .sql("FROM (SELECT id FROM users WHERE id = ")
            .integer(owner.get())
            .sql(" FOR NO KEY UPDATE SKIP LOCKED) AS unlocked WHERE users.id = unlocked.id RETURNING users.id)"),
    };
}
