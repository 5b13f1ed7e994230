-- When the key was last used; a use within a minute of the last one is not recorded.
ALTER TABLE api_client_keys ADD COLUMN last_used_at BIGINT;
-- When the replaced keys cease to be valid; NULL if no key was replaced.
ALTER TABLE api_clients ADD COLUMN previous_valid_until BIGINT;
UPDATE api_clients SET previous_valid_until =
    (SELECT max(expires_at) FROM api_client_keys WHERE api_client_keys.api_client_id = api_clients.id);
