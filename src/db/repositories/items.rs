//! Items. Every query is scoped to one bucketlist of one owner.

use chrono::NaiveDate;
use diesel::{
    dsl::count_star,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Text},
    sqlite::Sqlite,
};

use super::prelude::*;
use super::{
    columns,
    item_counts::ItemCounts,
    keyset::KeysetSql,
    search_text::{like_pattern, search_text},
    statement::Statement,
    summarized_page::{self, SummarizedPage},
};
use crate::{
    db::{
        DbConnection, MultiBackend,
        schema::{bucketlists, items},
    },
    domain::{
        BucketlistId, Item, ItemContent, ItemFilter, ItemId, ItemScope, Keyset, NewItem, OffsetPage, OffsetRange,
        TextFilter, Timestamp,
    },
};

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = items)]
pub(super) struct ItemRow {
    id: i64,
    bucketlist_id: i64,
    name: String,
    description: Option<String>,
    done: bool,
    done_at: Option<i64>,
    due_on: Option<NaiveDate>,
    created_at: i64,
    updated_at: i64,
}

impl From<ItemRow> for Item {
    fn from(row: ItemRow) -> Self {
        Self {
            id: ItemId::new(row.id),
            bucketlist_id: BucketlistId::new(row.bucketlist_id),
            name: row.name,
            description: row.description,
            done: row.done,
            done_at: row.done_at.map(Timestamp::from_micros),
            due_on: row.due_on,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        }
    }
}

// `None` must mean NULL: for a column that may be left to its default, Diesel inserts row by row on SQLite.
#[derive(Insertable)]
#[diesel(table_name = items, treat_none_as_default_value = false)]
struct NewItemRow<'a> {
    bucketlist_id: i64,
    name: &'a str,
    description: Option<&'a str>,
    search_text: String,
    done: bool,
    done_at: Option<i64>,
    due_on: Option<NaiveDate>,
    created_at: i64,
    updated_at: i64,
}

impl<'a> From<&'a NewItem> for NewItemRow<'a> {
    fn from(item: &'a NewItem) -> Self {
        let ItemContent { name, description, done, due_on } = &item.content;
        Self {
            bucketlist_id: item.bucketlist_id.get(),
            name,
            description: description.as_deref(),
            search_text: search_text(name, description.as_deref()),
            done: *done,
            done_at: item.effective_done_at().map(Timestamp::micros),
            due_on: *due_on,
            created_at: item.created_at.micros(),
            updated_at: item.updated_at.micros(),
        }
    }
}

/// Inserts an item. The caller must have checked, in the same transaction, that the bucketlist belongs to the owner.
pub fn insert(c: &mut DbConnection, item: &NewItem) -> QueryResult<Item> {
    let insert = diesel::insert_into(items::table).values(NewItemRow::from(item));
    let row: ItemRow = on_engine!(c => insert.returning(ItemRow::as_returning()).get_result(c)?);
    Ok(row.into())
}

/// Number of rows in a statement: SQLite accepts 32,766 values.
const SQLITE_ROWS: usize = 500;

/// Inserts items in order, in few statements. As for [`insert`], the caller must have checked the bucketlist.
pub fn insert_all(c: &mut DbConnection, items: &[NewItem]) -> QueryResult<Vec<Item>> {
    let new_rows: Vec<NewItemRow<'_>> = items.iter().map(NewItemRow::from).collect();
    let mut rows: Vec<ItemRow> = match c {
        DbConnection::Sqlite(c) => {
            let mut rows = Vec::with_capacity(new_rows.len());
            for chunk in new_rows.chunks(SQLITE_ROWS) {
                let inserted = diesel::insert_into(items::table).values(chunk).returning(ItemRow::as_returning());
                rows.extend(inserted.get_results(c)?);
            }
            rows
        }
        DbConnection::Postgres(c) => {
            diesel::insert_into(items::table).values(&new_rows).returning(ItemRow::as_returning()).get_results(c)?
        }
    };
    // IDs are assigned in the order of the rows, but the engines do not guarantee to return them in that order.
    rows.sort_unstable_by_key(|row| row.id);
    Ok(rows.into_iter().map(Item::from).collect())
}

/// Finds an item in its bucketlist.
pub fn find(c: &mut DbConnection, scope: ItemScope, id: ItemId) -> QueryResult<Option<Item>> {
    let item = items::table
        .inner_join(bucketlists::table)
        .filter(items::id.eq(id.get()))
        .filter(items::bucketlist_id.eq(scope.bucketlist_id.get()))
        .filter(bucketlists::user_id.eq(scope.owner.get()));
    let row: Option<ItemRow> = on_engine!(c => item.select(ItemRow::as_select()).first(c).optional()?);
    Ok(row.map(Item::from))
}

/// Like [`find`], but locks the row until the transaction ends.
pub fn find_for_update(c: &mut DbConnection, scope: ItemScope, id: ItemId) -> QueryResult<Option<Item>> {
    let item = items::table.find(id.get()).filter(items::bucketlist_id.eq(scope.bucketlist_id.get())).filter(
        items::bucketlist_id.eq_any(
            bucketlists::table
                .filter(bucketlists::id.eq(scope.bucketlist_id.get()))
                .filter(bucketlists::user_id.eq(scope.owner.get()))
                .select(bucketlists::id),
        ),
    );
    let row: Option<ItemRow> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => item.select(ItemRow::as_select()).first(c).optional()?,
        DbConnection::Postgres(c) => item.select(ItemRow::as_select()).for_update().first(c).optional()?,
    };
    Ok(row.map(Item::from))
}

/// Replaces the content of an item.
pub fn replace(
    c: &mut DbConnection,
    id: ItemId,
    content: &ItemContent,
    done_at: Option<Timestamp>,
    updated_at: Timestamp,
) -> QueryResult<Item> {
    let mut statement = Statement::cached();
    statement
        .sql("UPDATE items SET name = ")
        .text(&content.name)
        .sql(", description = ")
        .optional_text(content.description.as_deref())
        .sql(", search_text = ")
        .text(search_text(&content.name, content.description.as_deref()))
        .sql(", done = ")
        .bool(content.done)
        .sql(", done_at = ")
        .optional_integer(done_at.map(Timestamp::micros))
        .sql(", due_on = ")
        .optional_date(content.due_on)
        .sql(", updated_at = ")
        .integer(updated_at.micros())
        .sql(" WHERE id = ")
        .integer(id.get())
        .sql(" RETURNING id, bucketlist_id, name, description, done, done_at, due_on, created_at, updated_at");
    let rows: Vec<ItemRow> = statement.load(c)?;
    rows.into_iter().next().map(Item::from).ok_or(diesel::result::Error::NotFound)
}

/// Deletes an item; `false` if there is none.
pub fn delete(c: &mut DbConnection, id: ItemId) -> QueryResult<bool> {
    diesel::delete(items::table.find(id.get())).execute(c).map(|rows| rows > 0)
}

/// Lists a range of the bucketlist's items, the oldest first. `None` if the owner has no such bucketlist. A single statement without `q`.
pub fn list_by_offset(
    c: &mut DbConnection,
    scope: ItemScope,
    q: Option<&TextFilter>,
    range: OffsetRange,
) -> QueryResult<Option<OffsetPage<Item>>> {
    let list = bucketlists::table.find(scope.bucketlist_id.get()).filter(bucketlists::user_id.eq(scope.owner.get()));
    let summary = list.select(bucketlists::items_total);
    let in_list = items::table.filter(items::bucketlist_id.eq(scope.bucketlist_id.get()));
    let (rows, total): (Vec<ItemRow>, i64) = match q.map(like_pattern) {
        None => {
            let page = in_list.order(items::id).offset(range.offset).limit(range.limit).select(columns::<ItemRow>());
            let page = SummarizedPage { summary, page, table: "items", order: items::id.asc() };
            let rows = on_engine!(c => page.load(c)?);
            let Some((items_total, rows)) = summarized_page::split(rows) else { return Ok(None) };
            (rows, items_total)
        }
        Some(pattern) => {
            if summary.first::<i64>(c).optional()?.is_none() {
                return Ok(None);
            }
            let matching = in_list.filter(items::search_text.like(pattern).escape('\\'));
            let page = matching.clone().order(items::id).offset(range.offset).limit(range.limit);
            let rows: Vec<ItemRow> = page.select(ItemRow::as_select()).load(c)?;
            let total = match range.total_from_page(rows.len()) {
                Some(total) => total,
                None => matching.select(count_star()).first(c)?,
            };
            (rows, total)
        }
    };
    Ok(Some(OffsetPage { data: rows.into_iter().map(Item::from).collect(), total }))
}

/// Selects the items that match a filter, using `created_after` instead of the value in the filter.
fn matching(
    bucketlist_id: BucketlistId,
    filter: &ItemFilter,
    created_after: Option<Timestamp>,
) -> items::BoxedQuery<'static, MultiBackend> {
    let mut query = items::table.filter(items::bucketlist_id.eq(bucketlist_id.get())).into_boxed();
    if let Some(q) = &filter.q {
        query = query.filter(items::search_text.like(like_pattern(q)).escape('\\'));
    }
    if let Some(done) = filter.done {
        query = query.filter(items::done.eq(done));
    }
    if let Some(day) = filter.due_before {
        query = query.filter(items::due_on.lt(day));
    }
    if let Some(day) = filter.due_after {
        query = query.filter(items::due_on.gt(day));
    }
    if let Some(time) = created_after {
        query = query.filter(items::created_at.gt(time.micros()));
    }
    query
}

/// Lists the items of a bucketlist after a position. The caller must have checked, in the same unit of work, that the
/// bucketlist belongs to the owner.
pub fn list_after(
    c: &mut DbConnection,
    bucketlist_id: BucketlistId,
    filter: &ItemFilter,
    keyset: &Keyset,
) -> QueryResult<Vec<Item>> {
    let created_after = keyset.needed_lower_bound(filter.created_after);
    let mut page = matching(bucketlist_id, filter, created_after).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let rows: Vec<ItemRow> = page.select(ItemRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(Item::from).collect())
}

/// Lists items as [`list_after`], with the item counts of the bucketlist, in one statement. `None` if the owner has no such
/// bucketlist.
pub fn list_with_counts(
    c: &mut DbConnection,
    scope: ItemScope,
    filter: &ItemFilter,
    keyset: &Keyset,
) -> QueryResult<Option<(ItemCounts, Vec<Item>)>> {
    let created_after = keyset.needed_lower_bound(filter.created_after);
    let mut page = matching(scope.bucketlist_id, filter, created_after).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let list = bucketlists::table.find(scope.bucketlist_id.get()).filter(bucketlists::user_id.eq(scope.owner.get()));
    let summary = list.select((bucketlists::items_total, bucketlists::items_done));
    let page = page.select(columns::<ItemRow>());
    let page = SummarizedPage { summary, page, table: "items", order: keyset.order() };
    let rows: Vec<((i64, i64), Option<ItemRow>)> = page.load(c)?;
    let Some(((total, done), rows)) = summarized_page::split(rows) else { return Ok(None) };
    Ok(Some((ItemCounts { total, done }, rows.into_iter().map(Item::from).collect())))
}

/// Counts the items of a bucketlist that match a filter. The caller must have checked, in the same unit of work, that the
/// bucketlist belongs to the owner.
pub fn count(c: &mut DbConnection, bucketlist_id: BucketlistId, filter: &ItemFilter) -> QueryResult<i64> {
    if ItemCounts::cover(filter) {
        let counts = bucketlists::table
            .find(bucketlist_id.get())
            .select((bucketlists::items_total, bucketlists::items_done))
            .first::<(i64, i64)>(c)
            .optional()?;
        let (total, done) = counts.unwrap_or_default();
        return Ok(ItemCounts { total, done }.count_matching(filter));
    }
    matching(bucketlist_id, filter, filter.created_after).select(count_star()).first(c)
}

/// Lists the first items of each bucketlist, in one statement: in the order of the bucketlists, then the oldest first. The
/// bucketlists must be distinct, and the caller must have checked, in the same unit of work, that they belong to the owner.
pub fn list_first_per_bucketlist(
    c: &mut DbConnection,
    bucketlists: &[BucketlistId],
    per_bucketlist: i64,
) -> QueryResult<Vec<Item>> {
    if bucketlists.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = bucketlists.iter().map(|id| id.get()).collect();
    let rows: Vec<ItemRow> = match c {
        DbConnection::Sqlite(c) => {
            let lists = serde_json::json!(ids).to_string();
            FirstOfLists { lists, per_list: per_bucketlist, columns: columns::<ItemRow>() }.load(c)?
        }
        DbConnection::Postgres(c) => {
            FirstOfLists { lists: ids, per_list: per_bucketlist, columns: columns::<ItemRow>() }.load(c)?
        }
    };
    Ok(rows.into_iter().map(Item::from).collect())
}

/// The columns of [`ItemRow`].
pub(super) type Columns = <ItemRow as Selectable<MultiBackend>>::SelectExpression;

/// Finds the first items of each list through an index. The text of the statement does not depend on the number of lists, so it is
/// prepared only once.
struct FirstOfLists<L> {
    lists: L,
    per_list: i64,
    columns: Columns,
}

impl<L> Query for FirstOfLists<L> {
    type SqlType = diesel::dsl::SqlTypeOf<Columns>;
}

impl<L> QueryId for FirstOfLists<L> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<L, C> diesel::RunQueryDsl<C> for FirstOfLists<L> {}

impl QueryFragment<Sqlite> for FirstOfLists<String> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        // CROSS JOIN makes SQLite iterate over the lists first.
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

impl QueryFragment<Pg> for FirstOfLists<Vec<i64>> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
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
