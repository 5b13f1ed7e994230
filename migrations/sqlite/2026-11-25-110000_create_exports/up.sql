-- Everything that a user has, as one file that is made after the request.
CREATE TABLE exports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- what the file is: json, csv, ndjson
    format      TEXT    NOT NULL,
    -- queued, running, finished, failed
    state       TEXT    NOT NULL,
    -- how often somebody has begun to make it; only who did last may go on
    attempts    INTEGER NOT NULL,
    -- how many parts and records it has, once it is finished
    parts       INTEGER,
    records     BIGINT,
    created_at  BIGINT  NOT NULL,
    finished_at BIGINT,
    expires_at  BIGINT  NOT NULL
);
CREATE INDEX exports_user_id_id ON exports (user_id, id);
CREATE INDEX exports_expires_at ON exports (expires_at);

-- Their records, some in each part, as a JSON array.
CREATE TABLE export_parts (
    export_id BIGINT  NOT NULL REFERENCES exports (id) ON DELETE CASCADE,
    -- from 0
    number    INTEGER NOT NULL,
    records   TEXT    NOT NULL,
    PRIMARY KEY (export_id, number)
);
