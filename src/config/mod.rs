//! The configuration: read from environment variables at startup. All invalid variables are reported together.
//!
//! The table [`variables::ALL`] has the default, the description and the range of every variable; parsing, `.env.example`, `doctor` and
//! reloading use it.

mod connections;
mod database;
mod deprecations;
pub mod env_file;
mod keys;
mod mail;
mod parse;
mod public_url;
mod redis;
mod replay_targets;
mod settings;
mod shared;
mod spelling;
mod traces;
pub mod variables;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use secrecy::SecretString;

use crate::{
    capture::CaptureLimits,
    db::{Options, PreparedStatements, Target},
    redis::RedisSettings,
    traces::TraceSettings,
};
use parse::VariableParser;

pub use deprecations::DeprecationSettings;
pub use public_url::RESERVED_SEGMENTS;
pub use settings::{
    BackupSettings, ConnectionSettings, IncidentSettings, JobSettings, PasswordSettings, ReplayAdmin, ReplayTarget,
    RequestLimits, ResponseSettings, ResponseValidation, SecurityContact, TokenSettings,
};
pub(crate) use spelling::misspelled;

/// The environment a server runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// The machine of a developer: the secret is generated, sample data is inserted, and its logins are displayed.
    Development,
    /// Automated tests.
    Testing,
    /// Tests of a release under the conditions of production.
    Staging,
    Production,
}

impl Environment {
    /// Returns the value of `APP_ENV`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Testing => "testing",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// Returns whether this is staging or production, where weak settings are rejected.
    #[must_use]
    pub const fn is_deployed(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable text.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    pub environment: Environment,
    pub host: IpAddr,
    pub port: u16,
    pub public_url: String,
    /// Whether `PUBLIC_URL` is set, rather than derived from the port.
    pub is_public_url_set: bool,
    pub data_dir: PathBuf,
    pub database: Options,
    /// Whether this is the only server of the PostgreSQL database.
    pub is_exclusive: bool,
    /// `None` if servers share no Redis.
    pub redis: Option<RedisSettings>,
    pub auto_migrate: bool,
    pub connections: ConnectionSettings,
    /// Address of the metrics listener; `None` for no metrics.
    pub metrics_address: Option<SocketAddr>,
    pub security: SecurityContact,
    pub tokens: TokenSettings,
    pub passwords: PasswordSettings,
    pub limits: RequestLimits,
    pub responses: ResponseSettings,
    pub deprecations: DeprecationSettings,
    /// Origins whose pages may call the API from a browser.
    pub cors_origins: Vec<String>,
    pub incidents: IncidentSettings,
    /// Proxies whose `X-Forwarded-For` or `Forwarded` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Retention of export files.
    pub export_ttl: Duration,
    pub backups: BackupSettings,
    pub jobs: JobSettings,
    /// Retention of audit events.
    pub audit_retention: Duration,
    /// Retention of daily usage counters.
    pub usage_retention: Duration,
    pub smtp_url: Option<SecretString>,
    pub mail_from: String,
    /// Whether administrators may record profiles.
    pub is_profiling_enabled: bool,
    /// `None` without a collector.
    pub traces: Option<TraceSettings>,
    /// Whether users get mail about their account and its logins.
    pub account_notices: bool,
    pub log_format: LogFormat,
    pub log_level: String,
    pub shutdown_delay: Duration,
    pub shutdown_timeout: Duration,
}

/// The invalid variables of a configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<InvalidVariable>);

/// An invalid variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidVariable {
    pub name: &'static str,
    /// The problem, and how to fix it. Contains no secret.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid configuration")?;
        for InvalidVariable { name, problem } in &self.0 {
            write!(f, "\n  {name}: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Environment variables by name.
pub type Variables = BTreeMap<String, String>;

impl Config {
    /// Parses the configuration. An empty value counts as not set.
    ///
    /// # Errors
    /// All invalid variables.
    pub fn from_variables(variables: &Variables) -> Result<Self, ConfigError> {
        let mut parser = VariableParser::new(variables);
        let environment = parser.parse_choice(
            "APP_ENV",
            &[
                ("development", Environment::Development),
                ("testing", Environment::Testing),
                ("staging", Environment::Staging),
                ("production", Environment::Production),
            ],
        );
        let host = parser.parse("HOST", "an IP address such as 127.0.0.1 or 0.0.0.0");
        let port = parser.parse("PORT", "a port number from 0 to 65535");
        let data_dir = PathBuf::from(parser.read_text("DATA_DIR"));
        let log_default = if environment == Environment::Development { LogFormat::Pretty } else { LogFormat::Json };
        let mut config = Self {
            environment,
            host,
            port,
            public_url: parser.parse_public_url("PUBLIC_URL", port),
            is_public_url_set: parser.non_empty("PUBLIC_URL").is_some(),
            connections: parser.parse_connections(port),
            metrics_address: parser.parse_metrics_address("METRICS_ADDR"),
            database: Options {
                prepared: parser.parse_choice(
                    "DATABASE_PREPARED",
                    &[
                        ("auto", PreparedStatements::Auto),
                        ("on", PreparedStatements::On),
                        ("off", PreparedStatements::Off),
                    ],
                ),
                acquire_timeout: parser.parse_duration("DATABASE_ACQUIRE_TIMEOUT"),
                statement_timeout: parser.parse_duration("DATABASE_STATEMENT_TIMEOUT"),
                lock_timeout: parser.parse_duration("DATABASE_LOCK_TIMEOUT"),
                transaction_timeout: parser.parse_duration("DATABASE_TRANSACTION_TIMEOUT"),
                slow_query: parser.parse_duration_or_zero("SLOW_QUERY"),
                replicas: parser.parse_replicas("DATABASE_REPLICA_URLS"),
                max_replica_lag: parser.parse_duration("DATABASE_REPLICA_MAX_LAG"),
                ..Options::new(
                    parser.parse_database("DATABASE_URL", &data_dir),
                    parser.parse_pool_size("DATABASE_POOL_SIZE"),
                )
            },
            data_dir,
            is_exclusive: parser.parse_boolean("DATABASE_EXCLUSIVE"),
            redis: None,
            auto_migrate: parser.parse_boolean("AUTO_MIGRATE"),
            tokens: TokenSettings {
                secret: parser.parse_secret("JWT_SECRET", environment),
                previous_secrets: parser.parse_secrets("JWT_PREVIOUS_SECRETS", environment),
                private_key: parser.parse_private_key("JWT_ALGORITHM", "JWT_PRIVATE_KEY"),
                previous_public_keys: parser.parse_public_keys("JWT_PREVIOUS_PUBLIC_KEYS"),
                access_ttl: parser.parse_duration("ACCESS_TOKEN_TTL"),
                refresh_ttl: parser.parse_duration("REFRESH_TOKEN_TTL"),
                session_ttl: parser.parse_duration("SESSION_TTL"),
            },
            passwords: PasswordSettings {
                min_length: parser.parse_integer("PASSWORD_MIN_LENGTH"),
                memory_kib: parser.parse_integer("PASSWORD_HASH_MEMORY_KIB"),
                passes: parser.parse_integer("PASSWORD_HASH_PASSES"),
                reset_ttl: parser.parse_duration("PASSWORD_RESET_TTL"),
            },
            limits: RequestLimits {
                rate_limit: parser.parse_boolean("RATE_LIMIT"),
                general_per_minute: parser.parse_integer("RATE_LIMIT_GENERAL"),
                register_per_minute: parser.parse_integer("RATE_LIMIT_REGISTER"),
                login_per_minute: parser.parse_integer("RATE_LIMIT_LOGIN"),
                refresh_per_minute: parser.parse_integer("RATE_LIMIT_REFRESH"),
                password_reset_per_hour: parser.parse_integer("RATE_LIMIT_PASSWORD_RESET"),
                search_per_minute: parser.parse_integer("RATE_LIMIT_SEARCH"),
                exports_per_hour: parser.parse_integer("RATE_LIMIT_EXPORTS"),
                imports_per_hour: parser.parse_integer("RATE_LIMIT_IMPORTS"),
                body_bytes: parser.parse_integer("BODY_LIMIT"),
                request_timeout: parser.parse_duration("REQUEST_TIMEOUT"),
            },
            responses: ResponseSettings {
                cache_bytes: parser.parse_integer("RESPONSE_CACHE_BYTES"),
                requires_if_match: parser.parse_boolean("REQUIRE_IF_MATCH"),
                gone_after_sunset: parser.parse_boolean("GONE_AFTER_SUNSET"),
                validation: parser.parse_choice(
                    "RESPONSE_CHECK",
                    &[
                        ("off", ResponseValidation::Off),
                        ("sample", ResponseValidation::Sample),
                        ("all", ResponseValidation::All),
                    ],
                ),
            },
            deprecations: parser.parse_deprecations(environment),
            cors_origins: parser.parse_origins("CORS_ALLOWED_ORIGINS"),
            security: SecurityContact {
                contact: parser.parse_uri("SECURITY_CONTACT", &["mailto", "https", "tel"]),
                policy: parser.parse_uri("SECURITY_POLICY", &["https"]),
            },
            incidents: IncidentSettings {
                limits: CaptureLimits {
                    filter: parser.parse_capture_filter("INCIDENTS"),
                    body_bytes: parser.parse_integer("INCIDENTS_BODY_LIMIT"),
                    per_minute: parser.parse_integer("INCIDENTS_RATE"),
                },
                max: parser.parse_integer("INCIDENTS_MAX"),
                ttl: parser.parse_duration("INCIDENTS_TTL"),
                replay_targets: parser.parse_replay_targets("REPLAY_TARGETS"),
                key: parser.parse_optional_secret("INCIDENTS_KEY", environment),
                previous_keys: parser.parse_secrets("INCIDENTS_PREVIOUS_KEYS", environment),
            },
            trusted_proxies: parser.parse_networks("TRUSTED_PROXIES"),
            export_ttl: parser.parse_duration("EXPORT_TTL"),
            backups: BackupSettings {
                interval: parser.parse_interval_or_zero("BACKUP_INTERVAL", Duration::from_secs(60)),
                directory: Some(parser.read_text("BACKUP_DIR"))
                    .filter(|directory| !directory.is_empty())
                    .map(PathBuf::from),
                keep: parser.parse_integer("BACKUP_KEEP"),
            },
            jobs: JobSettings {
                runs_in_server: parser.parse_boolean("WORKER"),
                workers: NonZeroUsize::new(parser.parse_integer("JOB_WORKERS")).unwrap_or(NonZeroUsize::MIN),
                retention: parser.parse_duration_or_zero("JOB_RETENTION"),
                dead_letter_retention: parser.parse_duration("DEAD_LETTER_RETENTION"),
            },
            audit_retention: parser.parse_duration("AUDIT_RETENTION"),
            usage_retention: parser.parse_duration("USAGE_RETENTION"),
            smtp_url: parser.parse_smtp_url("SMTP_URL"),
            mail_from: parser.parse_sender("MAIL_FROM"),
            is_profiling_enabled: parser.parse_boolean("PROFILING"),
            traces: parser.parse_traces(),
            account_notices: parser.parse_boolean("ACCOUNT_NOTICES"),
            log_format: parser
                .parse_optional_choice("LOG_FORMAT", &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)])
                .unwrap_or(log_default),
            log_level: parser.parse_log_filter("LOG_LEVEL"),
            shutdown_delay: parser.parse_duration_or_zero("SHUTDOWN_DELAY"),
            shutdown_timeout: parser.parse_duration("SHUTDOWN_TIMEOUT"),
        };
        config.redis = parser.parse_redis(environment, &config.database.target);
        if config.is_sole_writer() && !config.database.replicas.is_empty() {
            let problem = if config.is_exclusive {
                "requires DATABASE_EXCLUSIVE=false: a server that caches in memory cannot tell whether a replica is up to date"
            } else {
                "requires a postgres:// URL in DATABASE_URL"
            };
            parser.add_error("DATABASE_REPLICA_URLS", problem);
        }
        if !config.backups.interval.is_zero() && matches!(config.database.target, Target::Postgres(_)) {
            parser.add_error("BACKUP_INTERVAL", "supports only SQLite: use pg_dump, or set it to 0s");
        }
        let ports = [("PORT", Some(config.port)), ("HTTP_REDIRECT_PORT", config.connections.redirect_port)];
        if let Some(metrics) = config.metrics_address
            && let Some((name, _)) = ports.iter().find(|(_, port)| *port == Some(metrics.port()) && metrics.port() != 0)
        {
            parser.add_error("METRICS_ADDR", format!("must use a different port than {name}"));
        }
        parser.finish(config)
    }

    /// Returns the file of the secret that is generated in development.
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        self.data_dir.join("jwt_secret")
    }

    /// Returns the directory that recurring backups are written to.
    #[must_use]
    pub fn backup_dir(&self) -> PathBuf {
        self.backups.directory.clone().unwrap_or_else(|| self.data_dir.join("backups"))
    }

    /// Returns the directory that mail is written to without an SMTP server.
    #[must_use]
    pub fn mail_dir(&self) -> PathBuf {
        self.data_dir.join("mail")
    }

    /// Returns whether clients use HTTPS, to this server or to a proxy.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Returns whether no other server writes to the database, so that this one can cache data.
    #[must_use]
    pub fn is_sole_writer(&self) -> bool {
        self.is_exclusive || matches!(self.database.target, Target::Sqlite(_))
    }
}

#[cfg(test)]
mod tests;
