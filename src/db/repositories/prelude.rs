//! The prelude of Diesel for repositories. Its methods that return rows also record their number in the trace.
//!
//! Diesel reports the beginning and the end of a statement, but not its rows.

use diesel::{
    dsl::Limit,
    query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery},
    result::Error,
};
// The trait below takes precedence over that of Diesel.
pub(super) use diesel::prelude::*;

use crate::db::observer::with_returned_rows;

/// Runs queries, as the trait of Diesel with the same name.
pub(super) trait RunQueryDsl<C>: diesel::RunQueryDsl<C> {
    /// Runs a query and returns its rows.
    fn load<'query, T>(self, c: &mut C) -> QueryResult<Vec<T>>
    where
        Self: LoadQuery<'query, C, T>,
    {
        with_returned_rows(
            || diesel::RunQueryDsl::load(self, c),
            |loaded| loaded.as_ref().ok().map(|rows: &Vec<T>| rows.len()),
        )
    }

    /// Like [`load`](Self::load), for statements that change the rows.
    fn get_results<'query, T>(self, c: &mut C) -> QueryResult<Vec<T>>
    where
        Self: LoadQuery<'query, C, T>,
    {
        RunQueryDsl::load(self, c)
    }

    /// Runs a query and returns its only row.
    fn get_result<'query, T>(self, c: &mut C) -> QueryResult<T>
    where
        Self: LoadQuery<'query, C, T>,
    {
        with_returned_rows(|| diesel::RunQueryDsl::get_result(self, c), count_one)
    }

    /// Runs a query and returns its first row.
    fn first<'query, T>(self, c: &mut C) -> QueryResult<T>
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, C, T>,
    {
        with_returned_rows(|| diesel::RunQueryDsl::first(self, c), count_one)
    }

    /// Runs a statement that returns no rows, and returns the number of rows that it has changed.
    fn execute(self, c: &mut C) -> QueryResult<usize>
    where
        C: Connection,
        Self: ExecuteDsl<C>,
    {
        diesel::RunQueryDsl::execute(self, c)
    }
}

impl<Q: diesel::RunQueryDsl<C>, C> RunQueryDsl<C> for Q {}

/// Returns the number of rows of a query with at most one; `None` if it failed.
const fn count_one<T>(found: &QueryResult<T>) -> Option<usize> {
    match found {
        Ok(_) => Some(1),
        Err(Error::NotFound) => Some(0),
        Err(_) => None,
    }
}
