//! The outbox: what is to be done after a commit.

use diesel::prelude::*;

use crate::db::{DbConnection, schema::jobs};

/// The job that mails a reset token; its payload is the email address in lower case.
pub const PASSWORD_RESET_MAIL: &str = "password_reset_mail";

/// The job that makes an export; its payload is the id.
pub const EXPORT: &str = "export";

/// A job that is due.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct QueuedJob {
    pub id: i64,
    pub kind: String,
    pub payload: String,
    pub attempts: i32,
}

/// Puts a job in, to be done at `run_at`.
pub fn insert(c: &mut DbConnection, kind: &str, payload: &str, run_at: i64, now: i64) -> QueryResult<()> {
    diesel::insert_into(jobs::table)
        .values((
            jobs::kind.eq(kind),
            jobs::payload.eq(payload),
            jobs::attempts.eq(0),
            jobs::run_at.eq(run_at),
            jobs::created_at.eq(now),
        ))
        .execute(c)
        .map(drop)
}

/// Whether there is anything of this kind to do.
pub fn is_any_due(c: &mut DbConnection, kind: &str, now: i64) -> QueryResult<bool> {
    let due = jobs::table.filter(jobs::kind.eq(kind)).filter(jobs::run_at.le(now));
    diesel::select(diesel::dsl::exists(due)).get_result(c)
}

/// Takes the oldest job of a kind that is due and hides it until `hidden_until`: if this worker dies, another finds it then.
pub fn claim(c: &mut DbConnection, kind: &str, now: i64, hidden_until: i64) -> QueryResult<Option<QueuedJob>> {
    let due = jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::run_at.le(now))
        .order((jobs::run_at, jobs::id))
        .select(jobs::id);
    let id: Option<i64> = match c {
        DbConnection::Sqlite(c) => due.first(c).optional()?,
        // Workers of several machines take different jobs.
        DbConnection::Postgres(c) => due.for_update().skip_locked().first(c).optional()?,
    };
    let Some(id) = id else { return Ok(None) };
    diesel::update(jobs::table.find(id))
        .set((jobs::run_at.eq(hidden_until), jobs::attempts.eq(jobs::attempts + 1)))
        .returning((jobs::id, jobs::kind, jobs::payload, jobs::attempts))
        .get_result(c)
        .optional()
}

/// A job while whoever claimed it still has it: somebody else who claims it has another attempt.
fn held(job: &QueuedJob) -> Held {
    jobs::table.find(job.id).filter(jobs::attempts.eq(job.attempts))
}
type Held = diesel::dsl::Filter<diesel::dsl::Find<jobs::table, i64>, diesel::dsl::Eq<jobs::attempts, i32>>;

/// Hides a job for longer: whoever has it is still at it. False when somebody else has it by now.
pub fn extend_visibility(c: &mut DbConnection, job: &QueuedJob, hidden_until: i64) -> QueryResult<bool> {
    diesel::update(held(job)).set(jobs::run_at.eq(hidden_until)).execute(c).map(|rows| rows > 0)
}

/// Deletes a job that is done, or given up. False when somebody else has it by now.
pub fn delete(c: &mut DbConnection, job: &QueuedJob) -> QueryResult<bool> {
    diesel::delete(held(job)).execute(c).map(|rows| rows > 0)
}

/// Leaves a job for later, unless somebody else has it by now.
pub fn retry_later(c: &mut DbConnection, job: &QueuedJob, run_at: i64, error: &str) -> QueryResult<()> {
    diesel::update(held(job)).set((jobs::run_at.eq(run_at), jobs::last_error.eq(error))).execute(c).map(drop)
}

/// Gives a job back untouched, unless somebody else has it by now: the next one may have it at once.
pub fn release(c: &mut DbConnection, job: &QueuedJob, now: i64) -> QueryResult<()> {
    diesel::update(held(job)).set((jobs::run_at.eq(now), jobs::attempts.eq(job.attempts - 1))).execute(c).map(drop)
}
