//! Runs all queues, the purge and the maintenance of the database concurrently.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    backup::{BackupSchedule, RecurringBackup},
    export::ExportJob,
    maintenance::Maintenance,
    password_reset::PasswordResetJob,
    purge::Purge,
    queue::Queue,
    supervisor::supervise,
};
use crate::{
    mail::Mailer,
    services::{Context, Error},
};

/// Runs the background jobs of a server.
pub struct JobWorker {
    context: Arc<Context>,
    mail: Queue<PasswordResetJob>,
    exports: Queue<ExportJob>,
    purge: Purge,
    maintenance: Maintenance,
    /// `None` if recurring backups are disabled.
    backup: Option<RecurringBackup>,
}

impl JobWorker {
    /// Creates a worker. Reset tokens expire after `reset_ttl`, audit events after `audit_retention`.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        mailer: Arc<dyn Mailer>,
        reset_ttl: Duration,
        public_url: String,
        audit_retention: Duration,
    ) -> Self {
        let password_reset = PasswordResetJob { context: Arc::clone(&context), mailer, ttl: reset_ttl, public_url };
        let export = ExportJob { context: Arc::clone(&context) };
        Self {
            mail: Queue::new(Arc::clone(&context), password_reset),
            exports: Queue::new(Arc::clone(&context), export),
            purge: Purge::new(Arc::clone(&context), audit_retention),
            maintenance: Maintenance::new(Arc::clone(&context)),
            backup: None,
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
            supervise("export queue", &shutdown, || self.exports.run(&outbox.exports, &shutdown)),
            supervise("purge", &shutdown, || self.purge.run(&shutdown)),
            supervise("backup", &shutdown, || self.back_up(&shutdown)),
            supervise("maintenance", &shutdown, || self.maintenance.run(&shutdown)),
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
        self.exports.drain(&shutdown).await;
    }

    /// Deletes everything that has expired; returns the number of rows.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn purge_expired(&self) -> Result<usize, Error> {
        self.purge.purge_expired().await
    }
}
