DELETE FROM idempotency_keys WHERE version <> 1;
UPDATE idempotency_keys SET name = E'\nregister ' || name WHERE scope = 'registration';
ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_pkey,
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, name),
    DROP COLUMN scope,
    DROP COLUMN version;
