//! The variables of background jobs.

use super::{
    BOOLEAN, DURATION, Variable,
    variable::{integer, variable},
};

pub(super) const JOBS: &[Variable] = &[
    variable(
        "WORKER",
        "true",
        "Whether `serve` runs background jobs. If false, run `bucketlist worker` as a separate process.",
        BOOLEAN,
        "",
    ),
    integer(
        "JOB_WORKERS",
        "2",
        "Number of background jobs that a process runs at the same time. One more worker is reserved for mail.",
        (1, 64),
        "8",
    ),
    variable(
        "JOB_RETENTION",
        "1d",
        "Retention period of jobs that are done, which contain no arguments. 0s deletes them immediately.",
        "a duration, 0 or more",
        "7d",
    ),
    variable(
        "DEAD_LETTER_RETENTION",
        "30d",
        "Retention period of jobs that exhausted their attempts or were cancelled.",
        DURATION,
        "90d",
    ),
];
