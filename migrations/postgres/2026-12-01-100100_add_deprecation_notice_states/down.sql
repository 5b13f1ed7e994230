DELETE FROM deprecation_notices WHERE notice = 'brownout';
ALTER TABLE deprecation_notices DROP CONSTRAINT deprecation_notices_pkey;
ALTER TABLE deprecation_notices
    ADD CONSTRAINT deprecation_notices_pkey PRIMARY KEY (consumer_kind, consumer_id, version, operation, notice);
ALTER TABLE deprecation_notices DROP COLUMN state;
ALTER TABLE deprecation_notices DROP COLUMN brownout_at;
UPDATE schema_compatibility SET minimum_version = '20261130130000';
