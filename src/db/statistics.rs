//! Query planner statistics of SQLite. PostgreSQL collects its own.
//!
//! Without statistics, the planner assumes that every table is large, which is right for this schema. Statistics of a small table that
//! has grown since mislead it. Those of the search index are always misleading: FTS5 prepares its statements for tables without
//! statistics, and with them scans the whole index on every merge.

use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Text},
};

use super::{Db, DbConnection, DbError};

/// Number of rows below which a table has no statistics.
const MIN_ROWS: i64 = 1_000;
/// Approximate number of rows that are read for each index, so that no write waits for a scan of a large table.
const ANALYSIS_LIMIT: i64 = 400;
/// Tables of statistics. Both are created by the first ANALYZE.
const STATISTICS_TABLES: [&str; 2] = ["sqlite_stat1", "sqlite_stat4"];
/// The tables of the search index.
const SEARCH_INDEX: &str = "tbl LIKE 'search\\_index%' ESCAPE '\\'";

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl Db {
    /// Updates the query planner statistics of SQLite.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn refresh_statistics(&self) -> Result<(), DbError> {
        self.write(|c: &mut DbConnection| refresh(c).map_err(DbError::from)).await
    }

    /// Deletes statistics of the search index, which another program has collected. Returns whether there were any.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn repair_statistics(&self) -> Result<bool, DbError> {
        let is_broken = self.read(|c: &mut DbConnection| match c {
            DbConnection::Sqlite(c) => has_statistics(c, SEARCH_INDEX).map_err(DbError::from),
            DbConnection::Postgres(_) => Ok(false),
        });
        let is_broken = is_broken.await?;
        if is_broken {
            self.refresh_statistics().await?;
        }
        Ok(is_broken)
    }
}

/// Collects statistics of the large tables and deletes those of the small ones and of the search index.
pub(super) fn refresh(c: &mut DbConnection) -> QueryResult<()> {
    let DbConnection::Sqlite(c) = c else { return Ok(()) };
    delete_statistics(c, SEARCH_INDEX)?;
    c.batch_execute(&format!("PRAGMA analysis_limit = {ANALYSIS_LIMIT}"))?;
    // The tables of the search index are of the type `shadow`.
    let tables: Vec<Table> = sql_query(
        "SELECT name FROM pragma_table_list
         WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .load(c)?;
    for Table { name } in tables {
        let rows = count(c, &format!("SELECT count(*) AS n FROM (SELECT 1 FROM \"{name}\" LIMIT {MIN_ROWS})"))?;
        if rows >= MIN_ROWS {
            c.batch_execute(&format!("ANALYZE \"{name}\""))?;
        } else {
            delete_statistics(c, &format!("tbl = '{name}'"))?;
        }
    }
    Ok(())
}

/// Deletes the statistics that match the condition, and reloads the others on this connection.
fn delete_statistics(c: &mut SqliteConnection, condition: &str) -> QueryResult<()> {
    if has_statistics(c, condition)? {
        for table in existing_tables(c)? {
            c.batch_execute(&format!("DELETE FROM {} WHERE {condition}", table.name))?;
        }
        c.batch_execute("ANALYZE sqlite_schema")?;
    }
    Ok(())
}

fn has_statistics(c: &mut SqliteConnection, condition: &str) -> QueryResult<bool> {
    for table in existing_tables(c)? {
        if count(c, &format!("SELECT count(*) AS n FROM {} WHERE {condition}", table.name))? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn existing_tables(c: &mut SqliteConnection) -> QueryResult<Vec<Table>> {
    let names = STATISTICS_TABLES.join("', '");
    sql_query(format!("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('{names}')")).load(c)
}

fn count(c: &mut SqliteConnection, query: &str) -> QueryResult<i64> {
    sql_query(query).get_result::<Count>(c).map(|count| count.n)
}
