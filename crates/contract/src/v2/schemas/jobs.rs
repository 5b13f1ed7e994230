//! Background jobs and recurring tasks.

use std::collections::BTreeMap;

use poem_openapi::{Enum, Object};
use serde::Serialize;

use super::{EXAMPLE_EXPIRY, Links, example_time, some};
use crate::{
    table::Row,
    v2::parameters::JobState,
    values::{Id, Nullable, Timestamp},
};

/// Priority of a job. Due jobs of a higher priority run first.
///
/// - `high`: Emails.
/// - `normal`: Other jobs.
/// - `low`: Jobs that take long, such as exports.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum JobPriority {
    /// Emails.
    High,
    /// Other jobs.
    Normal,
    /// Jobs that take long, such as exports.
    Low,
}

/// The kind of the job in the seed data.
pub const EXAMPLE_JOB_KIND: &str = "welcome_mail";
/// The error of the job in the seed data.
pub const EXAMPLE_JOB_ERROR: &str = "cannot send mail: connection refused";
/// The account that the job in the seed data sends mail to.
pub const EXAMPLE_JOB_USER: i64 = 2;
/// Number of attempts of the job in the seed data.
pub const EXAMPLE_JOB_ATTEMPTS: i32 = 3;
/// The worker of the job in the seed data.
pub const EXAMPLE_WORKER: &str = "server-1/4711/0f3a5b7c";

/// A background job.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Job {
    /// ID of the job.
    pub id: Id,
    /// Kind of the job, such as `export` or `password_reset_mail`. Newer servers can return additional kinds.
    #[oai(validator(max_length = 64, pattern = "^[a-z_]+$"))]
    pub kind: String,
    /// State of the job.
    pub state: JobState,
    /// Priority of the job.
    pub priority: JobPriority,
    /// Number of attempts so far.
    #[oai(validator(minimum(value = "0")))]
    pub attempts: i32,
    /// Number of attempts after which the job becomes a dead letter.
    #[oai(validator(minimum(value = "1")))]
    pub max_attempts: i32,
    /// Payload as key-value pairs. Private values are masked. Empty if the job is done.
    pub payload: BTreeMap<String, String>,
    /// Error of the latest failed attempt, with masked email addresses; null if none failed, or if the job is done.
    #[oai(validator(max_length = 1100))]
    pub last_error: Nullable<String>,
    /// Time at which the job is due. For a running job, time at which its lease expires and another worker can run it. Null if
    /// the job will not run again.
    pub run_at: Nullable<Timestamp>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time at which the latest attempt started; null before the first attempt.
    pub started_at: Nullable<Timestamp>,
    /// Time at which the job succeeded, exhausted its attempts or was cancelled; otherwise null.
    pub finished_at: Nullable<Timestamp>,
    /// Worker of the latest attempt, in the format `host/process ID/random suffix`; null before the first attempt.
    #[oai(validator(max_length = 300))]
    pub worker: Nullable<String>,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for Job {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "kind",
        "state",
        "priority",
        "attempts",
        "max_attempts",
        "last_error",
        "run_at",
        "created_at",
        "started_at",
        "finished_at",
        "worker",
    ];
}

example! { Job {
    id: Id(1), kind: EXAMPLE_JOB_KIND.to_owned(), state: JobState::Retrying, priority: JobPriority::High,
    attempts: EXAMPLE_JOB_ATTEMPTS, max_attempts: 10,
    payload: [("user_id".to_owned(), EXAMPLE_JOB_USER.to_string())].into(),
    last_error: some(EXAMPLE_JOB_ERROR), run_at: Nullable(Some(Timestamp::from_micros(EXAMPLE_EXPIRY))),
    created_at: example_time(),
    started_at: Nullable(Some(example_time())), finished_at: Nullable(None), worker: some(EXAMPLE_WORKER),
    links: Links::Job { id: 1, can_retry: true, can_cancel: true, can_delete: true },
} }

/// Result of a run of a recurring task:
///
/// - `succeeded`: The run succeeded.
/// - `failed`: The run failed. The task runs again within five minutes.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum JobScheduleResult {
    /// The run succeeded.
    Succeeded,
    /// The run failed. The task runs again within five minutes.
    Failed,
}

/// A recurring task, its interval and its last run.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct JobSchedule {
    /// Name of the task, such as `purge` or `backup`. Newer servers can return additional names.
    #[oai(validator(max_length = 64, pattern = "^[a-z_]+$"))]
    pub name: String,
    /// Seconds between two runs.
    #[oai(validator(minimum(value = "0")))]
    pub interval_seconds: i64,
    /// Time at which the next run is due.
    pub next_run_at: Timestamp,
    /// Time at which the last run started; null if the task has not run yet.
    pub last_started_at: Nullable<Timestamp>,
    /// Time at which the last run ended; null while the task is running.
    pub last_finished_at: Nullable<Timestamp>,
    /// Result of the last run that ended; null if none has ended.
    pub last_result: Nullable<JobScheduleResult>,
    /// Error of the last run that ended; null if it succeeded.
    #[oai(validator(max_length = 1100))]
    pub last_error: Nullable<String>,
    /// Number of rows, files or messages that the last run processed; null if not applicable.
    #[oai(validator(minimum(value = "0")))]
    pub last_count: Nullable<i64>,
    /// Worker of the last run, in the format `host/process ID/random suffix`; null if the task has not run yet.
    #[oai(validator(max_length = 300))]
    pub worker: Nullable<String>,
}

/// An interval after the last run in the example, in microseconds since 1970.
const EXAMPLE_NEXT_RUN: i64 = 1_767_226_200_000_000;

example! { JobSchedule {
    name: "purge".to_owned(), interval_seconds: 600, next_run_at: Timestamp::from_micros(EXAMPLE_NEXT_RUN),
    last_started_at: Nullable(Some(example_time())), last_finished_at: Nullable(Some(example_time())),
    last_result: Nullable(Some(JobScheduleResult::Succeeded)), last_error: Nullable(None),
    last_count: Nullable(Some(12)), worker: some(EXAMPLE_WORKER),
} }
