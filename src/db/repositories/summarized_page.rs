//! A page and a row about its list, in one statement: a consistent read of both in one round trip, without a transaction.

use diesel::{
    backend::Backend,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::Nullable,
};

/// Selects the single row of `summary` next to each row of `page`: no row without a summary, one row if the page is empty. The result of
/// `page` is named as `table`, to which `order` refers. The columns of both must have distinct names.
pub(super) struct SummarizedPage<S, P, O> {
    pub(super) summary: S,
    pub(super) page: P,
    pub(super) table: &'static str,
    pub(super) order: O,
}

impl<S: Query, P: Query, O> Query for SummarizedPage<S, P, O> {
    type SqlType = (S::SqlType, Nullable<P::SqlType>);
}

// The types of the queries determine the name of the table.
impl<S: QueryId, P: QueryId, O: QueryId> QueryId for SummarizedPage<S, P, O> {
    type QueryId = SummarizedPage<S::QueryId, P::QueryId, O::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = S::HAS_STATIC_QUERY_ID && P::HAS_STATIC_QUERY_ID && O::HAS_STATIC_QUERY_ID;
}

impl<S, P, O, C> RunQueryDsl<C> for SummarizedPage<S, P, O> {}

impl<S, P, O, DB> QueryFragment<DB> for SummarizedPage<S, P, O>
where
    DB: Backend,
    S: QueryFragment<DB>,
    P: QueryFragment<DB>,
    O: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT * FROM (");
        self.summary.walk_ast(out.reborrow())?;
        out.push_sql(") AS summary LEFT JOIN (");
        self.page.walk_ast(out.reborrow())?;
        out.push_sql(") AS ");
        out.push_identifier(self.table)?;
        out.push_sql(" ON TRUE ORDER BY ");
        self.order.walk_ast(out.reborrow())
    }
}

/// Separates the summary from the rows of the page; `None` without a summary.
pub(super) fn split<S, P>(rows: Vec<(S, Option<P>)>) -> Option<(S, Vec<P>)> {
    let mut rows = rows.into_iter();
    let (summary, first) = rows.next()?;
    Some((summary, first.into_iter().chain(rows.filter_map(|(_, row)| row)).collect()))
}
