//! The sample job and the sample schedule, which the examples of the contract show.

use std::time::Duration;

use contract::v2::schemas::{
    EXAMPLE_JOB_ATTEMPTS, EXAMPLE_JOB_ERROR, EXAMPLE_JOB_KIND, EXAMPLE_JOB_USER, EXAMPLE_WORKER,
};
use diesel::prelude::*;
use serde_json::json;

use crate::{
    db::{DbConnection, repositories::job_schedules, schema::jobs},
    domain::{JobPriority, JobState, Timestamp},
};

/// Time since the job was created, and since its latest attempt.
const AGE: Duration = Duration::from_secs(15 * 60);
const SINCE_ATTEMPT: Duration = Duration::from_secs(10 * 60);
/// Time until the next attempt.
const UNTIL_ATTEMPT: Duration = Duration::from_secs(50 * 60);

/// Interval of the purge.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);

/// Inserts a job that waits for its next attempt, and the schedule of the purge, which is due at `now`. The console recognizes the job by
/// its worker.
pub(super) fn insert(c: &mut DbConnection, now: Timestamp) -> QueryResult<()> {
    diesel::insert_into(jobs::table)
        .values((
            jobs::kind.eq(EXAMPLE_JOB_KIND),
            jobs::state.eq(JobState::Retrying.as_str()),
            jobs::priority.eq(JobPriority::High.rank()),
            jobs::payload.eq(json!({"user_id": EXAMPLE_JOB_USER}).to_string()),
            jobs::attempts.eq(EXAMPLE_JOB_ATTEMPTS),
            jobs::last_error.eq(EXAMPLE_JOB_ERROR),
            jobs::run_at.eq((now + UNTIL_ATTEMPT).micros()),
            jobs::created_at.eq(now.before(AGE).micros()),
            jobs::started_at.eq(now.before(SINCE_ATTEMPT).micros()),
            jobs::worker.eq(EXAMPLE_WORKER),
        ))
        .execute(c)?;
    job_schedules::register(c, "purge", PURGE_INTERVAL, now)
}
