-- Serves the number of users and the number of incidents per day of a group from the index alone: the records are large.
CREATE INDEX incidents_group_id_created_at_user_id ON incidents (group_id, created_at, user_id);
DROP INDEX incidents_group_id_created_at;
CREATE INDEX incident_groups_updated_at_id ON incident_groups (updated_at, id);
-- For the list of all exports.
CREATE INDEX exports_created_at_id ON exports (created_at, id);
