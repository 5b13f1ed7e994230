//! The sample job and the sample schedule, which the examples of the contract show.

use std::time::Duration;

use contract::v2::schemas::{
    EXAMPLE_EXPIRY, EXAMPLE_JOB_ATTEMPTS, EXAMPLE_JOB_ERROR, EXAMPLE_JOB_KIND, EXAMPLE_JOB_USER, EXAMPLE_WORKER,
};
use diesel::prelude::*;
use serde_json::json;

use crate::{
    db::{DbConnection, repositories::job_schedules, schema::jobs},
    domain::{JobState, Timestamp},
};

/// Interval of the purge.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);

/// A priority that is displayed as high, but that no worker claims: the samples retry and cancel this job again and again.
const UNCLAIMED_PRIORITY: i32 = 0;

/// Inserts a job that waits for its next attempt, and the schedule of the purge, which is due at `now`.
pub(super) fn insert(c: &mut DbConnection, at: Timestamp, now: Timestamp) -> QueryResult<()> {
    diesel::insert_into(jobs::table)
        .values((
            jobs::kind.eq(EXAMPLE_JOB_KIND),
            jobs::state.eq(JobState::Retrying.as_str()),
            jobs::priority.eq(UNCLAIMED_PRIORITY),
            jobs::payload.eq(json!({"user_id": EXAMPLE_JOB_USER}).to_string()),
            jobs::attempts.eq(EXAMPLE_JOB_ATTEMPTS),
            jobs::last_error.eq(EXAMPLE_JOB_ERROR),
            jobs::run_at.eq(EXAMPLE_EXPIRY),
            jobs::created_at.eq(at.micros()),
            jobs::started_at.eq(at.micros()),
            jobs::worker.eq(EXAMPLE_WORKER),
        ))
        .execute(c)?;
    job_schedules::register(c, "purge", PURGE_INTERVAL, now)
}
