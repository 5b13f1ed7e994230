-- Results of requests with an idempotency key, stored in the transaction of the request and replayed for a day.
CREATE TABLE idempotency_keys (
    user_id     BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT   NOT NULL,
    -- SHA-256 of the operation and the request
    fingerprint BLOB   NOT NULL,
    -- the result, as JSON
    result      TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, name)
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
