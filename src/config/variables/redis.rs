//! The variables of Redis.

use super::variable::{Values, Variable, variable};

pub(super) const REDIS: &[Variable] = &[
    Variable {
        name: "REDIS_URL",
        default: "",
        description: "Redis that several servers of a PostgreSQL database share. If empty, rate limits apply to each server.",
        values: Values::Text(
            "redis://USER:PASSWORD@HOST:PORT/DATABASE, rediss:// for TLS, unix:///PATH, or redis+sentinel://HOST:PORT,HOST:PORT/NAME",
        ),
        example: "rediss://bucketlist:secret@redis.example.com",
        secret: true,
        is_reloaded: false,
    },
    variable(
        "REDIS_PREFIX",
        "",
        "Prefix of all Redis keys; must be the same on all servers. If empty, bucketlist:APP_ENV: and the name of the database.",
        "at most 100 bytes without spaces or control characters",
        "bucketlist:eu",
    ),
    variable(
        "REDIS_TIMEOUT",
        "20ms",
        "Maximum time a request waits for Redis. After that, the server continues without Redis.",
        "a duration of at most 1s",
        "50ms",
    ),
];
