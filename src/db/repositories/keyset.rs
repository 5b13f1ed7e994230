//! Pages that go on after a row, however deep: a page is entered through an index, and nothing is counted off.
//!
//! Rows are ordered by a column and, where it ties, by the id; so the order is total, and a row that stays where it is
//! is met exactly once, whatever comes and goes beside it. An index on (scope, column, id) serves both directions; how deep
//! a page is, and how many rows tie, makes no difference to it.

use diesel::{
    AppearsOnTable, Expression, QueryResult, SelectableExpression,
    backend::Backend,
    expression::{ValidGrouping, expression_types::NotSelectable, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    result::Error,
    serialize::ToSql,
    sql_types::{BigInt, Bool, HasSqlType, Text},
};

use crate::db::DbConnection;

/// What a list can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortKey {
    CreatedAt,
    UpdatedAt,
    /// By code point on both engines: PostgreSQL's columns have the collation "C".
    Name,
}

/// A row's value in the sort column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortValue {
    Instant(i64),
    Text(String),
}

/// Where a row is in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysetPosition {
    pub key: SortValue,
    pub id: i64,
}

/// A page of a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyset {
    pub sort: SortKey,
    pub descending: bool,
    /// The last row of the page before; `None` begins.
    pub after: Option<KeysetPosition>,
    /// How many rows to take at most.
    pub limit: i64,
}

impl SortKey {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Name => "name",
        }
    }
}

impl Keyset {
    /// What to order by.
    pub(super) fn order(&self) -> Order {
        Order { sort: self.sort, descending: self.descending }
    }

    /// What the rows fulfil that come after the page before.
    pub(super) fn rest(&self, c: &DbConnection) -> Option<Beyond<'_>> {
        let &Self { sort, descending, .. } = self;
        let on_sqlite = matches!(c, DbConnection::Sqlite(_));
        self.after.as_ref().map(|position| Beyond { sort, descending, position, on_sqlite })
    }

    /// `created_after`, unless whatever comes after the page before was made later anyway. Given two lower bounds of one
    /// column, SQLite enters its index at the first.
    pub(super) fn unless_implied(&self, created_after: Option<i64>) -> Option<i64> {
        match self.after {
            Some(KeysetPosition { key: SortValue::Instant(reached), .. })
                if self.sort == SortKey::CreatedAt && !self.descending =>
            {
                created_after.filter(|instant| reached <= *instant)
            }
            _ => created_after,
        }
    }

    /// As [`Self::unless_implied`], for an upper bound of a list that goes back in time.
    pub(super) fn unless_implied_before(&self, created_before: Option<i64>) -> Option<i64> {
        match self.after {
            Some(KeysetPosition { key: SortValue::Instant(reached), .. })
                if self.sort == SortKey::CreatedAt && self.descending =>
            {
                created_before.filter(|instant| reached >= *instant)
            }
            _ => created_before,
        }
    }
}

/// `column, id`, for ORDER BY: both in one direction, as the index has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    sort: SortKey,
    descending: bool,
}

/// `(column, id) > (key, id)`: a comparison of rows, because an index is entered at it. The same said with OR is a filter,
/// and everything before the page would be read.
///
/// SQLite knows its rowid at the end of an index again only if the comparison says its collation, a rowid having none that
/// it could be compared with; else it enters at the column alone, and reads all rows that tie before the page.
///
/// A node of its own and not `dsl::sql`, whose statements are prepared anew each time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beyond<'a> {
    sort: SortKey,
    descending: bool,
    position: &'a KeysetPosition,
    on_sqlite: bool,
}

impl<DB: Backend> QueryFragment<DB> for Order {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let direction = if self.descending { " DESC" } else { " ASC" };
        for (separator, column) in [("", self.sort.column()), (", ", "id")] {
            out.push_sql(separator);
            out.push_identifier(column)?;
            out.push_sql(direction);
        }
        Ok(())
    }
}

impl<DB> QueryFragment<DB> for Beyond<'_>
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text>,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("(");
        out.push_identifier(self.sort.column())?;
        out.push_sql(", ");
        out.push_identifier("id")?;
        out.push_sql(if self.descending { ") < (" } else { ") > (" });
        match (&self.position.key, self.sort) {
            (SortValue::Instant(instant), SortKey::CreatedAt | SortKey::UpdatedAt) => {
                out.push_bind_param::<BigInt, _>(instant)?;
            }
            (SortValue::Text(text), SortKey::Name) => out.push_bind_param::<Text, _>(text)?,
            // SQLite would compare anything with anything.
            _ => return Err(Error::QueryBuilderError("the position is of another sort".into())),
        }
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.position.id)?;
        out.push_sql(if self.on_sqlite { " COLLATE BINARY)" } else { ")" });
        Ok(())
    }
}

/// How Diesel is told that a node fits into the queries of every table here: all have the columns of every [`SortKey`] they
/// are sorted by, and none is joined.
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
        // The text depends on values: statements are kept by their text.
        impl QueryId for $node {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }
    };
}
expression!(Order, NotSelectable);
expression!(Beyond<'_>, Bool);
