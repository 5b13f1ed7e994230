-- Idempotency keys get a scope, which was a prefix of the key before, and the stored result a version. SQLite cannot change a
-- primary key, so the table is rebuilt.
ALTER TABLE idempotency_keys RENAME TO unscoped_idempotency_keys;
CREATE TABLE idempotency_keys (
    user_id     BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- the namespace of the key: empty for resources of the user, or `registration`
    scope       TEXT    NOT NULL DEFAULT '',
    -- the idempotency key
    name        TEXT    NOT NULL,
    -- SHA-256 of the canonical form of the request
    fingerprint BLOB    NOT NULL,
    -- the version of the format of the result
    version     INTEGER NOT NULL DEFAULT 1,
    -- the created resources, as JSON
    result      TEXT    NOT NULL,
    expires_at  BIGINT  NOT NULL,
    PRIMARY KEY (user_id, scope, name)
);
INSERT INTO idempotency_keys (user_id, scope, name, fingerprint, result, expires_at)
SELECT user_id,
       CASE WHEN substr(name, 1, 10) = char(10) || 'register ' THEN 'registration' ELSE '' END,
       CASE WHEN substr(name, 1, 10) = char(10) || 'register ' THEN substr(name, 11) ELSE name END,
       fingerprint, result, expires_at
FROM unscoped_idempotency_keys;
DROP TABLE unscoped_idempotency_keys;
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
