-- The index of the unique constraint has the same order, because an account has each name once: every creation wrote both.
DROP INDEX bucketlists_user_id_name_id;
