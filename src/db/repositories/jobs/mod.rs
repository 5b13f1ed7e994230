//! The job queue.
//!
//! Each claim of a job increments its fencing token, which never decreases. A worker that has lost its claim, because it
//! was slower than the visibility timeout or because an administrator has cancelled the job, therefore changes nothing.

mod payloads;
mod records;

use std::{sync::Arc, time::Duration};

use diesel::{result::Error, sql_query};

pub use payloads::{
    DeadLetterDigestMail, DeprecatedUse, DeprecationMail, EmailChangedMail, ExportRequest, JobKind, JobPayload, KINDS,
    NewLoginMail, PasswordChangedMail, PasswordResetMail, WelcomeMail,
};
pub use records::{
    JobStatistics, StoredJob, cancel, count, count_dead_since, delete, find, find_for_update, find_pending_exports,
    list_after, list_pending_exports, retry, statistics,
};

use super::prelude::*;
use crate::{
    db::{DbConnection, schema::jobs},
    domain::{JobPriority, JobState, Timestamp},
};

/// The channel that wakes the workers of all servers on PostgreSQL.
pub const CHANNEL: &str = "bucketlist_jobs";
/// `run_at` of a job that will not run again: later than any time, so that the indexes of due jobs exclude it.
pub const NEVER: i64 = i64::MAX;
/// Maximum length of an error that is stored, in characters.
const MAX_ERROR: usize = 1_000;

/// A job that a worker has claimed.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct QueuedJob {
    pub id: i64,
    pub kind: String,
    pub payload: String,
    /// Number of times that the job was started and not released.
    pub attempts: i32,
    pub max_attempts: i32,
    pub fencing_token: i32,
}

/// The jobs that a worker can run, and how long it has for one.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    pub kinds: Arc<[&'static str]>,
    pub priorities: &'static [JobPriority],
    /// Identifies the worker for administrators.
    pub worker: Arc<str>,
    pub now: Timestamp,
    /// When other workers may claim the job, unless the claim is extended.
    pub visible_at: Timestamp,
}

/// Inserts a job that is due at `run_at`.
pub fn enqueue<P: JobPayload>(c: &mut DbConnection, payload: &P, run_at: Timestamp, now: Timestamp) -> QueryResult<()> {
    diesel::insert_into(jobs::table)
        .values((
            jobs::kind.eq(P::KIND),
            jobs::payload.eq(serialize(payload)?),
            jobs::attempts.eq(0),
            jobs::run_at.eq(run_at.micros()),
            jobs::created_at.eq(now.micros()),
            jobs::priority.eq(P::PRIORITY.rank()),
            jobs::max_attempts.eq(P::MAX_ATTEMPTS),
        ))
        .execute(c)?;
    wake_workers(c)
}

/// Number of jobs in a statement: SQLite accepts 32,766 values.
const JOBS_PER_STATEMENT: usize = 1_000;

/// Inserts jobs that are due at once.
pub fn enqueue_all<P: JobPayload>(c: &mut DbConnection, payloads: &[P], now: Timestamp) -> QueryResult<()> {
    for payloads in payloads.chunks(JOBS_PER_STATEMENT) {
        let mut rows = Vec::with_capacity(payloads.len());
        for payload in payloads {
            rows.push((
                jobs::kind.eq(P::KIND),
                jobs::payload.eq(serialize(payload)?),
                jobs::attempts.eq(0),
                jobs::run_at.eq(now.micros()),
                jobs::created_at.eq(now.micros()),
                jobs::priority.eq(P::PRIORITY.rank()),
                jobs::max_attempts.eq(P::MAX_ATTEMPTS),
            ));
        }
        match c {
            DbConnection::Sqlite(c) => diesel::insert_into(jobs::table).values(rows).execute(c)?,
            DbConnection::Postgres(c) => diesel::insert_into(jobs::table).values(rows).execute(c)?,
        };
    }
    if payloads.is_empty() { Ok(()) } else { wake_workers(c) }
}

fn serialize<P: JobPayload>(payload: &P) -> QueryResult<String> {
    serde_json::to_string(payload).map_err(|error| Error::SerializationError(Box::new(error)))
}

/// Notifies the workers of all servers when the transaction commits. On SQLite, workers of other processes find the job at their
/// next poll.
pub(super) fn wake_workers(c: &mut DbConnection) -> QueryResult<()> {
    match c {
        DbConnection::Sqlite(_) => Ok(()),
        DbConnection::Postgres(c) => sql_query(format!("NOTIFY {CHANNEL}")).execute(c).map(drop),
    }
}

/// Returns whether a job that the worker can run is due.
pub fn is_any_due(c: &mut DbConnection, request: &ClaimRequest) -> QueryResult<bool> {
    let ranks: Vec<i32> = request.priorities.iter().map(|priority| priority.rank()).collect();
    let due = jobs::table
        .filter(jobs::priority.eq_any(ranks))
        .filter(jobs::run_at.le(request.now.micros()))
        .filter(jobs::kind.eq_any(request.kinds.to_vec()));
    diesel::select(diesel::dsl::exists(due)).get_result(c)
}

/// Claims the job that is due first of those with the highest priority.
pub fn claim(c: &mut DbConnection, request: &ClaimRequest) -> QueryResult<Option<QueuedJob>> {
    for priority in request.priorities {
        // A range of the index for each priority: jobs that are not due are not read.
        let due = jobs::table
            .filter(jobs::priority.eq(priority.rank()))
            .filter(jobs::run_at.le(request.now.micros()))
            .filter(jobs::kind.eq_any(request.kinds.to_vec()))
            .order((jobs::run_at, jobs::id))
            .select(jobs::id);
        let id: Option<i64> = match c {
            DbConnection::Sqlite(c) => due.first(c).optional()?,
            // Concurrent workers claim different jobs.
            DbConnection::Postgres(c) => due.for_update().skip_locked().first(c).optional()?,
        };
        if let Some(id) = id {
            return claim_row(c, id, request).optional();
        }
    }
    Ok(None)
}

fn claim_row(c: &mut DbConnection, id: i64, request: &ClaimRequest) -> QueryResult<QueuedJob> {
    diesel::update(jobs::table.find(id))
        .set((
            jobs::state.eq(JobState::Running.as_str()),
            jobs::run_at.eq(request.visible_at.micros()),
            jobs::attempts.eq(jobs::attempts + 1),
            jobs::fencing_token.eq(jobs::fencing_token + 1),
            jobs::started_at.eq(request.now.micros()),
            jobs::worker.eq(&*request.worker),
        ))
        .returning((jobs::id, jobs::kind, jobs::payload, jobs::attempts, jobs::max_attempts, jobs::fencing_token))
        .get_result(c)
}

/// Returns the row of a job, if the claim is still the latest.
fn claimed(job: &QueuedJob) -> ClaimedRow {
    jobs::table.find(job.id).filter(jobs::fencing_token.eq(job.fencing_token))
}
type ClaimedRow = diesel::dsl::Filter<diesel::dsl::Find<jobs::table, i64>, diesel::dsl::Eq<jobs::fencing_token, i32>>;

/// Extends the time during which no other worker can claim the job. Returns `false` if the claim is lost.
pub fn extend_visibility(c: &mut DbConnection, job: &QueuedJob, visible_at: Timestamp) -> QueryResult<bool> {
    diesel::update(claimed(job)).set(jobs::run_at.eq(visible_at.micros())).execute(c).map(|rows| rows > 0)
}

/// Records that a job has succeeded, without its payload, which nothing needs any more. A job that is not `retained` is deleted. Returns
/// `false` if the claim is lost.
pub fn complete(c: &mut DbConnection, job: &QueuedJob, is_retained: bool, now: Timestamp) -> QueryResult<bool> {
    if !is_retained {
        return diesel::delete(claimed(job)).execute(c).map(|rows| rows > 0);
    }
    diesel::update(claimed(job))
        .set((
            jobs::state.eq(JobState::Done.as_str()),
            jobs::payload.eq("{}"),
            jobs::run_at.eq(NEVER),
            jobs::finished_at.eq(now.micros()),
            jobs::last_error.eq(None::<String>),
        ))
        .execute(c)
        .map(|rows| rows > 0)
}

/// Schedules a failed job to run again at `run_at`, unless the claim is lost.
pub fn retry_later(c: &mut DbConnection, job: &QueuedJob, run_at: Timestamp, error: &str) -> QueryResult<()> {
    diesel::update(claimed(job))
        .set((
            jobs::state.eq(JobState::Retrying.as_str()),
            jobs::run_at.eq(run_at.micros()),
            jobs::last_error.eq(truncate(error)),
        ))
        .execute(c)
        .map(drop)
}

/// Records that a job has exhausted its attempts. Returns `false` if the claim is lost.
pub fn mark_dead(c: &mut DbConnection, job: &QueuedJob, error: &str, now: Timestamp) -> QueryResult<bool> {
    let rows = diesel::update(claimed(job))
        .set((
            jobs::state.eq(JobState::Dead.as_str()),
            jobs::run_at.eq(NEVER),
            jobs::finished_at.eq(now.micros()),
            jobs::last_error.eq(truncate(error)),
        ))
        .execute(c)?;
    if rows == 0 {
        return Ok(false);
    }
    discard(c, &job.kind, &job.payload, now)?;
    Ok(true)
}

/// Returns a job to the queue without counting the attempt, unless the claim is lost.
pub fn release(c: &mut DbConnection, job: &QueuedJob, now: Timestamp) -> QueryResult<()> {
    let attempts = job.attempts - 1;
    diesel::update(claimed(job))
        .set((
            jobs::state.eq(JobState::waiting(attempts).as_str()),
            jobs::run_at.eq(now.micros()),
            jobs::attempts.eq(attempts),
        ))
        .execute(c)?;
    wake_workers(c)
}

/// Records the consequences of a job that will not run again.
fn discard(c: &mut DbConnection, kind: &str, payload: &str, now: Timestamp) -> QueryResult<()> {
    JobKind::find(kind).map_or(Ok(()), |kind| (kind.on_discarded)(c, payload, now))
}

pub(super) fn truncate(error: &str) -> String {
    error.chars().take(MAX_ERROR).collect()
}

/// Retention of jobs that will not run again.
#[derive(Clone, Copy, Debug)]
pub struct JobRetention {
    /// Of jobs that have succeeded. Zero: they are deleted at once.
    pub done: Duration,
    /// Of dead letters and cancelled jobs.
    pub dead: Duration,
}

/// Time after which a due job of an unknown kind becomes a dead letter: longer than an upgrade, in which servers of both releases run.
const UNKNOWN_KIND_TIMEOUT: Duration = Duration::from_secs(86_400);
/// Maximum number of jobs that one purge deletes, so that it does not hold the writer for long.
const PURGE_LIMIT: i64 = 10_000;

/// Deletes jobs whose retention has ended, and makes dead letters of jobs that no release knows any more. Returns the number of jobs.
pub fn purge(c: &mut DbConnection, retention: JobRetention, now: Timestamp) -> QueryResult<usize> {
    let ended = |states: &'static [JobState], period: Duration| {
        let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        jobs::table
            .filter(jobs::state.eq_any(states))
            // A job finishes after it was created, so that the index bounds the search.
            .filter(jobs::created_at.le(now.before(period).micros()))
            .filter(jobs::finished_at.le(now.before(period).micros()))
            .order((jobs::created_at, jobs::id))
            .limit(PURGE_LIMIT)
            .select(jobs::id)
    };
    let mut ids: Vec<i64> = ended(&[JobState::Done], retention.done).load(c)?;
    ids.extend(ended(&[JobState::Dead, JobState::Cancelled], retention.dead).load::<i64>(c)?);
    let mut rows = 0;
    for ids in ids.chunks(JOBS_PER_STATEMENT) {
        rows += diesel::delete(jobs::table.filter(jobs::id.eq_any(ids.to_vec()))).execute(c)?;
    }
    Ok(rows + mark_unknown_dead(c, now)?)
}

fn mark_unknown_dead(c: &mut DbConnection, now: Timestamp) -> QueryResult<usize> {
    let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let unknown =
        jobs::table.filter(jobs::run_at.le(now.before(UNKNOWN_KIND_TIMEOUT).micros())).filter(jobs::kind.ne_all(known));
    diesel::update(unknown)
        .set((
            jobs::state.eq(JobState::Dead.as_str()),
            jobs::run_at.eq(NEVER),
            jobs::finished_at.eq(now.micros()),
            jobs::fencing_token.eq(jobs::fencing_token + 1),
            jobs::last_error.eq(UNKNOWN_KIND),
        ))
        .execute(c)
}

/// The error of a job whose kind no server knows.
pub const UNKNOWN_KIND: &str = "no server knows this kind of job";
