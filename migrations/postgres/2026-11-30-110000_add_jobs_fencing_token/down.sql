UPDATE jobs SET payload = payload::JSON ->> 'export_id' WHERE kind = 'export';
UPDATE jobs SET payload = payload::JSON ->> 'email_key' WHERE kind = 'password_reset_mail';
ALTER TABLE jobs DROP COLUMN fencing_token;
