-- The time at which a resolved group occurred again; null while it is open or resolved.
ALTER TABLE incident_groups ADD COLUMN regressed_at BIGINT;
-- Until now, only a group that had been resolved and occurred again had a version without being resolved.
UPDATE incident_groups SET regressed_at = updated_at WHERE resolved_at IS NULL AND fixed_in IS NOT NULL;
