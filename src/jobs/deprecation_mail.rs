//! Mails a digest of deprecated operations to one of their consumers.

use std::{fmt::Write as _, sync::Arc};

use chrono::DateTime;

use super::job::{Claim, Job, JobError, Outcome};
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
    mail::{Mail, Mailer},
    services::{Context, Error},
};

const DAY_MICROS: i64 = 86_400_000_000;

/// Mails a consumer which of the operations that it calls will be removed. The address is read when the mail is sent.
pub(super) struct DeprecationMailJob {
    pub(super) context: Arc<Context>,
    pub(super) mailer: Arc<dyn Mailer>,
    pub(super) deprecated: Arc<[DeprecatedOperation]>,
    pub(super) public_url: String,
    /// URL of the migration guide.
    pub(super) guide: String,
}

impl Job for DeprecationMailJob {
    type Payload = DeprecationMail;

    async fn run(&self, payload: &DeprecationMail, _: &Claim<'_>) -> Result<Outcome, JobError> {
        let (kind, id) = (payload.consumer_kind, payload.consumer_id);
        let contact = self.context.db.read(move |c| contact(c, kind, id)).await?;
        // The account was deleted or disabled since.
        let Some(contact) = contact else { return Ok(Outcome::Completed) };
        let now = self.context.clock.now();
        let uses: Vec<(&DeprecatedUse, &DeprecatedOperation)> =
            payload.uses.iter().filter_map(|used| Some((used, self.operation(used)?))).collect();
        // A later release no longer has the operations.
        if uses.is_empty() {
            return Ok(Outcome::Completed);
        }
        self.mailer.send(&self.mail(contact, &uses, now)).await?;
        Ok(Outcome::Completed)
    }
}

/// The recipient of a notice.
struct Contact {
    address: String,
    /// The subject of the sentence "… calls deprecated operations".
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

    fn mail(&self, to: Contact, uses: &[(&DeprecatedUse, &DeprecatedOperation)], now: Timestamp) -> Mail {
        let url = &self.public_url;
        let subject = match uses {
            [(_, only)] => {
                format!("{} {} will be removed on {}", only.method, only.path, date(only.sunset))
            }
            _ => format!("{} operations that you call will be removed", uses.len()),
        };
        let mut body = format!(
            "Hello,\n\n{} calls operations of the BucketList API at {url} that are deprecated. After their removal, they \
             return 410.\n",
            to.caller
        );
        for (used, operation) in uses {
            describe(&mut body, used, operation, now, url);
        }
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "\nMigration guide: {}\n\nYou receive this message when an operation is called for the first time, and 90, 30, 7 and 1 \
             days before its removal if it is still called.",
            self.guide
        );
        Mail { to: to.address, subject, body }
    }
}

fn describe(body: &mut String, used: &DeprecatedUse, operation: &DeprecatedOperation, now: Timestamp, url: &str) {
    let days = operation.sunset.micros().saturating_sub(now.micros()).max(0) / DAY_MICROS;
    let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    let requests = if used.requests == 1 { "1 request".to_owned() } else { format!("{} requests", used.requests) };
    // Writing to a string cannot fail.
    let _ = write!(
        body,
        "\n{} {} ({})\n  Removal: {}, in {days}\n  Your calls: {requests} in the last 30 days, the last one at {}\n  \
         Successor: {url}{}\n",
        operation.method,
        operation.path,
        operation.operation,
        date(operation.sunset),
        time(used.last_seen_at),
        operation.successor,
    );
    for brownout in operation.brownouts.iter().filter(|brownout| brownout.ends_at() > now) {
        let _ =
            writeln!(body, "  Brownout: returns 410 from {} to {}", time(brownout.starts_at), time(brownout.ends_at()));
    }
}

fn date(at: Timestamp) -> String {
    DateTime::from_timestamp_micros(at.micros()).unwrap_or_default().format("%Y-%m-%d").to_string()
}

fn time(at: Timestamp) -> String {
    DateTime::from_timestamp_micros(at.micros()).unwrap_or_default().format("%Y-%m-%d %H:%M UTC").to_string()
}
