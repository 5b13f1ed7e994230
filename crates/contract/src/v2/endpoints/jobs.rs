//! Background jobs, for administrators.

use super::*;
use crate::v2::schemas::{ExportState, Job, JobPage, JobSchedule, JobSchedulePage, UserExportPage};

/// Background jobs, for administrators.
#[endpoints(JobRoutes, prefix_path = "/admin", tag = "Tag::Jobs", operation = "Operation")]
pub trait JobEndpoints: Send + Sync + 'static {
    /// List jobs
    ///
    /// Returns background jobs, such as emails and exports, newest first. As CSV (without `payload`) or NDJSON, streams all of them
    /// unless `per_page` is set. For administrators only.
    ///
    /// A failed job is retried with an increasing delay. After its last attempt, it becomes a dead letter with the state `dead`. By
    /// default, jobs with the state `done` are retained for one day, dead letters and cancelled jobs for 30 days.
    #[oai(path = "/jobs", method = "get", operation_id = "listJobs")]
    #[operation(returns("A page of jobs; as CSV or NDJSON, one row per job."))]
    async fn list(
        &self,
        caller: Admin,
        format: Format,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        /// Returns only jobs in this state.
        state: Query<Option<JobState>>,
        /// Returns only jobs of this kind.
        kind: Query<Option<Token>>,
        #[oai(explode = false, default, validator(max_items = 10))] include: Query<Vec<Include>>,
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<JobPage>>;

    /// Retrieve a job
    ///
    /// Returns one job with the error of its latest attempt. Email addresses and other private arguments are masked. For
    /// administrators only.
    #[oai(path = "/jobs/:job_id", method = "get", operation_id = "getJob")]
    #[operation(returns("The requested job."), errors(&[ErrorCode::JobNotFound]))]
    async fn get(&self, caller: Admin, job_id: Path<Id>, if_none_match: IfNoneMatch) -> Result<Retrieved<Job>>;

    /// Retry a job
    ///
    /// Runs a job as soon as a worker is available. A dead or cancelled job starts again with its full number of attempts. A queued
    /// or retrying job becomes due immediately. A job that is running or done cannot be retried. For administrators only.
    #[oai(path = "/jobs/:job_id/retry", method = "post", operation_id = "retryJob")]
    #[operation(returns("The job with its new `run_at`."), errors(&[ErrorCode::JobNotFound, ErrorCode::JobStateConflict]))]
    async fn retry(&self, caller: Admin, client: ClientInfo, job_id: Path<Id>) -> Result<Json<Job>>;

    /// Cancel a job
    ///
    /// Cancels a queued, retrying or running job. A running job stops within 10 seconds; its effects until then remain. Other jobs cannot be
    /// cancelled. For administrators only.
    #[oai(path = "/jobs/:job_id/cancel", method = "post", operation_id = "cancelJob")]
    #[operation(returns("The cancelled job."), errors(&[ErrorCode::JobNotFound, ErrorCode::JobStateConflict]))]
    async fn cancel(&self, caller: Admin, client: ClientInfo, job_id: Path<Id>) -> Result<Json<Job>>;

    /// Delete a job
    ///
    /// Permanently deletes a job. A queued or retrying job will not run. A running job cannot be deleted: cancel it first. For administrators
    /// only.
    #[oai(path = "/jobs/:job_id", method = "delete", operation_id = "deleteJob")]
    #[operation(returns("The job was deleted."), errors(&[ErrorCode::JobNotFound, ErrorCode::JobStateConflict]))]
    async fn delete(&self, caller: Admin, client: ClientInfo, job_id: Path<Id>, if_match: IfMatch)
    -> Result<NoContent>;

    /// List recurring tasks
    ///
    /// Returns the recurring tasks, sorted by name, with their last and next run. Each task runs on one server at a time. For
    /// administrators only.
    #[oai(path = "/schedules", method = "get", operation_id = "listJobSchedules")]
    #[operation(returns("A page of recurring tasks."))]
    async fn schedules(
        &self,
        caller: Admin,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<JobSchedulePage>>;

    /// Run a recurring task
    ///
    /// Queues an immediate run of a recurring task. The next available server or worker starts it within seconds. The interval
    /// restarts with this run. `last_finished_at` and `last_result` contain its result. For administrators only.
    #[oai(path = "/schedules/:schedule_name/run", method = "post", operation_id = "runJobSchedule")]
    #[operation(returns("The recurring task with its new `next_run_at`."))]
    #[operation(errors(&[ErrorCode::JobScheduleNotFound, ErrorCode::JobScheduleRunning]))]
    async fn run_schedule(
        &self,
        caller: Admin,
        client: ClientInfo,
        schedule_name: Path<Token>,
    ) -> Result<Json<JobSchedule>>;

    /// List exports
    ///
    /// Returns the exports of all users, newest first. To cancel an export, cancel its job (`_links.cancel`); the export then has
    /// the state `failed`. Only the owner can download the file. For administrators only.
    #[oai(path = "/exports", method = "get", operation_id = "listExports")]
    #[operation(returns("A page of exports."))]
    async fn exports(
        &self,
        caller: Admin,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        /// Returns only exports in this state.
        state: Query<Option<ExportState>>,
        /// Returns only exports of the user with this ID.
        user_id: Query<Option<Id>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<UserExportPage>>;
}
