-- The outbox: jobs inserted in the transaction of a change and executed at least once by a worker.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    -- when the job is due; moved forward while a worker runs it, and after a failure
    run_at     BIGINT  NOT NULL,
    last_error TEXT,
    created_at BIGINT  NOT NULL
);
CREATE INDEX jobs_run_at ON jobs (run_at);
