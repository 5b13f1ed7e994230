//! Statements of PostgreSQL whose values are arrays: their text does not depend on the number of rows, so they are prepared only once.

use std::{borrow::Cow, marker::PhantomData};

use chrono::NaiveDate;
use diesel::{
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Bool, Date, Nullable, Text},
};

use super::prelude::*;

/// Number of values that PostgreSQL expects in an array when it plans a statement without the values. If it expects a lower cost for the values of
/// a request, it plans the statement again for each execution, which can take longer than the execution.
const EXPECTED_LEN: usize = 10;

/// Collects values, with as many copies of the last one that PostgreSQL does not plan the statement again. For arrays in which copies have no effect:
/// those in `= ANY (…)`, and one of several in `unnest`, which extends the others with NULL.
pub(super) fn extended<T: Clone>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    if let Some(last) = values.last().filter(|_| values.len() < EXPECTED_LEN).cloned() {
        values.resize(EXPECTED_LEN, last);
    }
    values
}

/// A statement that is assembled from parts. Its rows have the SQL type `S`.
#[derive(Debug)]
pub(super) struct ArrayStatement<'a, S> {
    parts: Vec<Part<'a>>,
    row: PhantomData<S>,
}

#[derive(Debug)]
enum Part<'a> {
    Sql(String),
    Integers(Vec<i64>),
    OptionalIntegers(Vec<Option<i64>>),
    Texts(Vec<Cow<'a, str>>),
    OptionalTexts(Vec<Option<&'a str>>),
    Booleans(Vec<bool>),
    OptionalDates(Vec<Option<NaiveDate>>),
}

impl<'a, S> ArrayStatement<'a, S> {
    pub(super) const fn new() -> Self {
        Self { parts: Vec::new(), row: PhantomData }
    }

    /// Appends SQL, which must not contain values of a request.
    pub(super) fn sql(&mut self, sql: &str) -> &mut Self {
        self.push(Part::Sql(sql.to_owned()))
    }

    pub(super) fn integers(&mut self, values: impl Iterator<Item = i64>) -> &mut Self {
        self.push(Part::Integers(values.collect()))
    }

    pub(super) fn optional_integers(&mut self, values: impl Iterator<Item = Option<i64>>) -> &mut Self {
        self.push(Part::OptionalIntegers(values.collect()))
    }

    pub(super) fn texts(&mut self, values: impl Iterator<Item = Cow<'a, str>>) -> &mut Self {
        self.push(Part::Texts(values.collect()))
    }

    pub(super) fn optional_texts(&mut self, values: impl Iterator<Item = Option<&'a str>>) -> &mut Self {
        self.push(Part::OptionalTexts(values.collect()))
    }

    pub(super) fn booleans(&mut self, values: impl Iterator<Item = bool>) -> &mut Self {
        self.push(Part::Booleans(values.collect()))
    }

    pub(super) fn optional_dates(&mut self, values: impl Iterator<Item = Option<NaiveDate>>) -> &mut Self {
        self.push(Part::OptionalDates(values.collect()))
    }

    fn push(&mut self, part: Part<'a>) -> &mut Self {
        self.parts.push(part);
        self
    }
}

impl<S> Query for ArrayStatement<'_, S> {
    type SqlType = S;
}

impl<S> QueryId for ArrayStatement<'_, S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S, C> diesel::RunQueryDsl<C> for ArrayStatement<'_, S> {}

impl<S> QueryFragment<Pg> for ArrayStatement<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for part in &self.parts {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Integers(values) => out.push_bind_param::<Array<BigInt>, _>(values)?,
                Part::OptionalIntegers(values) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(values)?,
                Part::Texts(values) => out.push_bind_param::<Array<Text>, _>(values)?,
                Part::OptionalTexts(values) => out.push_bind_param::<Array<Nullable<Text>>, _>(values)?,
                Part::Booleans(values) => out.push_bind_param::<Array<Bool>, _>(values)?,
                Part::OptionalDates(values) => out.push_bind_param::<Array<Nullable<Date>>, _>(values)?,
            }
        }
        Ok(())
    }
}
