-- Pages that go on after a row: each list, each order, and the id where the order ties.
-- That id is the rowid, which ends every index of SQLite by itself. Spelled out, it is not recognised in a comparison of rows,
-- and all rows that tie before the page are read.
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
-- the new one begins with it
DROP INDEX sessions_user_id;
