//! Runs the queue and all recurring tasks concurrently.

use std::{num::NonZeroUsize, process, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    account_mail::{AccountMail, EmailChangedMailJob, NewLoginMailJob, PasswordChangedMailJob, WelcomeMailJob},
    backup::{BackupSchedule, RecurringBackup},
    dead_letters::{DeadLetterDigestMailJob, DeadLetterReport},
    delivery::MailDelivery,
    deprecation_mail::DeprecationMailJob,
    deprecation_notices::DeprecationNotices,
    export::ExportJob,
    kinds::JobKinds,
    maintenance::{Maintenance, StatisticsUpdate},
    monitor::Monitor,
    password_reset::PasswordResetJob,
    purge::Purge,
    queue::Queue,
    running_servers::ServerRegistry,
    scheduler::Scheduler,
    supervisor::supervise,
};
use crate::{
    db::{
        notifications,
        repositories::jobs::{CHANNEL, JobRetention},
    },
    domain::{DeprecatedOperation, JobPriority, RunningServer},
    mail::Mailer,
    metrics::JobMetrics,
    services::{Context, Deprecations, Error, Incidents},
};

/// The priorities of a worker that runs every job.
const ALL: &[JobPriority] = JobPriority::ALL;
/// The priorities of the worker that is reserved for mail.
const RESERVED: &[JobPriority] = &[JobPriority::High];

/// Runs background jobs and recurring tasks.
pub struct JobWorker {
    context: Arc<Context>,
    queue: Queue,
    workers: NonZeroUsize,
    scheduler: Scheduler,
    maintenance: Maintenance,
    servers: ServerRegistry,
    /// `None` without metrics.
    monitor: Option<Monitor>,
    purge: Arc<Purge>,
    deprecation_notices: Arc<DeprecationNotices>,
}

/// Retention of rows that are purged.
#[derive(Clone, Copy, Debug)]
pub struct RetentionPeriods {
    pub audit_events: Duration,
    /// Of daily usage counters.
    pub usage: Duration,
    pub jobs: JobRetention,
}

/// Settings of the mail to consumers of deprecated operations.
#[derive(Clone, Debug)]
pub struct DeprecationMailSettings {
    pub deprecated: Arc<[DeprecatedOperation]>,
    pub is_enabled: bool,
    /// URL of the migration guide.
    pub guide: String,
}

/// Settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Number of jobs that run at the same time. One more job of high priority can run.
    pub workers: NonZeroUsize,
    /// Lifetime of password reset tokens.
    pub reset_ttl: Duration,
    pub public_url: String,
    pub retention: RetentionPeriods,
    pub deprecation_mail: DeprecationMailSettings,
    /// `None` if recurring backups are disabled.
    pub backups: Option<BackupSchedule>,
    /// This process.
    pub server: RunningServer,
}

impl JobWorker {
    /// Creates a worker.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        mailer: &Arc<dyn Mailer>,
        incidents: Incidents,
        deprecations: Deprecations,
        settings: WorkerSettings,
        metrics: Option<JobMetrics>,
    ) -> Self {
        let WorkerSettings { workers, reset_ttl, public_url, retention, deprecation_mail, backups, server } = settings;
        let DeprecationMailSettings { deprecated, is_enabled, guide } = deprecation_mail;
        let name: Arc<str> = worker_name().into();
        let purge = Arc::new(Purge::new(Arc::clone(&context), incidents, retention));
        let deprecation_notices = Arc::new(DeprecationNotices { deprecations, is_enabled });
        let delivery = MailDelivery { mailer: Arc::clone(mailer), url: public_url };
        let account_mail = AccountMail { context: Arc::clone(&context), delivery: delivery.clone() };
        let kinds = JobKinds::default()
            .with(PasswordResetJob { context: Arc::clone(&context), delivery: delivery.clone(), ttl: reset_ttl })
            .with(WelcomeMailJob(account_mail.clone()))
            .with(PasswordChangedMailJob(account_mail.clone()))
            .with(EmailChangedMailJob(account_mail.clone()))
            .with(NewLoginMailJob(account_mail.clone()))
            .with(DeprecationMailJob { context: Arc::clone(&context), delivery, deprecated, guide })
            .with(DeadLetterDigestMailJob(account_mail))
            .with(ExportJob { context: Arc::clone(&context) });
        let scheduler = Scheduler::new(Arc::clone(&context), Arc::clone(&name), metrics.clone())
            .every(Arc::clone(&purge))
            .every(Arc::clone(&deprecation_notices))
            .every(DeadLetterReport { context: Arc::clone(&context) })
            .every(StatisticsUpdate { context: Arc::clone(&context) })
            .every(RecurringBackup { schedule: backups, clock: Arc::clone(&context.clock) });
        let is_retained = !retention.jobs.done.is_zero();
        Self {
            queue: Queue::new(Arc::clone(&context), kinds, name, is_retained, metrics.clone()),
            workers,
            scheduler,
            maintenance: Maintenance::new(Arc::clone(&context)),
            servers: ServerRegistry::new(Arc::clone(&context), server),
            monitor: metrics.map(|metrics| Monitor::new(Arc::clone(&context), metrics)),
            purge,
            deprecation_notices,
            context,
        }
    }

    /// Runs until `shutdown` is cancelled. A worker is reserved for mail, which therefore never waits for an export.
    pub async fn run(self, shutdown: CancellationToken) {
        self.listen(&shutdown);
        let priorities = std::iter::repeat_n(ALL, self.workers.get()).chain([RESERVED]);
        let workers =
            priorities.map(|priorities| supervise("job worker", &shutdown, || self.queue.run(priorities, &shutdown)));
        tokio::join!(
            join_all(workers),
            self.scheduler.run(&shutdown),
            supervise("maintenance", &shutdown, || self.maintenance.run(&shutdown)),
            supervise("server registry", &shutdown, || self.servers.run(&shutdown)),
            supervise("job monitor", &shutdown, || self.monitor(&shutdown)),
        );
    }

    /// Inserts the schedules of recurring tasks that have none, so that administrators see them before a worker has started.
    pub async fn declare_schedules(&self) {
        // A server can start before its database accepts writes. The workers insert the schedules, too.
        if let Err(error) = self.scheduler.declare().await {
            tracing::warn!(%error, "cannot insert the schedules of recurring tasks");
        }
    }

    /// Maintains the database and the metrics of a server whose jobs run in another process, until `shutdown` is cancelled.
    pub async fn run_without_jobs(self, shutdown: CancellationToken) {
        tokio::join!(
            supervise("maintenance", &shutdown, || self.maintenance.run(&shutdown)),
            supervise("server registry", &shutdown, || self.servers.run(&shutdown)),
            supervise("job monitor", &shutdown, || self.monitor(&shutdown)),
        );
    }

    async fn monitor(&self, shutdown: &CancellationToken) {
        if let Some(monitor) = &self.monitor {
            monitor.run(shutdown).await;
        }
    }

    /// Wakes the workers when another server has inserted a job on PostgreSQL.
    fn listen(&self, shutdown: &CancellationToken) {
        let (context, shutdown) = (Arc::clone(&self.context), shutdown.clone());
        let target = &self.context.db.options().target;
        let listening =
            notifications::listen(target, CHANNEL, move || shutdown.is_cancelled(), move || context.outbox.notify());
        if let Err(error) = listening {
            tracing::warn!(%error, "cannot listen for notifications; jobs are polled");
        }
    }

    /// Runs every job that is due, one at a time.
    pub async fn drain(&self) {
        self.queue.drain(ALL, &CancellationToken::new()).await;
    }

    /// Runs every recurring task that is due. Returns the number of tasks that this server has run.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn run_due_tasks(&self) -> Result<usize, Error> {
        self.scheduler.run_due().await
    }

    /// Returns the record of this server.
    #[must_use]
    pub const fn server_registry(&self) -> &ServerRegistry {
        &self.servers
    }

    /// Updates the metrics of the queue.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn update_metrics(&self) -> Result<(), Error> {
        match &self.monitor {
            Some(monitor) => monitor.update().await,
            None => Ok(()),
        }
    }

    /// Deletes everything that has expired; returns the number of rows.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn purge_expired(&self) -> Result<usize, Error> {
        self.purge.purge_expired().await
    }

    /// Enqueues mail to the consumers of deprecated operations that have a notice due; returns the number of mails.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn enqueue_deprecation_notices(&self) -> Result<usize, Error> {
        self.deprecation_notices.enqueue().await
    }
}

/// Returns a name of this process for administrators: the host, the process ID and a random part, because containers can have the same
/// of both.
fn worker_name() -> String {
    let host = hostname::get().ok().and_then(|host| host.into_string().ok());
    let host = host.as_deref().unwrap_or("localhost");
    let random = Uuid::now_v7().simple().to_string();
    format!("{host}/{}/{}", process::id(), &random[24..])
}
