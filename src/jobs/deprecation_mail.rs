//! Mails a digest of deprecated operations to one of their consumers.

use std::{sync::Arc, time::Duration};

use super::{
    delivery::{MailDelivery, date, time},
    job::{Claim, Job, JobError, Outcome},
};
use crate::{
    db::{
        DbConnection,
        repositories::{
            api_clients,
            jobs::{DeprecatedUse, DeprecationMail},
            users,
        },
    },
    domain::{ApiClientId, ConsumerKind, DeprecatedOperation, NoticeState, Timestamp, UserId},
    mail::templates::{self, DeprecationDigest},
    services::{Context, Error},
};

const DAY: Duration = Duration::from_secs(86_400);

/// Mails a consumer which of the operations that it calls will be removed. The address is read when the mail is sent.
pub(super) struct DeprecationMailJob {
    pub(super) context: Arc<Context>,
    pub(super) delivery: MailDelivery,
    pub(super) deprecated: Arc<[DeprecatedOperation]>,
    /// URL of the migration guide.
    pub(super) guide: String,
}

impl Job for DeprecationMailJob {
    type Payload = DeprecationMail;

    async fn run(&self, payload: &DeprecationMail, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        let (kind, id) = (payload.consumer_kind, payload.consumer_id);
        let contact = match self.context.db.read(move |c| recipient(c, kind, id)).await? {
            Recipient::Contact(contact) => contact,
            Recipient::Excluded => {
                self.record(payload, NoticeState::Suppressed).await?;
                return Ok(Outcome::Completed);
            }
            Recipient::Unknown => {
                self.record(payload, NoticeState::Failed).await?;
                return Ok(Outcome::Completed);
            }
        };
        let now = self.context.clock.now();
        let describe = |used| Some(self.describe(used, self.operation(used)?, now));
        let operations: Vec<templates::DeprecatedUse> = payload.uses.iter().filter_map(describe).collect();
        // A later release no longer has the operations.
        if operations.is_empty() {
            return Ok(Outcome::Completed);
        }
        let (url, guide) = (self.delivery.url.clone(), self.guide.clone());
        let digest = DeprecationDigest { url, consumer: contact.consumer, operations, guide };
        let outcome = self.delivery.send(&digest, contact.address, claim).await?;
        if outcome == Outcome::Completed {
            // Not in the transaction that completes the job: an error must not send the message again.
            if let Err(error) = self.record(payload, NoticeState::Sent).await {
                tracing::warn!(%error, "cannot record that a deprecation notice was sent");
            }
        }
        Ok(outcome)
    }
}

/// The recipient of a notice, when it is sent.
enum Recipient {
    Contact(Contact),
    /// An administrator has disabled the notices since.
    Excluded,
    /// The API client was deleted, or the account was deleted or disabled, since.
    Unknown,
}

struct Contact {
    address: String,
    /// The subject of the sentence "… calls operations that are deprecated".
    consumer: String,
}

fn recipient(c: &mut DbConnection, kind: ConsumerKind, id: i64) -> Result<Recipient, Error> {
    let found = match kind {
        ConsumerKind::User => users::find(c, UserId::new(id))?.filter(|user| !user.disabled).map(|user| {
            let contact = Contact { consumer: "Your account".to_owned(), address: user.email };
            (contact, user.deprecation_notices_enabled)
        }),
        ConsumerKind::ApiClient => api_clients::find(c, ApiClientId::new(id))?.map(|client| {
            let consumer = format!("Your API client {}", client.name);
            (Contact { consumer, address: client.contact_email }, client.deprecation_notices_enabled)
        }),
        ConsumerKind::Anonymous => None,
    };
    Ok(match found {
        Some((contact, true)) => Recipient::Contact(contact),
        Some((_, false)) => Recipient::Excluded,
        None => Recipient::Unknown,
    })
}

impl DeprecationMailJob {
    async fn record(&self, payload: &DeprecationMail, state: NoticeState) -> Result<(), Error> {
        let payload = payload.clone();
        self.context.db.write(move |c| Ok(payload.record_state(c, state)?)).await
    }

    fn operation(&self, used: &DeprecatedUse) -> Option<&DeprecatedOperation> {
        let is_same = |operation: &&DeprecatedOperation| {
            operation.version == used.version && operation.operation == used.operation
        };
        self.deprecated.iter().find(is_same)
    }

    fn describe(
        &self,
        used: &DeprecatedUse,
        operation: &DeprecatedOperation,
        now: Timestamp,
    ) -> templates::DeprecatedUse {
        // Calendar days in UTC: the sunset is at the start of a day.
        let microseconds = operation.sunset.floor(DAY).micros().saturating_sub(now.floor(DAY).micros()).max(0);
        let days = Duration::from_micros(microseconds.unsigned_abs()).as_secs() / DAY.as_secs();
        let brownouts = operation.brownouts.iter().filter(|brownout| brownout.ends_at() > now);
        templates::DeprecatedUse {
            method: operation.method.to_string(),
            path: operation.path.to_string(),
            id: operation.operation.to_string(),
            sunset: date(operation.sunset),
            days: if days == 1 { "1 day".to_owned() } else { format!("{days} days") },
            requests: if used.requests == 1 { "1 request".to_owned() } else { format!("{} requests", used.requests) },
            last_seen_at: time(used.last_seen_at),
            successor: operation.successor.to_owned(),
            successor_url: format!("{}{}", self.delivery.url, operation.reference.as_deref().unwrap_or("/reference")),
            brownouts: brownouts.map(|brownout| (time(brownout.starts_at), time(brownout.ends_at()))).collect(),
        }
    }
}
