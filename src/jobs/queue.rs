//! Claims jobs in the order of their priority, runs them and records their outcomes.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::{
    job::{Claim, JobError, Outcome},
    kinds::JobKinds,
};
use crate::{
    db::{
        DbConnection, panic_message,
        repositories::jobs::{self, ClaimRequest, JobKind, QueuedJob},
    },
    domain::{JobPriority, Random},
    metrics::{JobMetrics, JobResult},
    services::{Context, Error},
    traces::KeyValue,
};

/// Time after which another worker can claim a job, unless the current worker extends the claim.
pub(super) const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(60);
/// Interval at which a worker extends its claim, and notices that a job was cancelled.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(10);
/// Polling interval. Without a notification, the queue can contain retries, and jobs of other processes on SQLite.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Delay before the first retry, the factor by which it grows, and its maximum.
const RETRY_DELAY: (Duration, u32, Duration) = (Duration::from_secs(2), 3, Duration::from_secs(6 * 3_600));

/// The queue of all kinds of jobs.
pub(super) struct Queue {
    context: Arc<Context>,
    kinds: JobKinds,
    /// Identifies this process.
    worker: Arc<str>,
    /// Whether jobs that have succeeded are retained.
    is_retained: bool,
    metrics: Option<JobMetrics>,
}

impl Queue {
    pub(super) const fn new(
        context: Arc<Context>,
        kinds: JobKinds,
        worker: Arc<str>,
        is_retained: bool,
        metrics: Option<JobMetrics>,
    ) -> Self {
        Self { context, kinds, worker, is_retained, metrics }
    }

    /// Runs jobs of these priorities one at a time until `shutdown` is cancelled; a job that is running then is completed or releases
    /// itself.
    pub(super) async fn run(&self, priorities: &'static [JobPriority], shutdown: &CancellationToken) {
        let mut wake = self.context.outbox.subscribe();
        loop {
            self.drain(priorities, shutdown).await;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                _ = wake.changed() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Runs every job of these priorities that is due.
    pub(super) async fn drain(&self, priorities: &'static [JobPriority], shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.claim(priorities).await {
                Ok(Some(job)) => self.execute(job, shutdown).await,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot claim a job");
                    return;
                }
            }
        }
    }

    async fn claim(&self, priorities: &'static [JobPriority]) -> Result<Option<QueuedJob>, Error> {
        let (db, now) = (&self.context.db, self.context.clock.now());
        let request = ClaimRequest {
            kinds: self.kinds.names(),
            priorities,
            worker: Arc::clone(&self.worker),
            now,
            visible_at: now + VISIBILITY_TIMEOUT,
        };
        // The read needs no write lock. Acquire one only if a job is due.
        let is_due = request.clone();
        if !db.read(move |c| jobs::is_any_due(c, &is_due).map_err(Error::from)).await? {
            return Ok(None);
        }
        db.write(move |c| jobs::claim(c, &request).map_err(Error::from)).await
    }

    async fn execute(&self, job: QueuedJob, shutdown: &CancellationToken) {
        let started = Instant::now();
        let claim = Claim { job: &job, shutdown };
        let result = tokio::select! {
            result = self.run_caught(&claim) => result,
            () = self.claim_lost(&job) => {
                tracing::warn!(id = job.id, kind = job.kind, "job stopped: it was cancelled, or its claim has expired");
                return;
            }
        };
        let (id, kind, attempt) = (job.id, job.kind.clone(), job.attempts);
        let is_permanent = result.as_ref().is_err_and(JobError::is_permanent);
        let is_last = attempt >= job.max_attempts || is_permanent;
        match &result {
            Ok(_) => {}
            Err(error) if is_last => tracing::error!(id, kind, attempt, %error, "job exhausted its attempts"),
            Err(error) => tracing::warn!(id, kind, attempt, %error, "job failed; will retry"),
        }
        if let (Some(metrics), Some(kind)) = (&self.metrics, JobKind::find(&kind)) {
            metrics.record(kind.name, job_result(&result, is_last), started.elapsed());
        }
        let (now, is_retained) = (self.context.clock.now(), self.is_retained);
        let retry_at = now + retry_delay(attempt, &*self.context.random);
        let record = move |c: &mut DbConnection| -> Result<(), Error> {
            match &result {
                Ok(Outcome::Completed) => drop(jobs::complete(c, &job, is_retained, now)?),
                Ok(Outcome::Released) => jobs::release(c, &job, now)?,
                Err(error) if is_last => drop(jobs::mark_dead(c, &job, &error.to_string(), now)?),
                Err(error) => jobs::retry_later(c, &job, retry_at, &error.to_string())?,
            }
            Ok(())
        };
        if let Err(error) = self.context.db.write(record).await {
            tracing::warn!(id, kind, %error, "cannot record the outcome of a job; it will run again");
        }
    }

    async fn run_caught(&self, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        // A process that was killed in each attempt has not recorded a failure.
        if claim.job.attempts > claim.job.max_attempts {
            return Err(JobError::Abandoned);
        }
        let job = async {
            let result = AssertUnwindSafe(self.kinds.run(claim)).catch_unwind().await;
            result.unwrap_or_else(|panic| Err(JobError::Panicked(panic_message(&*panic).to_owned())))
        };
        let Some(tracer) = &self.context.tracer else { return job.await };
        let attributes = [
            KeyValue::new("bucketlist.job.id", claim.job.id),
            KeyValue::new("bucketlist.job.attempt", i64::from(claim.job.attempts)),
        ];
        tracer.run_job(&claim.job.kind, attributes, job).await
    }

    /// Extends the claim regularly. Completes when it is lost.
    async fn claim_lost(&self, job: &QueuedJob) {
        loop {
            tokio::time::sleep(EXTENSION_INTERVAL).await;
            let (job, visible_at) = (job.clone(), self.context.clock.now() + VISIBILITY_TIMEOUT);
            let extend = move |c: &mut DbConnection| jobs::extend_visibility(c, &job, visible_at).map_err(Error::from);
            match self.context.db.write(extend).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "cannot extend the claim of a job"),
            }
        }
    }
}

const fn job_result(result: &Result<Outcome, JobError>, is_last: bool) -> JobResult {
    match result {
        Ok(Outcome::Completed) => JobResult::Completed,
        Ok(Outcome::Released) => JobResult::Released,
        Err(_) if is_last => JobResult::Dead,
        Err(_) => JobResult::Failed,
    }
}

/// Returns the delay after a failed attempt. It grows exponentially and is shortened by up to a quarter at random, so that jobs that
/// have failed together do not retry together.
fn retry_delay(attempt: i32, random: &dyn Random) -> Duration {
    let (first, factor, max) = RETRY_DELAY;
    let exponent = u32::try_from(attempt.saturating_sub(1)).unwrap_or_default();
    let delay =
        factor.checked_pow(exponent).and_then(|factor| first.checked_mul(factor)).map_or(max, |delay| delay.min(max));
    let mut byte = [0];
    random.fill(&mut byte);
    delay - delay / 4 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{SeededRandom, SystemRandom};

    #[test]
    fn retries_are_delayed_exponentially() {
        let bounds = [2, 6, 18, 54, 162, 486, 1_458, 4_374, 13_122, 21_600, 21_600];
        for (attempt, bound) in (1..).zip(bounds) {
            let delay = retry_delay(attempt, &SystemRandom).as_secs_f64();
            let bound = f64::from(bound);
            assert!(delay <= bound && delay >= bound * 0.75, "attempt {attempt}: {delay}");
        }
        assert!(retry_delay(i32::MAX, &SystemRandom) <= RETRY_DELAY.2);
    }

    #[test]
    fn jobs_that_fail_together_are_not_retried_together() {
        let random = SeededRandom::new(1);
        let delays: std::collections::BTreeSet<Duration> = (0..20).map(|_| retry_delay(5, &random)).collect();
        assert!(delays.len() > 15, "{delays:?}");
    }
}
