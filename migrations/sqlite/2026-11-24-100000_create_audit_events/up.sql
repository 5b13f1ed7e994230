-- Audit events. Ids have no foreign keys, because an event outlives the account it refers to, and
-- ids are never reused.
CREATE TABLE audit_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at  BIGINT  NOT NULL,
    action      TEXT    NOT NULL,
    -- the acting account; null if unknown, or for the command line
    actor_id    BIGINT,
    -- the target
    target_type TEXT,
    target_id   BIGINT,
    request_id  TEXT,
    address     TEXT,
    -- a JSON object with string values
    detail      TEXT    NOT NULL
);
-- Keyset pagination by time, for each filter. Every index of SQLite ends with the rowid.
CREATE INDEX audit_events_created_at_id ON audit_events (created_at);
CREATE INDEX audit_events_action_created_at_id ON audit_events (action, created_at);
CREATE INDEX audit_events_actor_id_created_at_id ON audit_events (actor_id, created_at);
CREATE INDEX audit_events_target_created_at_id ON audit_events (target_id, target_type, created_at);
