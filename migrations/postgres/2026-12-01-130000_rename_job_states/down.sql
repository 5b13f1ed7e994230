DROP INDEX jobs_state_kind;
UPDATE jobs SET state = 'queued' WHERE state = 'retrying';
UPDATE jobs SET state = 'completed' WHERE state = 'done';
