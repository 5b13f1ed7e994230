//! Jobs as administrators see and change them.

use std::collections::BTreeMap;

use diesel::dsl::{count_star, min};
use serde_json::Value;

use super::{ExportRequest, JobKind, JobPayload, NEVER, serialize, wake_workers};
use crate::db::repositories::prelude::*;
use crate::{
    db::{DbConnection, MultiBackend, repositories::keyset::KeysetSql, schema::jobs},
    domain::{
        ExportId, Job, JobCount, JobFilter, JobId, JobPriority, JobState, Keyset, Timestamp, mask_addresses, mask_value,
    },
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = jobs)]
struct JobRow {
    id: i64,
    kind: String,
    #[diesel(deserialize_as = String)]
    state: JobState,
    priority: i32,
    payload: String,
    attempts: i32,
    max_attempts: i32,
    last_error: Option<String>,
    run_at: i64,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    worker: Option<String>,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        let public_fields = JobKind::find(&row.kind).map_or(&[][..], |kind| kind.public_fields);
        Self {
            id: JobId::new(row.id),
            payload: visible_payload(&row.payload, public_fields),
            kind: row.kind,
            state: row.state,
            priority: JobPriority::from_rank(row.priority),
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            last_error: row.last_error.as_deref().map(mask_addresses),
            run_at: (row.run_at != NEVER).then(|| Timestamp::from_micros(row.run_at)),
            created_at: Timestamp::from_micros(row.created_at),
            started_at: row.started_at.map(Timestamp::from_micros),
            finished_at: row.finished_at.map(Timestamp::from_micros),
            worker: row.worker,
        }
    }
}

/// Returns the fields of a payload. Those that are not public, and all fields of a kind that this release does not know, are masked.
fn visible_payload(payload: &str, public_fields: &[&str]) -> BTreeMap<String, String> {
    // A payload that cannot be read has no fields: its text could be private.
    let fields: serde_json::Map<String, Value> = serde_json::from_str(payload).unwrap_or_default();
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let visible = |(name, value): (String, Value)| {
        let text = text(value);
        let text = if public_fields.contains(&name.as_str()) { text } else { mask_value(&text) };
        (name, text)
    };
    fields.into_iter().map(visible).collect()
}

/// Finds the pending jobs that write these exports.
pub fn find_pending_exports(c: &mut DbConnection, exports: Vec<ExportId>) -> QueryResult<Vec<(ExportId, JobId)>> {
    if exports.is_empty() {
        return Ok(Vec::new());
    }
    let payload = |export_id: &ExportId| serialize(&ExportRequest { export_id: *export_id });
    let payloads: Vec<String> = exports.iter().map(payload).collect::<QueryResult<_>>()?;
    let pending = JobState::ALL.iter().filter(|state| state.is_pending()).map(|state| state.as_str());
    let rows: Vec<(i64, String)> = jobs::table
        .filter(jobs::state.eq_any(pending.collect::<Vec<_>>()))
        .filter(jobs::kind.eq(ExportRequest::KIND))
        .filter(jobs::payload.eq_any(&payloads))
        .select((jobs::id, jobs::payload))
        .load(c)?;
    let found = rows.into_iter().filter_map(|(job, payload)| {
        let index = payloads.iter().position(|other| *other == payload)?;
        Some((exports[index], JobId::new(job)))
    });
    Ok(found.collect())
}

/// Lists the exports that pending jobs write. `None` if the payload of one cannot be read, so that its export is not known.
pub fn list_pending_exports(c: &mut DbConnection) -> QueryResult<Option<Vec<ExportId>>> {
    let pending = JobState::ALL.iter().filter(|state| state.is_pending()).map(|state| state.as_str());
    let payloads: Vec<String> = jobs::table
        .filter(jobs::state.eq_any(pending.collect::<Vec<_>>()))
        .filter(jobs::kind.eq(ExportRequest::KIND))
        .select(jobs::payload)
        .load(c)?;
    let export_of = |payload: String| Some(serde_json::from_str::<ExportRequest>(&payload).ok()?.export_id);
    Ok(payloads.into_iter().map(export_of).collect())
}

/// A job, and its payload for the consequences of a change.
#[derive(Clone, Debug)]
pub struct StoredJob {
    pub job: Job,
    payload: String,
}

impl From<JobRow> for StoredJob {
    fn from(row: JobRow) -> Self {
        Self { payload: row.payload.clone(), job: row.into() }
    }
}

/// Finds a job.
pub fn find(c: &mut DbConnection, id: JobId) -> QueryResult<Option<Job>> {
    let row: Option<JobRow> = jobs::table.find(id.get()).select(JobRow::as_select()).first(c).optional()?;
    Ok(row.map(Job::from))
}

/// Like [`find`], but locks the row until the transaction ends.
pub fn find_for_update(c: &mut DbConnection, id: JobId) -> QueryResult<Option<StoredJob>> {
    let job = jobs::table.find(id.get());
    let row: Option<JobRow> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => job.select(JobRow::as_select()).first(c).optional()?,
        DbConnection::Postgres(c) => job.select(JobRow::as_select()).for_update().first(c).optional()?,
    };
    Ok(row.map(StoredJob::from))
}

/// Makes a locked job run at `now`. A job that would not run again gets all of its attempts again.
pub fn retry(c: &mut DbConnection, stored: &StoredJob, now: Timestamp) -> QueryResult<()> {
    let is_discarded = !stored.job.state.is_pending();
    let attempts = if is_discarded { 0 } else { stored.job.attempts };
    diesel::update(jobs::table.find(stored.job.id.get()))
        .set((
            jobs::state.eq(JobState::waiting(attempts).as_str()),
            jobs::attempts.eq(attempts),
            jobs::run_at.eq(now.micros()),
            jobs::finished_at.eq(None::<i64>),
        ))
        .execute(c)?;
    if is_discarded && let Some(kind) = JobKind::find(&stored.job.kind) {
        (kind.on_retried)(c, &stored.payload, now)?;
    }
    wake_workers(c)
}

/// Cancels a locked job. A worker that runs it loses its claim.
pub fn cancel(c: &mut DbConnection, stored: &StoredJob, now: Timestamp) -> QueryResult<()> {
    diesel::update(jobs::table.find(stored.job.id.get()))
        .set((
            jobs::state.eq(JobState::Cancelled.as_str()),
            jobs::run_at.eq(NEVER),
            jobs::finished_at.eq(now.micros()),
            jobs::fencing_token.eq(jobs::fencing_token + 1),
        ))
        .execute(c)?;
    super::discard(c, &stored.job.kind, &stored.payload, now)
}

/// Deletes a locked job.
pub fn delete(c: &mut DbConnection, stored: &StoredJob, now: Timestamp) -> QueryResult<()> {
    diesel::delete(jobs::table.find(stored.job.id.get())).execute(c)?;
    if stored.job.state.is_pending() { super::discard(c, &stored.job.kind, &stored.payload, now) } else { Ok(()) }
}

/// Selects the jobs that match a filter.
fn matching(filter: &JobFilter) -> jobs::BoxedQuery<'static, MultiBackend> {
    let mut query = jobs::table.into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(jobs::state.eq(state.as_str()));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(jobs::kind.eq(kind.clone()));
    }
    query
}

/// Lists the jobs after a position.
pub fn list_after(c: &mut DbConnection, filter: &JobFilter, keyset: &Keyset) -> QueryResult<Vec<Job>> {
    let mut page = matching(filter).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let rows: Vec<JobRow> = page.select(JobRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(Job::from).collect())
}

/// Counts the jobs that match a filter.
pub fn count(c: &mut DbConnection, filter: &JobFilter) -> QueryResult<i64> {
    matching(filter).select(count_star()).first(c)
}

/// Counts the dead letters since `since` by kind.
pub fn count_dead_since(c: &mut DbConnection, since: Timestamp) -> QueryResult<Vec<JobCount>> {
    let rows: Vec<(String, i64)> = jobs::table
        .filter(jobs::state.eq(JobState::Dead.as_str()))
        .filter(jobs::finished_at.ge(since.micros()))
        .group_by(jobs::kind)
        .order(jobs::kind)
        .select((jobs::kind, count_star()))
        .load(c)?;
    Ok(rows.into_iter().map(|(kind, count)| JobCount { state: JobState::Dead, kind, count }).collect())
}

/// The state of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatistics {
    /// The number of jobs of each kind in each state.
    pub counts: Vec<JobCount>,
    /// Since when the oldest job is due that no worker runs.
    pub oldest_due: Option<Timestamp>,
}

/// Reads the state of the queue.
pub fn statistics(c: &mut DbConnection, now: Timestamp) -> QueryResult<JobStatistics> {
    let rows: Vec<(String, String, i64)> =
        jobs::table.group_by((jobs::state, jobs::kind)).select((jobs::state, jobs::kind, count_star())).load(c)?;
    let oldest: Option<i64> = jobs::table.filter(jobs::run_at.le(now.micros())).select(min(jobs::run_at)).first(c)?;
    let count =
        |(state, kind, count): (String, String, i64)| Some(JobCount { state: state.parse().ok()?, kind, count });
    Ok(JobStatistics {
        counts: rows.into_iter().filter_map(count).collect(),
        oldest_due: oldest.map(Timestamp::from_micros),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_fields_are_visible() {
        let payload = r#"{"email_key": "ada@example.com", "user_id": 7, "uses": [{"a": 1}], "name": "Ada"}"#;
        let visible = |public: &[&str]| -> Vec<String> {
            visible_payload(payload, public).into_iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let masked = ["email_key=a***@example.com", "name=[masked]", "user_id=[masked]", "uses=[masked]"];
        assert_eq!(visible(&[]), masked);
        let some = ["email_key=a***@example.com", "name=[masked]", "user_id=7", r#"uses=[{"a":1}]"#];
        assert_eq!(visible(&["user_id", "uses"]), some);
        assert!(visible_payload("ada@example.com", &["user_id"]).is_empty());
    }
}
