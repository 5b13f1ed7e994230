//! What can go wrong between a unit of work and its database; classified by kind, never by message.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why a unit of work did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection came free in time.
    #[error("no database connection came free within {0:?}")]
    AcquireTimeout(std::time::Duration),
    /// A connection came free too late.
    #[error("the unit of work waited too long for its turn")]
    DeadlineExceeded,
    /// The database cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// A rule of the schema refused the write; the constraint's name where the engine tells it.
    #[error("a unique constraint refused the write: {0}")]
    UniqueViolation(String),
    /// What the row would have belonged to is gone.
    #[error("a foreign key refused the write")]
    ForeignKeyViolation,
    /// The unit panicked; the panic is in the log.
    #[error("the unit of work panicked")]
    Panicked,
    /// Anything else.
    #[error("the query failed: {0}")]
    Query(#[source] DieselError),
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                // SQLite names the columns ("users.email_key"), PostgreSQL the constraint.
                Self::UniqueViolation(info.constraint_name().unwrap_or_else(|| info.message()).to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => Self::ForeignKeyViolation,
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, info) => {
                Self::Unavailable(info.message().to_owned())
            }
            DieselError::BrokenTransactionManager => Self::Unavailable("the connection was lost".to_owned()),
            error => Self::Query(error),
        }
    }
}
