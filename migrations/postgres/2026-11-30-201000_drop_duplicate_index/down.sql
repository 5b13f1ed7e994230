-- SQLite only: here, the index ends with the ID, which the unique constraint does not contain.
SELECT 1;
