//! Builds the application: `Config → Db → services → endpoints → one poem Endpoint`.

mod metrics;

use std::{sync::Arc, time::Duration};

use ::incidents::replay::{Credentials, ReplayAccounts};
use chrono::DateTime;
use contract::{BasePath, v1, v2};
use poem::{Endpoint, Response, Route, endpoint::BoxEndpoint};
use secrecy::SecretString;

use crate::{
    auth::{
        AccessTokens, ApiKeyVerifier, DatabaseCacheSuspension, Hasher, RefreshTokens, ReplaySignatures, Signer,
        TokenStatusCache,
    },
    build_info,
    capture::{self, RecordCipher, Recorder},
    config::{Config, Environment, ReplayAdmin, TokenSettings},
    db::{Db, Target, repositories::jobs::JobRetention},
    domain::{Clock, DeprecatedOperation, PasswordPolicy, Random, RateLimiter, SystemClock, SystemRandom},
    endpoints::{self, RequestRules},
    http::{
        Authenticator, Cors, ListedDeprecation, MailPreview, Pipeline, PublishedFiles, RateLimits, Readiness,
        ReplayRecognition, ResponseCache, ResponseValidator, UnversionedRoutes,
    },
    jobs::{BackupSchedule, DeprecationMailSettings, IncidentWriter, JobWorker, RetentionPeriods, WorkerSettings},
    limits::{ActiveLimits, InMemoryRateLimiter, SharedRateLimiter},
    mail::{FileMailer, Mail, MailError, Mailer, SmtpMailer, TracedMailer, templates},
    metrics::{MeteredMailer, Metrics, MetricsEndpoint},
    postman,
    redis::{CacheVersions, Redis, RedisMonitor},
    seed,
    services::{Context, Outbox, ReplaySettings, ReplayTarget, RetentionPolicy, Revisions, Services},
    traces::Tracer,
    usage::{UsageRecorder, UsageWriter},
};

/// Dependencies that tests replace.
pub struct Dependencies {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub mailer: Arc<dyn Mailer>,
}

/// An error while building the application.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("cannot start a thread: {0}")]
    Threads(#[from] std::io::Error),
    #[error("invalid PASSWORD_HASH_MEMORY_KIB or PASSWORD_HASH_PASSES: {0}")]
    Hashing(argon2::Error),
    #[error("cannot use JWT_PRIVATE_KEY or JWT_PREVIOUS_PUBLIC_KEYS: {0}")]
    Key(jsonwebtoken::errors::Error),
    #[error(transparent)]
    Mail(#[from] crate::mail::MailError),
    #[error(transparent)]
    Traces(#[from] crate::traces::TraceError),
}

impl AppError {
    /// Returns how to fix the error, if known.
    #[must_use]
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::Mail(_) => Some("correct SMTP_URL or MAIL_FROM"),
            Self::Traces(_) => Some("correct OTEL_EXPORTER_OTLP_ENDPOINT"),
            _ => None,
        }
    }
}

/// The application.
pub struct App {
    pub endpoint: BoxEndpoint<'static, Response>,
    pub worker: JobWorker,
    /// Stores captured failures.
    pub incidents: IncidentWriter,
    /// Stores usage counters.
    pub usage: UsageWriter,
    pub readiness: Readiness,
    pub limits: ActiveLimits,
    pub db: Db,
    pub hasher: Hasher,
    /// `None` if the response cache is disabled.
    pub cache: Option<ResponseCache>,
    /// `None` if response validation is disabled.
    pub response_validator: Option<ResponseValidator>,
    /// `None` without a metrics listener.
    pub metrics: Option<MetricsEndpoint>,
    /// Keeps the connection to Redis; `None` without Redis.
    pub redis: Option<(Redis, RedisMonitor)>,
    /// `None` if traces are not exported.
    pub tracer: Option<Tracer>,
}

impl Dependencies {
    /// Creates the system clock, the system random source and the configured mailer.
    ///
    /// # Errors
    /// Fails if the mail settings are invalid.
    pub fn from_config(config: &Config) -> Result<Self, AppError> {
        let mailer: Arc<dyn Mailer> = match &config.smtp_url {
            Some(url) => Arc::new(SmtpMailer::new(url, &config.mail_from)?),
            None => Arc::new(FileMailer::new(config.mail_dir())),
        };
        Ok(Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), mailer })
    }
}

impl App {
    /// Builds the application. Opens the database without migrating it.
    ///
    /// # Errors
    /// [`AppError`].
    pub fn new(config: &Config, secret: &SecretString, dependencies: Dependencies) -> Result<Self, AppError> {
        let tracer = config.traces.as_ref().map(|settings| Tracer::new(settings, build_info::VERSION)).transpose()?;
        let mut metrics = config.metrics_address.map(|_| metrics::new());
        let has_groups = matches!(config.database.target, Target::Sqlite(_));
        let database_metrics = metrics.as_mut().map(|metrics| metrics.database(has_groups));
        let has_replicas = !config.database.replicas.is_empty();
        let replica_metrics = metrics.as_mut().filter(|_| has_replicas).map(Metrics::replicas);
        let db = Db::open_metered(config.database.clone(), database_metrics.clone(), replica_metrics)?;
        let mut mailer = dependencies.mailer;
        if tracer.is_some() {
            mailer = Arc::new(TracedMailer::new(mailer));
        }
        if let (Some(metrics), Some(database)) = (&mut metrics, database_metrics) {
            metrics::register_database(metrics, &db, database);
            tracer.as_ref().inspect(|tracer| metrics::register_traces(metrics, &tracer.stats()));
            mailer = Arc::new(MeteredMailer::new(mailer, metrics));
        }
        let job_metrics = metrics.as_mut().map(Metrics::jobs);
        let tokens = Arc::new(access_tokens(&config.tokens, secret).map_err(AppError::Key)?);
        let redis = config.redis.clone().map(|settings| {
            Redis::new(settings, config.settings_compared_in_redis(secret), metrics.as_mut().map(Metrics::redis))
        });
        let limiter = InMemoryRateLimiter::new(&config.limits, &dependencies.clock).map(Arc::new);
        let limits = ActiveLimits::new(config.limits, limiter.clone());
        let limiter = limiter.map(|limiter| rate_limiter(redis.as_ref(), limiter));
        // What a server has read may be cached if it sees every change: as the only writer, or through cache versions.
        let is_sole_writer = config.is_sole_writer();
        let cache_versions = redis.clone().filter(|_| !is_sole_writer).map(|redis| {
            let suspension = DatabaseCacheSuspension::new(db.clone(), Arc::clone(&dependencies.clock));
            CacheVersions::new(redis, Arc::new(suspension))
        });
        let token_status = TokenStatusCache::new(is_sole_writer, cache_versions.clone());
        let revisions = Revisions::new(is_sole_writer);
        if let Some(metrics) = &mut metrics {
            metrics::register_token_cache(metrics, &token_status);
        }
        let policy = PasswordPolicy { min_length: config.passwords.min_length };
        let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
        let context = Arc::new(Context {
            db: db.clone(),
            clock: Arc::clone(&dependencies.clock),
            random: dependencies.random,
            hasher: hasher.clone(),
            policy,
            tokens: Arc::clone(&tokens),
            refresh_tokens: RefreshTokens::new(secret),
            refresh_ttl: config.tokens.refresh_ttl,
            session_ttl: config.tokens.session_ttl,
            token_status: token_status.clone(),
            revisions: revisions.clone(),
            cache_versions,
            limits: limiter.clone(),
            outbox: Outbox::default(),
            tracer: tracer.clone(),
            is_profiling_enabled: config.is_profiling_enabled,
            account_notices: config.account_notices,
        });
        let deprecated: Arc<[_]> = endpoints::deprecated_operations(&config.deprecations.brownouts).into();
        let settings = &config.incidents;
        let cipher = RecordCipher::new(settings.key.as_ref(), &settings.previous_keys);
        let signatures =
            ReplaySignatures::new(secret, &config.tokens.previous_secrets, Arc::clone(&dependencies.clock));
        let replays = ReplaySettings {
            targets: replay_targets(config).into(),
            signatures: signatures.clone(),
            redactor: capture::redactor(secret),
            body_bytes: settings.limits.body_bytes,
        };
        let services = Services::new(
            &context,
            RetentionPolicy { cipher, max: settings.max.into(), ttl: settings.ttl },
            replays,
            config.export_ttl,
            config.usage_retention,
            &deprecated,
        );
        let usage = UsageRecorder::default();
        let (recorder, inbox) = Recorder::new(settings.limits.clone());
        let incidents = IncidentWriter::new(inbox, capture::redactor(secret), services.incidents.clone());
        let authenticator = Authenticator {
            tokens: Arc::clone(&tokens),
            api_keys: ApiKeyVerifier::new(db.clone(), Arc::clone(&dependencies.clock)),
            db: db.clone(),
            clock: Arc::clone(&dependencies.clock),
            token_status,
            revisions,
        };
        let readiness = Readiness::default();
        let signer = Signer::new(secret, &config.tokens.previous_secrets, "cursors");
        let v2_service =
            endpoints::v2::service(&services, signer, config.responses.requires_if_match, &config.public_url);
        let cache = ResponseCache::new(config.responses.cache_bytes);
        let response_validator = ResponseValidator::new(config.responses.validation)?;
        if let Some(metrics) = &mut metrics {
            metrics::register_capture(metrics, &recorder.stats());
            cache.as_ref().inspect(|cache| metrics::register_cache(metrics, cache));
            response_validator.as_ref().inspect(|validator| metrics::register_validation(metrics, validator));
        }
        let pipeline = Pipeline {
            operations: Route::new()
                .nest(v1::document::BASE, endpoints::v1::service(&services))
                .nest(v2::document::BASE, v2_service),
            cache: cache.clone(),
            cors: Cors::new(&config.cors_origins),
            response_validator: response_validator.clone(),
            recorder: (!settings.limits.filter.is_empty()).then_some(recorder),
            usage: usage.clone(),
            brownouts: config.deprecations.brownouts.clone(),
            gone_after_sunset: config.responses.gone_after_sunset,
            unversioned: UnversionedRoutes::new(
                config,
                db.clone(),
                redis.clone(),
                readiness.clone(),
                published_files(config, &tokens, &*dependencies.clock)?,
                Arc::clone(&dependencies.clock),
            ),
            authenticator,
            clock: dependencies.clock,
            body_rules: Arc::new(RequestRules(policy)),
            rate_limits: limiter.map(|limiter| RateLimits { limiter, audit: services.audit.clone() }),
            limits: limits.subscribe(),
            metrics: metrics.as_mut().map(metrics::register_requests),
            tracer: tracer.clone(),
            base_path: BasePath::new(config.base_path()),
            trusted_proxies: config.trusted_proxies.clone(),
            is_https: config.is_https(),
            has_faults: config.environment == Environment::Testing,
        };
        let worker = JobWorker::new(
            context,
            &mailer,
            services.incidents.clone(),
            services.deprecations.clone(),
            worker_settings(config, secret, deprecated),
            job_metrics,
        );
        let usage = UsageWriter::new(usage, db.clone());
        Ok(Self {
            endpoint: boxed(ReplayRecognition { inner: pipeline, signatures }),
            worker,
            incidents,
            usage,
            readiness,
            limits,
            db,
            hasher,
            cache,
            response_validator,
            metrics: metrics.map(MetricsEndpoint::new),
            redis: redis.map(|redis| (redis.clone(), redis.monitor())),
            tracer,
        })
    }
}

/// Returns a limiter that counts in Redis, or in memory without Redis.
fn rate_limiter(redis: Option<&Redis>, in_memory: Arc<InMemoryRateLimiter>) -> Arc<dyn RateLimiter> {
    match redis {
        Some(redis) => Arc::new(SharedRateLimiter::new(redis.clone(), in_memory)),
        None => in_memory,
    }
}

/// Returns the schedule of recurring backups; `None` if they are disabled.
fn backup_schedule(config: &Config) -> Option<BackupSchedule> {
    let interval = config.backups.interval;
    match &config.database.target {
        Target::Sqlite(database) if !interval.is_zero() => Some(BackupSchedule {
            database: database.clone(),
            directory: config.backup_dir(),
            interval,
            keep: config.backups.keep,
        }),
        _ => None,
    }
}

fn worker_settings(config: &Config, secret: &SecretString, deprecated: Arc<[DeprecatedOperation]>) -> WorkerSettings {
    let jobs = JobRetention { done: config.jobs.retention, dead: config.jobs.dead_letter_retention };
    WorkerSettings {
        workers: config.jobs.workers,
        reset_ttl: config.passwords.reset_ttl,
        public_url: config.public_url.clone(),
        retention: RetentionPeriods { audit_events: config.audit_retention, usage: config.usage_retention, jobs },
        deprecation_mail: deprecation_mail(config, deprecated),
        backups: backup_schedule(config),
        server: config.running_server(secret),
    }
}

fn deprecation_mail(config: &Config, deprecated: Arc<[DeprecatedOperation]>) -> DeprecationMailSettings {
    let guide = config.deprecations.guide.clone();
    DeprecationMailSettings {
        deprecated,
        is_enabled: config.deprecations.sends_notices,
        guide: guide.unwrap_or_else(|| format!("{}/guides/migrating-to-v2", config.public_url)),
    }
}

/// Returns the servers that incidents can be replayed on. In development, this server is the default.
fn replay_targets(config: &Config) -> Vec<ReplayTarget> {
    let target = |name: &str, url: &str, admin: Option<Credentials>| ReplayTarget {
        name: name.to_owned(),
        url: url.to_owned(),
        accounts: ReplayAccounts { user: None, admin },
    };
    let configured = &config.incidents.replay_targets;
    // With port 0, the URL is not known.
    if configured.is_empty() && config.environment == Environment::Development && config.port != 0 {
        let admin = Credentials { email: seed::ADMIN_EMAIL.to_owned(), password: seed::ADMIN_PASSWORD.into() };
        return vec![target("development", &config.public_url, Some(admin))];
    }
    let credentials =
        |admin: &ReplayAdmin| Credentials { email: admin.email.clone(), password: admin.password.clone() };
    configured.iter().map(|one| target(&one.name, &one.url, one.admin.as_ref().map(credentials))).collect()
}

/// Returns the deprecated operations of both versions with their dates.
fn listed_deprecations() -> Vec<ListedDeprecation> {
    let of = |version: &'static str| {
        move |operation: &'static contract::Operation| {
            let deprecation = operation.deprecation?;
            let (since, sunset) = (deprecation.since.to_string(), deprecation.sunset.to_string());
            Some(ListedDeprecation { version, operation: operation.id, since, sunset })
        }
    };
    let v1 = v1::document::operations().filter_map(of("v1"));
    v1.chain(v2::document::operations().filter_map(of("v2"))).collect()
}

/// Content of the unversioned routes that the HTTP layer does not know.
fn published_files(config: &Config, tokens: &AccessTokens, clock: &dyn Clock) -> Result<PublishedFiles, MailError> {
    let is_development = config.environment == Environment::Development;
    let now = DateTime::from_timestamp_micros(clock.now().micros()).unwrap_or_default();
    let previews = if is_development { templates::samples(&config.public_url, now)? } else { Vec::new() };
    let preview = |(name, mail): (&'static str, Mail)| {
        let Mail { subject, text, html, .. } = mail;
        MailPreview { name, subject, text, html }
    };
    Ok(PublishedFiles {
        demo_login: is_development.then_some((seed::DEMO_EMAIL, seed::DEMO_PASSWORD)),
        admin_login: is_development.then_some((seed::ADMIN_EMAIL, seed::ADMIN_PASSWORD)),
        deprecations: listed_deprecations(),
        postman: postman::published_files(config.environment.as_str(), &config.public_url),
        public_keys: tokens.public_keys().to_string(),
        mails: previews.into_iter().map(preview).collect(),
    })
}

/// Creates the keys of access tokens. New tokens are signed with the private key if there is one, otherwise with the secret. Tokens
/// signed with previous keys are accepted.
fn access_tokens(tokens: &TokenSettings, secret: &SecretString) -> Result<AccessTokens, jsonwebtoken::errors::Error> {
    let ttl = seconds(tokens.access_ttl);
    let current = match &tokens.private_key {
        Some(key) => AccessTokens::ed25519(key, ttl)?,
        None => AccessTokens::new(secret, &[], ttl),
    };
    current.accepting(&tokens.previous_secrets, &tokens.previous_public_keys)
}

fn boxed(endpoint: impl Endpoint<Output = Response> + 'static) -> BoxEndpoint<'static, Response> {
    poem::EndpointExt::boxed(endpoint)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4).max(1)
}
