-- The index of the unique constraint has the same columns: every creation wrote both.
DROP INDEX bucketlists_user_id_name_id;
