//! What a decision can come to besides success: eight words, no status codes.

use crate::{auth::HasherBusy, db::DbError, domain::Throttled};

/// Why a service did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or not for this caller.
    #[error("not found: {0:?}")]
    NotFound(Resource),
    /// It cannot be together with what is there.
    #[error("conflict: {0:?}")]
    Conflict(Conflict),
    /// It breaks rules; all of them.
    #[error("invalid: {0:?}")]
    Invalid(Vec<Field>),
    /// Nobody is proven to be who they say they are.
    #[error("unauthenticated: {0:?}")]
    Unauthenticated(Unauthenticated),
    /// This caller may not.
    #[error("forbidden: {0:?}")]
    Forbidden(Forbidden),
    /// Too often.
    #[error("throttled: {0}")]
    Throttled(#[from] Throttled),
    /// Not now; later perhaps.
    #[error("unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What there is none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    User,
    Bucketlist,
    Item,
    Session,
    Export,
    Incident,
}

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    EmailTaken,
    BucketlistNameTaken,
    LastAdmin,
    /// It is no longer as the caller saw it.
    PreconditionFailed,
    /// There is no file: not yet, or it was given up.
    ExportNotReady {
        is_final: bool,
    },
    /// It is sealed with a key that the server was not given.
    IncidentSealed,
    /// Somebody else is making what was named the same.
    IdempotencyKeyInFlight,
}

/// Which proof failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    Credentials,
    RefreshToken,
    /// The caller's account was deleted since the token was checked.
    Session,
}

/// What stands against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    AccountDisabled,
}

/// A rule that a field breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// What kind of wrong.
    pub code: &'static str,
    /// A sentence about it.
    pub message: String,
}

/// Codes of fields that say more than which rule was broken.
pub mod codes {
    /// The current password is wrong.
    pub const WRONG_PASSWORD: &str = "WRONG_PASSWORD";
    /// The name of a creation stands for another one.
    pub const KEY_REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
    /// The reset token is not good.
    pub const INVALID_RESET_TOKEN: &str = "INVALID_RESET_TOKEN";
}

impl Error {
    pub(super) fn invalid(name: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Field { name, code, message: message.into() }])
    }

    pub(super) fn wrong_password(name: &'static str) -> Self {
        Self::invalid(name, codes::WRONG_PASSWORD, "is not the account's password")
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::AcquireTimeout(_) | DbError::DeadlineExceeded | DbError::Unavailable(_) => {
                Self::Unavailable(Box::new(error))
            }
            // SQLite names the columns, PostgreSQL the constraint.
            DbError::UniqueViolation(ref what) if what.contains("email_key") => Self::Conflict(Conflict::EmailTaken),
            DbError::UniqueViolation(ref what) if what.contains("bucketlists") => {
                Self::Conflict(Conflict::BucketlistNameTaken)
            }
            // Requests write rows of accounts, and of lists that they hold: it is the account that is gone.
            DbError::ForeignKeyViolation => Self::Unauthenticated(Unauthenticated::Session),
            error => Self::Internal(Box::new(error)),
        }
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        DbError::from(error).into()
    }
}

impl From<HasherBusy> for Error {
    fn from(busy: HasherBusy) -> Self {
        Self::Unavailable(Box::new(busy))
    }
}

impl From<jsonwebtoken::errors::Error> for Error {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}
