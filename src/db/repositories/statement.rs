//! SQL statements that are assembled from parts, with values that are bound in order.

use diesel::{
    pg::Pg,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};

use crate::db::DbConnection;

/// A statement for either engine. SQLite takes `$1` for a name, and its values are bound in order of appearance, so every
/// placeholder appears once.
#[derive(Debug, Default)]
pub(super) struct Statement {
    sql: String,
    values: Vec<SqlValue>,
}

#[derive(Debug)]
enum SqlValue {
    Integer(i64),
    Text(String),
}

impl Statement {
    /// Appends SQL, which must not contain values of a request.
    pub(super) fn sql(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends an integer.
    pub(super) fn integer(&mut self, value: i64) -> &mut Self {
        self.value(SqlValue::Integer(value))
    }

    /// Appends a text.
    pub(super) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        self.value(SqlValue::Text(value.into()))
    }

    fn value(&mut self, value: SqlValue) -> &mut Self {
        self.values.push(value);
        self.sql.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Runs the statement and returns its rows.
    pub(super) fn load<T>(self, c: &mut DbConnection) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<Sqlite> + QueryableByName<Pg> + 'static,
    {
        match c {
            DbConnection::Sqlite(c) => {
                let mut query = sql_query(self.sql).into_boxed::<Sqlite>();
                for value in self.values {
                    query = match value {
                        SqlValue::Integer(value) => query.bind::<BigInt, _>(value),
                        SqlValue::Text(value) => query.bind::<Text, _>(value),
                    };
                }
                query.load(c)
            }
            DbConnection::Postgres(c) => {
                let mut query = sql_query(self.sql).into_boxed::<Pg>();
                for value in self.values {
                    query = match value {
                        SqlValue::Integer(value) => query.bind::<BigInt, _>(value),
                        SqlValue::Text(value) => query.bind::<Text, _>(value),
                    };
                }
                query.load(c)
            }
        }
    }
}
