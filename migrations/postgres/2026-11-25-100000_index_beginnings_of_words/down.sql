-- SQLite only: the index of PostgreSQL supports word prefixes.
SELECT 1;
