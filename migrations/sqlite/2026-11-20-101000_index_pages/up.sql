-- Keyset pagination: each list, each order, and the id for equal values.
-- The id is the rowid, which ends every index of SQLite. If an index names it, a comparison of rows does not use it,
-- and all equal rows before the page are read.
CREATE INDEX users_created_at_id ON users (created_at);
CREATE INDEX users_updated_at_id ON users (updated_at);
CREATE INDEX users_name_id ON users (name);

CREATE INDEX bucketlists_user_id_created_at_id ON bucketlists (user_id, created_at);
CREATE INDEX bucketlists_user_id_updated_at_id ON bucketlists (user_id, updated_at);
CREATE INDEX bucketlists_user_id_name_id ON bucketlists (user_id, name);

CREATE INDEX items_bucketlist_id_created_at_id ON items (bucketlist_id, created_at);
CREATE INDEX items_bucketlist_id_updated_at_id ON items (bucketlist_id, updated_at);
CREATE INDEX items_bucketlist_id_name_id ON items (bucketlist_id, name);

CREATE INDEX sessions_user_id_created_at_id ON sessions (user_id, created_at);
-- replaced by the new index, which starts with it
DROP INDEX sessions_user_id;
