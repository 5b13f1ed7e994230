CREATE TABLE bucketlists (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    description TEXT,
    -- name and description in lower case, searched by `q`
    search_text TEXT    NOT NULL,
    -- updated in the transactions of the items, so that a page of lists needs no count
    items_total BIGINT  NOT NULL DEFAULT 0,
    items_done  BIGINT  NOT NULL DEFAULT 0,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    CONSTRAINT bucketlists_user_id_name UNIQUE (user_id, name)
);
-- pages of an owner, oldest first
CREATE INDEX bucketlists_user_id_id ON bucketlists (user_id, id);
