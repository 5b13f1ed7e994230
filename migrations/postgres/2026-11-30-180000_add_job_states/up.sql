-- queued, running, completed, dead (failed for the last time) or cancelled. A job that will not run again has the largest run_at, so
-- that the indexes of due jobs exclude it.
ALTER TABLE jobs ADD COLUMN state TEXT NOT NULL DEFAULT 'queued';
-- 1 (high) to 3 (low); due jobs of a smaller number run first
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 2;
ALTER TABLE jobs ADD COLUMN max_attempts INTEGER NOT NULL DEFAULT 10;
ALTER TABLE jobs ADD COLUMN started_at BIGINT;
ALTER TABLE jobs ADD COLUMN finished_at BIGINT;
ALTER TABLE jobs ADD COLUMN worker TEXT;
UPDATE jobs SET priority = CASE kind WHEN 'export' THEN 3 ELSE 1 END;
CREATE INDEX jobs_priority_run_at_id ON jobs (priority, run_at, id);
CREATE INDEX jobs_created_at_id ON jobs (created_at, id);
CREATE INDEX jobs_state_created_at_id ON jobs (state, created_at, id);
