//! The trait that every kind of job implements.

use tokio_util::sync::CancellationToken;

use crate::{
    db::{
        DbConnection, DbError,
        repositories::jobs::{JobPayload, QueuedJob},
    },
    domain::Timestamp,
    mail::MailError,
    services::Error,
};

/// One kind of job.
pub(super) trait Job: Send + Sync + 'static {
    /// The kind that is stored in the queue.
    const KIND: &'static str = <Self::Payload as JobPayload>::KIND;
    /// The arguments of a job, stored as JSON.
    type Payload: JobPayload;

    /// Runs the job. It may run again after a crash, so it must be idempotent.
    fn run(&self, payload: &Self::Payload, claim: &Claim<'_>)
    -> impl Future<Output = Result<Outcome, JobError>> + Send;

    /// Records that the job has failed for the last time, in the transaction that deletes it.
    fn on_last_failure(_c: &mut DbConnection, _payload: &Self::Payload, _now: Timestamp) -> Result<(), DbError> {
        Ok(())
    }
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
    #[error("invalid payload: {0}")]
    InvalidPayload(serde_json::Error),
    #[error("panicked: {0}")]
    Panicked(String),
    #[error(transparent)]
    Service(#[from] Error),
    #[error(transparent)]
    Mail(#[from] MailError),
}
