-- Exports of all data of a user, built in the background.
CREATE TABLE exports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- format: json, csv or ndjson
    format      TEXT    NOT NULL,
    -- queued, running, finished, failed
    state       TEXT    NOT NULL,
    -- number of attempts; only the latest attempt may continue
    attempts    INTEGER NOT NULL,
    -- number of parts and records, once finished
    parts       INTEGER,
    records     BIGINT,
    created_at  BIGINT  NOT NULL,
    finished_at BIGINT,
    expires_at  BIGINT  NOT NULL
);
CREATE INDEX exports_user_id_id ON exports (user_id, id);
CREATE INDEX exports_expires_at ON exports (expires_at);

-- The records of exports, in parts, each a JSON array.
CREATE TABLE export_parts (
    export_id BIGINT  NOT NULL REFERENCES exports (id) ON DELETE CASCADE,
    -- starts at 0
    number    INTEGER NOT NULL,
    records   TEXT    NOT NULL,
    PRIMARY KEY (export_id, number)
);
