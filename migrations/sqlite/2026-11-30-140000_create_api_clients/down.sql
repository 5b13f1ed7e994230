DROP TABLE api_client_keys;
DROP TABLE api_clients;
