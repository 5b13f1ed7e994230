-- Serves the number of users of a group from the index alone: the records are large.
CREATE INDEX incidents_group_id_user_id ON incidents (group_id, user_id);
CREATE INDEX incident_groups_updated_at_id ON incident_groups (updated_at);
-- For the list of all exports.
CREATE INDEX exports_created_at_id ON exports (created_at);
