-- Servers that use the database, with the settings that all servers must share (secrets as digests). A server that has not renewed its row for 30 seconds has stopped.
CREATE TABLE running_servers (
    id         TEXT   PRIMARY KEY NOT NULL,
    -- host name and port, or the host name if the port is not known
    address    TEXT   NOT NULL,
    -- ID of the process on its host
    process    BIGINT NOT NULL,
    -- a JSON object; secrets are digests
    settings   TEXT   NOT NULL,
    -- by the clock of the database
    renewed_at BIGINT NOT NULL
);
