-- What was done, by whom and from where. Ids without references, on purpose: an event outlives the account it speaks of, and
-- ids are never given twice.
CREATE TABLE audit_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at  BIGINT  NOT NULL,
    action      TEXT    NOT NULL,
    -- the account that did it; null: nobody who could be told, or the command line
    actor_id    BIGINT,
    -- what it was done to
    target_type TEXT,
    target_id   BIGINT,
    request_id  TEXT,
    address     TEXT,
    -- a JSON object of texts
    detail      TEXT    NOT NULL
);
-- Pages that go on after a row: in time, and by what they are filtered. The rowid ends every index by itself.
CREATE INDEX audit_events_created_at_id ON audit_events (created_at);
CREATE INDEX audit_events_action_created_at_id ON audit_events (action, created_at);
CREATE INDEX audit_events_actor_id_created_at_id ON audit_events (actor_id, created_at);
CREATE INDEX audit_events_target_created_at_id ON audit_events (target_id, target_type, created_at);
