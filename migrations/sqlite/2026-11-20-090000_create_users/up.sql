-- Instants are microseconds since 1970 in UTC: exact to the contract's six digits, and the same on both engines.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT    NOT NULL,
    -- the address in lower case: what makes it unique
    email_key     TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    -- address and name in lower case: what `q` searches
    search_text   TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('user', 'admin')),
    disabled      BOOLEAN NOT NULL,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL
);
