-- Idempotency keys get a scope, which was a prefix of the key before, and the stored result a version.
ALTER TABLE idempotency_keys
    -- the namespace of the key: empty for resources of the user, or `registration`
    ADD COLUMN scope TEXT NOT NULL DEFAULT '',
    -- the version of the format of the result
    ADD COLUMN version INTEGER NOT NULL DEFAULT 1,
    -- without the prefix, a key may be the same as one in the other scope
    DROP CONSTRAINT idempotency_keys_pkey;
UPDATE idempotency_keys SET scope = 'registration', name = substr(name, 11) WHERE substr(name, 1, 10) = E'\nregister ';
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, scope, name);
