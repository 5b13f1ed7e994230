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
        Consumer, ConsumerFilter, ConsumerNotice, DeprecatedOperation, DeprecationConsumer, DeprecationNotice,
        DeprecationReport, NoticeState, RecordedNotice, Timestamp, UsageFilter, UsageGrouping, UsageRow,
    },
};

const DAY: Duration = Duration::from_secs(86_400);
/// Maximum number of consumers of an operation in a report.
const MAX_CONSUMERS: i64 = 100;
/// Maximum number of notices to a consumer about an operation in a report.
const MAX_NOTICES: usize = 10;
/// Maximum number of API clients and accounts that notices are due to.
const MAX_ROWS: i64 = 100_000;
/// Consumers that have not called an operation for this time are not notified again.
const ACTIVE_PERIOD: Duration = Duration::from_secs(30 * 86_400);
/// One row per version, operation and consumer.
const BY_CONSUMER: UsageGrouping =
    UsageGrouping { by_hour: false, by_day: false, by_status: false, ..UsageGrouping::FULL };

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
        self.context
            .db
            .snapshot(move |c| Ok(report_deprecations(c, &deprecated, DeprecationReportOptions::default(), now)?))
            .await
    }

    /// Enqueues a mail to each consumer that has a notice due, unless an administrator has disabled its notices. Records the notices in the
    /// same transaction, so that no notice is sent twice. Returns the number of emails.
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

/// Selects the consumers of a report of deprecated operations.
#[derive(Clone, Copy, Debug)]
pub struct DeprecationReportOptions {
    /// Start of the first day whose requests are counted; `None` for the deprecation of each operation.
    pub since: Option<Timestamp>,
    /// Maximum number of consumers of an operation.
    pub max_consumers: i64,
}

impl Default for DeprecationReportOptions {
    fn default() -> Self {
        Self { since: None, max_consumers: MAX_CONSUMERS }
    }
}

/// Returns every deprecated operation with its consumers.
///
/// # Errors
/// Fails if the database fails.
pub fn report_deprecations(
    c: &mut DbConnection,
    deprecated: &[DeprecatedOperation],
    options: DeprecationReportOptions,
    now: Timestamp,
) -> Result<Vec<DeprecationReport>, diesel::result::Error> {
    let operations: Vec<&str> = deprecated.iter().map(|operation| operation.operation).collect();
    let mut notices: HashMap<_, Vec<RecordedNotice>> = HashMap::new();
    for (ConsumerNotice { consumer, version, operation, .. }, recorded) in deprecation_notices::list(c, &operations)? {
        notices.entry((consumer, version, operation)).or_default().push(recorded);
    }
    let mut reports = Vec::with_capacity(deprecated.len());
    for operation in deprecated {
        let from = options.since.map_or(operation.since, |since| since.max(operation.since));
        let filter = UsageFilter {
            version: Some(operation.version),
            operation: Some(operation.operation.to_owned()),
            who_is_left: true,
            ..UsageFilter::of_period(from, now + DAY, BY_CONSUMER)
        };
        let rows = usage::list_most_used(c, &filter, &[], options.max_consumers)?;
        let listed = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let consumers_total =
            if listed < options.max_consumers { listed } else { usage::count(c, &filter, &[])?.max(listed) };
        let consumers = rows.into_iter().filter_map(|row| {
            let consumer = row.consumer?;
            let key = (consumer.consumer.clone(), operation.version, operation.operation.to_owned());
            let notices = mailed(&notices.remove(&key).unwrap_or_default());
            Some(DeprecationConsumer { consumer, requests: row.requests, last_seen_at: row.last_seen_at, notices })
        });
        let consumers = consumers.collect();
        reports.push(DeprecationReport { operation: operation.clone(), consumers, consumers_total });
    }
    Ok(reports)
}

/// Returns the notices without those of brownouts that were in the mail of another one.
fn mailed(notices: &[RecordedNotice]) -> Vec<RecordedNotice> {
    let is_brownout = |notice: &RecordedNotice| notice.notice == DeprecationNotice::Brownout;
    let mut mailed: Vec<RecordedNotice> = notices.iter().filter(|notice| !is_brownout(notice)).copied().collect();
    for notice in notices.iter().rev().filter(|notice| is_brownout(notice)) {
        let is_new = mailed.iter().all(|other| other.created_at != notice.created_at);
        if is_new && mailed.len() < MAX_NOTICES {
            mailed.push(*notice);
        }
    }
    mailed.sort_by_key(|notice| (notice.created_at, notice.notice));
    mailed
}

fn is_of(row: &UsageRow, operation: &DeprecatedOperation) -> bool {
    row.version == Some(operation.version) && row.operation.as_deref() == Some(operation.operation)
}

/// A consumer's use of a deprecated operation, and the notices about it that are due.
struct DueNotices {
    consumer: Consumer,
    used: DeprecatedUse,
    /// Each notice, and the start of the brownout that it announces.
    notices: Vec<(DeprecationNotice, Option<Timestamp>)>,
}

/// Returns the notices that are due and were neither sent nor suppressed. Anonymous clients have no contact.
fn due_notices(
    c: &mut DbConnection,
    deprecated: &[DeprecatedOperation],
    now: Timestamp,
) -> Result<Vec<DueNotices>, diesel::result::Error> {
    let from = now.before(ACTIVE_PERIOD).floor(DAY);
    let filter = UsageFilter {
        deprecated: Some(true),
        consumer: Some(ConsumerFilter::Named),
        who_is_left: true,
        ..UsageFilter::of_period(from, now + DAY, BY_CONSUMER)
    };
    let rows = usage::list_most_used(c, &filter, deprecated, MAX_ROWS)?;
    let operations: Vec<&str> = deprecated.iter().map(|operation| operation.operation).collect();
    let recorded = deprecation_notices::list(c, &operations)?;
    let recorded: HashSet<ConsumerNotice> = recorded.into_iter().map(|(notice, _)| notice).collect();
    let mut due = Vec::new();
    for row in rows {
        let operation = deprecated.iter().find(|operation| is_of(&row, operation));
        let Some((operation, named)) = operation.zip(row.consumer) else { continue };
        let (consumer, version) = (named.consumer, operation.version);
        let by_date = DeprecationNotice::due(now, operation.sunset).into_iter().map(|notice| (notice, None));
        let scheduled = operation.brownouts.iter().filter(|brownout| brownout.ends_at() > now);
        let of_brownouts = scheduled.map(|brownout| (DeprecationNotice::Brownout, Some(brownout.starts_at)));
        let mut notices: Vec<_> = by_date.chain(of_brownouts).collect();
        notices.retain(|(notice, brownout_at)| {
            let (consumer, operation) = (consumer.clone(), operation.operation.to_owned());
            let (notice, brownout_at) = (*notice, *brownout_at);
            !recorded.contains(&ConsumerNotice { consumer, version, operation, notice, brownout_at })
        });
        if !notices.is_empty() {
            let operation = operation.operation.to_owned();
            let used = DeprecatedUse { version, operation, requests: row.requests, last_seen_at: row.last_seen_at };
            due.push(DueNotices { consumer, used, notices });
        }
    }
    Ok(due)
}

/// Records notices and enqueues one mail per consumer, about the operations whose notices no other server has recorded. Notices to consumers
/// that an administrator has excluded are recorded only.
fn record_notices(c: &mut DbConnection, due: &[DueNotices], now: Timestamp) -> Result<usize, diesel::result::Error> {
    let notices: Vec<ConsumerNotice> = due
        .iter()
        .flat_map(|DueNotices { consumer, used, notices }| {
            notices.iter().map(|(notice, brownout_at)| ConsumerNotice {
                consumer: consumer.clone(),
                version: used.version,
                operation: used.operation.clone(),
                notice: *notice,
                brownout_at: *brownout_at,
            })
        })
        .collect();
    let inserted = deprecation_notices::insert_new(c, &notices, now)?;
    let queued = inserted.into_iter().filter(|(_, state)| *state == NoticeState::Queued);
    let queued: HashSet<_> = queued.map(|(notice, _)| (notice.consumer, notice.version, notice.operation)).collect();
    let mut uses: BTreeMap<Consumer, Vec<DeprecatedUse>> = BTreeMap::new();
    for DueNotices { consumer, used, .. } in due {
        if queued.contains(&(consumer.clone(), used.version, used.operation.clone())) {
            uses.entry(consumer.clone()).or_default().push(used.clone());
        }
    }
    let mails: Vec<DeprecationMail> = uses
        .into_iter()
        .map(|(consumer, uses)| DeprecationMail {
            consumer_kind: consumer.kind(),
            consumer_id: consumer.id().unwrap_or_default(),
            uses,
            recorded_at: now,
        })
        .collect();
    jobs::enqueue_all(c, &mails, now)?;
    Ok(mails.len())
}
