//! SQL statements that are assembled from parts, with values that are bound in order.

use chrono::NaiveDate;
use diesel::{
    backend::Backend,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{BigInt, Bool, Date, HasSqlType, Nullable, Text, Untyped},
    sqlite::Sqlite,
};

use super::prelude::*;
use crate::db::DbConnection;

/// A statement for either engine. Each value gets its placeholder where it is appended.
#[derive(Debug, Default)]
pub(super) struct Statement {
    parts: Vec<Part>,
    is_cached: bool,
}

#[derive(Debug)]
enum Part {
    Sql(String),
    Integer(i64),
    OptionalInteger(Option<i64>),
    Text(String),
    OptionalText(Option<String>),
    Bool(bool),
    OptionalDate(Option<NaiveDate>),
}

impl Statement {
    /// Starts a statement that each connection prepares only once. The number of different texts must be small: a connection caches all
    /// of them. Diesel prepares a statement of `sql_query`, and every `UPDATE`, again for each execution.
    pub(super) fn cached() -> Self {
        Self { parts: Vec::new(), is_cached: true }
    }

    /// Appends SQL, which must not contain values of a request.
    pub(super) fn sql(&mut self, sql: &str) -> &mut Self {
        self.push(Part::Sql(sql.to_owned()))
    }

    /// Appends an integer.
    pub(super) fn integer(&mut self, value: i64) -> &mut Self {
        self.push(Part::Integer(value))
    }

    /// Appends an integer or NULL.
    pub(super) fn optional_integer(&mut self, value: Option<i64>) -> &mut Self {
        self.push(Part::OptionalInteger(value))
    }

    /// Appends a text.
    pub(super) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        self.push(Part::Text(value.into()))
    }

    /// Appends a text or NULL.
    pub(super) fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        self.push(Part::OptionalText(value.map(str::to_owned)))
    }

    /// Appends a boolean.
    pub(super) fn bool(&mut self, value: bool) -> &mut Self {
        self.push(Part::Bool(value))
    }

    /// Appends a date or NULL.
    pub(super) fn optional_date(&mut self, value: Option<NaiveDate>) -> &mut Self {
        self.push(Part::OptionalDate(value))
    }

    fn push(&mut self, part: Part) -> &mut Self {
        self.parts.push(part);
        self
    }

    /// Runs the statement and returns its rows.
    pub(super) fn load<T>(self, c: &mut DbConnection) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<Sqlite> + QueryableByName<Pg> + 'static,
    {
        match c {
            DbConnection::Sqlite(c) => RunQueryDsl::load(self, c),
            DbConnection::Postgres(c) => RunQueryDsl::load(self, c),
        }
    }

    /// Runs the statement and returns the number of rows it has changed.
    pub(super) fn execute(self, c: &mut DbConnection) -> QueryResult<usize> {
        match c {
            DbConnection::Sqlite(c) => RunQueryDsl::execute(self, c),
            DbConnection::Postgres(c) => RunQueryDsl::execute(self, c),
        }
    }
}

impl Query for Statement {
    type SqlType = Untyped;
}

impl QueryId for Statement {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> diesel::RunQueryDsl<C> for Statement {}

impl<DB> QueryFragment<DB> for Statement
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text> + HasSqlType<Bool> + HasSqlType<Date>,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
    bool: ToSql<Bool, DB>,
    NaiveDate: ToSql<Date, DB>,
    Option<i64>: ToSql<Nullable<BigInt>, DB>,
    Option<String>: ToSql<Nullable<Text>, DB>,
    Option<NaiveDate>: ToSql<Nullable<Date>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.is_cached {
            out.unsafe_to_cache_prepared();
        }
        for part in &self.parts {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Integer(value) => out.push_bind_param::<BigInt, _>(value)?,
                Part::OptionalInteger(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                Part::Text(value) => out.push_bind_param::<Text, _>(value)?,
                Part::OptionalText(value) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                Part::Bool(value) => out.push_bind_param::<Bool, _>(value)?,
                Part::OptionalDate(value) => out.push_bind_param::<Nullable<Date>, _>(value)?,
            }
        }
        Ok(())
    }
}
