//! Background jobs and recurring tasks, for administrators.

use std::sync::Arc;

use super::{Conflict, Context, Error, Precondition, Resource};
use crate::{
    db::{
        DbConnection,
        repositories::{
            audit, job_schedules,
            jobs::{self, StoredJob},
        },
    },
    domain::{
        AuditAction, AuditOrigin, CursorPage, CursorQuery, Job, JobFilter, JobId, JobSchedule, JobState, NewAuditEvent,
        Timestamp, Versioned,
    },
};

/// Lists and changes background jobs.
#[derive(Clone)]
pub struct Jobs(pub(super) Arc<Context>);

impl Jobs {
    /// Lists jobs by cursor.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(&self, query: CursorQuery<JobFilter>) -> Result<CursorPage<Job>, Error> {
        let is_one_statement = !query.with_total;
        let work = move |c: &mut DbConnection| {
            let rows = jobs::list_after(c, &query.filter, &query.keyset_with_lookahead())?;
            let total = if query.with_total { Some(jobs::count(c, &query.filter)?) } else { None };
            Ok(query.to_page(rows, total))
        };
        if is_one_statement { self.0.db.read(work).await } else { self.0.db.snapshot(work).await }
    }

    /// Retrieves a job.
    ///
    /// # Errors
    /// `NotFound(Job)`.
    pub async fn get(&self, id: JobId) -> Result<Versioned<Job>, Error> {
        let job = self.0.db.read(move |c| jobs::find(c, id).map_err(Error::from)).await?;
        job.map(Versioned::new).ok_or(Error::NotFound(Resource::Job))
    }

    /// Makes a job run now.
    ///
    /// # Errors
    /// `NotFound(Job)`; `Conflict(JobState)` if it is running or done.
    pub async fn retry(&self, id: JobId, origin: AuditOrigin) -> Result<Job, Error> {
        let now = self.0.clock.now();
        let job = self.0.db.write(move |c| retry_job(c, id, &origin, now)).await?;
        self.0.outbox.notify();
        Ok(job)
    }

    /// Cancels a job that is pending.
    ///
    /// # Errors
    /// `NotFound(Job)`; `Conflict(JobState)` if it will not run again.
    pub async fn cancel(&self, id: JobId, origin: AuditOrigin) -> Result<Job, Error> {
        let now = self.0.clock.now();
        self.0.db.write(move |c| cancel_job(c, id, &origin, now)).await
    }

    /// Deletes a job that is not running.
    ///
    /// # Errors
    /// `NotFound(Job)`, `Conflict(PreconditionFailed)`; `Conflict(JobState)` if it is running.
    pub async fn delete(&self, id: JobId, precondition: Precondition, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        self.0.db.write(move |c| delete_job(c, id, &precondition, &origin, now)).await
    }

    /// Lists the schedules of recurring tasks.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_schedules(&self) -> Result<Vec<JobSchedule>, Error> {
        self.0.db.read(|c| job_schedules::list(c).map_err(Error::from)).await
    }

    /// Runs a recurring task as soon as a server can run it.
    ///
    /// # Errors
    /// `NotFound(JobSchedule)`; `Conflict(JobScheduleRunning)`.
    pub async fn run_schedule(&self, name: String, origin: AuditOrigin) -> Result<JobSchedule, Error> {
        let now = self.0.clock.now();
        let schedule = self.0.db.write(move |c| run_schedule(c, &name, &origin, now)).await?;
        self.0.outbox.notify();
        Ok(schedule)
    }
}

/// Makes a job run at `now`, and returns it.
///
/// # Errors
/// `NotFound(Job)`; `Conflict(JobState)` if it is running or done.
pub fn retry_job(c: &mut DbConnection, id: JobId, origin: &AuditOrigin, now: Timestamp) -> Result<Job, Error> {
    let stored = find_for_update(c, id)?;
    require(&stored, JobState::can_retry)?;
    jobs::retry(c, &stored, now)?;
    record(c, AuditAction::JobRetried, &stored, origin, now)?;
    jobs::find(c, id)?.ok_or(Error::NotFound(Resource::Job))
}

/// Cancels a job that is pending, and returns it.
///
/// # Errors
/// `NotFound(Job)`; `Conflict(JobState)` if it will not run again.
pub fn cancel_job(c: &mut DbConnection, id: JobId, origin: &AuditOrigin, now: Timestamp) -> Result<Job, Error> {
    let stored = find_for_update(c, id)?;
    require(&stored, JobState::is_pending)?;
    jobs::cancel(c, &stored, now)?;
    record(c, AuditAction::JobCancelled, &stored, origin, now)?;
    jobs::find(c, id)?.ok_or(Error::NotFound(Resource::Job))
}

/// Deletes a job that is not running.
///
/// # Errors
/// `NotFound(Job)`, `Conflict(PreconditionFailed)`; `Conflict(JobState)` if it is running.
pub fn delete_job(
    c: &mut DbConnection,
    id: JobId,
    precondition: &Precondition,
    origin: &AuditOrigin,
    now: Timestamp,
) -> Result<(), Error> {
    let stored = find_for_update(c, id)?;
    precondition.check(&stored.job)?;
    require(&stored, JobState::can_delete)?;
    jobs::delete(c, &stored, now)?;
    record(c, AuditAction::JobDeleted, &stored, origin, now)
}

/// Makes a recurring task run at `now` on the next server that can run it, and returns its schedule.
///
/// # Errors
/// `NotFound(JobSchedule)`; `Conflict(JobScheduleRunning)`.
pub fn run_schedule(
    c: &mut DbConnection,
    name: &str,
    origin: &AuditOrigin,
    now: Timestamp,
) -> Result<JobSchedule, Error> {
    let schedule = job_schedules::find_for_update(c, name)?.ok_or(Error::NotFound(Resource::JobSchedule))?;
    if schedule.is_running(now) {
        return Err(Error::Conflict(Conflict::JobScheduleRunning));
    }
    job_schedules::make_due(c, name, now)?;
    let event = NewAuditEvent::new(AuditAction::JobScheduleRun).with("name", name);
    audit::append(c, origin, &event, now)?;
    Ok(JobSchedule { next_run_at: schedule.next_run_at.min(now), ..schedule })
}

fn find_for_update(c: &mut DbConnection, id: JobId) -> Result<StoredJob, Error> {
    jobs::find_for_update(c, id)?.ok_or(Error::NotFound(Resource::Job))
}

fn require(stored: &StoredJob, is_allowed: impl Fn(JobState) -> bool) -> Result<(), Error> {
    let state = stored.job.state;
    if is_allowed(state) { Ok(()) } else { Err(Error::Conflict(Conflict::JobState(state))) }
}

fn record(
    c: &mut DbConnection,
    action: AuditAction,
    stored: &StoredJob,
    origin: &AuditOrigin,
    now: Timestamp,
) -> Result<(), Error> {
    let event =
        NewAuditEvent::on_job(action, stored.job.id).with("kind", &stored.job.kind).with("state", stored.job.state);
    Ok(audit::append(c, origin, &event, now)?)
}
