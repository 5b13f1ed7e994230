-- Until when servers must not cache what they read about accounts. A server that cannot tell the others about changes sets it. At most one row.
CREATE TABLE cache_suspensions (
    id      BIGINT  PRIMARY KEY NOT NULL CHECK (id = 1),
    ends_at BIGINT  NOT NULL
);
