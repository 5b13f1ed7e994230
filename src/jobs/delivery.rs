//! Sends the mail of a job.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::job::{Claim, JobError, Outcome};
use crate::{
    domain::{Email, Timestamp},
    mail::{Mailer, templates::Message},
};

/// Time for which a message that is being sent may delay the shutdown of the server.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Sends messages in the name of the server.
#[derive(Clone)]
pub(super) struct MailDelivery {
    pub(super) mailer: Arc<dyn Mailer>,
    /// Public URL of the server.
    pub(super) url: String,
}

impl MailDelivery {
    /// Sends a message to an address. If the server stops in the meantime, the job returns to the queue; the message may then be
    /// sent twice, with the same ID.
    pub(super) async fn send(
        &self,
        message: &impl Message,
        to: String,
        claim: &Claim<'_>,
    ) -> Result<Outcome, JobError> {
        // An address that was stored by an older version may not satisfy the rules of this one.
        let to = Email::parse(&to).map_or(to, |email| email.smtp_address().to_owned());
        let name = format!("{}/jobs/{}", self.url, claim.job.id);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string();
        let mail = message.compose(id, to)?;
        let stopped = async {
            claim.shutdown.cancelled().await;
            tokio::time::sleep(SHUTDOWN_GRACE).await;
        };
        tokio::select! {
            biased;
            result = self.mailer.send(&mail) => result.map(|()| Outcome::Completed).map_err(JobError::from),
            () = stopped => Ok(Outcome::Released),
        }
    }
}

/// Formats a time for people: `2026-01-31 12:00 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_micros(at.micros()).unwrap_or_default().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Formats a date: `2026-01-31`.
pub(super) fn date(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_micros(at.micros()).unwrap_or_default().format("%Y-%m-%d").to_string()
}
