//! The schedules of recurring tasks. The server that holds the lease of a task runs it.

use std::time::Duration;

use super::prelude::*;
use crate::{
    db::{DbConnection, schema::job_schedules},
    domain::{JobSchedule, ScheduleResult, Timestamp},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = job_schedules)]
struct ScheduleRow {
    name: String,
    interval_micros: i64,
    next_run_at: i64,
    last_started_at: Option<i64>,
    last_finished_at: Option<i64>,
    last_result: Option<String>,
    last_error: Option<String>,
    last_count: Option<i64>,
    worker: Option<String>,
    lease_expires_at: Option<i64>,
}

impl From<ScheduleRow> for JobSchedule {
    fn from(row: ScheduleRow) -> Self {
        Self {
            name: row.name,
            interval: Duration::from_micros(u64::try_from(row.interval_micros).unwrap_or_default()),
            next_run_at: Timestamp::from_micros(row.next_run_at),
            last_started_at: row.last_started_at.map(Timestamp::from_micros),
            last_finished_at: row.last_finished_at.map(Timestamp::from_micros),
            last_result: row.last_result.and_then(|result| result.parse().ok()),
            last_error: row.last_error,
            last_count: row.last_count,
            worker: row.worker,
            lease_expires_at: row.lease_expires_at.map(Timestamp::from_micros),
        }
    }
}

/// A run of a recurring task that this server has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRun {
    pub name: &'static str,
    pub started_at: Timestamp,
    pub fencing_token: i32,
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    pub result: ScheduleResult,
    pub error: Option<String>,
    /// Number of rows, files or mails.
    pub count: Option<i64>,
}

/// Lists all schedules by name.
pub fn list(c: &mut DbConnection) -> QueryResult<Vec<JobSchedule>> {
    let rows: Vec<ScheduleRow> =
        job_schedules::table.order(job_schedules::name).select(ScheduleRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(JobSchedule::from).collect())
}

/// Finds the schedule of a task, and locks its row until the transaction ends.
pub fn find_for_update(c: &mut DbConnection, name: &str) -> QueryResult<Option<JobSchedule>> {
    let schedule = job_schedules::table.find(name);
    let row: Option<ScheduleRow> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => schedule.select(ScheduleRow::as_select()).first(c).optional()?,
        DbConnection::Postgres(c) => schedule.select(ScheduleRow::as_select()).for_update().first(c).optional()?,
    };
    Ok(row.map(JobSchedule::from))
}

/// Makes a task due at `now`, and wakes the schedulers. A task that is due already remains due since then.
pub fn make_due(c: &mut DbConnection, name: &str, now: Timestamp) -> QueryResult<()> {
    diesel::update(job_schedules::table.find(name))
        .filter(job_schedules::next_run_at.gt(now.micros()))
        .set(job_schedules::next_run_at.eq(now.micros()))
        .execute(c)?;
    super::jobs::wake_workers(c)
}

/// Returns whether a task must be started, its interval changed, or its schedule removed because it is disabled. `interval` is `None` for a
/// disabled task.
pub fn needs_write(c: &mut DbConnection, name: &str, interval: Option<Duration>, now: Timestamp) -> QueryResult<bool> {
    let row: Option<(i64, i64, Option<i64>)> = job_schedules::table
        .find(name)
        .select((job_schedules::interval_micros, job_schedules::next_run_at, job_schedules::lease_expires_at))
        .first(c)
        .optional()?;
    Ok(match (row, interval) {
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
        (Some((stored, next_run_at, lease_expires_at)), Some(interval)) => {
            let is_due = next_run_at <= now.micros() && lease_expires_at.is_none_or(|lease| lease <= now.micros());
            stored != micros(interval) || is_due
        }
    })
}

fn micros(interval: Duration) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)
}

/// Inserts a schedule whose first run is due at `now`, or changes the interval of an existing one, which can make its next run due
/// earlier.
pub fn register(c: &mut DbConnection, name: &'static str, interval: Duration, now: Timestamp) -> QueryResult<()> {
    let interval_micros = micros(interval);
    let existing: Option<(i64, Option<i64>, i64)> = job_schedules::table
        .find(name)
        .select((job_schedules::interval_micros, job_schedules::last_started_at, job_schedules::next_run_at))
        .first(c)
        .optional()?;
    match existing {
        Some((stored, ..)) if stored == interval_micros => Ok(()),
        Some((_, last_started_at, next_run_at)) => {
            let next = last_started_at.map_or(next_run_at, |last| last.saturating_add(interval_micros));
            diesel::update(job_schedules::table.find(name))
                .set((job_schedules::interval_micros.eq(interval_micros), job_schedules::next_run_at.eq(next)))
                .execute(c)
                .map(drop)
        }
        None => insert(c, name, interval, now),
    }
}

/// Returns whether all of these tasks have a schedule.
pub fn has_all(c: &mut DbConnection, names: &[&str]) -> QueryResult<bool> {
    let existing: i64 =
        job_schedules::table.filter(job_schedules::name.eq_any(names.to_vec())).count().get_result(c)?;
    Ok(usize::try_from(existing) == Ok(names.len()))
}

/// Inserts a schedule whose first run is due at `now`, unless there is one.
pub fn insert(c: &mut DbConnection, name: &str, interval: Duration, now: Timestamp) -> QueryResult<()> {
    let row = (
        job_schedules::name.eq(name),
        job_schedules::interval_micros.eq(micros(interval)),
        job_schedules::next_run_at.eq(now.micros()),
    );
    match c {
        DbConnection::Sqlite(c) => {
            diesel::insert_into(job_schedules::table).values(row).on_conflict_do_nothing().execute(c).map(drop)
        }
        DbConnection::Postgres(c) => {
            diesel::insert_into(job_schedules::table).values(row).on_conflict_do_nothing().execute(c).map(drop)
        }
    }
}

/// Deletes the schedule of a task that is disabled.
pub fn remove(c: &mut DbConnection, name: &str) -> QueryResult<()> {
    diesel::delete(job_schedules::table.find(name)).execute(c).map(drop)
}

/// Starts a run that is due, unless another server has the lease until after `now`.
pub fn start(
    c: &mut DbConnection,
    name: &'static str,
    worker: &str,
    now: Timestamp,
    lease_expires_at: Timestamp,
) -> QueryResult<Option<ScheduleRun>> {
    let is_free = job_schedules::lease_expires_at.is_null().or(job_schedules::lease_expires_at.le(now.micros()));
    let fencing_token: Option<i32> = diesel::update(job_schedules::table.find(name))
        .filter(job_schedules::next_run_at.le(now.micros()))
        .filter(is_free)
        .set((
            job_schedules::last_started_at.eq(now.micros()),
            job_schedules::last_finished_at.eq(None::<i64>),
            job_schedules::worker.eq(worker),
            job_schedules::lease_expires_at.eq(lease_expires_at.micros()),
            job_schedules::fencing_token.eq(job_schedules::fencing_token + 1),
        ))
        .returning(job_schedules::fencing_token)
        .get_result(c)
        .optional()?;
    Ok(fencing_token.map(|fencing_token| ScheduleRun { name, started_at: now, fencing_token }))
}

/// Extends the lease of a run. Returns `false` if it is lost.
pub fn extend(c: &mut DbConnection, run: &ScheduleRun, lease_expires_at: Timestamp) -> QueryResult<bool> {
    diesel::update(job_schedules::table.find(run.name))
        .filter(job_schedules::fencing_token.eq(run.fencing_token))
        .set(job_schedules::lease_expires_at.eq(lease_expires_at.micros()))
        .execute(c)
        .map(|rows| rows > 0)
}

/// Records the outcome of a run, unless the lease is lost. The next run is due `delay` after this one has started.
pub fn finish(
    c: &mut DbConnection,
    run: &ScheduleRun,
    outcome: &RunOutcome,
    delay: Duration,
    now: Timestamp,
) -> QueryResult<()> {
    let next_run_at = run.started_at + delay;
    diesel::update(job_schedules::table.find(run.name))
        .filter(job_schedules::fencing_token.eq(run.fencing_token))
        .set((
            job_schedules::last_finished_at.eq(now.micros()),
            job_schedules::last_result.eq(outcome.result.as_str()),
            job_schedules::last_error.eq(outcome.error.as_deref().map(super::jobs::truncate)),
            job_schedules::last_count.eq(outcome.count),
            job_schedules::next_run_at.eq(next_run_at.micros()),
            job_schedules::lease_expires_at.eq(None::<i64>),
        ))
        .execute(c)
        .map(drop)
}
