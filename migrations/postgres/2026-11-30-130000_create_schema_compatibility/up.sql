-- The oldest schema that a server must know to use this database: the version of its newest migration, as in
-- __diesel_schema_migrations. Servers whose newest migration is older than this version are not ready; all others ignore migrations
-- that they do not know. A migration that an older server cannot work with sets its own version here, and its down.sql the previous one.
CREATE TABLE schema_compatibility (
    minimum_version TEXT NOT NULL PRIMARY KEY
);
INSERT INTO schema_compatibility (minimum_version) VALUES ('20261130130000');
