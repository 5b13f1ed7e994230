-- PostgreSQL only: on SQLite, the index was dropped before.
SELECT 1;
