//! The worker: takes due jobs, those of a kind one by one, and purges what has expired.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};

use super::{
    export,
    password_reset::{self, Settings},
};
use crate::{
    db::{
        DbConnection,
        repositories::{
            audit, exports, idempotency,
            jobs::{self, EXPORT, PASSWORD_RESET_MAIL, QueuedJob},
            sessions,
        },
    },
    mail::Mailer,
    services::{Context, Error},
};

/// How long a job is hidden from other workers while one has it.
pub(super) const HIDDEN: i64 = 120_000_000;
/// How often to look without being rung: jobs of other machines, and those put off.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often to purge.
const PURGE_EVERY: Duration = Duration::from_secs(600);
/// How many parts of exports to delete at once.
const PARTS_AT_ONCE: i64 = 20;
/// After how many failures a job is given up.
const ATTEMPTS: i32 = 10;

/// What came of a job that did not fail.
pub(super) enum Outcome {
    Done,
    /// The server stops: another one is to do it.
    GivenBack,
}

/// Works off the outbox.
pub struct Worker {
    context: Arc<Context>,
    mailer: Arc<dyn Mailer>,
    settings: Settings,
    audit_retention: Duration,
}

/// Ends when told to stop, or when whoever could tell is gone.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Worker {
    /// With a mailer; reset tokens are good for `reset_ttl`, audit events are kept for `audit_retention`.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        mailer: Arc<dyn Mailer>,
        reset_ttl: Duration,
        public_url: String,
        audit_retention: Duration,
    ) -> Self {
        Self { context, mailer, settings: Settings { ttl: reset_ttl, public_url }, audit_retention }
    }

    /// Works until told to stop; a job that has begun is finished.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let outbox = &self.context.outbox;
        // Side by side: no mail waits for a large export.
        tokio::join!(
            self.follow(PASSWORD_RESET_MAIL, &outbox.mail, stop.clone()),
            self.follow(EXPORT, &outbox.exports, stop.clone()),
            async {
                let mut purge = tokio::time::interval(PURGE_EVERY);
                loop {
                    tokio::select! {
                        biased;
                        () = told(&mut stop) => return,
                        _ = purge.tick() => self.purge().await,
                    }
                }
            },
        );
    }

    /// Does the jobs of a kind, when the bell rings and every now and then.
    async fn follow(&self, kind: &'static str, bell: &Notify, mut stop: watch::Receiver<bool>) {
        loop {
            self.work_off_kind(kind, &stop).await;
            tokio::select! {
                biased;
                () = told(&mut stop) => return,
                () = bell.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Does every job that is due.
    pub async fn drain(&self) {
        let (_stop, never) = watch::channel(false);
        for kind in [PASSWORD_RESET_MAIL, EXPORT] {
            self.work_off_kind(kind, &never).await;
        }
    }

    async fn work_off_kind(&self, kind: &'static str, stop: &watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.claim(kind).await {
                Ok(Some(job)) => self.work(job, stop).await,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot look into the outbox");
                    return;
                }
            }
        }
    }

    /// Deletes expired sessions, revoked tokens, resets and exports, and what is too old of the audit trail; returns how many.
    pub async fn purge_expired(&self) -> Result<usize, Error> {
        let now = self.context.clock.now();
        let retention = i64::try_from(self.audit_retention.as_micros()).unwrap_or(i64::MAX / 4);
        let purge = move |c: &mut _| {
            let expired = sessions::purge(c, now)? + idempotency::purge(c, now)?;
            Ok::<_, Error>(expired + audit::purge(c, now.saturating_sub(retention))?)
        };
        let mut expired = self.context.db.write(purge).await?;
        loop {
            // Files are large: others want to write in between.
            let purge = move |c: &mut _| exports::purge(c, now, PARTS_AT_ONCE).map_err(Error::from);
            match self.context.db.write(purge).await? {
                0 => return Ok(expired),
                rows => expired += rows,
            }
        }
    }

    async fn purge(&self) {
        match self.purge_expired().await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "purged what had expired"),
            Err(error) => tracing::warn!(%error, "cannot purge what has expired"),
        }
    }

    async fn claim(&self, kind: &'static str) -> Result<Option<QueuedJob>, Error> {
        let now = self.context.clock.now();
        // Looking costs no write lock; only a job that is there is taken.
        let due = self.context.db.read(move |c| jobs::is_any_due(c, kind, now).map_err(Error::from)).await?;
        if !due {
            return Ok(None);
        }
        self.context.db.write(move |c| jobs::claim(c, kind, now, now + HIDDEN).map_err(Error::from)).await
    }

    async fn work(&self, job: QueuedJob, stop: &watch::Receiver<bool>) {
        let outcome = match job.kind.as_str() {
            PASSWORD_RESET_MAIL => {
                let mailed =
                    password_reset::run(&self.context, &*self.mailer, &self.settings, job.payload.clone()).await;
                mailed.map(|()| Outcome::Done).map_err(|error| error.to_string())
            }
            EXPORT => export::run(&self.context, &job, stop).await.map_err(|error| error.to_string()),
            kind => Err(format!("this server knows no job `{kind}`")),
        };
        let (kind, attempt) = (&job.kind, job.attempts);
        match &outcome {
            Ok(_) => {}
            Err(error) if attempt >= ATTEMPTS => {
                tracing::error!(job = kind, %error, "gave a job up after {ATTEMPTS} attempts")
            }
            Err(error) => tracing::warn!(job = kind, %error, attempt, "a job failed and will be tried again"),
        }
        let now = self.context.clock.now();
        let record = move |c: &mut DbConnection| -> Result<(), Error> {
            match outcome {
                Ok(Outcome::Done) => drop(jobs::delete(c, &job)?),
                Ok(Outcome::GivenBack) => jobs::release(c, &job, now)?,
                Err(_) if job.attempts >= ATTEMPTS => {
                    // Only whoever still has the job may say that it cannot be done.
                    if jobs::delete(c, &job)? && job.kind == EXPORT {
                        exports::fail(c, job.payload.parse().unwrap_or_default(), now)?;
                    }
                }
                Err(error) => {
                    let wait = 1_000_000_i64 << job.attempts.clamp(0, 12);
                    jobs::retry_later(c, &job, now + wait, &error)?;
                }
            }
            Ok(())
        };
        if let Err(error) = self.context.db.write(record).await {
            tracing::warn!(%error, "cannot record what became of a job; it will be done again");
        }
    }
}
