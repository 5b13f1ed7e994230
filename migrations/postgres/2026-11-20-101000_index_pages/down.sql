CREATE INDEX sessions_user_id ON sessions (user_id);
DROP INDEX sessions_user_id_created_at_id;

DROP INDEX items_bucketlist_id_name_id;
DROP INDEX items_bucketlist_id_updated_at_id;
DROP INDEX items_bucketlist_id_created_at_id;

DROP INDEX bucketlists_user_id_name_id;
DROP INDEX bucketlists_user_id_updated_at_id;
DROP INDEX bucketlists_user_id_created_at_id;

DROP INDEX users_name_id;
DROP INDEX users_updated_at_id;
DROP INDEX users_created_at_id;

ALTER TABLE items ALTER COLUMN name TYPE TEXT COLLATE "default";
ALTER TABLE bucketlists ALTER COLUMN name TYPE TEXT COLLATE "default";
ALTER TABLE users ALTER COLUMN name TYPE TEXT COLLATE "default";
