-- Timestamps are microseconds since 1970 in UTC: the precision of the contract, and the same on both engines.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT    NOT NULL,
    -- the address in lower case, which is unique
    email_key     TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    -- address and name in lower case, searched by `q`
    search_text   TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('user', 'admin')),
    disabled      BOOLEAN NOT NULL,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL
);
