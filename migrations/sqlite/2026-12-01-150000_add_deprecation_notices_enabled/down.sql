UPDATE deprecation_notices SET state = 'failed' WHERE state = 'suppressed';
ALTER TABLE api_clients DROP COLUMN deprecation_notices_enabled;
ALTER TABLE users DROP COLUMN deprecation_notices_enabled;
UPDATE schema_compatibility SET minimum_version = '20261201100100';
