-- Names sort by code point, as on SQLite, regardless of the locale of the server.
ALTER TABLE users ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE bucketlists ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE items ALTER COLUMN name TYPE TEXT COLLATE "C";

-- Keyset pagination: each list, each order, and the id for equal values.
CREATE INDEX users_created_at_id ON users (created_at, id);
CREATE INDEX users_updated_at_id ON users (updated_at, id);
CREATE INDEX users_name_id ON users (name, id);

CREATE INDEX bucketlists_user_id_created_at_id ON bucketlists (user_id, created_at, id);
CREATE INDEX bucketlists_user_id_updated_at_id ON bucketlists (user_id, updated_at, id);
CREATE INDEX bucketlists_user_id_name_id ON bucketlists (user_id, name, id);

CREATE INDEX items_bucketlist_id_created_at_id ON items (bucketlist_id, created_at, id);
CREATE INDEX items_bucketlist_id_updated_at_id ON items (bucketlist_id, updated_at, id);
CREATE INDEX items_bucketlist_id_name_id ON items (bucketlist_id, name, id);

CREATE INDEX sessions_user_id_created_at_id ON sessions (user_id, created_at, id);
-- replaced by the new index, which starts with it
DROP INDEX sessions_user_id;
