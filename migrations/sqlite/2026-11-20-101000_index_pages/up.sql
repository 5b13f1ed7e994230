-- Pages that go on after a row: each list, each order, and the id where the order ties.
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
-- the new one begins with it
DROP INDEX sessions_user_id;
