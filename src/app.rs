//! The application factory: `Config → Db → services → endpoints → one poem Endpoint`. The only way to make an app.

use std::{sync::Arc, time::Duration};

use contract::{v1, v2};
use poem::{Endpoint, Response, Route, endpoint::BoxEndpoint};
use secrecy::SecretString;

use crate::{
    auth::{AccessTokens, Hasher, RefreshTokens, Signer, TokenStatusCache},
    capture::{self, RecordCipher, Recorder},
    config::{Config, Environment, Tokens},
    db::Db,
    domain::{Clock, PasswordPolicy, Random, RateLimiter, SystemClock, SystemRandom},
    endpoints::{self, Authenticator, PasswordRules},
    http::{Cors, Pipeline, RateLimits, Readiness, ResponseCache, ResponseValidator, UnversionedRoutes},
    jobs::{IncidentWriter, Worker},
    limits::MemoryLimits,
    mail::{FileMailer, Mailer, SmtpMailer},
    services::{Context, Outbox, RetentionPolicy, Revisions, Services},
};

/// What an app is made of besides its configuration; a test brings its own.
pub struct Dependencies {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub mailer: Arc<dyn Mailer>,
}

/// What kept an app from being made: one sentence each, naming the remedy.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("cannot start a thread: {0}")]
    Threads(#[from] std::io::Error),
    #[error("argon2 refuses PASSWORD_HASH_MEMORY_KIB and PASSWORD_HASH_PASSES: {0}")]
    Hashing(argon2::Error),
    #[error("JWT_PRIVATE_KEY or JWT_PREVIOUS_PUBLIC_KEYS cannot be used: {0}")]
    Key(jsonwebtoken::errors::Error),
    #[error("{0}; mend SMTP_URL or MAIL_FROM")]
    Mail(#[from] crate::mail::MailError),
}

/// A whole application.
pub struct App {
    pub endpoint: BoxEndpoint<'static, Response>,
    pub worker: Worker,
    /// Stores failures.
    pub incidents: IncidentWriter,
    pub readiness: Readiness,
    pub db: Db,
    pub hasher: Hasher,
    /// The answers kept in memory, unless they are switched off.
    pub cache: Option<ResponseCache>,
    /// What has been found of answers that are not what the document says, unless nobody looks.
    pub response_validator: Option<ResponseValidator>,
}

impl Dependencies {
    /// The real clock, the real chance, and the mailer that is configured.
    ///
    /// # Errors
    /// When the mail settings cannot be understood.
    pub fn real(config: &Config) -> Result<Self, AppError> {
        let mailer: Arc<dyn Mailer> = match &config.smtp_url {
            Some(url) => Arc::new(SmtpMailer::new(url, &config.mail_from)?),
            None => Arc::new(FileMailer::new(config.mail_dir())),
        };
        Ok(Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), mailer })
    }
}

impl App {
    /// Makes the application. The database is opened, not migrated.
    ///
    /// # Errors
    /// [`AppError`].
    pub fn new(config: &Config, secret: &SecretString, parts: Dependencies) -> Result<Self, AppError> {
        let db = Db::open(config.database.clone())?;
        let tokens = Arc::new(access_tokens(&config.tokens, secret).map_err(AppError::Key)?);
        let limiter =
            MemoryLimits::new(&config.limits, &parts.clock).map(|limits| Arc::new(limits) as Arc<dyn RateLimiter>);
        // A replica cannot see what another one wrote.
        let is_sole_writer = config.is_sole_writer();
        let (token_status, revisions) = (TokenStatusCache::new(is_sole_writer), Revisions::new(is_sole_writer));
        let policy = PasswordPolicy { min_length: config.passwords.min_length };
        let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
        let context = Arc::new(Context {
            db: db.clone(),
            clock: Arc::clone(&parts.clock),
            random: parts.random,
            hasher: hasher.clone(),
            policy,
            tokens: Arc::clone(&tokens),
            refresh_tokens: RefreshTokens::new(secret),
            refresh_ttl: config.tokens.refresh_ttl,
            session_ttl: config.tokens.session_ttl,
            token_status: token_status.clone(),
            revisions: revisions.clone(),
            limits: limiter.clone(),
            outbox: Outbox::default(),
        });
        let kept = &config.incidents;
        let cipher = RecordCipher::new(kept.key.as_ref(), &kept.previous_keys);
        let services =
            Services::new(&context, RetentionPolicy { cipher, max: kept.max.into(), ttl: kept.ttl }, config.export_ttl);
        let (recorder, inbox) = Recorder::new(kept.limits.clone());
        let incidents = IncidentWriter::new(inbox, capture::redactor(secret), services.incidents.clone());
        let authenticator = Arc::new(Authenticator {
            tokens: Arc::clone(&tokens),
            db: db.clone(),
            clock: Arc::clone(&parts.clock),
            token_status,
            revisions,
        });
        let readiness = Readiness::default();
        let signer = Signer::new(secret, &config.tokens.previous_secrets, "cursors");
        let modern = endpoints::v2::service(&services, signer, config.responses.requires_if_match, &config.public_url);
        let cache = ResponseCache::new(config.responses.cache_bytes);
        let response_validator = ResponseValidator::new(config.responses.validation)?;
        let stack = Pipeline {
            versions: Route::new()
                .nest(v1::document::BASE, endpoints::v1::service(&services))
                .nest(v2::document::BASE, modern),
            cache: cache.clone(),
            cors: Cors::new(&config.cors_origins),
            response_validator: response_validator.clone(),
            recorder: (!kept.limits.filter.is_empty()).then_some(recorder),
            gone_after_sunset: config.responses.gone_after_sunset,
            system: UnversionedRoutes::new(
                config,
                db.clone(),
                readiness.clone(),
                &tokens.public_keys(),
                Arc::clone(&parts.clock),
            ),
            authenticator,
            tokens,
            clock: parts.clock,
            rules: Arc::new(PasswordRules(policy)),
            rate_limits: limiter.map(|limiter| RateLimits { limiter, audit: services.audit.clone() }),
            limits: config.limits,
            trusted_proxies: config.trusted_proxies.clone(),
            is_https: config.is_https(),
            has_faults: config.environment == Environment::Testing,
        };
        let (reset_ttl, url) = (config.passwords.reset_ttl, config.public_url.clone());
        let worker = Worker::new(context, parts.mailer, reset_ttl, url, config.audit_retention);
        Ok(Self { endpoint: boxed(stack), worker, incidents, readiness, db, hasher, cache, response_validator })
    }
}

/// By the key that is configured, else by the secret; what was signed with the previous ones is still good.
fn access_tokens(tokens: &Tokens, secret: &SecretString) -> Result<AccessTokens, jsonwebtoken::errors::Error> {
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
