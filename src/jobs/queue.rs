//! Claims the jobs of one kind, runs them and records their outcomes.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::job::{Claim, Job, JobError, Outcome};
use crate::{
    db::{
        DbConnection, panic_message,
        repositories::jobs::{self, QueuedJob},
    },
    services::{Context, Error},
};

/// Time after which another worker can claim a job, unless the current worker extends the claim.
pub(super) const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(120);
/// Polling interval. Without a notification, the queue can contain jobs of other servers and retries.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Number of failures after which a job is deleted.
const MAX_ATTEMPTS: i32 = 10;

/// The queue of one kind of job. Its jobs run one at a time.
pub(super) struct Queue<J> {
    context: Arc<Context>,
    job: J,
}

impl<J: Job> Queue<J> {
    pub(super) const fn new(context: Arc<Context>, job: J) -> Self {
        Self { context, job }
    }

    /// Runs jobs until `shutdown` is cancelled; a job that is running then is completed or releases itself.
    pub(super) async fn run(&self, notify: &Notify, shutdown: &CancellationToken) {
        loop {
            self.drain(shutdown).await;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = notify.notified() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Runs every job that is due.
    pub(super) async fn drain(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.claim().await {
                Ok(Some(job)) => self.execute(job, shutdown).await,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(kind = J::KIND, %error, "cannot claim a job");
                    return;
                }
            }
        }
    }

    async fn claim(&self) -> Result<Option<QueuedJob>, Error> {
        let now = self.context.clock.now();
        // The read needs no write lock. Acquire one only if a job is due.
        let is_due = self.context.db.read(move |c| jobs::is_any_due(c, J::KIND, now).map_err(Error::from)).await?;
        if !is_due {
            return Ok(None);
        }
        let visible_at = now + VISIBILITY_TIMEOUT;
        self.context.db.write(move |c| jobs::claim(c, J::KIND, now, visible_at).map_err(Error::from)).await
    }

    async fn execute(&self, job: QueuedJob, shutdown: &CancellationToken) {
        let payload: Result<J::Payload, _> = serde_json::from_str(&job.payload);
        let (result, payload) = match payload {
            Ok(payload) => (self.run_caught(&payload, &Claim { job: &job, shutdown }).await, Some(payload)),
            Err(error) => (Err(JobError::InvalidPayload(error)), None),
        };
        let (id, kind, attempt) = (job.id, J::KIND, job.attempts);
        let is_last = attempt >= MAX_ATTEMPTS;
        match &result {
            Ok(_) => {}
            Err(error) if is_last => tracing::error!(id, kind, attempt, %error, "job failed for the last time"),
            Err(error) => tracing::warn!(id, kind, attempt, %error, "job failed; will retry"),
        }
        let now = self.context.clock.now();
        let record = move |c: &mut DbConnection| -> Result<(), Error> {
            match &result {
                Ok(Outcome::Completed) => drop(jobs::delete(c, &job)?),
                Ok(Outcome::Released) => jobs::release(c, &job, now)?,
                // A worker that has lost its claim must not record a failure.
                Err(_) if is_last => {
                    if jobs::delete(c, &job)?
                        && let Some(payload) = &payload
                    {
                        J::on_last_failure(c, payload, now)?;
                    }
                }
                Err(error) => {
                    let delay = Duration::from_secs(1 << job.attempts.clamp(0, 12));
                    jobs::retry_later(c, &job, now + delay, &error.to_string())?;
                }
            }
            Ok(())
        };
        if let Err(error) = self.context.db.write(record).await {
            tracing::warn!(id, kind, %error, "cannot record the outcome of a job; it will run again");
        }
    }

    async fn run_caught(&self, payload: &J::Payload, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        AssertUnwindSafe(self.job.run(payload, claim))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(JobError::Panicked(panic_message(&*panic).to_owned())))
    }
}
