-- The outbox: what is to be done after a commit, written with it, done at least once by a worker.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    -- when it is due; pushed forward while a worker has it, and after a failure
    run_at     BIGINT  NOT NULL,
    last_error TEXT,
    created_at BIGINT  NOT NULL
);
CREATE INDEX jobs_run_at ON jobs (run_at);
