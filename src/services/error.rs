//! Errors of services, in domain terms.

use std::borrow::Cow;

use crate::{
    auth::HasherBusy,
    db::{DbError, UniqueConstraint},
    domain::{JobState, Throttled},
    profiles::ProfileError,
};

/// An error of a service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource does not exist, or belongs to another user.
    #[error("not found: {0:?}")]
    NotFound(Resource),
    /// The request conflicts with the current state.
    #[error("conflict: {0:?}")]
    Conflict(Conflict),
    /// Invalid fields; contains all of them.
    #[error("invalid: {0:?}")]
    Invalid(Vec<InvalidField>),
    /// Names of bucketlists to import are taken; contains the indexes of their records.
    #[error("names taken: {0:?}")]
    NamesTaken(Vec<usize>),
    /// The current password is wrong.
    #[error("wrong password in `{field}`")]
    WrongPassword { field: &'static str },
    /// The password reset token is unknown, expired or already used.
    #[error("invalid password reset token")]
    InvalidResetToken,
    /// The operator has not enabled profiles.
    #[error("profiling is disabled")]
    ProfilingDisabled,
    /// Heap profiles are not available; contains the reason.
    #[error("heap profiles are not available: {0}")]
    HeapProfilingUnavailable(&'static str),
    /// The idempotency key was used for a different request.
    #[error("idempotency key reused")]
    IdempotencyKeyReused,
    /// The caller is not authenticated.
    #[error("unauthenticated: {0:?}")]
    Unauthenticated(Unauthenticated),
    /// The caller is not allowed to do this.
    #[error("forbidden: {0:?}")]
    Forbidden(Forbidden),
    /// Rate-limited.
    #[error("throttled: {0}")]
    Throttled(#[from] Throttled),
    /// A temporary condition; the request can be retried.
    #[error("unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database has no space left.
    #[error("storage full: {0}")]
    StorageFull(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A defect of the server.
    #[error("internal: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The type of a resource that was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    User,
    Bucketlist,
    Item,
    Session,
    Export,
    Incident,
    ApiClient,
    Job,
    JobSchedule,
}

/// The state that a request conflicts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    EmailTaken,
    BucketlistNameTaken,
    LastAdmin,
    /// The resource has changed since the caller read it.
    PreconditionFailed,
    /// The resource exists, in a state that the change does not apply to.
    UnwantedState,
    /// The export has no file: it is not finished, or it has failed.
    ExportNotReady {
        is_final: bool,
    },
    /// The incident is encrypted with a key that the server does not have.
    IncidentKeyMissing,
    /// Another profile is being recorded.
    ProfileInProgress,
    /// Another request with the same idempotency key is in progress.
    IdempotencyKeyInFlight,
    /// The job is in a state that does not allow the change.
    JobState(JobState),
    /// A server runs the recurring task.
    JobScheduleRunning,
}

/// The credential that was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    Credentials,
    RefreshToken,
    /// The caller's account was deleted after its token was checked.
    Session,
}

/// The reason for rejecting an authenticated caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    AccountDisabled,
}

/// An invalid field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// Name of the field, or its path: `records/17/name`.
    pub name: Cow<'static, str>,
    /// Code of the rule.
    pub code: &'static str,
    /// Message that continues the name of the field: "is required".
    pub message: String,
}

impl Error {
    pub(super) fn invalid(name: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![InvalidField { name: name.into(), code, message: message.into() }])
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::AcquireTimeout(_)
            | DbError::DeadlineExceeded
            | DbError::TransactionTimeout(_)
            | DbError::Unavailable(_) => Self::Unavailable(Box::new(error)),
            DbError::StorageFull(_) => Self::StorageFull(Box::new(error)),
            DbError::UniqueViolation(UniqueConstraint::UserEmail) => Self::Conflict(Conflict::EmailTaken),
            DbError::UniqueViolation(UniqueConstraint::BucketlistName) => Self::Conflict(Conflict::BucketlistNameTaken),
            // Requests insert rows that reference the caller's account, and bucketlists that they have locked: only the account
            // can have been deleted.
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
    fn from(error: HasherBusy) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<ProfileError> for Error {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::InProgress => Self::Conflict(Conflict::ProfileInProgress),
            ProfileError::HeapUnavailable(reason) => Self::HeapProfilingUnavailable(reason),
            error @ ProfileError::Failed(_) => Self::Internal(Box::new(error)),
        }
    }
}

impl From<jsonwebtoken::errors::Error> for Error {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}
