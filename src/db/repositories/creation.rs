//! Creates bucketlists and items together with everything that changes with them: the revision of the owner, the counts of the
//! bucketlist, and the search document. One statement on PostgreSQL, which therefore needs no transaction around it.

use super::prelude::*;
use super::{
    bucketlists::{self, BucketlistRow},
    items::{self, ItemRow},
    search::{self, Document},
    search_text,
    statement::Statement,
};
use crate::{
    db::DbConnection,
    domain::{Bucketlist, BucketlistContent, Item, ItemContent, NewBucketlist, NewItem, SearchTarget, UserId},
};

/// Creates a bucketlist without items. `None` if the account of the owner was deleted.
pub fn create_bucketlist(c: &mut DbConnection, list: &NewBucketlist) -> QueryResult<Option<Bucketlist>> {
    let BucketlistContent { name, description } = &list.content;
    let description = description.as_deref();
    let document = |id| Document { target: SearchTarget::Bucketlist, id, owner: list.owner, name, description };
    if let DbConnection::Sqlite(_) = c {
        let created = bucketlists::insert(c, list)?;
        search::upsert(c, &[document(created.id.get())])?;
        return Ok(Some(created));
    }
    let mut statement = Statement::cached();
    // The account first: the deletion of an account locks in that order.
    statement
        .sql("WITH owner AS (UPDATE users SET revision = revision + 1 WHERE id = ")
        .integer(list.owner.get())
        .sql(
            " RETURNING id), created AS (INSERT INTO bucketlists \
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
    search::push_insert(&mut statement, &document(0), "created");
    statement.sql(") SELECT * FROM created");
    let rows: Vec<BucketlistRow> = statement.load(c)?;
    Ok(rows.into_iter().next().map(Bucketlist::from))
}

/// Creates an item. `None` if `owner` has no such bucketlist.
pub fn create_item(c: &mut DbConnection, owner: UserId, item: &NewItem) -> QueryResult<Option<Item>> {
    let ItemContent { name, description, done, due_on } = &item.content;
    let description = description.as_deref();
    let document = |id| Document { target: SearchTarget::Item, id, owner, name, description };
    if let DbConnection::Sqlite(_) = c {
        // The counts first: this fails if the bucketlist does not belong to the owner.
        if !bucketlists::adjust_counts(c, owner, item.bucketlist_id, 1, i64::from(*done))? {
            return Ok(None);
        }
        let created = items::insert(c, item)?;
        search::upsert(c, &[document(created.id.get())])?;
        return Ok(Some(created));
    }
    let mut statement = Statement::cached();
    // The account first, then the bucketlist: every other unit of work locks in that order.
    statement
        .sql("WITH owner AS (UPDATE users SET revision = revision + 1 WHERE id = ")
        .integer(owner.get())
        .sql(
            " RETURNING id), list AS (UPDATE bucketlists SET items_total = items_total + 1, \
             items_done = items_done + ",
        )
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
        .optional_integer(done.then(|| item.done_at.unwrap_or(item.created_at).micros()))
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
    search::push_insert(&mut statement, &document(0), "created");
    statement.sql(") SELECT * FROM created");
    let rows: Vec<ItemRow> = statement.load(c)?;
    Ok(rows.into_iter().next().map(Item::from))
}
