//! Groups of settings.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use ed25519_dalek::{SigningKey, VerifyingKey};
use secrecy::SecretString;

use crate::capture::CaptureLimits;

/// Connections of clients.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// The certificate file and its key file; `None` for plain HTTP.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Interval between checks of these files for changes.
    pub certificate_check_interval: Duration,
    /// The port that redirects to HTTPS.
    pub redirect_port: Option<u16>,
    /// Whether trusted proxies send a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Maximum number of open connections.
    pub max: u32,
    /// Maximum time for a TLS handshake, and for the head of a request to arrive.
    pub header_timeout: Duration,
    /// Maximum time without a request.
    pub idle_timeout: Duration,
    /// Maximum time without progress while a client reads a response.
    pub send_timeout: Duration,
}

/// The security contact and policy.
#[derive(Clone, Debug)]
pub struct SecurityContact {
    /// A URI, such as a `mailto:` address.
    pub contact: Option<String>,
    /// The URL of the disclosure policy.
    pub policy: Option<String>,
}

/// Access and refresh tokens.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// Signs cursors, and access tokens if there is no private key. `None` in development: generated and stored in the data
    /// directory.
    pub secret: Option<SecretString>,
    /// Previous secrets: verify access tokens, cursors and replay signatures that they have signed, but sign nothing.
    pub previous_secrets: Vec<SecretString>,
    /// Key that signs access tokens instead of the secret. `Debug` shows only the public key.
    pub private_key: Option<SigningKey>,
    /// Previous public keys: accepted, but tokens are not signed with them.
    pub previous_public_keys: Vec<VerifyingKey>,
    pub access_ttl: Duration,
    /// Lifetime of a session that is not refreshed.
    pub refresh_ttl: Duration,
    /// Maximum lifetime of a session.
    pub session_ttl: Duration,
}

/// Passwords and their hashing.
#[derive(Clone, Copy, Debug)]
pub struct PasswordSettings {
    pub min_length: usize,
    /// Memory of argon2id in KiB.
    pub memory_kib: u32,
    /// Passes of argon2id.
    pub passes: u32,
    pub reset_ttl: Duration,
}

/// Limits of requests.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Whether rate limits are enabled.
    pub rate_limit: bool,
    /// Requests per minute per caller.
    pub general_per_minute: u32,
    pub register_per_minute: u32,
    pub login_per_minute: u32,
    pub refresh_per_minute: u32,
    pub password_reset_per_hour: u32,
    pub search_per_minute: u32,
    pub exports_per_hour: u32,
    pub imports_per_hour: u32,
    pub body_bytes: usize,
    pub request_timeout: Duration,
}

/// Settings of background jobs.
#[derive(Clone, Copy, Debug)]
pub struct JobSettings {
    /// Whether the server runs jobs.
    pub runs_in_server: bool,
    /// Number of jobs that run at the same time.
    pub workers: NonZeroUsize,
    /// Retention of jobs that have succeeded. Zero: they are deleted immediately.
    pub retention: Duration,
    /// Retention of dead letters and cancelled jobs.
    pub dead_letter_retention: Duration,
}

/// Settings of recurring backups.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    /// Zero disables them.
    pub interval: Duration,
    /// `None`: a directory in the data directory.
    pub directory: Option<PathBuf>,
    /// Number of backups to retain.
    pub keep: usize,
}

/// Settings of responses.
#[derive(Clone, Copy, Debug)]
pub struct ResponseSettings {
    /// Size of the response cache in bytes; 0 disables it.
    pub cache_bytes: u64,
    /// Whether updates and deletions in v2 require `If-Match`.
    pub requires_if_match: bool,
    /// Whether deprecated operations return 410 after their sunset.
    pub gone_after_sunset: bool,
    /// Which responses are validated against the OpenAPI document.
    pub validation: ResponseValidation,
}

/// The selection of responses to validate against the OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseValidation {
    Off,
    /// The first response of each operation and status, and one percent of the others.
    Sample,
    All,
}

/// Capture and retention of failed requests.
#[derive(Clone, Debug)]
pub struct IncidentSettings {
    pub limits: CaptureLimits,
    /// Maximum number of stored incidents. Above it, the oldest incidents of the most frequent failures are deleted.
    pub max: u32,
    pub ttl: Duration,
    /// The servers that administrators can replay incidents on.
    pub replay_targets: Vec<ReplayTarget>,
    /// Key that encrypts stored incidents; `None` to store them unencrypted.
    pub key: Option<SecretString>,
    /// Previous keys, which decrypt incidents but do not encrypt new ones.
    pub previous_keys: Vec<SecretString>,
}

/// A server that incidents can be replayed on.
#[derive(Clone, Debug)]
pub struct ReplayTarget {
    pub name: String,
    /// The URL of the server, without credentials.
    pub url: String,
    /// Email address and password of an administrator of the server, who sends the requests of administrators.
    pub admin: Option<ReplayAdmin>,
}

/// Email address and password of an administrator.
#[derive(Clone, Debug)]
pub struct ReplayAdmin {
    pub email: String,
    pub password: SecretString,
}
