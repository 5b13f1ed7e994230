-- Requests that were rejected with 401, 403 or 429, or that had no valid credentials although the operation requires them. They do
-- not show that a consumer uses an operation.
ALTER TABLE usage_counters ADD COLUMN rejected BIGINT NOT NULL DEFAULT 0;

-- The declared query parameters and body fields that a consumer has sent to an operation on a day, without their values.
CREATE TABLE usage_inputs (
    -- start of the day
    day           BIGINT NOT NULL,
    version       TEXT NOT NULL,
    operation     TEXT NOT NULL,
    -- api_client, user or anonymous
    consumer_kind TEXT NOT NULL,
    -- 0 for anonymous clients
    consumer_id   BIGINT NOT NULL,
    -- empty except for anonymous clients
    user_agent    TEXT NOT NULL,
    -- query.<parameter> or body.<field>
    input         TEXT NOT NULL,
    PRIMARY KEY (day, version, operation, consumer_kind, consumer_id, user_agent, input)
);
