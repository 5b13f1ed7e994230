//! The table of variables: parsing, `.env.example`, `doctor` and the docs are made from it.

/// One variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value when not set; empty: none.
    pub default: &'static str,
    /// What it is for, with unit and limits.
    pub about: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
}

const fn variable(name: &'static str, default: &'static str, about: &'static str) -> Variable {
    Variable { name, default, about, secret: false }
}

const fn secret(name: &'static str, about: &'static str) -> Variable {
    Variable { name, default: "", about, secret: true }
}

/// Every variable the server reads.
pub const ALL: &[Variable] = &[
    variable("APP_ENV", "development", "development, testing, staging or production"),
    variable("HOST", "127.0.0.1", "the IP address to listen on; 0.0.0.0 for all"),
    variable("PORT", "8000", "the port to listen on; 0 takes a free one"),
    variable(
        "PUBLIC_URL",
        "",
        "the URL clients reach the server at, without a path (http://localhost:PORT when empty)",
    ),
    variable(
        "TLS_CERT",
        "",
        "the certificate for HTTPS: a PEM file with the chain, the server's own first (plain HTTP when empty)",
    ),
    variable("TLS_KEY", "", "its private key: a PEM file"),
    variable("TLS_CHECK_INTERVAL", "10s", "how often the two files are read again; what is new is used at once"),
    variable(
        "HTTP_REDIRECT_PORT",
        "",
        "a port for plain HTTP that leads to PUBLIC_URL, for HTTPS; 0 takes a free one (none when empty)",
    ),
    variable("MAX_CONNECTIONS", "10000", "how many connections there may be at a time; others wait"),
    variable("HEADER_TIMEOUT", "10s", "how long a request's headers may take to arrive, and a TLS handshake"),
    variable("IDLE_TIMEOUT", "75s", "how long a connection may be open without a request; longer than a proxy's"),
    variable("SEND_TIMEOUT", "30s", "how long a client may take nothing of its answer"),
    variable("DATA_DIR", "data", "the folder for the embedded database, the development secret and unsent mail"),
    Variable {
        name: "DATABASE_URL",
        default: "",
        about: "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME (sqlite://DATA_DIR/bucketlist.db when empty)",
        secret: true,
    },
    variable(
        "DATABASE_POOL_SIZE",
        "",
        "connections that serve requests (when empty: SQLite as many as cores, PostgreSQL 10)",
    ),
    variable(
        "DATABASE_ACQUIRE_TIMEOUT",
        "5s",
        "how long a request may wait for a connection before it is answered 503",
    ),
    variable("DATABASE_STATEMENT_TIMEOUT", "10s", "how long a statement may run on PostgreSQL"),
    variable(
        "DATABASE_EXCLUSIVE",
        "false",
        "whether this server is the only one of its PostgreSQL database, and may remember what it has read; on SQLite it always is",
    ),
    variable("AUTO_MIGRATE", "true", "whether `serve` migrates the database first"),
    secret(
        "JWT_SECRET",
        "signs access tokens, cursors and refresh tokens: 32 characters or more (`openssl rand -base64 48`); development \
         makes its own",
    ),
    secret("JWT_PREVIOUS_SECRETS", "secrets that are still accepted, separated by commas: for changing JWT_SECRET"),
    variable("JWT_ALGORITHM", "HS256", "how access tokens are signed: HS256 by JWT_SECRET, EdDSA by JWT_PRIVATE_KEY"),
    secret(
        "JWT_PRIVATE_KEY",
        "for EdDSA: an Ed25519 key as PEM, or the path of its file (`openssl genpkey -algorithm ed25519`); its public half is \
         at /.well-known/jwks.json",
    ),
    variable(
        "JWT_PREVIOUS_PUBLIC_KEYS",
        "",
        "Ed25519 public keys that are still accepted, as PEM or paths, separated by commas: for changing JWT_PRIVATE_KEY",
    ),
    variable("ACCESS_TOKEN_TTL", "15m", "how long an access token is good"),
    variable("REFRESH_TOKEN_TTL", "30d", "how long a session lives without being refreshed"),
    variable("SESSION_TTL", "180d", "how long a session lives at all; then the password is asked for again"),
    variable("PASSWORD_MIN_LENGTH", "8", "how many characters a password has at least; 8 or more"),
    variable("PASSWORD_HASH_MEMORY_KIB", "19456", "memory of one argon2id hash, in KiB; 19456 or more"),
    variable("PASSWORD_HASH_PASSES", "2", "passes of one argon2id hash; 2 or more"),
    variable("PASSWORD_RESET_TTL", "10m", "how long a mailed reset token is good; mail that is slow needs more"),
    variable(
        "TRUSTED_PROXIES",
        "",
        "addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas: 10.0.0.0/8,::1",
    ),
    variable(
        "CORS_ALLOWED_ORIGINS",
        "",
        "origins whose pages may call from a browser, separated by commas: https://app.example.com (none when empty)",
    ),
    variable(
        "SECURITY_CONTACT",
        "",
        "whom to tell about a vulnerability, for /.well-known/security.txt: mailto:, https: or tel: (none when empty)",
    ),
    variable("SECURITY_POLICY", "", "where it is written down how, for the same file: https:"),
    variable("RATE_LIMIT", "on", "on or off"),
    variable("RATE_LIMIT_GENERAL", "600", "requests a minute for each caller"),
    variable("RATE_LIMIT_REGISTER", "5", "registrations a minute for each address"),
    variable(
        "RATE_LIMIT_LOGIN",
        "10",
        "logins and other proofs of a password a minute for each address, and for each account",
    ),
    variable("RATE_LIMIT_REFRESH", "60", "refreshes of sessions a minute for each address"),
    variable("RATE_LIMIT_PASSWORD_RESET", "5", "password resets an hour for each address, and for each account"),
    variable("RATE_LIMIT_SEARCH", "30", "searches a minute for each caller"),
    variable("RATE_LIMIT_EXPORTS", "10", "exports an hour for each caller"),
    variable(
        "RESPONSE_CACHE_BYTES",
        "33554432",
        "how many bytes of answers to keep in memory; 0 asks the database each time",
    ),
    variable("REQUIRE_IF_MATCH", "false", "whether changes in v2 must send If-Match (else 428)"),
    variable("GONE_AFTER_SUNSET", "true", "whether deprecated operations answer 410 from their sunset on"),
    variable("EXPORT_TTL", "1d", "how long the file of an export is kept"),
    variable("AUDIT_RETENTION", "365d", "how long audit events are kept"),
    variable(
        "RESPONSE_CHECK",
        "off",
        "which answers are held to the OpenAPI document, drift being logged: off, sample (good for staging) or all",
    ),
    variable("BODY_LIMIT", "1048576", "how large a request body may be, in bytes"),
    variable(
        "INCIDENTS",
        "5xx",
        "which failures are kept as incidents, redacted: off, or 5xx, 4xx, a status or an error code, separated by commas",
    ),
    variable(
        "INCIDENTS_BODY_LIMIT",
        "65536",
        "how much of a body an incident keeps, in bytes; one that is cut cannot be sent again",
    ),
    variable(
        "INCIDENTS_RATE",
        "600",
        "how many incidents a minute are kept, and half as many at once; those above it are only counted",
    ),
    variable(
        "INCIDENTS_MAX",
        "10000",
        "how many incidents are kept; the oldest of the most frequent failures go first",
    ),
    variable("INCIDENTS_TTL", "14d", "for how long incidents are kept"),
    secret(
        "INCIDENTS_KEY",
        "seals incidents at rest: 32 characters or more (`openssl rand -base64 48`); without it they lie open in the database",
    ),
    secret(
        "INCIDENTS_PREVIOUS_KEYS",
        "keys that still open incidents, separated by commas: for changing INCIDENTS_KEY",
    ),
    variable("REQUEST_TIMEOUT", "30s", "how long a request may take"),
    secret(
        "SMTP_URL",
        "smtp://, smtps:// URL of the mail server, with its login; when empty mail is written to DATA_DIR/mail",
    ),
    variable("MAIL_FROM", "BucketList <no-reply@localhost>", "the sender of mail"),
    variable("LOG_FORMAT", "", "pretty or json (when empty: pretty in development, else json)"),
    variable("LOG_LEVEL", "info", "error, warn, info, debug or trace; or directives such as info,bucketlist=debug"),
    variable("SHUTDOWN_DELAY", "1s", "how long to go on serving after SIGTERM while /health/ready already says no"),
    variable("SHUTDOWN_TIMEOUT", "20s", "how long requests in flight may take after SIGTERM"),
];

/// The variable of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    ALL.iter().find(|variable| variable.name == name)
}

/// The text of `.env.example`.
#[must_use]
pub fn env_example() -> String {
    let mut text = String::from(
        "# Every variable the server reads, with its default. Copy to .env and change what you need; never commit .env.\n\
         # Durations take a unit: 500ms, 30s, 15m, 1h, 30d.\n",
    );
    for Variable { name, default, about, .. } in ALL {
        // Quoted where a shell or dotenv would stumble over the value.
        let value = if default.contains([' ', '<']) { format!("\"{default}\"") } else { (*default).to_owned() };
        text.push_str(&format!("\n# {about}\n{name}={value}\n"));
    }
    text
}
