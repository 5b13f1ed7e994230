ALTER TABLE api_clients DROP COLUMN previous_valid_until;
ALTER TABLE api_client_keys DROP COLUMN last_used_at;
