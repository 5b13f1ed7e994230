//! Runs recurring tasks: each once per interval over all servers that share the database.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all};
use tokio_util::sync::CancellationToken;

use super::{
    recurring::{AnyRecurring, Recurring, TaskError},
    supervisor::supervise,
};
use crate::{
    db::{
        panic_message,
        repositories::job_schedules::{self, RunOutcome, ScheduleRun},
    },
    domain::ScheduleResult,
    metrics::JobMetrics,
    services::{Context, Error},
};

/// Interval between checks whether a task is due. Without a notification, an administrator of another process can have made it due.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Delay of a check after a notification, which can come with every new job.
const WAKE_DELAY: Duration = Duration::from_secs(1);
/// Time after which another server can run a task, unless the lease is extended.
const LEASE: Duration = Duration::from_secs(60);
/// Interval at which the lease is extended.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(15);
/// Time after which a failed task runs again, if its interval is not shorter.
const RETRY_INTERVAL: Duration = Duration::from_secs(300);

/// Runs recurring tasks. A row per task contains its lease and its latest outcome.
pub(super) struct Scheduler {
    context: Arc<Context>,
    tasks: Vec<Box<dyn AnyRecurring>>,
    /// Identifies this process.
    worker: Arc<str>,
    metrics: Option<JobMetrics>,
}

impl Scheduler {
    pub(super) const fn new(context: Arc<Context>, worker: Arc<str>, metrics: Option<JobMetrics>) -> Self {
        Self { context, tasks: Vec::new(), worker, metrics }
    }

    /// Adds a task.
    pub(super) fn every<T: Recurring>(mut self, task: T) -> Self {
        if let Some(metrics) = &self.metrics {
            metrics.initialize_schedule(T::NAME);
        }
        self.tasks.push(Box::new(task));
        self
    }

    /// Runs tasks until `shutdown` is cancelled; those that are running then are completed.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let run = |task| supervise("scheduler", shutdown, move || self.repeat(task, shutdown));
        join_all(self.tasks.iter().map(|task| run(&**task))).await;
    }

    async fn repeat(&self, task: &dyn AnyRecurring, shutdown: &CancellationToken) {
        let mut wake = self.context.outbox.subscribe();
        loop {
            if let Err(error) = self.run_if_due(task).await {
                tracing::warn!(task = task.name(), %error, "cannot schedule a recurring task");
            }
            let next_check = async {
                tokio::select! {
                    _ = wake.changed() => tokio::time::sleep(WAKE_DELAY).await,
                    () = tokio::time::sleep(CHECK_INTERVAL) => {}
                }
            };
            if shutdown.run_until_cancelled(next_check).await.is_none() {
                return;
            }
        }
    }

    /// Inserts the schedules of enabled tasks that have none. Their first run is due at once.
    pub(super) async fn declare(&self) -> Result<(), Error> {
        let tasks: Vec<(&'static str, Duration)> =
            self.tasks.iter().filter_map(|task| Some((task.name(), task.interval()?))).collect();
        let now = self.context.clock.now();
        let names: Vec<&str> = tasks.iter().map(|(name, _)| *name).collect();
        // The read needs no write lock.
        if self.context.db.read(move |c| job_schedules::has_all(c, &names).map_err(Error::from)).await? {
            return Ok(());
        }
        let insert = move |c: &mut _| {
            for (name, interval) in &tasks {
                job_schedules::insert(c, name, *interval, now)?;
            }
            Ok::<_, Error>(())
        };
        self.context.db.write(insert).await
    }

    /// Runs every task that is due. Returns the number of tasks that this server has run.
    pub(super) async fn run_due(&self) -> Result<usize, Error> {
        let mut count = 0;
        for task in &self.tasks {
            count += usize::from(self.run_if_due(&**task).await?);
        }
        Ok(count)
    }

    /// Runs a task if it is due and no other server runs it.
    async fn run_if_due(&self, task: &dyn AnyRecurring) -> Result<bool, Error> {
        let Some(run) = self.start(task).await? else { return Ok(false) };
        let result = tokio::select! {
            result = run_caught(task) => result,
            () = self.lease_lost(&run) => {
                tracing::warn!(task = task.name(), "recurring task stopped: its lease has expired");
                return Ok(true);
            }
        };
        let outcome = match &result {
            Ok(count) => {
                let count = count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
                if count.is_some_and(|count| count > 0) {
                    tracing::info!(task = task.name(), count, "recurring task completed");
                } else {
                    tracing::debug!(task = task.name(), "recurring task completed");
                }
                RunOutcome { result: ScheduleResult::Succeeded, error: None, count }
            }
            Err(error) => {
                tracing::error!(task = task.name(), %error, "recurring task failed; will retry");
                RunOutcome { result: ScheduleResult::Failed, error: Some(error.to_string()), count: None }
            }
        };
        if let Some(metrics) = &self.metrics {
            metrics.record_schedule(task.name(), outcome.result == ScheduleResult::Succeeded);
        }
        let interval = task.interval().unwrap_or(RETRY_INTERVAL);
        let delay = match &result {
            Ok(count) => task.pause_after(*count).unwrap_or(interval),
            Err(_) => interval.min(RETRY_INTERVAL),
        };
        let now = self.context.clock.now();
        self.context
            .db
            .write(move |c| job_schedules::finish(c, &run, &outcome, delay, now).map_err(Error::from))
            .await?;
        Ok(true)
    }

    /// Starts a run if one is due. Removes the schedule of a task that is disabled.
    async fn start(&self, task: &dyn AnyRecurring) -> Result<Option<ScheduleRun>, Error> {
        let (db, now, name) = (&self.context.db, self.context.clock.now(), task.name());
        let interval = task.interval();
        // The read needs no write lock. Acquire one only if there is something to do.
        if !db.read(move |c| job_schedules::needs_write(c, name, interval, now).map_err(Error::from)).await? {
            return Ok(None);
        }
        let Some(interval) = interval else {
            db.write(move |c| job_schedules::remove(c, name).map_err(Error::from)).await?;
            return Ok(None);
        };
        let worker = Arc::clone(&self.worker);
        let start = move |c: &mut _| {
            job_schedules::register(c, name, interval, now)?;
            Ok::<_, Error>(job_schedules::start(c, name, &worker, now, now + LEASE)?)
        };
        db.write(start).await
    }

    /// Extends the lease regularly. Completes when it is lost.
    async fn lease_lost(&self, run: &ScheduleRun) {
        loop {
            tokio::time::sleep(EXTENSION_INTERVAL).await;
            let (run, expires_at) = (run.clone(), self.context.clock.now() + LEASE);
            let extended =
                self.context.db.write(move |c| job_schedules::extend(c, &run, expires_at).map_err(Error::from));
            match extended.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "cannot extend the lease of a recurring task"),
            }
        }
    }
}

async fn run_caught(task: &dyn AnyRecurring) -> Result<Option<u64>, TaskError> {
    AssertUnwindSafe(task.run())
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(format!("panicked: {}", panic_message(&*panic)).into()))
}
