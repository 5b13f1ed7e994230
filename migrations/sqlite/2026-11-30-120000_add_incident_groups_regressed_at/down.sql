ALTER TABLE incident_groups DROP COLUMN regressed_at;
