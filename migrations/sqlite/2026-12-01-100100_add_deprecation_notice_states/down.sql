CREATE TABLE old_deprecation_notices (
    consumer_kind TEXT NOT NULL,
    consumer_id   BIGINT NOT NULL,
    version       TEXT NOT NULL,
    operation     TEXT NOT NULL,
    notice        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (consumer_kind, consumer_id, version, operation, notice)
);
INSERT INTO old_deprecation_notices
    SELECT consumer_kind, consumer_id, version, operation, notice, created_at FROM deprecation_notices WHERE notice <> 'brownout';
DROP TABLE deprecation_notices;
ALTER TABLE old_deprecation_notices RENAME TO deprecation_notices;
UPDATE schema_compatibility SET minimum_version = '20261130130000';
