//! Mails a digest of deprecated operations to one of their consumers.

use std::sync::Arc;

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
    domain::{ApiClientId, ConsumerKind, DeprecatedOperation, Timestamp, UserId},
    mail::templates::{self, DeprecationDigest},
    services::{Context, Error},
};

const DAY_MICROS: i64 = 86_400_000_000;

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
        let contact = self.context.db.read(move |c| contact(c, kind, id)).await?;
        // The account was deleted or disabled since.
        let Some(contact) = contact else { return Ok(Outcome::Completed) };
        let now = self.context.clock.now();
        let describe = |used| Some(self.describe(used, self.operation(used)?, now));
        let operations: Vec<templates::DeprecatedUse> = payload.uses.iter().filter_map(describe).collect();
        // A later release no longer has the operations.
        if operations.is_empty() {
            return Ok(Outcome::Completed);
        }
        let (url, guide) = (self.delivery.url.clone(), self.guide.clone());
        let digest = DeprecationDigest { url, caller: contact.caller, operations, guide };
        self.delivery.send(&digest, contact.address, claim).await
    }
}

/// The recipient of a notice.
struct Contact {
    address: String,
    /// The subject of the sentence "… calls operations that are deprecated".
    caller: String,
}

fn contact(c: &mut DbConnection, kind: ConsumerKind, id: i64) -> Result<Option<Contact>, Error> {
    Ok(match kind {
        ConsumerKind::User => users::find(c, UserId::new(id))?
            .filter(|user| !user.disabled)
            .map(|user| Contact { caller: "Your account".to_owned(), address: user.email }),
        ConsumerKind::ApiClient => api_clients::find(c, ApiClientId::new(id))?.map(|client| Contact {
            caller: format!("Your API client {}", client.name),
            address: client.contact_email,
        }),
        ConsumerKind::Anonymous => None,
    })
}

impl DeprecationMailJob {
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
        let days = operation.sunset.micros().saturating_sub(now.micros()).max(0) / DAY_MICROS;
        let brownouts = operation.brownouts.iter().filter(|brownout| brownout.ends_at() > now);
        templates::DeprecatedUse {
            method: operation.method.to_string(),
            path: operation.path.to_string(),
            id: operation.operation.to_string(),
            sunset: date(operation.sunset),
            days: if days == 1 { "1 day".to_owned() } else { format!("{days} days") },
            requests: if used.requests == 1 { "1 request".to_owned() } else { format!("{} requests", used.requests) },
            last_seen_at: time(used.last_seen_at),
            successor: format!("{}{}", self.delivery.url, operation.successor),
            brownouts: brownouts.map(|brownout| (time(brownout.starts_at), time(brownout.ends_at()))).collect(),
        }
    }
}
