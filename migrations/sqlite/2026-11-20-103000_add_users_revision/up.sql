-- Counts the changes of what an account owns, so that a server knows whether what it remembers is still so.
ALTER TABLE users ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
