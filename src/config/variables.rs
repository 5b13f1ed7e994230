//! The table of environment variables, with defaults, ranges and descriptions for parsing, `.env.example`, `doctor` and reloading.

mod all;
mod example;
mod incidents;
mod jobs;
mod lookup;
mod mail;
mod observability;
mod proxies;
mod redis;
mod replicas;
mod variable;

pub use all::ALL;
pub use example::env_example;
pub use lookup::find;
pub use variable::{Values, Variable};

use variable::{integer, secret, variable};

const BOOLEAN: &str = "true or false";
const DURATION: &str = "a duration greater than 0";
const SECRETS: &str = "at least 32 characters each, separated by commas";
const RATE: (u64, u64) = (1, 1_000_000);

/// The variables of the server.
const SERVER: &[Variable] = &[
    variable(
        "APP_ENV",
        "development",
        "Environment. Staging and production require strong secrets and have no sample data.",
        "development, testing, staging or production",
        "",
    ),
    variable("HOST", "127.0.0.1", "IP address to listen on.", "an IP address; 0.0.0.0 for all", "0.0.0.0"),
    variable("PORT", "8000", "Port to listen on.", "0 to 65535; 0 selects a free port", "8080"),
    variable(
        "PUBLIC_URL",
        "",
        "Base URL that clients use. If empty, http://localhost:PORT, or https:// with TLS_CERT.",
        "a URL, with a path if a proxy serves the API below it",
        "https://example.com/api",
    ),
    variable(
        "TLS_CERT",
        "",
        "Certificate file for HTTPS, in PEM format with the chain, the server's certificate first. If empty, plain HTTP.",
        "a path",
        "/etc/letsencrypt/live/api.example.com/fullchain.pem",
    ).reloaded(),
    variable(
        "TLS_KEY",
        "",
        "Private key file for TLS_CERT, in PEM format.",
        "a path",
        "/etc/letsencrypt/live/api.example.com/privkey.pem",
    ).reloaded(),
    variable(
        "TLS_CHECK_INTERVAL",
        "10s",
        "How often TLS_CERT and TLS_KEY are checked for changes. Changes apply to new connections.",
        DURATION,
        "1m",
    ),
    variable(
        "HTTP_REDIRECT_PORT",
        "",
        "Port for plain HTTP that redirects browsers to PUBLIC_URL. Requires HTTPS. If empty, none.",
        "0 to 65535; 0 selects a free port",
        "8080",
    ),
    integer(
        "MAX_CONNECTIONS",
        "10000",
        "Maximum number of open connections. Further connections wait.",
        (1, 1_000_000),
        "2000",
    ),
    variable(
        "HEADER_TIMEOUT",
        "10s",
        "Maximum time for a PROXY protocol header, for a TLS handshake, and for receiving the headers of a request.",
        DURATION,
        "5s",
    ).reloaded(),
    variable(
        "IDLE_TIMEOUT",
        "75s",
        "Maximum time a connection stays open without a request. Must be longer than that of a proxy in front.",
        DURATION,
        "5m",
    )
    .reloaded(),
    variable(
        "METRICS_ADDR",
        "",
        "Address and port that serves /metrics over plain HTTP, for Prometheus. Must not be public. A worker on the same machine needs a different address. If empty, none.",
        "an IP address and a port",
        "127.0.0.1:9100",
    ),
    variable("SEND_TIMEOUT", "30s", "Maximum time without progress while a client reads a response.", DURATION, "1m")
        .reloaded(),
    variable(
        "DATA_DIR",
        "data",
        "Directory for the SQLite database, its backups, the generated development secret, and mail if SMTP_URL is empty.",
        "a path",
        "/var/lib/bucketlist",
    ),
    Variable {
        name: "DATABASE_URL",
        default: "",
        description: "Database. If empty, SQLite in DATA_DIR/bucketlist.db.",
        values: Values::Text(
            "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME, or any other postgres:// URL that libpq accepts",
        ),
        example: "postgres://bucketlist:secret@db.example.com/bucketlist?sslmode=verify-full",
        secret: true,
        is_reloaded: false,
    },
    integer(
        "DATABASE_POOL_SIZE",
        "",
        "Maximum number of database connections. If empty, the number of cores (2 to 16) for SQLite, 10 for PostgreSQL.",
        (1, 1_000),
        "20",
    ),
    variable(
        "DATABASE_ACQUIRE_TIMEOUT",
        "5s",
        "Maximum time a request waits for a database connection. After that, the response is 503.",
        DURATION,
        "2s",
    ),
    variable("DATABASE_STATEMENT_TIMEOUT", "10s", "Maximum run time of a statement on PostgreSQL.", DURATION, "30s"),
    variable("DATABASE_LOCK_TIMEOUT", "5s", "Maximum time a statement waits for a lock on PostgreSQL.", DURATION, "1s"),
    variable(
        "DATABASE_TRANSACTION_TIMEOUT",
        "15s",
        "Maximum run time of a transaction on PostgreSQL.",
        DURATION,
        "30s",
    ),
    variable(
        "DATABASE_PREPARED",
        "auto",
        "Whether PostgreSQL prepares statements once per connection. `auto`: unless the connection uses a pooler.",
        "auto, on or off; with PgBouncer, on requires version 1.21",
        "",
    ),
    variable(
        "DATABASE_EXCLUSIVE",
        "false",
        "Whether this is the only server of its PostgreSQL database and may cache in memory. Always true for SQLite.",
        BOOLEAN,
        "",
    ),
    variable("AUTO_MIGRATE", "true", "Whether `serve` applies pending migrations at startup.", BOOLEAN, ""),
    secret(
        "JWT_SECRET",
        "Secret for access tokens, refresh tokens and cursors. Required in staging and production; generated in development.",
        "at least 32 characters",
        "the output of `openssl rand -base64 48`",
    ),
    secret(
        "JWT_PREVIOUS_SECRETS",
        "Previous values of JWT_SECRET that remain valid, for rotation.",
        SECRETS,
        "the previous value of JWT_SECRET",
    ),
    variable(
        "JWT_ALGORITHM",
        "HS256",
        "Signature algorithm of access tokens: HS256 uses JWT_SECRET, EdDSA uses JWT_PRIVATE_KEY.",
        "HS256 or EdDSA",
        "",
    ),
    secret(
        "JWT_PRIVATE_KEY",
        "Ed25519 private key for EdDSA. The public key is published at /.well-known/jwks.json.",
        "a PEM key, or the path of a PEM file",
        "a file written by `openssl genpkey -algorithm ed25519`",
    ),
    variable(
        "JWT_PREVIOUS_PUBLIC_KEYS",
        "",
        "Ed25519 public keys that remain valid, for rotation of JWT_PRIVATE_KEY.",
        "PEM keys or paths, separated by commas",
        "/etc/bucketlist/jwt-2026.pub.pem",
    ),
    variable("ACCESS_TOKEN_TTL", "15m", "Lifetime of an access token.", DURATION, "5m"),
    variable("REFRESH_TOKEN_TTL", "30d", "Time after which a session ends if it is not refreshed.", DURATION, "7d"),
    variable("SESSION_TTL", "180d", "Maximum lifetime of a session, regardless of use.", DURATION, "30d"),
    integer("PASSWORD_MIN_LENGTH", "8", "Minimum length of a password, in characters.", (8, 128), "12"),
    integer("PASSWORD_HASH_MEMORY_KIB", "19456", "Memory of an argon2id hash, in KiB.", (19_456, 1_048_576), "65536"),
    integer("PASSWORD_HASH_PASSES", "2", "Passes of an argon2id hash.", (2, 100), "3"),
    variable(
        "PASSWORD_RESET_TTL",
        "10m",
        "Lifetime of a password reset token, which is sent by email. Increase it if delivery is slow.",
        DURATION,
        "1h",
    ),
    variable(
        "CORS_ALLOWED_ORIGINS",
        "",
        "Origins whose pages may call the API from a browser. If empty, none.",
        "origins, separated by commas",
        "https://app.example.com",
    ),
    variable(
        "SECURITY_CONTACT",
        "",
        "Security contact, published in /.well-known/security.txt. If empty, the file is not served.",
        "a mailto:, https: or tel: URI",
        "mailto:security@example.com",
    ),
    variable(
        "SECURITY_POLICY",
        "",
        "Security policy, published in /.well-known/security.txt.",
        "an https: URL",
        "https://example.com/security",
    ),
    variable("RATE_LIMIT", "true", "Whether rate limits apply.", BOOLEAN, ""),
    integer("RATE_LIMIT_GENERAL", "600", "Requests per minute per caller.", RATE, "1200").reloaded(),
    integer("RATE_LIMIT_REGISTER", "5", "Registrations per minute per IP address.", RATE, "20").reloaded(),
    integer(
        "RATE_LIMIT_LOGIN",
        "10",
        "Logins and other password checks per minute, per IP address and per account.",
        RATE,
        "20",
    ).reloaded(),
    integer("RATE_LIMIT_REFRESH", "60", "Session refreshes per minute per IP address.", RATE, "120").reloaded(),
    integer(
        "RATE_LIMIT_PASSWORD_RESET",
        "5",
        "Password reset requests per hour, per IP address and per account.",
        RATE,
        "10",
    ).reloaded(),
    integer("RATE_LIMIT_SEARCH", "30", "Searches per minute per caller.", RATE, "60").reloaded(),
    integer("RATE_LIMIT_EXPORTS", "10", "Exports per hour per caller.", RATE, "20").reloaded(),
    integer("RATE_LIMIT_IMPORTS", "30", "Imports per hour per caller.", RATE, "60").reloaded(),
    integer(
        "RESPONSE_CACHE_BYTES",
        "33554432",
        "Size of the response cache, in bytes. 0 disables it.",
        (0, 68_719_476_736),
        "134217728",
    ),
    variable(
        "REQUIRE_IF_MATCH",
        "false",
        "Whether updates and deletions in v2 require If-Match. Without it, the response is 428.",
        BOOLEAN,
        "",
    ),
    variable(
        "GONE_AFTER_SUNSET",
        "true",
        "Whether deprecated operations return 410 after their sunset date.",
        BOOLEAN,
        "",
    ),
    variable(
        "BROWNOUTS",
        "",
        "Periods in which deprecated operations return 410 before their sunset, announced in notices. If empty, none.",
        "OPERATION@START/DURATION, separated by commas; at most PT24H each",
        "listItems@2027-01-10T12:00:00Z/PT1H,listItems@2027-02-10T12:00:00Z/PT4H",
    ),
    variable(
        "DEPRECATION_NOTICES",
        "true",
        "Whether consumers of deprecated operations are notified by email.",
        BOOLEAN,
        "",
    ),
    variable(
        "DEPRECATION_GUIDE",
        "",
        "URL of a migration guide, for deprecation notices. If empty, they link to the guide of this server.",
        "an https: URL; in development and testing also an http: URL of localhost",
        "https://example.com/docs/migrate-to-v2",
    ),
    variable("EXPORT_TTL", "1d", "Retention period of exports.", DURATION, "7d"),
    variable(
        "BACKUP_INTERVAL",
        "0s",
        "Interval between backups of the SQLite database. 0s disables them.",
        "a duration of at least 60s, or 0s",
        "1d",
    ),
    variable(
        "BACKUP_DIR",
        "",
        "Directory for backups. If empty, `DATA_DIR/backups`.",
        "a directory",
        "/var/backups/bucketlist",
    ),
    integer("BACKUP_KEEP", "7", "Number of backups to retain.", (1, 10_000), "30"),
    variable("AUDIT_RETENTION", "365d", "Retention period of audit events.", DURATION, "90d"),
    variable(
        "USAGE_RETENTION",
        "400d",
        "Retention period of daily usage counters. Hourly counters are retained for 7 days.",
        DURATION,
        "90d",
    ),
    variable(
        "RESPONSE_CHECK",
        "off",
        "Which responses are validated against the OpenAPI document after sending. Violations are logged. `sample` suits staging.",
        "off, sample or all",
        "",
    ),
    integer("BODY_LIMIT", "1048576", "Maximum size of a request body, in bytes.", (1_024, 1_073_741_824), "4194304").reloaded(),
    variable(
        "INCIDENTS",
        "5xx",
        "Which failed requests are captured as incidents, with secrets masked.",
        "off, or 5xx, 4xx, status codes and error codes, separated by commas",
        "5xx,409,VALIDATION_FAILED",
    ),
    integer(
        "INCIDENTS_BODY_LIMIT",
        "65536",
        "Maximum size of a captured body, in bytes. A truncated request cannot be replayed.",
        (0, 16_777_216),
        "1048576",
    ),
    integer(
        "INCIDENTS_RATE",
        "600",
        "Maximum number of incidents captured per minute; at most half of them in one burst. Further failures are counted but not captured.",
        RATE,
        "60",
    ),
    integer(
        "INCIDENTS_MAX",
        "10000",
        "Maximum number of stored incidents. Above it, the oldest incidents of the most frequent failures are deleted.",
        (1, 10_000_000),
        "50000",
    ),
    variable("INCIDENTS_TTL", "14d", "Retention period of incidents.", DURATION, "30d"),
    secret(
        "INCIDENTS_KEY",
        "Key for encrypting incidents. If empty, they are stored unencrypted.",
        "at least 32 characters",
        "the output of `openssl rand -base64 48`",
    ),
    secret(
        "INCIDENTS_PREVIOUS_KEYS",
        "Previous values of INCIDENTS_KEY, for reading incidents encrypted with them.",
        SECRETS,
        "the previous value of INCIDENTS_KEY",
    ),
    variable(
        "REQUEST_TIMEOUT",
        "30s",
        "Maximum time to receive a request body, and to process a request.",
        DURATION,
        "10s",
    ).reloaded(),
    variable("LOG_FORMAT", "", "Log format. If empty, pretty in development and json elsewhere.", "pretty or json", ""),
    variable(
        "LOG_LEVEL",
        "info",
        "Log level, for all modules or per module.",
        "off, error, warn, info, debug or trace, or directives separated by commas",
        "info,bucketlist=debug",
    ).reloaded(),
    variable(
        "SHUTDOWN_DELAY",
        "1s",
        "Time after SIGTERM during which the server accepts requests while /health/ready returns 503.",
        "a duration, 0 or more",
        "10s",
    ),
    variable(
        "SHUTDOWN_TIMEOUT",
        "20s",
        "Maximum time for requests in flight and running jobs after SHUTDOWN_DELAY.",
        DURATION,
        "1m",
    ),
];
