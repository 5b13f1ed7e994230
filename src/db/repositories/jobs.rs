//! The job queue.
//!
//! Each claim of a job increments its fencing token, which never decreases. A worker that has lost its claim, because it
//! was slower than the visibility timeout, therefore changes nothing.

use diesel::{prelude::*, result::Error};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    db::{DbConnection, schema::jobs},
    domain::{ApiVersion, ConsumerKind, ExportId, Timestamp},
};

/// The arguments of a kind of job, stored as JSON.
pub trait JobPayload: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind of job as it is stored.
    const KIND: &'static str;
}

/// Mails a password reset token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordResetMail {
    /// The email address in lower case.
    pub email_key: String,
}

impl JobPayload for PasswordResetMail {
    const KIND: &'static str = "password_reset_mail";
}

/// Writes the file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    pub export_id: ExportId,
}

impl JobPayload for ExportRequest {
    const KIND: &'static str = "export";
}

/// Mails a digest of the deprecated operations that a consumer calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeprecationMail {
    pub consumer_kind: ConsumerKind,
    pub consumer_id: i64,
    pub uses: Vec<DeprecatedUse>,
}

/// A consumer's use of a deprecated operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeprecatedUse {
    pub version: ApiVersion,
    pub operation: String,
    /// Number of recent requests.
    pub requests: i64,
    pub last_seen_at: Timestamp,
}

impl JobPayload for DeprecationMail {
    const KIND: &'static str = "deprecation_mail";
}

/// A job that a worker has claimed.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct QueuedJob {
    pub id: i64,
    pub kind: String,
    pub payload: String,
    /// Number of times that the job was started and not released.
    pub attempts: i32,
    pub fencing_token: i32,
}

/// Inserts a job that is due at `run_at`.
pub fn enqueue<P: JobPayload>(c: &mut DbConnection, payload: &P, run_at: Timestamp, now: Timestamp) -> QueryResult<()> {
    let payload = serde_json::to_string(payload).map_err(|error| Error::SerializationError(Box::new(error)))?;
    diesel::insert_into(jobs::table)
        .values((
            jobs::kind.eq(P::KIND),
            jobs::payload.eq(payload),
            jobs::attempts.eq(0),
            jobs::run_at.eq(run_at.micros()),
            jobs::created_at.eq(now.micros()),
        ))
        .execute(c)
        .map(drop)
}

/// Number of jobs in a statement: SQLite accepts 32,766 values.
const JOBS_PER_STATEMENT: usize = 1_000;

/// Inserts jobs that are due at once.
pub fn enqueue_all<P: JobPayload>(c: &mut DbConnection, payloads: &[P], now: Timestamp) -> QueryResult<()> {
    for payloads in payloads.chunks(JOBS_PER_STATEMENT) {
        let mut rows = Vec::with_capacity(payloads.len());
        for payload in payloads {
            let payload = serde_json::to_string(payload).map_err(|error| Error::SerializationError(Box::new(error)))?;
            rows.push((
                jobs::kind.eq(P::KIND),
                jobs::payload.eq(payload),
                jobs::attempts.eq(0),
                jobs::run_at.eq(now.micros()),
                jobs::created_at.eq(now.micros()),
            ));
        }
        match c {
            DbConnection::Sqlite(c) => diesel::insert_into(jobs::table).values(rows).execute(c)?,
            DbConnection::Postgres(c) => diesel::insert_into(jobs::table).values(rows).execute(c)?,
        };
    }
    Ok(())
}

/// Returns whether a job of a kind is due.
pub fn is_any_due(c: &mut DbConnection, kind: &str, now: Timestamp) -> QueryResult<bool> {
    let due = jobs::table.filter(jobs::kind.eq(kind)).filter(jobs::run_at.le(now.micros()));
    diesel::select(diesel::dsl::exists(due)).get_result(c)
}

/// Claims the oldest job of a kind that is due. Other workers cannot claim it before `visible_at`.
pub fn claim(
    c: &mut DbConnection,
    kind: &str,
    now: Timestamp,
    visible_at: Timestamp,
) -> QueryResult<Option<QueuedJob>> {
    let due = jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::run_at.le(now.micros()))
        .order((jobs::run_at, jobs::id))
        .select(jobs::id);
    let id: Option<i64> = match c {
        DbConnection::Sqlite(c) => due.first(c).optional()?,
        // Concurrent workers claim different jobs.
        DbConnection::Postgres(c) => due.for_update().skip_locked().first(c).optional()?,
    };
    let Some(id) = id else { return Ok(None) };
    diesel::update(jobs::table.find(id))
        .set((
            jobs::run_at.eq(visible_at.micros()),
            jobs::attempts.eq(jobs::attempts + 1),
            jobs::fencing_token.eq(jobs::fencing_token + 1),
        ))
        .returning((jobs::id, jobs::kind, jobs::payload, jobs::attempts, jobs::fencing_token))
        .get_result(c)
        .optional()
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

/// Deletes a job that was completed or has failed for the last time. Returns `false` if the claim is lost.
pub fn delete(c: &mut DbConnection, job: &QueuedJob) -> QueryResult<bool> {
    diesel::delete(claimed(job)).execute(c).map(|rows| rows > 0)
}

/// Schedules a failed job to run again at `run_at`, unless the claim is lost.
pub fn retry_later(c: &mut DbConnection, job: &QueuedJob, run_at: Timestamp, error: &str) -> QueryResult<()> {
    diesel::update(claimed(job))
        .set((jobs::run_at.eq(run_at.micros()), jobs::last_error.eq(error)))
        .execute(c)
        .map(drop)
}

/// Returns a job to the queue without counting the attempt, unless the claim is lost.
pub fn release(c: &mut DbConnection, job: &QueuedJob, now: Timestamp) -> QueryResult<()> {
    diesel::update(claimed(job))
        .set((jobs::run_at.eq(now.micros()), jobs::attempts.eq(job.attempts - 1)))
        .execute(c)
        .map(drop)
}
