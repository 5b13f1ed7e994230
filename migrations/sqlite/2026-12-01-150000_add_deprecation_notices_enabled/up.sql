-- Whether the account or the API client is mailed about deprecated operations that it calls. An administrator can disable it.
ALTER TABLE users ADD COLUMN deprecation_notices_enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE api_clients ADD COLUMN deprecation_notices_enabled BOOLEAN NOT NULL DEFAULT TRUE;
-- An older release would mail them, and does not know the state suppressed of a notice.
UPDATE schema_compatibility SET minimum_version = '20261201150000';
