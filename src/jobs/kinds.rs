//! The kinds of jobs that a worker can run.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use serde_json::error::Category;

use super::job::{Claim, Job, JobError, Outcome};
use crate::db::repositories::jobs::JobPayload;

type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<Outcome, JobError>> + Send + 'a>>;

/// A type-erased [`Job`].
trait AnyJob: Send + Sync {
    fn run<'a>(&'a self, claim: &'a Claim<'a>) -> RunFuture<'a>;
}

impl<J: Job> AnyJob for J {
    fn run<'a>(&'a self, claim: &'a Claim<'a>) -> RunFuture<'a> {
        Box::pin(async move {
            let payload: J::Payload = serde_json::from_str(&claim.job.payload)
                .map_err(|error| invalid_payload(&claim.job.kind, &claim.job.payload, &error))?;
            Job::run(self, &payload, claim).await
        })
    }
}

/// Describes an invalid payload without its values, which administrators must not see.
fn invalid_payload(kind: &str, payload: &str, error: &serde_json::Error) -> JobError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let problem = match (error.classify(), text.split_once(", expected ")) {
        (Category::Data, Some((_, expected))) => match field_before(payload, error.column()) {
            Some(field) => format!("field `{field}` is not {expected}"),
            None => format!("it is not {expected}"),
        },
        // A missing field is named by the text, which contains no value.
        (Category::Data, None) if text.starts_with("missing field") => text.to_owned(),
        (Category::Data, None) => match field_before(payload, error.column()) {
            Some(field) => format!("field `{field}` has an invalid value"),
            None => "it has an invalid value".to_owned(),
        },
        _ => "it is not JSON".to_owned(),
    };
    JobError::InvalidPayload { kind: kind.to_owned(), problem }
}

/// Returns the name of the last field that begins before a column of a JSON text in one line.
fn field_before(payload: &str, column: usize) -> Option<&str> {
    let before = payload.get(..column.min(payload.len()))?;
    let (before, _) = before.rsplit_once("\":")?;
    before.rsplit_once('"').map(|(_, name)| name)
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
