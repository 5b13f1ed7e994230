//! The trait that every kind of job implements.

use tokio_util::sync::CancellationToken;

use crate::{
    db::repositories::jobs::{JobPayload, QueuedJob},
    mail::MailError,
    services::Error,
};

/// One kind of job.
pub(super) trait Job: Send + Sync + 'static {
    /// The arguments of a job, stored as JSON.
    type Payload: JobPayload;

    /// Runs the job. It may run again after a crash, so it must be idempotent. The future is dropped if the claim is lost, because
    /// an administrator has cancelled the job or the database was unavailable for too long.
    fn run(&self, payload: &Self::Payload, claim: &Claim<'_>)
    -> impl Future<Output = Result<Outcome, JobError>> + Send;
}

/// A claimed job, and the token that requests its release.
pub(super) struct Claim<'a> {
    pub(super) job: &'a QueuedJob,
    pub(super) shutdown: &'a CancellationToken,
}

/// The result of a job that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    /// The server is shutting down: the job returns to the queue without counting as an attempt.
    Released,
}

/// An error of a job.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    /// Another version has stored it, or it was changed in the database.
    #[error("invalid payload of {kind}: {problem}")]
    InvalidPayload { kind: String, problem: String },
    #[error("panicked: {0}")]
    Panicked(String),
    /// Each attempt has ended without a result, because its process was killed or lost the database.
    #[error("the worker stopped during the last attempt")]
    Abandoned,
    #[error(transparent)]
    Service(#[from] Error),
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl JobError {
    /// Returns whether further attempts would fail too.
    pub(super) const fn is_permanent(&self) -> bool {
        matches!(self, Self::InvalidPayload { .. } | Self::Mail(MailError::Rejected(_)))
    }
}
