//! The settings: read once, in `main`, from the environment; every mistake reported at once.
//!
//! One table of variables ([`variables::ALL`]) drives parsing, `.env.example`, `doctor` and the docs.

mod connections;
mod keys;
mod parse;
pub mod variables;

use std::{collections::BTreeMap, fmt, net::IpAddr, path::PathBuf, time::Duration};

use ed25519_dalek::{SigningKey, VerifyingKey};
use ipnet::IpNet;
use secrecy::SecretString;

use crate::{
    capture::CaptureLimits,
    db::{Options, Target},
};
use parse::Reader;

/// Where the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// On a developer's machine: makes its own secret, seeds itself, shows the demo login.
    Development,
    /// Under a test.
    Testing,
    /// Like production, for trying.
    Staging,
    /// Serving people.
    Production,
}

impl Environment {
    /// The environment as it is spelled in `APP_ENV`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Testing => "testing",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// Whether strangers may reach it, so that weak settings are refused.
    #[must_use]
    pub const fn is_exposed(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines, one object a line.
    Json,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub environment: Environment,
    pub host: IpAddr,
    pub port: u16,
    pub public_url: String,
    pub data_dir: PathBuf,
    pub database: Options,
    /// Whether no other server uses the PostgreSQL database.
    pub is_exclusive: bool,
    pub auto_migrate: bool,
    pub connections: Connections,
    pub security: Security,
    pub tokens: Tokens,
    pub passwords: Passwords,
    pub limits: RequestLimits,
    pub responses: ResponseSettings,
    /// Whose pages may call from a browser.
    pub cors_origins: Vec<String>,
    pub incidents: Incidents,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long the file of an export is kept.
    pub export_ttl: Duration,
    /// How long what was done is remembered.
    pub audit_retention: Duration,
    pub smtp_url: Option<SecretString>,
    pub mail_from: String,
    pub log_format: LogFormat,
    pub log_level: String,
    pub shutdown_delay: Duration,
    pub shutdown_timeout: Duration,
}

/// How clients reach the server, and for how long.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The files of the certificate and its key; without them the server speaks plain HTTP.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// How often these files are looked at.
    pub certificate_interval: Duration,
    /// The port that leads to HTTPS.
    pub redirect_port: Option<u16>,
    /// How many connections there may be at a time.
    pub max: u32,
    /// How long the head of a request may take to arrive, and a TLS handshake.
    pub header_timeout: Duration,
    /// How long a connection may be open without a request.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub send_timeout: Duration,
}

/// Whom to tell about a hole.
#[derive(Clone, Debug)]
pub struct Security {
    /// The address, as a URI.
    pub contact: Option<String>,
    /// Where it is written down how.
    pub policy: Option<String>,
}

/// Access and refresh tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Signs access tokens unless there is a key, and what else clients carry for us. `None` in development means: make one
    /// and keep it in the data folder.
    pub secret: Option<SecretString>,
    /// Still accepted, never used for signing: for changing the secret without logging anybody out.
    pub previous_secrets: Vec<SecretString>,
    /// Signs access tokens in place of the secret. Debug shows its public half only.
    pub private_key: Option<SigningKey>,
    /// Still accepted, as the previous secrets are.
    pub previous_public_keys: Vec<VerifyingKey>,
    pub access_ttl: Duration,
    /// How long a session lives without being refreshed.
    pub refresh_ttl: Duration,
    /// How long it lives at all.
    pub session_ttl: Duration,
}

/// Passwords and their hashing.
#[derive(Clone, Copy, Debug)]
pub struct Passwords {
    pub min_length: usize,
    /// argon2id: memory in KiB, passes, lanes.
    pub memory_kib: u32,
    pub passes: u32,
    pub reset_ttl: Duration,
}

/// What a client may use up.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Whether rate limits apply.
    pub rate_limit: bool,
    /// Requests a minute, for each caller.
    pub general_per_minute: u32,
    pub register_per_minute: u32,
    pub login_per_minute: u32,
    pub refresh_per_minute: u32,
    pub password_reset_per_hour: u32,
    pub search_per_minute: u32,
    pub exports_per_hour: u32,
    pub body_bytes: usize,
    pub request_timeout: Duration,
}

/// How requests are answered where that is a matter of taste.
#[derive(Clone, Copy, Debug)]
pub struct ResponseSettings {
    /// How many bytes of answers are kept in memory; 0: none.
    pub cache_bytes: u64,
    /// Whether changes in v2 must say which state they are meant for.
    pub requires_if_match: bool,
    /// Whether operations past their sunset answer 410.
    pub gone_after_sunset: bool,
    /// Which answers are held to the document.
    pub validation: ResponseValidation,
}

/// Which answers are held to the document once they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseValidation {
    /// None.
    Off,
    /// The first of each operation and status, and one in a hundred of the others.
    Sample,
    /// Every one.
    All,
}

/// Which failures are kept, and for how long.
#[derive(Clone, Debug)]
pub struct Incidents {
    pub limits: CaptureLimits,
    /// How many records are kept; the oldest of the most frequent failures go first.
    pub max: u32,
    pub ttl: Duration,
    /// Seals records. `None`: they lie open.
    pub key: Option<SecretString>,
    /// Still open what they sealed, never used for sealing.
    pub previous_keys: Vec<SecretString>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Mistake>);

/// One thing that is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it and what to do. Never holds a secret.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} mistake(s):", self.0.len())?;
        for Mistake { variable, problem } in &self.0 {
            write!(f, "\n  {variable}: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Names and values of the environment.
pub type Variables = BTreeMap<String, String>;

impl Config {
    /// Reads the settings out of `variables`. An empty value counts as not set.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn from_variables(variables: &Variables) -> Result<Self, ConfigError> {
        let mut read = Reader::new(variables);
        let environment = read.choice(
            "APP_ENV",
            &[
                ("development", Environment::Development),
                ("testing", Environment::Testing),
                ("staging", Environment::Staging),
                ("production", Environment::Production),
            ],
        );
        let host = read.parsed("HOST", "an IP address such as 127.0.0.1 or 0.0.0.0");
        let port = read.parsed("PORT", "a port number from 0 to 65535");
        let data_dir = PathBuf::from(read.text("DATA_DIR"));
        let log_default = if environment == Environment::Development { LogFormat::Pretty } else { LogFormat::Json };
        let config = Self {
            environment,
            host,
            port,
            public_url: read.public_url("PUBLIC_URL", port),
            connections: read.connections(port),
            database: Options {
                target: read.database("DATABASE_URL", &data_dir),
                pool_size: read.pool_size("DATABASE_POOL_SIZE"),
                acquire_timeout: read.duration("DATABASE_ACQUIRE_TIMEOUT"),
                statement_timeout: read.duration("DATABASE_STATEMENT_TIMEOUT"),
            },
            data_dir,
            is_exclusive: read.switch("DATABASE_EXCLUSIVE"),
            auto_migrate: read.switch("AUTO_MIGRATE"),
            tokens: Tokens {
                secret: read.secret("JWT_SECRET", environment),
                previous_secrets: read.secrets("JWT_PREVIOUS_SECRETS", environment),
                private_key: read.private_key("JWT_ALGORITHM", "JWT_PRIVATE_KEY"),
                previous_public_keys: read.public_keys("JWT_PREVIOUS_PUBLIC_KEYS"),
                access_ttl: read.duration("ACCESS_TOKEN_TTL"),
                refresh_ttl: read.duration("REFRESH_TOKEN_TTL"),
                session_ttl: read.duration("SESSION_TTL"),
            },
            passwords: Passwords {
                min_length: read.bounded("PASSWORD_MIN_LENGTH", 8, 128),
                memory_kib: read.bounded("PASSWORD_HASH_MEMORY_KIB", 19_456, 1_048_576),
                passes: read.bounded("PASSWORD_HASH_PASSES", 2, 100),
                reset_ttl: read.duration("PASSWORD_RESET_TTL"),
            },
            limits: RequestLimits {
                rate_limit: read.switch("RATE_LIMIT"),
                general_per_minute: read.bounded("RATE_LIMIT_GENERAL", 1, 1_000_000),
                register_per_minute: read.bounded("RATE_LIMIT_REGISTER", 1, 1_000_000),
                login_per_minute: read.bounded("RATE_LIMIT_LOGIN", 1, 1_000_000),
                refresh_per_minute: read.bounded("RATE_LIMIT_REFRESH", 1, 1_000_000),
                password_reset_per_hour: read.bounded("RATE_LIMIT_PASSWORD_RESET", 1, 1_000_000),
                search_per_minute: read.bounded("RATE_LIMIT_SEARCH", 1, 1_000_000),
                exports_per_hour: read.bounded("RATE_LIMIT_EXPORTS", 1, 1_000_000),
                body_bytes: read.bounded("BODY_LIMIT", 1_024, 1_073_741_824),
                request_timeout: read.duration("REQUEST_TIMEOUT"),
            },
            responses: ResponseSettings {
                cache_bytes: read.bounded("RESPONSE_CACHE_BYTES", 0, 68_719_476_736),
                requires_if_match: read.switch("REQUIRE_IF_MATCH"),
                gone_after_sunset: read.switch("GONE_AFTER_SUNSET"),
                validation: read.choice(
                    "RESPONSE_CHECK",
                    &[
                        ("off", ResponseValidation::Off),
                        ("sample", ResponseValidation::Sample),
                        ("all", ResponseValidation::All),
                    ],
                ),
            },
            cors_origins: read.origins("CORS_ALLOWED_ORIGINS"),
            security: Security {
                contact: read.uri("SECURITY_CONTACT", &["mailto", "https", "tel"]),
                policy: read.uri("SECURITY_POLICY", &["https"]),
            },
            incidents: Incidents {
                limits: CaptureLimits {
                    filter: read.capture_filter("INCIDENTS"),
                    body_bytes: read.bounded("INCIDENTS_BODY_LIMIT", 0, 16_777_216),
                    per_minute: read.bounded("INCIDENTS_RATE", 1, 1_000_000),
                },
                max: read.bounded("INCIDENTS_MAX", 1, 10_000_000),
                ttl: read.duration("INCIDENTS_TTL"),
                key: read.optional_secret("INCIDENTS_KEY", environment),
                previous_keys: read.secrets("INCIDENTS_PREVIOUS_KEYS", environment),
            },
            trusted_proxies: read.networks("TRUSTED_PROXIES"),
            export_ttl: read.duration("EXPORT_TTL"),
            audit_retention: read.duration("AUDIT_RETENTION"),
            smtp_url: read.smtp_url("SMTP_URL"),
            mail_from: read.text("MAIL_FROM"),
            log_format: read
                .optional_choice("LOG_FORMAT", &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)])
                .unwrap_or(log_default),
            log_level: read.log_level("LOG_LEVEL"),
            shutdown_delay: read.duration_or_zero("SHUTDOWN_DELAY"),
            shutdown_timeout: read.duration("SHUTDOWN_TIMEOUT"),
        };
        read.finish(config)
    }

    /// Where the secret lives that development makes for itself.
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        self.data_dir.join("jwt_secret")
    }

    /// Where mail goes when no SMTP server is set.
    #[must_use]
    pub fn mail_dir(&self) -> PathBuf {
        self.data_dir.join("mail")
    }

    /// Whether clients reach the server over HTTPS, here or at a proxy.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Whether this server is the only one that writes, so that it may remember what it has read.
    #[must_use]
    pub fn is_sole_writer(&self) -> bool {
        self.is_exclusive || matches!(self.database.target, Target::Sqlite(_))
    }
}

#[cfg(test)]
mod tests;
