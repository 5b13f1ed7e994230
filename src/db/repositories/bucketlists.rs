//! Bucketlists. Every query is scoped to one owner.

use std::collections::HashSet;

use diesel::dsl::count_star;

use super::prelude::*;
use super::{
    columns,
    keyset::KeysetSql,
    search_text::{like_pattern, search_text},
    statement::Statement,
    summarized_page::{self, SummarizedPage},
};
use crate::{
    db::{DbConnection, MultiBackend, schema::bucketlists},
    domain::{
        Bucketlist, BucketlistContent, BucketlistFilter, BucketlistId, Keyset, NewBucketlist, OffsetPage, OffsetRange,
        TextFilter, Timestamp, UserId,
    },
};

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = bucketlists)]
pub(super) struct BucketlistRow {
    id: i64,
    name: String,
    description: Option<String>,
    items_total: i64,
    items_done: i64,
    created_at: i64,
    updated_at: i64,
}

impl From<BucketlistRow> for Bucketlist {
    fn from(row: BucketlistRow) -> Self {
        Self {
            id: BucketlistId::new(row.id),
            name: row.name,
            description: row.description,
            items_total: row.items_total,
            items_done: row.items_done,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        }
    }
}

// `None` must mean NULL: for a column that may be left to its default, Diesel inserts row by row on SQLite, and prepares the statement
// for each execution on PostgreSQL.
#[derive(Insertable)]
#[diesel(table_name = bucketlists, treat_none_as_default_value = false)]
struct NewBucketlistRow<'a> {
    user_id: i64,
    name: &'a str,
    description: Option<&'a str>,
    search_text: String,
    items_total: i64,
    items_done: i64,
    created_at: i64,
    updated_at: i64,
}

impl<'a> NewBucketlistRow<'a> {
    fn new(list: &'a NewBucketlist, items_total: i64, items_done: i64) -> Self {
        let BucketlistContent { name, description } = &list.content;
        Self {
            user_id: list.owner.get(),
            name,
            description: description.as_deref(),
            search_text: search_text(name, description.as_deref()),
            items_total,
            items_done,
            created_at: list.created_at.micros(),
            updated_at: list.updated_at.micros(),
        }
    }
}

/// Inserts a bucketlist without items.
pub fn insert(c: &mut DbConnection, list: &NewBucketlist) -> QueryResult<Bucketlist> {
    let new = NewBucketlistRow::new(list, 0, 0);
    let insert = diesel::insert_into(bucketlists::table).values(&new);
    let row: BucketlistRow = on_engine!(c => insert.returning(BucketlistRow::as_returning()).get_result(c)?);
    Ok(row.into())
}

/// Number of rows in a statement: SQLite accepts 32,766 values.
const SQLITE_ROWS: usize = 500;

/// Inserts bucketlists in order, in few statements, with the numbers of items and of completed items that the caller will insert.
pub fn insert_all(c: &mut DbConnection, lists: &[(NewBucketlist, i64, i64)]) -> QueryResult<Vec<Bucketlist>> {
    let new_rows: Vec<NewBucketlistRow<'_>> =
        lists.iter().map(|(list, total, done)| NewBucketlistRow::new(list, *total, *done)).collect();
    let mut rows: Vec<BucketlistRow> = match c {
        DbConnection::Sqlite(c) => {
            let mut rows = Vec::with_capacity(new_rows.len());
            for chunk in new_rows.chunks(SQLITE_ROWS) {
                let inserted =
                    diesel::insert_into(bucketlists::table).values(chunk).returning(BucketlistRow::as_returning());
                rows.extend(inserted.get_results(c)?);
            }
            rows
        }
        DbConnection::Postgres(c) => diesel::insert_into(bucketlists::table)
            .values(&new_rows)
            .returning(BucketlistRow::as_returning())
            .get_results(c)?,
    };
    // IDs are assigned in the order of the rows, but the engines do not guarantee to return them in that order.
    rows.sort_unstable_by_key(|row| row.id);
    Ok(rows.into_iter().map(Bucketlist::from).collect())
}

/// Returns those of `names` that bucketlists of the owner have. At most 30,000 names.
pub fn taken_names(c: &mut DbConnection, owner: UserId, names: &[String]) -> QueryResult<HashSet<String>> {
    let taken = bucketlists::table.filter(bucketlists::user_id.eq(owner.get())).filter(bucketlists::name.eq_any(names));
    taken.select(bucketlists::name).load(c).map(|names: Vec<String>| names.into_iter().collect())
}

/// Finds a bucketlist of an owner.
pub fn find(c: &mut DbConnection, owner: UserId, id: BucketlistId) -> QueryResult<Option<Bucketlist>> {
    let list = bucketlists::table.find(id.get()).filter(bucketlists::user_id.eq(owner.get()));
    let row: Option<BucketlistRow> = on_engine!(c => list.select(BucketlistRow::as_select()).first(c).optional()?);
    Ok(row.map(Bucketlist::from))
}

/// Like [`find`], but locks the row until the transaction ends.
pub fn find_for_update(c: &mut DbConnection, owner: UserId, id: BucketlistId) -> QueryResult<Option<Bucketlist>> {
    let list = bucketlists::table.find(id.get()).filter(bucketlists::user_id.eq(owner.get()));
    let row: Option<BucketlistRow> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => list.select(BucketlistRow::as_select()).first(c).optional()?,
        DbConnection::Postgres(c) => list.select(BucketlistRow::as_select()).for_update().first(c).optional()?,
    };
    Ok(row.map(Bucketlist::from))
}

/// Locks a bucketlist until the transaction ends; `false` if the owner has no such bucketlist.
pub fn lock(c: &mut DbConnection, owner: UserId, id: BucketlistId) -> QueryResult<bool> {
    let list = bucketlists::table.find(id.get()).filter(bucketlists::user_id.eq(owner.get())).select(bucketlists::id);
    let found: Option<i64> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => list.first(c).optional()?,
        DbConnection::Postgres(c) => list.for_update().first(c).optional()?,
    };
    Ok(found.is_some())
}

/// Replaces the content of a bucketlist; `None` if the owner has no such bucketlist.
pub fn replace(
    c: &mut DbConnection,
    owner: UserId,
    id: BucketlistId,
    content: &BucketlistContent,
    updated_at: Timestamp,
) -> QueryResult<Option<Bucketlist>> {
    let mut statement = Statement::cached();
    statement
        .sql("UPDATE bucketlists SET name = ")
        .text(&content.name)
        .sql(", description = ")
        .optional_text(content.description.as_deref())
        .sql(", search_text = ")
        .text(search_text(&content.name, content.description.as_deref()))
        .sql(", updated_at = ")
        .integer(updated_at.micros())
        .sql(" WHERE id = ")
        .integer(id.get())
        .sql(" AND user_id = ")
        .integer(owner.get())
        .sql(" RETURNING id, name, description, items_total, items_done, created_at, updated_at");
    let rows: Vec<BucketlistRow> = statement.load(c)?;
    Ok(rows.into_iter().next().map(Bucketlist::from))
}

/// Deletes a bucketlist with its items; `false` if the owner has no such bucketlist.
pub fn delete(c: &mut DbConnection, owner: UserId, id: BucketlistId) -> QueryResult<bool> {
    diesel::delete(bucketlists::table.find(id.get()).filter(bucketlists::user_id.eq(owner.get())))
        .execute(c)
        .map(|rows| rows > 0)
}

/// Adds to the item counts of a bucketlist, in the transaction that changes the items. `false` if the owner has no such bucketlist.
pub fn adjust_counts(
    c: &mut DbConnection,
    owner: UserId,
    id: BucketlistId,
    total: i64,
    done: i64,
) -> QueryResult<bool> {
    let mut statement = Statement::cached();
    statement
        .sql("UPDATE bucketlists SET items_total = items_total + ")
        .integer(total)
        .sql(", items_done = items_done + ")
        .integer(done)
        .sql(" WHERE id = ")
        .integer(id.get())
        .sql(" AND user_id = ")
        .integer(owner.get());
    statement.execute(c).map(|rows| rows > 0)
}

/// Lists a range of the owner's bucketlists, the oldest first. A single statement without `q`.
pub fn list_by_offset(
    c: &mut DbConnection,
    owner: UserId,
    q: Option<&TextFilter>,
    range: OffsetRange,
) -> QueryResult<OffsetPage<Bucketlist>> {
    let owned = bucketlists::table.filter(bucketlists::user_id.eq(owner.get()));
    let page = owned.order(bucketlists::id).offset(range.offset).limit(range.limit);
    let (rows, total): (Vec<BucketlistRow>, i64) = match q.map(like_pattern) {
        None => {
            let (summary, page) = (owned.select(count_star()), page.select(columns::<BucketlistRow>()));
            let page = SummarizedPage { summary, page, table: "bucketlists", order: bucketlists::id.asc() };
            let rows = on_engine!(c => page.load(c)?);
            let (total, rows) = summarized_page::split(rows).unwrap_or_default();
            (rows, total)
        }
        Some(pattern) => {
            let matches = || bucketlists::search_text.like(&pattern).escape('\\');
            let rows: Vec<BucketlistRow> = page.filter(matches()).select(BucketlistRow::as_select()).load(c)?;
            let total = match range.total_from_page(rows.len()) {
                Some(total) => total,
                None => owned.filter(matches()).select(count_star()).first(c)?,
            };
            (rows, total)
        }
    };
    Ok(OffsetPage { data: rows.into_iter().map(Bucketlist::from).collect(), total })
}

/// Selects the owner's bucketlists that match a filter, using `created_after` instead of the value in the filter.
fn matching(
    owner: UserId,
    filter: &BucketlistFilter,
    created_after: Option<Timestamp>,
) -> bucketlists::BoxedQuery<'static, MultiBackend> {
    let mut query = bucketlists::table.filter(bucketlists::user_id.eq(owner.get())).into_boxed();
    if let Some(q) = &filter.q {
        query = query.filter(bucketlists::search_text.like(like_pattern(q)).escape('\\'));
    }
    if let Some(time) = created_after {
        query = query.filter(bucketlists::created_at.gt(time.micros()));
    }
    query
}

/// Lists the owner's bucketlists after a position.
pub fn list_after(
    c: &mut DbConnection,
    owner: UserId,
    filter: &BucketlistFilter,
    keyset: &Keyset,
) -> QueryResult<Vec<Bucketlist>> {
    let created_after = keyset.needed_lower_bound(filter.created_after);
    let mut page = matching(owner, filter, created_after).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let rows: Vec<BucketlistRow> = page.select(BucketlistRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(Bucketlist::from).collect())
}

/// Counts the owner's bucketlists that match a filter.
pub fn count(c: &mut DbConnection, owner: UserId, filter: &BucketlistFilter) -> QueryResult<i64> {
    matching(owner, filter, filter.created_after).select(count_star()).first(c)
}
