-- A counter of the changes to the data of an account, which validates cached responses.
ALTER TABLE users ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
