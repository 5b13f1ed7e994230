-- Failures with the same operation, status, error code and code location.
CREATE TABLE incident_groups (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT    NOT NULL,
    operation   TEXT,
    status      INTEGER NOT NULL,
    code        TEXT,
    -- code location, without values
    site        TEXT    NOT NULL,
    -- including failures without a stored incident
    occurrences BIGINT  NOT NULL,
    resolved_at BIGINT,
    -- the version it is fixed in, set by an administrator
    fixed_in    TEXT,
    -- first and last occurrence
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);
CREATE UNIQUE INDEX incident_groups_fingerprint_key ON incident_groups (fingerprint);
CREATE INDEX incident_groups_created_at_id ON incident_groups (created_at, id);

-- Failed requests, redacted: no column contains secrets.
CREATE TABLE incidents (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id       BIGINT  NOT NULL REFERENCES incident_groups (id) ON DELETE CASCADE,
    -- the caller; incidents are deleted with the account
    user_id        BIGINT  REFERENCES users (id) ON DELETE CASCADE,
    request_id     TEXT    NOT NULL,
    method         TEXT    NOT NULL,
    contract       TEXT,
    duration       BIGINT  NOT NULL,
    server_version TEXT    NOT NULL,
    -- identifies the key the record is encrypted with; null if it is not encrypted
    key_id         TEXT,
    -- the complete record, as JSON
    record         BLOB    NOT NULL,
    -- when the request was received
    created_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL
);
CREATE INDEX incidents_created_at_id ON incidents (created_at, id);
CREATE INDEX incidents_group_id_created_at ON incidents (group_id, created_at);
CREATE INDEX incidents_expires_at ON incidents (expires_at);
CREATE INDEX incidents_user_id ON incidents (user_id);
CREATE INDEX incidents_request_id ON incidents (request_id);
