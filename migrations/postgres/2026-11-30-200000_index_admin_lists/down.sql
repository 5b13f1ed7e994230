DROP INDEX exports_created_at_id;
DROP INDEX incident_groups_updated_at_id;
CREATE INDEX incidents_group_id_created_at ON incidents (group_id, created_at);
DROP INDEX incidents_group_id_created_at_user_id;
