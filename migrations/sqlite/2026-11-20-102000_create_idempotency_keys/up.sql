-- Creations that were named by their caller, with what came of them: written with the creation, given again for a day.
CREATE TABLE idempotency_keys (
    user_id     BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT   NOT NULL,
    -- SHA-256 of the operation and what it was asked to make
    fingerprint BLOB   NOT NULL,
    -- the rows that were made, as JSON
    result      TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, name)
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
