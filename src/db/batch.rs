//! Work that one statement of PostgreSQL does for several callers.

use diesel::QueryResult;

use super::DbConnection;

/// Work that PostgreSQL can do together with other work of the same type: reads, or changes of accounts.
pub trait BatchableWork: Send + 'static {
    type Output: Send + 'static;

    /// Does the work. A single statement on PostgreSQL.
    ///
    /// # Errors
    /// Fails if the statement fails.
    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output>;

    /// Does the work of several callers with a single statement, which does not wait for rows that other transactions have locked. Returns the
    /// outputs in order. `None` for work that was not done, because a row is locked or a constraint is violated: it is then done alone. Only
    /// called on PostgreSQL.
    ///
    /// # Errors
    /// Fails if the statement fails. Nothing was changed then.
    fn run_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>>;
}
