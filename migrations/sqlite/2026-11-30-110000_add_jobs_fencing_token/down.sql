UPDATE jobs SET payload = json_extract(payload, '$.export_id') WHERE kind = 'export';
UPDATE jobs SET payload = json_extract(payload, '$.email_key') WHERE kind = 'password_reset_mail';
ALTER TABLE jobs DROP COLUMN fencing_token;
