//! Deprecated operations and their consumers: a report for administrators, and the notices to consumers.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{Context, Error};
use crate::{
    db::{
        DbConnection,
        repositories::{
            deprecation_notices,
            jobs::{self, DeprecatedUse, DeprecationMail},
            usage,
        },
    },
    domain::{
        Consumer, ConsumerKind, ConsumerNotice, DeprecatedOperation, DeprecationConsumer, DeprecationNotice,
        DeprecationReport, Timestamp, UsageFilter, UsageGrouping, UsageRow,
    },
};

const DAY: Duration = Duration::from_secs(86_400);
/// Maximum number of consumers of an operation in a report.
const MAX_CONSUMERS: usize = 100;
/// Maximum number of consumers of deprecated operations that are read.
const MAX_ROWS: i64 = 100_000;
/// Consumers that have not called an operation for this time are not notified again.
const ACTIVE_PERIOD: Duration = Duration::from_secs(30 * 86_400);
/// One row per version, operation and consumer.
const BY_CONSUMER: UsageGrouping =
    UsageGrouping { by_hour: false, by_day: false, by_version: true, by_operation: true, by_consumer: true };

/// Deprecated operations and their consumers.
#[derive(Clone)]
pub struct Deprecations {
    pub(super) context: Arc<Context>,
    pub(super) deprecated: Arc<[DeprecatedOperation]>,
}

impl Deprecations {
    /// Lists every deprecated operation with its consumers since the deprecation, as far as their counters are retained.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list(&self) -> Result<Vec<DeprecationReport>, Error> {
        let (deprecated, now) = (Arc::clone(&self.deprecated), self.context.clock.now());
        self.context.db.snapshot(move |c| Ok(report_deprecations(c, &deprecated, now)?)).await
    }

    /// Enqueues a mail to each consumer that has a notice due. Records the notices in the same transaction, so that no notice is
    /// mailed twice. Returns the number of mails.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn enqueue_notices(&self) -> Result<usize, Error> {
        let (deprecated, now) = (Arc::clone(&self.deprecated), self.context.clock.now());
        let due = self.context.db.snapshot(move |c| Ok::<_, Error>(due_notices(c, &deprecated, now)?)).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mails = self.context.db.write(move |c| Ok::<_, Error>(record_notices(c, &due, now)?)).await?;
        self.context.outbox.notify();
        Ok(mails)
    }
}

/// Returns every deprecated operation with its consumers.
///
/// # Errors
/// Fails if the database fails.
pub fn report_deprecations(
    c: &mut DbConnection,
    deprecated: &[DeprecatedOperation],
    now: Timestamp,
) -> Result<Vec<DeprecationReport>, diesel::result::Error> {
    let first = deprecated.iter().map(|operation| operation.since).min().unwrap_or_default();
    let filter = UsageFilter { deprecated: Some(true), ..UsageFilter::of_period(first, now + DAY, BY_CONSUMER) };
    let rows = usage::list_most_used(c, &filter, deprecated, MAX_ROWS)?;
    let operations: Vec<&str> = deprecated.iter().map(|operation| operation.operation).collect();
    let mut notices: HashMap<_, Vec<(DeprecationNotice, Timestamp)>> = HashMap::new();
    for (ConsumerNotice { consumer, version, operation, notice }, at) in deprecation_notices::list(c, &operations)? {
        notices.entry((consumer, version, operation)).or_default().push((notice, at));
    }
    let mut reports: Vec<DeprecationReport> = deprecated
        .iter()
        .map(|operation| DeprecationReport { operation: operation.clone(), consumers: Vec::new(), consumers_total: 0 })
        .collect();
    for row in rows {
        let is_same = |report: &&mut DeprecationReport| is_of(&row, &report.operation);
        let Some((report, consumer)) = reports.iter_mut().find(is_same).zip(row.consumer) else { continue };
        report.consumers_total += 1;
        if report.consumers.len() < MAX_CONSUMERS {
            let key = (consumer.consumer.clone(), report.operation.version, report.operation.operation.to_owned());
            report.consumers.push(DeprecationConsumer {
                notices: notices.remove(&key).unwrap_or_default(),
                consumer,
                requests: row.requests,
                last_seen_at: row.last_seen_at,
            });
        }
    }
    Ok(reports)
}

fn is_of(row: &UsageRow, operation: &DeprecatedOperation) -> bool {
    row.version == Some(operation.version) && row.operation.as_deref() == Some(operation.operation)
}

/// A consumer's use of a deprecated operation, and the notices about it that are due.
struct DueNotices {
    consumer: Consumer,
    used: DeprecatedUse,
    notices: Vec<DeprecationNotice>,
}

/// Returns the notices that are due and were not sent. Anonymous clients have no contact.
fn due_notices(
    c: &mut DbConnection,
    deprecated: &[DeprecatedOperation],
    now: Timestamp,
) -> Result<Vec<DueNotices>, diesel::result::Error> {
    let from = now.before(ACTIVE_PERIOD).floor(DAY);
    let filter = UsageFilter { deprecated: Some(true), ..UsageFilter::of_period(from, now + DAY, BY_CONSUMER) };
    let rows = usage::list_most_used(c, &filter, deprecated, MAX_ROWS)?;
    let operations: Vec<&str> = deprecated.iter().map(|operation| operation.operation).collect();
    let sent = deprecation_notices::list(c, &operations)?;
    let sent: HashSet<ConsumerNotice> = sent.into_iter().map(|(notice, _)| notice).collect();
    let mut due = Vec::new();
    for row in rows {
        let operation = deprecated.iter().find(|operation| is_of(&row, operation));
        let Some((operation, named)) = operation.zip(row.consumer) else { continue };
        // Without a name, the account was deleted.
        if named.consumer.kind() == ConsumerKind::Anonymous || named.name.is_none() {
            continue;
        }
        let (consumer, version) = (named.consumer, operation.version);
        let mut notices = DeprecationNotice::due(now, operation.sunset);
        notices.retain(|notice| {
            let (consumer, operation) = (consumer.clone(), operation.operation.to_owned());
            !sent.contains(&ConsumerNotice { consumer, version, operation, notice: *notice })
        });
        if !notices.is_empty() {
            let operation = operation.operation.to_owned();
            let used = DeprecatedUse { version, operation, requests: row.requests, last_seen_at: row.last_seen_at };
            due.push(DueNotices { consumer, used, notices });
        }
    }
    Ok(due)
}

/// Records notices and enqueues one mail per consumer, about the operations whose notices no other server has recorded.
fn record_notices(c: &mut DbConnection, due: &[DueNotices], now: Timestamp) -> Result<usize, diesel::result::Error> {
    let notices: Vec<ConsumerNotice> = due
        .iter()
        .flat_map(|DueNotices { consumer, used, notices }| {
            notices.iter().map(|notice| ConsumerNotice {
                consumer: consumer.clone(),
                version: used.version,
                operation: used.operation.clone(),
                notice: *notice,
            })
        })
        .collect();
    let inserted = deprecation_notices::insert_new(c, &notices, now)?;
    let inserted: HashSet<_> =
        inserted.into_iter().map(|notice| (notice.consumer, notice.version, notice.operation)).collect();
    let mut uses: BTreeMap<Consumer, Vec<DeprecatedUse>> = BTreeMap::new();
    for DueNotices { consumer, used, .. } in due {
        if inserted.contains(&(consumer.clone(), used.version, used.operation.clone())) {
            uses.entry(consumer.clone()).or_default().push(used.clone());
        }
    }
    let mails: Vec<DeprecationMail> = uses
        .into_iter()
        .map(|(consumer, uses)| DeprecationMail {
            consumer_kind: consumer.kind(),
            consumer_id: consumer.id().unwrap_or_default(),
            uses,
        })
        .collect();
    jobs::enqueue_all(c, &mails, now)?;
    Ok(mails.len())
}
