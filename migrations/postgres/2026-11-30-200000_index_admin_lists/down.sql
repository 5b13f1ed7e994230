DROP INDEX exports_created_at_id;
DROP INDEX incident_groups_updated_at_id;
DROP INDEX incidents_group_id_user_id;
