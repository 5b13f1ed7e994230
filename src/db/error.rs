//! Errors of units of work, classified by kind and never by the wording of a message.

use std::time::Duration;

use diesel::{
    ConnectionError,
    result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError},
};

use super::{
    failure::{self, Failure},
    migrations::one_line,
};

/// An error of a unit of work.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection was available in time.
    #[error("no database connection available within {0:?}")]
    AcquireTimeout(Duration),
    /// A connection was available, but only after the deadline of the unit of work.
    #[error("the unit of work did not start before its deadline")]
    DeadlineExceeded,
    /// The unit of work took too long. Its connection is dropped, and it is not committed, unless it is a single statement that the
    /// server has received.
    #[error("the unit of work took longer than {0:?}")]
    TransactionTimeout(Duration),
    /// The database cannot be reached, or cannot process the statement at the moment.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// No space is left for the data.
    #[error("the database has no space left: {0}")]
    StorageFull(String),
    /// A unique constraint was violated.
    #[error("unique constraint violated: {0:?}")]
    UniqueViolation(UniqueConstraint),
    /// A referenced row does not exist.
    #[error("foreign key constraint violated")]
    ForeignKeyViolation,
    /// The unit of work panicked; the panic is logged.
    #[error("the unit of work panicked")]
    Panicked,
    /// Any other error.
    #[error("the query failed: {0}")]
    Query(#[source] DieselError),
}

/// A unique constraint of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UniqueConstraint {
    /// One account per email address.
    UserEmail,
    /// One bucketlist per owner and name.
    BucketlistName,
    /// Any other, as the engine identifies it.
    Other(String),
}

/// The constraints by their name on PostgreSQL and their columns on SQLite.
const UNIQUE_CONSTRAINTS: [(UniqueConstraint, &str, &[&str]); 2] = [
    (UniqueConstraint::UserEmail, "users_email_key_key", &["users.email_key"]),
    (UniqueConstraint::BucketlistName, "bucketlists_user_id_name", &["bucketlists.user_id", "bucketlists.name"]),
];

impl UniqueConstraint {
    fn of(info: &dyn DatabaseErrorInformation) -> Self {
        if let Some(name) = info.constraint_name() {
            let constraint = UNIQUE_CONSTRAINTS.into_iter().find(|(_, known, _)| *known == name);
            return constraint.map_or_else(|| Self::Other(name.to_owned()), |(constraint, ..)| constraint);
        }
        // SQLite provides no structured information. Its message is the fixed text below, followed by the columns.
        let message = info.message();
        let columns = message.strip_prefix("UNIQUE constraint failed: ").unwrap_or(message);
        let constraint =
            UNIQUE_CONSTRAINTS.into_iter().find(|(_, _, known)| columns.split(", ").eq(known.iter().copied()));
        constraint.map_or_else(|| Self::Other(columns.to_owned()), |(constraint, ..)| constraint)
    }
}

impl DbError {
    /// The connection could not be opened.
    pub(super) fn unreachable(error: &ConnectionError) -> Self {
        Self::Unavailable(one_line(error))
    }

    /// The transaction that a unit of work shares with others was rolled back because of this error.
    pub(super) fn rolled_back(error: &DieselError) -> Self {
        match Failure::of(error) {
            Failure::StorageFull => Self::StorageFull(describe(error)),
            _ => Self::Unavailable(describe(error)),
        }
    }
}

/// Returns the message of an error, and its code if it is known.
fn describe(error: &DieselError) -> String {
    failure::code(error).map_or_else(|| error.to_string(), |code| format!("{error} ({code})"))
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        match Failure::of(&error) {
            Failure::Conflict | Failure::Temporary | Failure::Connection => {
                return Self::Unavailable(describe(&error));
            }
            Failure::StorageFull => return Self::StorageFull(describe(&error)),
            Failure::Query => {}
        }
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                Self::UniqueViolation(UniqueConstraint::of(&*info))
            }
            DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => Self::ForeignKeyViolation,
            error => Self::Query(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The information that PostgreSQL provides.
    struct Postgres(&'static str);

    impl DatabaseErrorInformation for Postgres {
        fn message(&self) -> &str {
            "duplicate key value violates unique constraint"
        }
        fn details(&self) -> Option<&str> {
            None
        }
        fn hint(&self) -> Option<&str> {
            None
        }
        fn table_name(&self) -> Option<&str> {
            None
        }
        fn column_name(&self) -> Option<&str> {
            None
        }
        fn constraint_name(&self) -> Option<&str> {
            Some(self.0)
        }
        fn statement_position(&self) -> Option<i32> {
            None
        }
    }

    fn sqlite(columns: &str) -> UniqueConstraint {
        UniqueConstraint::of(&format!("UNIQUE constraint failed: {columns}"))
    }

    #[test]
    fn constraint_is_identified_by_its_exact_name() {
        assert_eq!(UniqueConstraint::of(&Postgres("users_email_key_key")), UniqueConstraint::UserEmail);
        assert_eq!(UniqueConstraint::of(&Postgres("bucketlists_user_id_name")), UniqueConstraint::BucketlistName);
        for other in ["bucketlists_pkey", "archived_bucketlists_user_id_name", "invited_users_email_key"] {
            assert_eq!(UniqueConstraint::of(&Postgres(other)), UniqueConstraint::Other(other.to_owned()));
        }
    }

    #[test]
    fn constraint_is_identified_by_its_columns_on_sqlite() {
        assert_eq!(sqlite("users.email_key"), UniqueConstraint::UserEmail);
        assert_eq!(sqlite("bucketlists.user_id, bucketlists.name"), UniqueConstraint::BucketlistName);
        for other in ["bucketlists.id", "invitations.email_key", "bucketlists.user_id"] {
            assert_eq!(sqlite(other), UniqueConstraint::Other(other.to_owned()));
        }
    }
}
