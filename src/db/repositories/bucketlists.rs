//! Bucketlists, always of one owner.

use diesel::{dsl::count_star, prelude::*};

use super::{
    OffsetPage, OffsetRange,
    keyset::{Keyset, KeysetPosition, SortKey, SortValue},
};
use crate::db::{DbConnection, MultiBackend, schema::bucketlists};

/// A bucketlist as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, serde::Serialize, serde::Deserialize)]
pub struct BucketlistRow {
    pub id: i64,
    pub name: String,
    pub description: Option<String>,
    pub items_total: i64,
    pub items_done: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// The columns of [`BucketlistRow`], in its order.
const COLUMNS: Columns = (
    bucketlists::id,
    bucketlists::name,
    bucketlists::description,
    bucketlists::items_total,
    bucketlists::items_done,
    bucketlists::created_at,
    bucketlists::updated_at,
);
type Columns = (
    bucketlists::id,
    bucketlists::name,
    bucketlists::description,
    bucketlists::items_total,
    bucketlists::items_done,
    bucketlists::created_at,
    bucketlists::updated_at,
);

/// A bucketlist to be stored.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = bucketlists)]
pub struct NewBucketlist {
    pub user_id: i64,
    pub name: String,
    pub description: Option<String>,
    pub search_text: String,
    pub items_total: i64,
    pub items_done: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What a bucketlist becomes; `None` becomes NULL.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = bucketlists, treat_none_as_null = true)]
pub struct Replacement {
    pub name: String,
    pub description: Option<String>,
    pub search_text: String,
    pub updated_at: i64,
}

pub fn insert(c: &mut DbConnection, list: &NewBucketlist) -> QueryResult<BucketlistRow> {
    diesel::insert_into(bucketlists::table).values(list).returning(COLUMNS).get_result(c)
}

pub fn find(c: &mut DbConnection, owner: i64, id: i64) -> QueryResult<Option<BucketlistRow>> {
    bucketlists::table.find(id).filter(bucketlists::user_id.eq(owner)).select(COLUMNS).first(c).optional()
}

pub fn replace(c: &mut DbConnection, owner: i64, id: i64, to: &Replacement) -> QueryResult<Option<BucketlistRow>> {
    diesel::update(bucketlists::table.find(id).filter(bucketlists::user_id.eq(owner)))
        .set(to)
        .returning(COLUMNS)
        .get_result(c)
        .optional()
}

pub fn delete(c: &mut DbConnection, owner: i64, id: i64) -> QueryResult<bool> {
    diesel::delete(bucketlists::table.find(id).filter(bucketlists::user_id.eq(owner))).execute(c).map(|rows| rows > 0)
}

/// As [`find`], and locked until the transaction ends: what is decided from it stays true.
pub fn find_for_update(c: &mut DbConnection, owner: i64, id: i64) -> QueryResult<Option<BucketlistRow>> {
    let list = bucketlists::table.find(id).filter(bucketlists::user_id.eq(owner)).select(COLUMNS);
    match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => list.first(c).optional(),
        DbConnection::Postgres(c) => list.for_update().first(c).optional(),
    }
}

/// Locks a list until the transaction ends. False when the owner has no such list.
pub fn lock(c: &mut DbConnection, owner: i64, id: i64) -> QueryResult<bool> {
    let list = bucketlists::table.find(id).filter(bucketlists::user_id.eq(owner)).select(bucketlists::id);
    let found: Option<i64> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => list.first(c).optional()?,
        DbConnection::Postgres(c) => list.for_update().first(c).optional()?,
    };
    Ok(found.is_some())
}

/// Keeps the counts in step with the items, in the items' own transaction. False when the owner has no such list.
pub fn adjust_counts(c: &mut DbConnection, owner: i64, id: i64, total: i64, done: i64) -> QueryResult<bool> {
    diesel::update(bucketlists::table.find(id).filter(bucketlists::user_id.eq(owner)))
        .set((
            bucketlists::items_total.eq(bucketlists::items_total + total),
            bucketlists::items_done.eq(bucketlists::items_done + done),
        ))
        .execute(c)
        .map(|rows| rows > 0)
}

/// A slice of the owner's bucketlists, the oldest first; `pattern` is a LIKE pattern in lower case.
pub fn list_by_offset(
    c: &mut DbConnection,
    owner: i64,
    pattern: Option<&str>,
    slice: OffsetRange,
) -> QueryResult<OffsetPage<BucketlistRow>> {
    let owned = bucketlists::table.filter(bucketlists::user_id.eq(owner));
    let rows: Vec<BucketlistRow> = match pattern {
        None => owned.order(bucketlists::id).offset(slice.offset).limit(slice.limit).select(COLUMNS).load(c)?,
        Some(pattern) => owned
            .filter(bucketlists::search_text.like(pattern).escape('\\'))
            .order(bucketlists::id)
            .offset(slice.offset)
            .limit(slice.limit)
            .select(COLUMNS)
            .load(c)?,
    };
    let total = match (slice.total_seen(rows.len()), pattern) {
        (Some(total), _) => total,
        (None, None) => owned.select(count_star()).first(c)?,
        (None, Some(pattern)) => {
            owned.filter(bucketlists::search_text.like(pattern).escape('\\')).select(count_star()).first(c)?
        }
    };
    Ok(OffsetPage { rows, total })
}

/// Which of the owner's bucketlists; `None` is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// A LIKE pattern in lower case.
    pub pattern: Option<String>,
    /// Made later than this.
    pub created_after: Option<i64>,
}

impl BucketlistRow {
    /// Where this list is among the others.
    #[must_use]
    pub fn position(&self, sort: SortKey) -> KeysetPosition {
        let key = match sort {
            SortKey::CreatedAt => SortValue::Instant(self.created_at),
            SortKey::UpdatedAt => SortValue::Instant(self.updated_at),
            SortKey::Name => SortValue::Text(self.name.clone()),
        };
        KeysetPosition { key, id: self.id }
    }
}

/// What a filter lets through, `created_after` being in place of its own.
fn matching(owner: i64, filter: &Filter, created_after: Option<i64>) -> bucketlists::BoxedQuery<'_, MultiBackend> {
    let mut found = bucketlists::table.filter(bucketlists::user_id.eq(owner)).into_boxed();
    if let Some(pattern) = &filter.pattern {
        found = found.filter(bucketlists::search_text.like(pattern).escape('\\'));
    }
    if let Some(instant) = created_after {
        found = found.filter(bucketlists::created_at.gt(instant));
    }
    found
}

/// The owner's bucketlists that come after a row.
pub fn list_after(
    c: &mut DbConnection,
    owner: i64,
    filter: &Filter,
    keyset: &Keyset,
) -> QueryResult<Vec<BucketlistRow>> {
    let created_after = keyset.unless_implied(filter.created_after);
    let mut page = matching(owner, filter, created_after).order(keyset.order()).limit(keyset.limit);
    if let Some(rest) = keyset.rest(c) {
        page = page.filter(rest);
    }
    page.select(COLUMNS).load(c)
}

/// How many of the owner's bucketlists there are in all.
pub fn count(c: &mut DbConnection, owner: i64, filter: &Filter) -> QueryResult<i64> {
    matching(owner, filter, filter.created_after).select(count_star()).first(c)
}
