-- Number of requests by period, operation, consumer and status class. Servers add to the rows; a row has no reference to the
-- account or API client that it counts for, because it outlives them.
CREATE TABLE usage_counters (
    -- hour or day
    period        TEXT NOT NULL,
    -- start of the hour or day
    starts_at     BIGINT NOT NULL,
    version       TEXT NOT NULL,
    operation     TEXT NOT NULL,
    -- api_client, user or anonymous
    consumer_kind TEXT NOT NULL,
    -- 0 for anonymous clients
    consumer_id   BIGINT NOT NULL,
    -- empty except for anonymous clients
    user_agent    TEXT NOT NULL,
    -- first digit of the status
    status_class  INTEGER NOT NULL,
    requests      BIGINT NOT NULL,
    bytes_in      BIGINT NOT NULL,
    bytes_out     BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    -- requests by latency, up to 250 us, 500 us, 1 ms, 2.5 ms, 5 ms, 10 ms, 25 ms, 50 ms,
    -- 100 ms, 250 ms, 500 ms, 1 s, 2.5 s, 5 s, 10 s, and above
    latency_0     BIGINT NOT NULL,
    latency_1     BIGINT NOT NULL,
    latency_2     BIGINT NOT NULL,
    latency_3     BIGINT NOT NULL,
    latency_4     BIGINT NOT NULL,
    latency_5     BIGINT NOT NULL,
    latency_6     BIGINT NOT NULL,
    latency_7     BIGINT NOT NULL,
    latency_8     BIGINT NOT NULL,
    latency_9     BIGINT NOT NULL,
    latency_10    BIGINT NOT NULL,
    latency_11    BIGINT NOT NULL,
    latency_12    BIGINT NOT NULL,
    latency_13    BIGINT NOT NULL,
    latency_14    BIGINT NOT NULL,
    latency_15    BIGINT NOT NULL,
    PRIMARY KEY (period, starts_at, version, operation, consumer_kind, consumer_id, user_agent, status_class)
);
