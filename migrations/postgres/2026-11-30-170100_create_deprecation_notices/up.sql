-- Notices about deprecated operations. A row is inserted with the mail job of its notice, so that no notice is mailed twice. Rows
-- have no reference to the consumer: they are retained with the usage counters.
CREATE TABLE deprecation_notices (
    -- api_client or user
    consumer_kind TEXT COLLATE "C" NOT NULL,
    consumer_id   BIGINT NOT NULL,
    version       TEXT COLLATE "C" NOT NULL,
    operation     TEXT COLLATE "C" NOT NULL,
    -- first_use, 90_days, 30_days, 7_days or 1_day
    notice        TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (consumer_kind, consumer_id, version, operation, notice)
);
