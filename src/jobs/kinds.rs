//! The kinds of jobs that a worker can run.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use super::job::{Claim, Job, JobError, Outcome};
use crate::db::repositories::jobs::JobPayload;

type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<Outcome, JobError>> + Send + 'a>>;

/// A [`Job`] without its type of payload.
trait AnyJob: Send + Sync {
    fn run<'a>(&'a self, claim: &'a Claim<'a>) -> RunFuture<'a>;
}

impl<J: Job> AnyJob for J {
    fn run<'a>(&'a self, claim: &'a Claim<'a>) -> RunFuture<'a> {
        Box::pin(async move {
            let payload: J::Payload = serde_json::from_str(&claim.job.payload).map_err(JobError::InvalidPayload)?;
            Job::run(self, &payload, claim).await
        })
    }
}

/// The kinds of jobs that a worker can run.
#[derive(Default)]
pub(super) struct JobKinds {
    jobs: BTreeMap<&'static str, Box<dyn AnyJob>>,
}

impl JobKinds {
    /// Adds a kind of job.
    pub(super) fn with<J: Job>(mut self, job: J) -> Self {
        self.jobs.insert(<J::Payload as JobPayload>::KIND, Box::new(job));
        self
    }

    /// Returns the kinds as they are stored.
    pub(super) fn names(&self) -> Arc<[&'static str]> {
        self.jobs.keys().copied().collect()
    }

    /// Runs a claimed job. Jobs of other kinds are not claimed.
    pub(super) async fn run(&self, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        match self.jobs.get(claim.job.kind.as_str()) {
            Some(job) => job.run(claim).await,
            None => Ok(Outcome::Released),
        }
    }
}
