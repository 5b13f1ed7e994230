-- The devices that an account has logged in from: digests of a program and a network. A login from another device is reported to the
-- owner of the account by mail.
CREATE TABLE known_devices (
    user_id       BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device        BYTEA NOT NULL,
    last_login_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, device)
);
