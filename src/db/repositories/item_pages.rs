//! Pages of items in the default order. On PostgreSQL, a statement can read those of several requests.
//!
//! Only pages whose cost does not depend on the number of items can share a statement, so that no request delays the others.

use std::{collections::HashMap, hash::Hash};

use diesel::{
    dsl::SqlTypeOf,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Nullable},
};

use super::prelude::*;
use super::{
    array_statement::extended,
    columns,
    item_counts::ItemCounts,
    items::{self, Columns, ItemRow},
    summarized_page::{self, SummarizedPage},
};
use crate::{
    db::{
        BatchableWork, DbConnection,
        schema::{bucketlists as bucketlists_table, items as items_table},
    },
    domain::{
        CursorQuery, Item, ItemFilter, ItemScope, Keyset, KeysetPosition, MAX_PER_PAGE, OffsetPage, OffsetQuery,
        OffsetRange, SortKey, SortValue, Timestamp,
    },
};

/// Items of a bucketlist, after the counts of all its items.
type CountedItems = (ItemCounts, Vec<Item>);

/// The largest offset of a page that can share a statement. PostgreSQL reads all rows before the page.
const MAX_OFFSET: i64 = 1_000;

/// Lists a range of the items of a bucketlist, the oldest first. The output is `None` if the owner has no such bucketlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListItemsByOffset {
    scope: ItemScope,
    range: OffsetRange,
}

impl ListItemsByOffset {
    /// Returns the work of a query; `None` if its cost depends on the number of items.
    #[must_use]
    pub fn new(scope: ItemScope, query: &OffsetQuery) -> Option<Self> {
        let range = query.range();
        (query.text_filter().is_none() && range.offset <= MAX_OFFSET).then_some(Self { scope, range })
    }
}

impl BatchableWork for ListItemsByOffset {
    type Output = Option<OffsetPage<Item>>;

    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output> {
        items::list_by_offset(c, self.scope, None, self.range)
    }

    fn run_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>> {
        let (DbConnection::Postgres(c), [_, _, ..]) = (&mut *c, works) else {
            return works.iter().map(|work| work.run(c).map(Some)).collect();
        };
        read_distinct(works, |works| {
            let start = Start::Offsets(works.iter().map(|work| work.range.offset).collect());
            let requests = works.iter().map(|work| (work.scope, work.range.limit));
            let pages = PagesOfLists::new(requests, start).load(c)?.into_iter().map(|page| {
                let (counts, mut data) = page?;
                data.sort_by_key(|item| item.id);
                Some(OffsetPage { data, total: counts.total })
            });
            Ok(pages.collect())
        })
    }
}

/// Lists items after a position, the oldest first, with the item counts of the bucketlist. The output is `None` if the owner has no such
/// bucketlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListItemsByCursor {
    scope: ItemScope,
    /// The creation time and the ID that precede the page; `None` for the first page.
    after: Option<(Timestamp, i64)>,
    limit: i64,
}

impl ListItemsByCursor {
    /// Returns the work of a query, with one row more than the page; `None` if its cost depends on the number of items, or if its order
    /// is not the default.
    #[must_use]
    pub fn new(scope: ItemScope, query: &CursorQuery<ItemFilter>) -> Option<Self> {
        let ItemFilter { q: None, done, due_before: None, due_after: None, created_after } = query.filter else {
            return None;
        };
        let Keyset { sort: SortKey::CreatedAt, descending: false, after, limit } = query.keyset_with_lookahead() else {
            return None;
        };
        // The stored counts do not include a filter by time, and an index does not contain the status.
        if done.is_some() || limit > MAX_PER_PAGE + 1 || (query.with_total && !ItemCounts::cover(&query.filter)) {
            return None;
        }
        let after = match after {
            Some(KeysetPosition { value: SortValue::Timestamp(time), id }) => Some((time, id)),
            Some(_) => return None,
            None => None,
        };
        // After the last item that was created at this time.
        let after = after.max(created_after.map(|time| (time, i64::MAX)));
        Some(Self { scope, after, limit })
    }
}

impl BatchableWork for ListItemsByCursor {
    type Output = Option<CountedItems>;

    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output> {
        match self.after {
            None => list_first(c, self.scope, self.limit),
            Some((time, id)) => {
                let position = KeysetPosition { value: SortValue::Timestamp(time), id };
                let keyset = Keyset::oldest_first(Some(position), self.limit);
                items::list_with_counts(c, self.scope, &ItemFilter::default(), &keyset)
            }
        }
    }

    fn run_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>> {
        let (DbConnection::Postgres(c), [_, _, ..]) = (&mut *c, works) else {
            return works.iter().map(|work| work.run(c).map(Some)).collect();
        };
        read_distinct(works, |works| {
            let after = |work: &Self| match work.after {
                Some((time, id)) => (time.micros(), id),
                // Before all items.
                None => (i64::MIN, i64::MIN),
            };
            let (created_at, ids) = works.iter().map(after).unzip();
            let requests = works.iter().map(|work| (work.scope, work.limit));
            let mut pages = PagesOfLists::new(requests, Start::After { created_at, ids }).load(c)?;
            for (_, items) in pages.iter_mut().flatten() {
                items.sort_by_key(|item| (item.created_at, item.id));
            }
            Ok(pages)
        })
    }
}

/// Like [`items::list_with_counts`] without a filter and a position. The statement is cached by the type of the query.
fn list_first(c: &mut DbConnection, scope: ItemScope, limit: i64) -> QueryResult<Option<CountedItems>> {
    let summary = bucketlists_table::table
        .find(scope.bucketlist_id.get())
        .filter(bucketlists_table::user_id.eq(scope.owner.get()))
        .select((bucketlists_table::items_total, bucketlists_table::items_done));
    let page = items_table::table
        .filter(items_table::bucketlist_id.eq(scope.bucketlist_id.get()))
        .order((items_table::created_at, items_table::id))
        .limit(limit)
        .select(columns::<ItemRow>());
    let order = (items_table::created_at.asc(), items_table::id.asc());
    let page = SummarizedPage { summary, page, table: "items", order };
    let rows: Vec<((i64, i64), Option<ItemRow>)> = on_engine!(c => page.load(c)?);
    let Some(((total, done), rows)) = summarized_page::split(rows) else { return Ok(None) };
    Ok(Some((ItemCounts { total, done }, rows.into_iter().map(Item::from).collect())))
}

/// Reads the page of each request. Equal requests get copies of one page.
fn read_distinct<R: Copy + Eq + Hash, P: Clone>(
    requests: &[&R],
    read: impl FnOnce(&[R]) -> QueryResult<Vec<P>>,
) -> QueryResult<Vec<Option<P>>> {
    let (mut distinct, mut indexes) = (Vec::new(), HashMap::new());
    let indexes: Vec<usize> = requests
        .iter()
        .map(|request| {
            *indexes.entry(**request).or_insert_with(|| {
                distinct.push(**request);
                distinct.len() - 1
            })
        })
        .collect();
    let pages = read(&distinct)?;
    if distinct.len() == requests.len() {
        return Ok(pages.into_iter().map(Some).collect());
    }
    Ok(indexes.into_iter().map(|index| pages.get(index).cloned()).collect())
}

/// Finds pages of items of several bucketlists through an index, with the counts of each bucketlist. The text of the statement does not depend on
/// the number of pages, so it is prepared only once.
struct PagesOfLists {
    owners: Vec<i64>,
    lists: Vec<i64>,
    limits: Vec<i64>,
    start: Start,
    columns: Columns,
}

/// Where each page begins, in one of two orders.
enum Start {
    /// After a number of items, ordered by ID.
    Offsets(Vec<i64>),
    /// After a creation time and an ID, ordered by both.
    After { created_at: Vec<i64>, ids: Vec<i64> },
}

impl PagesOfLists {
    fn new(requests: impl Iterator<Item = (ItemScope, i64)> + Clone, start: Start) -> Self {
        let ids = |scope: ItemScope| (scope.owner.get(), scope.bucketlist_id.get());
        let (owners, lists) = requests.clone().map(|(scope, _)| ids(scope)).unzip();
        let limits = extended(requests.map(|(_, limit)| limit));
        Self { owners, lists, limits, start, columns: columns::<ItemRow>() }
    }

    /// Returns the pages in the order of the requests, each in any order; `None` if the owner has no such bucketlist.
    fn load(self, c: &mut diesel::PgConnection) -> QueryResult<Vec<Option<CountedItems>>> {
        let mut pages: Vec<Option<CountedItems>> = self.lists.iter().map(|_| None).collect();
        let rows: Vec<(i64, (i64, i64), Option<ItemRow>)> = RunQueryDsl::load(self, c)?;
        for (position, (total, done), row) in rows {
            // Positions begin with 1.
            let page = usize::try_from(position - 1).ok().and_then(|index| pages.get_mut(index));
            if let Some(page) = page {
                let (_, items) = page.get_or_insert_with(|| (ItemCounts { total, done }, Vec::new()));
                items.extend(row.map(Item::from));
            }
        }
        Ok(pages)
    }
}

impl Query for PagesOfLists {
    type SqlType = (BigInt, (BigInt, BigInt), Nullable<SqlTypeOf<Columns>>);
}

impl QueryId for PagesOfLists {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> diesel::RunQueryDsl<C> for PagesOfLists {}

impl QueryFragment<Pg> for PagesOfLists {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT request.position, list.items_total, list.items_done, items.* FROM unnest(");
        for (separator, values) in [("", &self.owners), (", ", &self.lists), (", ", &self.limits)] {
            out.push_sql(separator);
            out.push_bind_param::<Array<BigInt>, _>(values)?;
        }
        out.push_sql(", ");
        let (start, page) = match &self.start {
            Start::Offsets(offsets) => {
                out.push_bind_param::<Array<BigInt>, _>(offsets)?;
                ("skipped", " ORDER BY items.id LIMIT request.size OFFSET request.skipped")
            }
            Start::After { created_at, ids } => {
                out.push_bind_param::<Array<BigInt>, _>(created_at)?;
                out.push_sql(", ");
                out.push_bind_param::<Array<BigInt>, _>(ids)?;
                (
                    "created_at, id",
                    " AND (items.created_at, items.id) > (request.created_at, request.id) \
                     ORDER BY items.created_at, items.id LIMIT request.size",
                )
            }
        };
        out.push_sql(") WITH ORDINALITY AS request (user_id, bucketlist_id, size, ");
        out.push_sql(start);
        out.push_sql(
            ", position) JOIN bucketlists AS list ON list.id = request.bucketlist_id AND list.user_id = request.user_id \
             LEFT JOIN LATERAL (SELECT ",
        );
        self.columns.walk_ast(out.reborrow())?;
        // Only of the bucketlists that were found.
        out.push_sql(" FROM items WHERE items.bucketlist_id = list.id");
        out.push_sql(page);
        out.push_sql(") AS items ON TRUE");
        Ok(())
    }
}
