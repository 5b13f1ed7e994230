//! Runs all queues and recurring tasks concurrently.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    backup::{BackupSchedule, RecurringBackup},
    deprecation_mail::DeprecationMailJob,
    deprecation_notices::DeprecationNotices,
    export::ExportJob,
    maintenance::Maintenance,
    password_reset::PasswordResetJob,
    purge::Purge,
    queue::Queue,
    supervisor::supervise,
};
use crate::{
    domain::DeprecatedOperation,
    mail::Mailer,
    services::{Context, Deprecations, Error},
};

/// Runs the background jobs of a server.
pub struct JobWorker {
    context: Arc<Context>,
    mail: Queue<PasswordResetJob>,
    deprecation_mail: Queue<DeprecationMailJob>,
    exports: Queue<ExportJob>,
    purge: Purge,
    maintenance: Maintenance,
    /// `None` if recurring backups are disabled.
    backup: Option<RecurringBackup>,
    deprecation_notices: DeprecationNotices,
}

/// Retention of rows that are purged.
#[derive(Clone, Copy, Debug)]
pub struct RetentionPeriods {
    pub audit_events: Duration,
    /// Of daily usage counters.
    pub usage: Duration,
}

/// Settings of the mail to consumers of deprecated operations.
#[derive(Clone, Debug)]
pub struct DeprecationMailSettings {
    pub deprecated: Arc<[DeprecatedOperation]>,
    pub is_enabled: bool,
    /// URL of the migration guide.
    pub guide: String,
}

impl JobWorker {
    /// Creates a worker. Reset tokens expire after `reset_ttl`.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        mailer: Arc<dyn Mailer>,
        reset_ttl: Duration,
        public_url: String,
        retention: RetentionPeriods,
        deprecations: Deprecations,
        deprecation_mail: DeprecationMailSettings,
    ) -> Self {
        let DeprecationMailSettings { deprecated, is_enabled, guide } = deprecation_mail;
        let password_reset = PasswordResetJob {
            context: Arc::clone(&context),
            mailer: Arc::clone(&mailer),
            ttl: reset_ttl,
            public_url: public_url.clone(),
        };
        let deprecation = DeprecationMailJob { context: Arc::clone(&context), mailer, deprecated, public_url, guide };
        let export = ExportJob { context: Arc::clone(&context) };
        Self {
            mail: Queue::new(Arc::clone(&context), password_reset),
            deprecation_mail: Queue::new(Arc::clone(&context), deprecation),
            exports: Queue::new(Arc::clone(&context), export),
            purge: Purge::new(Arc::clone(&context), retention),
            maintenance: Maintenance::new(Arc::clone(&context)),
            backup: None,
            deprecation_notices: DeprecationNotices { deprecations, is_enabled },
            context,
        }
    }

    /// Adds recurring backups.
    #[must_use]
    pub fn with_backups(self, schedule: Option<BackupSchedule>) -> Self {
        let clock = &self.context.clock;
        let backup = schedule.map(|schedule| RecurringBackup::new(schedule, Arc::clone(clock)));
        Self { backup, ..self }
    }

    /// Runs until `shutdown` is cancelled. The queues run concurrently, so that mail does not wait for a large export.
    pub async fn run(self, shutdown: CancellationToken) {
        let outbox = &self.context.outbox;
        tokio::join!(
            supervise("mail queue", &shutdown, || self.mail.run(&outbox.mail, &shutdown)),
            supervise("deprecation mail queue", &shutdown, || {
                self.deprecation_mail.run(&outbox.deprecation_mail, &shutdown)
            }),
            supervise("export queue", &shutdown, || self.exports.run(&outbox.exports, &shutdown)),
            supervise("purge", &shutdown, || self.purge.run(&shutdown)),
            supervise("backup", &shutdown, || self.back_up(&shutdown)),
            supervise("maintenance", &shutdown, || self.maintenance.run(&shutdown)),
            supervise("deprecation notices", &shutdown, || self.deprecation_notices.run(&shutdown)),
        );
    }

    async fn back_up(&self, shutdown: &CancellationToken) {
        if let Some(backup) = &self.backup {
            backup.run(shutdown).await;
        }
    }

    /// Runs every job that is due.
    pub async fn drain(&self) {
        let shutdown = CancellationToken::new();
        self.mail.drain(&shutdown).await;
        self.deprecation_mail.drain(&shutdown).await;
        self.exports.drain(&shutdown).await;
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
