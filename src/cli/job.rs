//! `bucketlist job`: background jobs, without the API.

use std::io::Write;

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand, ValueEnum, builder::PossibleValuesParser};
use diesel::Connection;
use serde_json::{Value, json};

use super::{
    CliError, OutputFormat, api_time,
    migrate::{connect, connect_for_reading, migrate_up},
};
use crate::{
    config::Config,
    db::{
        DbConnection, DbError,
        repositories::{job_schedules, jobs},
    },
    domain::{AuditOrigin, Job, JobFilter, JobId, JobSchedule, JobState, Keyset, SortKey, Timestamp},
    services::{Conflict, Error, Precondition, Resource, cancel_job, delete_job, retry_job, run_schedule},
};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// List jobs, newest first.
    List(List),
    /// Show a job. Private arguments are masked.
    Show {
        /// ID of the job.
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Run a queued, retrying, dead or cancelled job now.
    Retry {
        /// ID of the job.
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
    },
    /// Cancel a queued, retrying or running job.
    Cancel {
        /// ID of the job.
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
    },
    /// Delete a job that is not running.
    Delete {
        /// ID of the job.
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
    },
    /// Run a recurring task now, on the next available server or worker.
    Run {
        /// Name of the task, such as purge.
        name: String,
    },
    /// List recurring tasks with their last and next run.
    Schedules {
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
}

#[derive(Args, Clone, Debug)]
pub(super) struct List {
    /// List only jobs in this state.
    #[arg(long, value_enum)]
    state: Option<StateArgument>,
    /// List only jobs of this kind, such as export.
    #[arg(long, value_parser = PossibleValuesParser::new(jobs::KINDS.iter().map(|kind| kind.name)))]
    kind: Option<String>,
    /// Maximum number of jobs.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Output format.
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

/// A state on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StateArgument {
    /// Waits for its first attempt.
    Queued,
    /// A worker runs it.
    Running,
    /// It has failed, and waits for its next attempt.
    Retrying,
    /// It has succeeded.
    Done,
    /// It has exhausted its attempts.
    Dead,
    /// It was cancelled.
    Cancelled,
}

impl From<StateArgument> for JobState {
    fn from(state: StateArgument) -> Self {
        match state {
            StateArgument::Queued => Self::Queued,
            StateArgument::Running => Self::Running,
            StateArgument::Retrying => Self::Retrying,
            StateArgument::Done => Self::Done,
            StateArgument::Dead => Self::Dead,
            StateArgument::Cancelled => Self::Cancelled,
        }
    }
}

pub(super) fn run(config: &Config, action: &Action, now: Timestamp, out: &mut dyn Write) -> Result<(), CliError> {
    let mut migrator = match action {
        Action::List(_) | Action::Show { .. } | Action::Schedules { .. } => connect_for_reading(config)?,
        Action::Retry { .. } | Action::Cancel { .. } | Action::Delete { .. } | Action::Run { .. } => {
            let mut migrator = connect(config)?;
            migrate_up(config, &mut migrator)?;
            migrator
        }
    };
    let c = migrator.connection();
    let origin = AuditOrigin::default();
    match action {
        Action::List(arguments) => list(c, arguments, out)?,
        Action::Show { id, format } => show(c, JobId::new(*id), *format, out)?,
        Action::Retry { id } => {
            let id = JobId::new(*id);
            c.transaction(|c| retry_job(c, id, &origin, now)).map_err(|error| job_error(error, id))?;
            writeln!(out, "Job {id} will run now.")?;
        }
        Action::Cancel { id } => {
            let id = JobId::new(*id);
            c.transaction(|c| cancel_job(c, id, &origin, now)).map_err(|error| job_error(error, id))?;
            writeln!(out, "Cancelled job {id}.")?;
        }
        Action::Delete { id } => {
            let id = JobId::new(*id);
            c.transaction(|c| delete_job(c, id, &Precondition::None, &origin, now))
                .map_err(|error| job_error(error, id))?;
            writeln!(out, "Deleted job {id}.")?;
        }
        Action::Run { name } => {
            c.transaction(|c| run_schedule(c, name, &origin, now)).map_err(|error| schedule_error(error, name))?;
            writeln!(out, "Task {name} will run now.")?;
        }
        Action::Schedules { format } => schedules(c, *format, out)?,
    }
    Ok(())
}

fn job_error(error: Error, id: JobId) -> CliError {
    match error {
        Error::NotFound(Resource::Job) => unknown(id),
        Error::Conflict(Conflict::JobState(state)) => CliError::with_help(
            format!("job {id} is {state}"),
            "queued, retrying, dead and cancelled jobs can be retried; queued, retrying and running ones can be cancelled; running ones cannot be deleted",
        ),
        error => CliError::Message(error.to_string()),
    }
}

fn schedule_error(error: Error, name: &str) -> CliError {
    match error {
        Error::NotFound(Resource::JobSchedule) => CliError::with_help(
            format!("task {name} does not exist, or it is not enabled"),
            "run `bucketlist job schedules`",
        ),
        Error::Conflict(Conflict::JobScheduleRunning) => {
            CliError::with_help(format!("task {name} is running"), "run `bucketlist job schedules` to see when it ends")
        }
        error => CliError::Message(error.to_string()),
    }
}

fn unknown(id: JobId) -> CliError {
    CliError::with_help(format!("job {id} does not exist"), "run `bucketlist job list`")
}

fn query_error(error: diesel::result::Error) -> CliError {
    CliError::Message(DbError::from(error).to_string())
}

fn list(c: &mut DbConnection, arguments: &List, out: &mut dyn Write) -> Result<(), CliError> {
    let filter = JobFilter { state: arguments.state.map(JobState::from), kind: arguments.kind.clone() };
    let keyset = Keyset { sort: SortKey::CreatedAt, descending: true, after: None, limit: arguments.limit };
    let found = jobs::list_after(c, &filter, &keyset).map_err(query_error)?;
    if arguments.format == OutputFormat::Json {
        return print_json(&found.iter().map(job_json).collect::<Vec<_>>().into(), out);
    }
    if found.is_empty() {
        writeln!(out, "No jobs.")?;
        return Ok(());
    }
    writeln!(out, "{:>8}  {:<24}  {:<9}  {:<8}  {:<20}  LAST ERROR", "ID", "KIND", "STATE", "ATTEMPTS", "CREATED")?;
    for job in &found {
        writeln!(
            out,
            "{:>8}  {:<24}  {:<9}  {:<8}  {:<20}  {}",
            job.id.get(),
            job.kind,
            job.state.as_str(),
            format!("{}/{}", job.attempts, job.max_attempts),
            rfc3339(job.created_at),
            job.last_error.as_deref().unwrap_or("-"),
        )?;
    }
    Ok(())
}

fn show(c: &mut DbConnection, id: JobId, format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    let job = jobs::find(c, id).map_err(query_error)?.ok_or_else(|| unknown(id))?;
    let value = job_json(&job);
    if format == OutputFormat::Json {
        return print_json(&value, out);
    }
    print_fields(&value, out)
}

fn schedules(c: &mut DbConnection, format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    let found = job_schedules::list(c).map_err(query_error)?;
    if format == OutputFormat::Json {
        return print_json(&found.iter().map(schedule_json).collect::<Vec<_>>().into(), out);
    }
    if found.is_empty() {
        writeln!(out, "No schedules. A server or a worker creates them when it starts.")?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<20}  {:>10}  {:<20}  {:<10}  {:<20}  ERROR",
        "NAME", "SECONDS", "LAST RUN", "RESULT", "NEXT RUN"
    )?;
    for schedule in &found {
        writeln!(
            out,
            "{:<20}  {:>10}  {:<20}  {:<10}  {:<20}  {}",
            schedule.name,
            schedule.interval.as_secs(),
            schedule.last_started_at.map_or_else(|| "never".to_owned(), rfc3339),
            result_text(schedule),
            rfc3339(schedule.next_run_at),
            schedule.last_error.as_deref().unwrap_or("-"),
        )?;
    }
    Ok(())
}

fn result_text(schedule: &JobSchedule) -> &'static str {
    match (schedule.last_started_at, schedule.last_finished_at, schedule.last_result) {
        (None, ..) => "-",
        (Some(_), None, _) => "running",
        (Some(_), Some(_), result) => result.map_or("-", |result| result.as_str()),
    }
}

/// Returns a job with the names and formats of the API.
fn job_json(job: &Job) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "priority": job.priority,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "payload": job.payload,
        "last_error": job.last_error,
        "run_at": job.run_at.map(api_time),
        "created_at": api_time(job.created_at),
        "started_at": job.started_at.map(api_time),
        "finished_at": job.finished_at.map(api_time),
        "worker": job.worker,
    })
}

fn schedule_json(schedule: &JobSchedule) -> Value {
    json!({
        "name": schedule.name,
        "interval_seconds": schedule.interval.as_secs(),
        "next_run_at": api_time(schedule.next_run_at),
        "last_started_at": schedule.last_started_at.map(api_time),
        "last_finished_at": schedule.last_finished_at.map(api_time),
        "last_result": schedule.last_result,
        "last_error": schedule.last_error,
        "last_count": schedule.last_count,
        "worker": schedule.worker,
    })
}

fn print_json(value: &Value, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "{value}")?;
    Ok(())
}

/// Prints the fields of an object, one per line.
fn print_fields(value: &Value, out: &mut dyn Write) -> Result<(), CliError> {
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Object(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                    .collect();
                if fields.is_empty() { "-".to_owned() } else { fields.join(" ") }
            }
            other => other.to_string(),
        };
        writeln!(out, "{name:<14}{text}")?;
    }
    Ok(())
}

/// Formats a timestamp as RFC 3339 with seconds.
fn rfc3339(time: Timestamp) -> String {
    let time = DateTime::from_timestamp_micros(time.micros()).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
