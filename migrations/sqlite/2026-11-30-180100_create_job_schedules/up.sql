-- Recurring tasks. One server at a time runs a task: the one that holds the lease.
CREATE TABLE job_schedules (
    name             TEXT    PRIMARY KEY NOT NULL,
    -- microseconds between two runs
    interval_micros  BIGINT  NOT NULL,
    next_run_at      BIGINT  NOT NULL,
    last_started_at  BIGINT,
    -- NULL while the task runs
    last_finished_at BIGINT,
    -- succeeded or failed
    last_result      TEXT,
    last_error       TEXT,
    -- number of rows, files or mails
    last_count       BIGINT,
    worker           TEXT,
    -- NULL if no server runs the task
    lease_expires_at BIGINT,
    -- incremented by each run, so that a server that has lost its lease changes nothing
    fencing_token    INTEGER NOT NULL DEFAULT 0
);
