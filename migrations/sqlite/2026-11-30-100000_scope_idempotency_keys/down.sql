ALTER TABLE idempotency_keys RENAME TO scoped_idempotency_keys;
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
INSERT INTO idempotency_keys (user_id, name, fingerprint, result, expires_at)
SELECT user_id, CASE WHEN scope = 'registration' THEN char(10) || 'register ' || name ELSE name END, fingerprint, result, expires_at
FROM scoped_idempotency_keys
WHERE version = 1;
DROP TABLE scoped_idempotency_keys;
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
