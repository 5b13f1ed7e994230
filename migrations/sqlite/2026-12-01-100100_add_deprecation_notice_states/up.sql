-- Notices about deprecated operations. A row is inserted with the mail job of its notice, so that no notice is mailed twice. Rows
-- have no reference to the consumer: they are retained with the usage counters.
CREATE TABLE new_deprecation_notices (
    -- api_client or user
    consumer_kind TEXT NOT NULL,
    consumer_id   BIGINT NOT NULL,
    version       TEXT NOT NULL,
    operation     TEXT NOT NULL,
    -- first_use, 90_days, 30_days, 7_days, 1_day or brownout
    notice        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    -- start of the announced brownout; 0 for other notices
    brownout_at   BIGINT NOT NULL DEFAULT 0,
    -- of the mail: queued, sent or failed
    state         TEXT NOT NULL DEFAULT 'sent',
    PRIMARY KEY (consumer_kind, consumer_id, version, operation, notice, brownout_at)
);
INSERT INTO new_deprecation_notices (consumer_kind, consumer_id, version, operation, notice, created_at)
    SELECT consumer_kind, consumer_id, version, operation, notice, created_at FROM deprecation_notices;
DROP TABLE deprecation_notices;
ALTER TABLE new_deprecation_notices RENAME TO deprecation_notices;
-- An older release does not know the notice brownout.
UPDATE schema_compatibility SET minimum_version = '20261201100100';
