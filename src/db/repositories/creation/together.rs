//! Statements of PostgreSQL that create resources of several requests.
//!
//! IDs are assigned before the insertion, so that each created row is found by its ID. Rows of accounts and bucketlists that other transactions have
//! locked are left out, and so are bucketlists whose name is taken. Nothing is created for those requests.

use std::borrow::Cow;

use diesel::{PgConnection, sql_types::BigInt};

use super::{CreateBucketlist, CreateItem};
use crate::{
    db::repositories::{
        array_statement::{ArrayStatement, extended},
        prelude::*,
        search, search_text,
    },
    domain::{Bucketlist, BucketlistContent, BucketlistId, Item, ItemContent, ItemId, SearchTarget, Timestamp},
};

/// Returns the position of each created row in the input, and its ID.
type CreationStatement<'a> = ArrayStatement<'a, (BigInt, BigInt)>;

/// The end of a [`CreationStatement`].
const CREATED: &str = " SELECT input.position, created.id FROM created JOIN input USING (id)";

/// Creates bucketlists. Returns `None` for those that were not created.
pub(super) fn create_bucketlists(
    c: &mut PgConnection,
    changes: &[&CreateBucketlist],
) -> QueryResult<Vec<Option<Option<Bucketlist>>>> {
    let ids = created_ids(changes.len(), bucketlists_statement(changes).load(c)?);
    let created = changes.iter().zip(ids).map(|(CreateBucketlist(new), id)| {
        let BucketlistContent { name, description } = new.content.clone();
        Some(Some(Bucketlist {
            id: BucketlistId::new(id?),
            name,
            description,
            items_total: 0,
            items_done: 0,
            created_at: new.created_at,
            updated_at: new.updated_at,
        }))
    });
    Ok(created.collect())
}

/// Creates items. Returns `None` for those that were not created.
pub(super) fn create_items(c: &mut PgConnection, changes: &[&CreateItem]) -> QueryResult<Vec<Option<Option<Item>>>> {
    let ids = created_ids(changes.len(), items_statement(changes).load(c)?);
    let created = changes.iter().zip(ids).map(|(CreateItem { item: new, .. }, id)| {
        let ItemContent { name, description, done, due_on } = new.content.clone();
        Some(Some(Item {
            id: ItemId::new(id?),
            bucketlist_id: new.bucketlist_id,
            name,
            description,
            done,
            done_at: new.effective_done_at(),
            due_on,
            created_at: new.created_at,
            updated_at: new.updated_at,
        }))
    });
    Ok(created.collect())
}

/// Returns the ID of each created row by its position in the input, which begins with 1.
fn created_ids(len: usize, rows: Vec<(i64, i64)>) -> Vec<Option<i64>> {
    let mut ids = vec![None; len];
    for (position, id) in rows {
        if let Some(created) = usize::try_from(position - 1).ok().and_then(|index| ids.get_mut(index)) {
            *created = Some(id);
        }
    }
    ids
}

/// Starts a statement whose input has a row for each request, with an ID of the sequence.
fn start<'a>(sequence: &str) -> CreationStatement<'a> {
    let mut statement = ArrayStatement::new();
    statement.sql("WITH input AS MATERIALIZED (SELECT nextval('").sql(sequence).sql("') AS id, request.* FROM unnest(");
    statement
}

/// Locks the accounts, in the order of their IDs, and changes their revisions. PostgreSQL finds IDs of an array through the index: to join a table of a
/// few hundred accounts, it would read all of them, with the row versions that earlier creations left.
fn push_owners(statement: &mut CreationStatement<'_>, owners: impl Iterator<Item = i64>) {
    statement
        .sql("unlocked AS MATERIALIZED (SELECT id FROM users WHERE id = ANY (")
        .integers(extended(owners).into_iter())
        .sql(
            ") ORDER BY id FOR NO KEY UPDATE SKIP LOCKED), \
             owners AS (UPDATE users SET revision = revision + 1 WHERE id = ANY (ARRAY (SELECT id FROM unlocked)) \
             RETURNING users.id)",
        );
}

fn bucketlists_statement<'a>(changes: &'a [&'a CreateBucketlist]) -> CreationStatement<'a> {
    let content = |change: &&'a CreateBucketlist| &change.0.content;
    let mut statement = start("bucketlists_id_seq");
    statement
        .integers(changes.iter().map(|change| change.0.owner.get()))
        .sql(", ")
        .texts(changes.iter().map(|change| Cow::from(&content(change).name)))
        .sql(", ")
        .optional_texts(changes.iter().map(|change| content(change).description.as_deref()))
        .sql(", ")
        .texts(changes.iter().map(|change| {
            let BucketlistContent { name, description } = content(change);
            search_text(name, description.as_deref()).into()
        }))
        .sql(", ")
        .integers(changes.iter().map(|change| change.0.created_at.micros()))
        .sql(", ")
        .integers(changes.iter().map(|change| change.0.updated_at.micros()))
        .sql(", ")
        .texts(changes.iter().map(|change| search::vector(&change.document(0)).into()))
        .sql(
            ") WITH ORDINALITY AS request \
             (owner, name, description, search_text, created_at, updated_at, terms, position)), ",
        );
    push_owners(&mut statement, changes.iter().map(|change| change.0.owner.get()));
    statement
        .sql(
            ", created AS (INSERT INTO bucketlists \
             (id, user_id, name, description, search_text, items_total, items_done, created_at, updated_at) \
             SELECT input.id, owner, name, description, search_text, 0, 0, created_at, updated_at \
             FROM input JOIN owners ON owners.id = input.owner ORDER BY position \
             ON CONFLICT (user_id, name) DO NOTHING RETURNING id), indexed AS (",
        )
        .sql(&search::insert_created(SearchTarget::Bucketlist))
        .sql(")")
        .sql(CREATED);
    statement
}

fn items_statement<'a>(changes: &'a [&'a CreateItem]) -> CreationStatement<'a> {
    let content = |change: &&'a CreateItem| &change.item.content;
    let mut statement = start("items_id_seq");
    statement
        .integers(changes.iter().map(|change| change.owner.get()))
        .sql(", ")
        .integers(changes.iter().map(|change| change.item.bucketlist_id.get()))
        .sql(", ")
        .texts(changes.iter().map(|change| Cow::from(&content(change).name)))
        .sql(", ")
        .optional_texts(changes.iter().map(|change| content(change).description.as_deref()))
        .sql(", ")
        .texts(changes.iter().map(|change| {
            let ItemContent { name, description, .. } = content(change);
            search_text(name, description.as_deref()).into()
        }))
        .sql(", ")
        .booleans(changes.iter().map(|change| content(change).done))
        .sql(", ")
        .optional_integers(changes.iter().map(|change| change.item.effective_done_at().map(Timestamp::micros)))
        .sql(", ")
        .optional_dates(changes.iter().map(|change| content(change).due_on))
        .sql(", ")
        .integers(changes.iter().map(|change| change.item.created_at.micros()))
        .sql(", ")
        .integers(changes.iter().map(|change| change.item.updated_at.micros()))
        .sql(", ")
        .texts(changes.iter().map(|change| search::vector(&change.document(0)).into()))
        .sql(
            ") WITH ORDINALITY AS request (owner, list, name, description, search_text, done, done_at, due_on, created_at, \
             updated_at, terms, position)), ",
        );
    push_owners(&mut statement, changes.iter().map(|change| change.owner.get()));
    statement
        .sql(
            ", unlocked_lists AS MATERIALIZED (SELECT bucketlists.id FROM bucketlists \
             JOIN owners ON owners.id = bucketlists.user_id WHERE bucketlists.id = ANY (",
        )
        .integers(extended(changes.iter().map(|change| change.item.bucketlist_id.get())).into_iter())
        .sql(
            ") ORDER BY bucketlists.id FOR NO KEY UPDATE OF bucketlists SKIP LOCKED), \
             counts AS (SELECT owner, list, count(*) AS total, count(*) FILTER (WHERE done) AS done FROM input \
             GROUP BY owner, list), \
             lists AS (UPDATE bucketlists SET items_total = items_total + counts.total, \
             items_done = items_done + counts.done FROM counts JOIN unlocked_lists ON unlocked_lists.id = counts.list \
             WHERE bucketlists.id = counts.list AND bucketlists.user_id = counts.owner \
             RETURNING bucketlists.id, bucketlists.user_id), \
             created AS (INSERT INTO items \
             (id, bucketlist_id, name, description, search_text, done, done_at, due_on, created_at, updated_at) \
             SELECT input.id, list, name, description, search_text, done, done_at, due_on, created_at, updated_at \
             FROM input JOIN lists ON lists.id = input.list AND lists.user_id = input.owner ORDER BY position RETURNING id), \
             indexed AS (",
        )
        .sql(&search::insert_created(SearchTarget::Item))
        .sql(")")
        .sql(CREATED);
    statement
}
