//! Mails administrators at most once a day which jobs have exhausted their attempts.

use std::{sync::Arc, time::Duration};

use super::{
    account_mail::AccountMail,
    delivery::time,
    job::{Claim, Job, JobError, Outcome},
    recurring::{Recurring, TaskError},
};
use crate::{
    db::{
        DbConnection,
        repositories::{
            job_schedules,
            jobs::{self, DeadLetterDigestMail},
            users,
        },
    },
    mail::templates::DeadLetterDigest,
    services::{Context, Error},
};

/// Interval at which new dead letters are looked up.
const INTERVAL: Duration = Duration::from_secs(300);
/// Time between two digests.
const PAUSE: Duration = Duration::from_secs(86_400);

/// Enqueues the digest for each administrator, if there are new dead letters.
pub(super) struct DeadLetterReport {
    pub(super) context: Arc<Context>,
}

impl Recurring for DeadLetterReport {
    const NAME: &'static str = "dead_letter_digest";

    fn interval(&self) -> Option<Duration> {
        Some(INTERVAL)
    }

    fn pause_after(&self, mails: Option<u64>) -> Option<Duration> {
        mails.is_some_and(|mails| mails > 0).then_some(PAUSE)
    }

    async fn run(&self) -> Result<Option<u64>, TaskError> {
        let now = self.context.clock.now();
        let enqueue = move |c: &mut DbConnection| {
            // The run is recorded after it: until then, the row contains the time at which this run was due. No digest has the
            // dead letters of the day before it: the last digest is older, and each run since has found none in the day before it.
            let schedules = job_schedules::list(c)?;
            let due_at =
                schedules.into_iter().find(|schedule| schedule.name == Self::NAME).map(|found| found.next_run_at);
            let since = due_at.unwrap_or(now).before(PAUSE);
            let kinds: Vec<(String, i64)> =
                jobs::count_dead_since(c, since)?.into_iter().map(|count| (count.kind, count.count)).collect();
            if kinds.is_empty() {
                return Ok(0);
            }
            let mail = |user_id| DeadLetterDigestMail { user_id, since, kinds: kinds.clone() };
            let mails: Vec<DeadLetterDigestMail> = users::list_administrators(c)?.into_iter().map(mail).collect();
            jobs::enqueue_all(c, &mails, now)?;
            Ok::<_, Error>(mails.len())
        };
        let mails = self.context.db.write(enqueue).await?;
        self.context.outbox.notify();
        Ok(Some(mails as u64))
    }
}

/// Mails the digest to an administrator.
pub(super) struct DeadLetterDigestMailJob(pub(super) AccountMail);

impl Job for DeadLetterDigestMailJob {
    type Payload = DeadLetterDigestMail;

    async fn run(&self, payload: &DeadLetterDigestMail, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        let user_id = payload.user_id;
        let user = self.0.context.db.read(move |c| users::find(c, user_id).map_err(Error::from)).await?;
        // The account may have lost its role since.
        if !user.is_some_and(|user| user.is_admin()) {
            return Ok(Outcome::Completed);
        }
        let (url, since) = (self.0.delivery.url.clone(), time(payload.since));
        self.0.send(user_id, &DeadLetterDigest { url, since, kinds: payload.kinds.clone() }, claim).await
    }
}
