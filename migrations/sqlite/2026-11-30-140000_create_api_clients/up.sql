-- Programs that act for an account with a key.
CREATE TABLE api_clients (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    contact_email TEXT    NOT NULL,
    -- words separated by spaces: read, write, admin
    scopes        TEXT    NOT NULL,
    -- requests per minute; NULL: the general rate limit
    rate_limit    INTEGER,
    -- prefix of the newest key
    key_prefix    TEXT    NOT NULL,
    expires_at    BIGINT,
    last_used_at  BIGINT,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL
);
CREATE INDEX api_clients_created_at_id ON api_clients (created_at, id);
CREATE INDEX api_clients_user_id_created_at_id ON api_clients (user_id, created_at, id);

-- The keys of API clients: the newest one, and replaced ones until they expire.
CREATE TABLE api_client_keys (
    -- public part of the key, by which it is found
    prefix        TEXT    PRIMARY KEY NOT NULL,
    api_client_id BIGINT  NOT NULL REFERENCES api_clients (id) ON DELETE CASCADE,
    -- SHA-256 of the key
    digest        BLOB     NOT NULL,
    created_at    BIGINT  NOT NULL,
    -- NULL: until the key is replaced
    expires_at    BIGINT
);
CREATE INDEX api_client_keys_api_client_id ON api_client_keys (api_client_id);
