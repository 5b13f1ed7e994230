//! Changes that one statement of PostgreSQL makes for several callers.

use diesel::QueryResult;

use super::DbConnection;

/// A change that PostgreSQL can make together with others of the same type.
pub trait BatchableChange: Send + 'static {
    type Output: Send + 'static;

    /// Makes the change. A single statement on PostgreSQL.
    ///
    /// # Errors
    /// Fails if the statement fails.
    fn apply(&self, c: &mut DbConnection) -> QueryResult<Self::Output>;

    /// Makes changes of different accounts with a single statement, which does not wait for rows that other transactions have locked. Returns
    /// the output of each change, in order. `None` if it was not made, because a row is locked or a constraint is violated: the change is
    /// then made alone.
    ///
    /// # Errors
    /// Fails if the statement fails. No change was made then.
    fn apply_all(changes: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>>;
}
