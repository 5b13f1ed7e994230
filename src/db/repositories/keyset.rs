//! Keyset pagination in SQL: a page starts after the last row of the previous page, which an index finds, instead of at an offset.
//!
//! Rows are ordered by a column and then by ID. The order is total, so a row whose position does not change appears exactly once,
//! even while other rows are inserted and deleted. An index on (scope, column, id) serves both directions; the cost does not depend
//! on the depth of the page or on the number of equal values.

use diesel::{
    AppearsOnTable, Expression, QueryResult, SelectableExpression,
    backend::Backend,
    expression::{ValidGrouping, expression_types::NotSelectable, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    result::Error,
    serialize::ToSql,
    sql_types::{BigInt, Bool, HasSqlType, Text},
};

use crate::{
    db::DbConnection,
    domain::{Keyset, KeysetPosition, SortKey, SortValue, Timestamp},
};

/// The clauses of a [`Keyset`].
pub(super) trait KeysetSql {
    /// Returns the ORDER BY clause.
    fn order(&self) -> Order;

    /// Returns the condition for rows after the previous page.
    fn after_position(&self, c: &DbConnection) -> Option<AfterPosition<'_>>;

    /// Returns `created_after`, or `None` if [`Self::after_position`] implies it: with two lower bounds of a column, SQLite uses only
    /// the first one to find the start in the index.
    fn needed_lower_bound(&self, created_after: Option<Timestamp>) -> Option<Timestamp>;

    /// Like [`Self::needed_lower_bound`], but for an upper bound of a descending list.
    fn needed_upper_bound(&self, created_before: Option<Timestamp>) -> Option<Timestamp>;
}

impl KeysetSql for Keyset {
    fn order(&self) -> Order {
        Order { sort: self.sort, descending: self.descending }
    }

    fn after_position(&self, c: &DbConnection) -> Option<AfterPosition<'_>> {
        let &Self { sort, descending, .. } = self;
        let on_sqlite = matches!(c, DbConnection::Sqlite(_));
        self.after.as_ref().map(|position| AfterPosition { sort, descending, position, on_sqlite })
    }

    fn needed_lower_bound(&self, created_after: Option<Timestamp>) -> Option<Timestamp> {
        match self.after {
            Some(KeysetPosition { value: SortValue::Timestamp(reached), .. })
                if self.sort == SortKey::CreatedAt && !self.descending =>
            {
                created_after.filter(|bound| reached <= *bound)
            }
            _ => created_after,
        }
    }

    fn needed_upper_bound(&self, created_before: Option<Timestamp>) -> Option<Timestamp> {
        match self.after {
            Some(KeysetPosition { value: SortValue::Timestamp(reached), .. })
                if self.sort == SortKey::CreatedAt && self.descending =>
            {
                created_before.filter(|bound| reached >= *bound)
            }
            _ => created_before,
        }
    }
}

const fn column(sort: SortKey) -> &'static str {
    match sort {
        SortKey::CreatedAt => "created_at",
        SortKey::UpdatedAt => "updated_at",
        SortKey::Name => "name",
    }
}

/// `column, id`, for ORDER BY: both in one direction, as in the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    sort: SortKey,
    descending: bool,
}

/// `(column, id) > (value, id)`: a comparison of row values, at which an index can be entered. The equivalent with OR is a
/// filter, for which everything before the page would be read.
///
/// SQLite matches the rowid at the end of an index only if the comparison states a collation, since a rowid has none. Otherwise it
/// enters the index at the column alone, and reads all rows with the same value before the page.
///
/// A query node rather than `dsl::sql`, whose statements are not cached.
#[derive(Clone, Copy, Debug)]
pub(super) struct AfterPosition<'a> {
    sort: SortKey,
    descending: bool,
    position: &'a KeysetPosition,
    on_sqlite: bool,
}

impl<DB: Backend> QueryFragment<DB> for Order {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let direction = if self.descending { " DESC" } else { " ASC" };
        for (separator, column) in [("", column(self.sort)), (", ", "id")] {
            out.push_sql(separator);
            out.push_identifier(column)?;
            out.push_sql(direction);
        }
        Ok(())
    }
}

impl<DB> QueryFragment<DB> for AfterPosition<'_>
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text>,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("(");
        out.push_identifier(column(self.sort))?;
        out.push_sql(", ");
        out.push_identifier("id")?;
        out.push_sql(if self.descending { ") < (" } else { ") > (" });
        match (&self.position.value, self.sort) {
            (SortValue::Timestamp(time), SortKey::CreatedAt | SortKey::UpdatedAt) => {
                out.push_bind_param::<BigInt, _>(time.as_micros())?;
            }
            (SortValue::Text(text), SortKey::Name) => out.push_bind_param::<Text, _>(text)?,
            // SQLite compares values of different types without an error.
            _ => return Err(Error::QueryBuilderError("the position belongs to another sort key".into())),
        }
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.position.id)?;
        out.push_sql(if self.on_sqlite { " COLLATE BINARY)" } else { ")" });
        Ok(())
    }
}

/// Declares that a node fits into a query of any table: all tables that are sorted have the columns of their sort keys, and none
/// is joined.
macro_rules! expression {
    ($node:ty, $sql_type:ty) => {
        impl Expression for $node {
            type SqlType = $sql_type;
        }
        impl<GB> ValidGrouping<GB> for $node {
            type IsAggregate = is_aggregate::No;
        }
        impl<QS> AppearsOnTable<QS> for $node {}
        impl<QS> SelectableExpression<QS> for $node {}
        // The SQL depends on the values: statements are cached by their text.
        impl QueryId for $node {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }
    };
}
expression!(Order, NotSelectable);
expression!(AfterPosition<'_>, Bool);
