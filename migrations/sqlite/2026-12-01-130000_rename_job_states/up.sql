-- queued, running, retrying (waits for its next attempt), done, dead (failed for the last time) or cancelled
UPDATE jobs SET state = 'retrying' WHERE state = 'queued' AND attempts > 0;
UPDATE jobs SET state = 'done' WHERE state = 'completed';
-- The metrics count the jobs of each kind and state.
CREATE INDEX jobs_state_kind ON jobs (state, kind);
