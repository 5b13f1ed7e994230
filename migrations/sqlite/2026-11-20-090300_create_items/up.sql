CREATE TABLE items (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    bucketlist_id BIGINT  NOT NULL REFERENCES bucketlists (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    description   TEXT,
    -- name and description in lower case, searched by `q`
    search_text   TEXT    NOT NULL,
    done          BOOLEAN NOT NULL,
    done_at       BIGINT,
    due_on        DATE,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL
);
-- pages of a list, oldest first
CREATE INDEX items_bucketlist_id_id ON items (bucketlist_id, id);
