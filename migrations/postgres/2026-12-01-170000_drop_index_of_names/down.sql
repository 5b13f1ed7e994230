CREATE INDEX bucketlists_user_id_name_id ON bucketlists (user_id, name, id);
