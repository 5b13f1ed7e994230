//! Items, always of one list of one owner.

use chrono::NaiveDate;
use diesel::{
    dsl::count_star,
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Text},
    sqlite::Sqlite,
};

use super::{
    OffsetPage, OffsetRange,
    keyset::{Keyset, KeysetPosition, SortKey, SortValue},
};
use crate::db::{
    DbConnection, MultiBackend,
    schema::{bucketlists, items},
};

/// An item as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, serde::Serialize, serde::Deserialize)]
pub struct ItemRow {
    pub id: i64,
    pub bucketlist_id: i64,
    pub name: String,
    pub description: Option<String>,
    pub done: bool,
    pub done_at: Option<i64>,
    pub due_on: Option<NaiveDate>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// The columns of [`ItemRow`], in its order.
const COLUMNS: Columns = (
    items::id,
    items::bucketlist_id,
    items::name,
    items::description,
    items::done,
    items::done_at,
    items::due_on,
    items::created_at,
    items::updated_at,
);
type Columns = (
    items::id,
    items::bucketlist_id,
    items::name,
    items::description,
    items::done,
    items::done_at,
    items::due_on,
    items::created_at,
    items::updated_at,
);

/// An item to be stored.
// `None` must mean NULL: a column that may be left to its default makes Diesel insert row by row on SQLite.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = items, treat_none_as_default_value = false)]
pub struct NewItem {
    pub bucketlist_id: i64,
    pub name: String,
    pub description: Option<String>,
    pub search_text: String,
    pub done: bool,
    pub done_at: Option<i64>,
    pub due_on: Option<NaiveDate>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What an item becomes; `None` becomes NULL.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = items, treat_none_as_null = true)]
pub struct Replacement {
    pub name: String,
    pub description: Option<String>,
    pub search_text: String,
    pub done: bool,
    pub done_at: Option<i64>,
    pub due_on: Option<NaiveDate>,
    pub updated_at: i64,
}

/// Whose item, in which list.
#[derive(Clone, Copy, Debug)]
pub struct ItemScope {
    pub owner: i64,
    pub bucketlist_id: i64,
}

/// Stores an item. The caller has made sure, in the same transaction, that the list is the owner's.
pub fn insert(c: &mut DbConnection, item: &NewItem) -> QueryResult<ItemRow> {
    diesel::insert_into(items::table).values(item).returning(COLUMNS).get_result(c)
}

/// SQLite takes 32,766 values in a statement.
const SQLITE_ROWS: usize = 500;

/// Stores items in their order, in few statements. As for [`insert`], the caller has made sure of the list.
pub fn insert_all(c: &mut DbConnection, items: &[NewItem]) -> QueryResult<Vec<ItemRow>> {
    let mut rows: Vec<ItemRow> = match c {
        DbConnection::Sqlite(c) => {
            let mut rows = Vec::with_capacity(items.len());
            for items in items.chunks(SQLITE_ROWS) {
                let inserted = diesel::insert_into(items::table).values(items).returning(COLUMNS);
                rows.extend(inserted.get_results::<ItemRow>(c)?);
            }
            rows
        }
        DbConnection::Postgres(c) => {
            diesel::insert_into(items::table).values(items).returning(COLUMNS).get_results(c)?
        }
    };
    // Ids are given in the order of the rows; in which order they are returned, no engine promises.
    rows.sort_unstable_by_key(|row| row.id);
    Ok(rows)
}

pub fn find(c: &mut DbConnection, place: ItemScope, id: i64) -> QueryResult<Option<ItemRow>> {
    items::table
        .inner_join(bucketlists::table)
        .filter(items::id.eq(id))
        .filter(items::bucketlist_id.eq(place.bucketlist_id))
        .filter(bucketlists::user_id.eq(place.owner))
        .select(COLUMNS)
        .first(c)
        .optional()
}

/// As [`find`], and locked until the transaction ends: what is decided from it stays true.
pub fn find_for_update(c: &mut DbConnection, place: ItemScope, id: i64) -> QueryResult<Option<ItemRow>> {
    let item = items::table.find(id).filter(items::bucketlist_id.eq(place.bucketlist_id)).filter(
        items::bucketlist_id.eq_any(
            bucketlists::table
                .filter(bucketlists::id.eq(place.bucketlist_id))
                .filter(bucketlists::user_id.eq(place.owner))
                .select(bucketlists::id),
        ),
    );
    match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => item.select(COLUMNS).first(c).optional(),
        DbConnection::Postgres(c) => item.select(COLUMNS).for_update().first(c).optional(),
    }
}

pub fn replace(c: &mut DbConnection, id: i64, to: &Replacement) -> QueryResult<ItemRow> {
    diesel::update(items::table.find(id)).set(to).returning(COLUMNS).get_result(c)
}

pub fn delete(c: &mut DbConnection, id: i64) -> QueryResult<bool> {
    diesel::delete(items::table.find(id)).execute(c).map(|rows| rows > 0)
}

/// A slice of the list's items, the oldest first, and how many items the list has in all; `pattern` is a LIKE pattern in
/// lower case. `None` when the owner has no such list.
pub fn list_by_offset(
    c: &mut DbConnection,
    place: ItemScope,
    pattern: Option<&str>,
    slice: OffsetRange,
) -> QueryResult<Option<OffsetPage<ItemRow>>> {
    let list = bucketlists::table.find(place.bucketlist_id).filter(bucketlists::user_id.eq(place.owner));
    let Some(all) = list.select(bucketlists::items_total).first::<i64>(c).optional()? else {
        return Ok(None);
    };
    let inside = items::table.filter(items::bucketlist_id.eq(place.bucketlist_id));
    let Some(pattern) = pattern else {
        let rows = inside.order(items::id).offset(slice.offset).limit(slice.limit).select(COLUMNS).load(c)?;
        return Ok(Some(OffsetPage { rows, total: all }));
    };
    let found = inside.filter(items::search_text.like(pattern).escape('\\'));
    let rows: Vec<ItemRow> =
        found.clone().order(items::id).offset(slice.offset).limit(slice.limit).select(COLUMNS).load(c)?;
    let total = match slice.total_seen(rows.len()) {
        Some(total) => total,
        None => found.select(count_star()).first(c)?,
    };
    Ok(Some(OffsetPage { rows, total }))
}

/// Which items of a list; `None` is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// A LIKE pattern in lower case.
    pub pattern: Option<String>,
    pub done: Option<bool>,
    /// Due earlier than this; what has no date is not.
    pub due_before: Option<NaiveDate>,
    /// Due later than this; what has no date is not.
    pub due_after: Option<NaiveDate>,
    /// Made later than this.
    pub created_after: Option<i64>,
}

impl ItemRow {
    /// Where this item is among the others.
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
fn matching(bucketlist_id: i64, filter: &Filter, created_after: Option<i64>) -> items::BoxedQuery<'_, MultiBackend> {
    let mut found = items::table.filter(items::bucketlist_id.eq(bucketlist_id)).into_boxed();
    if let Some(pattern) = &filter.pattern {
        found = found.filter(items::search_text.like(pattern).escape('\\'));
    }
    if let Some(done) = filter.done {
        found = found.filter(items::done.eq(done));
    }
    if let Some(day) = filter.due_before {
        found = found.filter(items::due_on.lt(day));
    }
    if let Some(day) = filter.due_after {
        found = found.filter(items::due_on.gt(day));
    }
    if let Some(instant) = created_after {
        found = found.filter(items::created_at.gt(instant));
    }
    found
}

/// The items of a list that come after a row. The caller has made sure, in the same unit, that the list is the owner's.
pub fn list_after(
    c: &mut DbConnection,
    bucketlist_id: i64,
    filter: &Filter,
    keyset: &Keyset,
) -> QueryResult<Vec<ItemRow>> {
    let created_after = keyset.unless_implied(filter.created_after);
    let mut page = matching(bucketlist_id, filter, created_after).order(keyset.order()).limit(keyset.limit);
    if let Some(rest) = keyset.rest(c) {
        page = page.filter(rest);
    }
    page.select(COLUMNS).load(c)
}

/// How many items of a list there are in all. The caller has made sure, in the same unit, that the list is the owner's.
pub fn count(c: &mut DbConnection, bucketlist_id: i64, filter: &Filter) -> QueryResult<i64> {
    if let Filter { pattern: None, due_before: None, due_after: None, created_after: None, done } = filter {
        // The list keeps these counts.
        let list = bucketlists::table.find(bucketlist_id);
        let (all, ticked) = list
            .select((bucketlists::items_total, bucketlists::items_done))
            .first::<(i64, i64)>(c)
            .optional()?
            .unwrap_or_default();
        return Ok(match done {
            None => all,
            Some(true) => ticked,
            Some(false) => all - ticked,
        });
    }
    matching(bucketlist_id, filter, filter.created_after).select(count_star()).first(c)
}

/// The first items of each list, by (created_at, id), in one statement; list by list as they are given. They are distinct;
/// the caller has made sure, in the same unit, that they are the owner's.
pub fn list_first_per_bucketlist(c: &mut DbConnection, list_ids: &[i64], per_list: i64) -> QueryResult<Vec<ItemRow>> {
    if list_ids.is_empty() {
        return Ok(Vec::new());
    }
    match c {
        DbConnection::Sqlite(c) => FirstOfLists { lists: serde_json::json!(list_ids).to_string(), per_list }.load(c),
        DbConnection::Postgres(c) => FirstOfLists { lists: list_ids, per_list }.load(c),
    }
}

/// For each list a look into the index, with a limit of its own. The text is the same for any number of lists, so it is
/// prepared once.
#[derive(Clone, Debug)]
struct FirstOfLists<L> {
    lists: L,
    per_list: i64,
}

impl<L> Query for FirstOfLists<L> {
    type SqlType = diesel::dsl::SqlTypeOf<Columns>;
}

impl<L> QueryId for FirstOfLists<L> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<L, C> RunQueryDsl<C> for FirstOfLists<L> {}

impl QueryFragment<Sqlite> for FirstOfLists<String> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        COLUMNS.walk_ast(out.reborrow())?;
        // CROSS JOIN keeps the order of the two: lists first.
        out.push_sql(" FROM json_each(");
        out.push_bind_param::<Text, _>(&self.lists)?;
        out.push_sql(
            ") AS list CROSS JOIN items ON items.id IN (SELECT i.id FROM items AS i WHERE i.bucketlist_id = list.value \
             ORDER BY i.created_at, i.id LIMIT ",
        );
        out.push_bind_param::<BigInt, _>(&self.per_list)?;
        out.push_sql(") ORDER BY list.key, items.created_at, items.id");
        Ok(())
    }
}

impl QueryFragment<Pg> for FirstOfLists<&[i64]> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        COLUMNS.walk_ast(out.reborrow())?;
        out.push_sql(" FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.lists)?;
        out.push_sql(
            ") WITH ORDINALITY AS list (id, place) CROSS JOIN LATERAL (SELECT * FROM items AS i \
             WHERE i.bucketlist_id = list.id ORDER BY i.created_at, i.id LIMIT ",
        );
        out.push_bind_param::<BigInt, _>(&self.per_list)?;
        out.push_sql(") AS items ORDER BY list.place, items.created_at, items.id");
        Ok(())
    }
}
