-- Incremented by each claim of a job and never decremented, so that a worker that has lost its claim changes nothing.
ALTER TABLE jobs ADD COLUMN fencing_token INTEGER NOT NULL DEFAULT 0;
-- Payloads become JSON objects.
UPDATE jobs SET payload = json_object('export_id', CAST(payload AS INTEGER)) WHERE kind = 'export';
UPDATE jobs SET payload = json_object('email_key', payload) WHERE kind = 'password_reset_mail';
