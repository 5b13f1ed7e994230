//! Failures of Redis, in words.

use std::{fmt, time::Duration};

use ::redis::{ErrorKind, ServerErrorKind};

/// The oldest version of Redis that is supported.
pub(super) const MIN_VERSION: (u32, u32) = (6, 2);

/// Texts of errors: of rustls, when the server responds in another protocol.
const NO_TLS: [&str; 2] = ["InvalidContentType", "InvalidMessage"];
/// Of Redis, when the number of the database is too high.
const NO_DATABASE: &str = "DB index is out of range";
/// Of the operating system, when the server closes the connection.
const CLOSED: [&str; 4] = ["unexpected end of file", "early eof", "Connection reset", "Broken pipe"];

/// A failure of Redis. No message contains credentials.
#[derive(Debug)]
pub enum RedisError {
    /// No response within this time.
    Timeout(Duration),
    /// The user or the password is wrong.
    Unauthenticated(String),
    /// The user lacks a permission.
    Forbidden(String),
    /// The server is a replica, or has lost its replicas.
    ReadOnly(String),
    /// The memory is full and nothing may be evicted.
    OutOfMemory,
    /// The version of the server is not supported.
    OldVersion(String),
    /// Sentinel does not know a primary of this name.
    UnknownPrimary,
    /// The port did not complete the handshake of TLS.
    NoHandshake(Duration),
    /// The port does not accept TLS.
    NoTls,
    /// The server is another program.
    NotRedis,
    /// The number of the database is too high.
    NoDatabase,
    /// The server is part of a Redis Cluster.
    Cluster,
    /// Every other failure.
    Other(String),
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(limit) => write!(f, "no response within {} ms", limit.as_millis()),
            Self::Unauthenticated(reason) => write!(f, "authentication failed: {reason}"),
            Self::Forbidden(reason) => write!(f, "permission denied: {reason}"),
            Self::ReadOnly(reason) => write!(f, "the server does not accept writes: {reason}"),
            Self::OutOfMemory => {
                f.write_str("the memory limit is reached, and maxmemory-policy allows no key to be evicted")
            }
            Self::OldVersion(version) => {
                write!(f, "version {version} is not supported; the oldest is {}.{}", MIN_VERSION.0, MIN_VERSION.1)
            }
            Self::UnknownPrimary => f.write_str("Sentinel does not know a primary of this name"),
            Self::NoHandshake(limit) => write!(f, "no TLS handshake within {} ms", limit.as_millis()),
            Self::NoTls => f.write_str("the port does not accept TLS"),
            Self::NotRedis => f.write_str("the server does not respond like Redis"),
            Self::NoDatabase => f.write_str("the database number is out of range"),
            Self::Cluster => f.write_str("Redis Cluster is not supported"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for RedisError {}

impl RedisError {
    /// Returns how to fix the problem.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Timeout(_) => {
                "check that Redis is not overloaded and is close to the server, or increase REDIS_TIMEOUT"
            }
            Self::Unauthenticated(_) => "correct the user and the password in REDIS_URL",
            Self::Forbidden(_) => "grant the user the commands and keys that docs/operating.md lists",
            Self::ReadOnly(_) => "use the address of the primary, or of Sentinel, in REDIS_URL",
            Self::OutOfMemory => "increase maxmemory of Redis",
            Self::OldVersion(_) => "update Redis",
            Self::UnknownPrimary => "correct the name in REDIS_URL",
            Self::NoHandshake(_) | Self::NoTls => {
                "correct the port in REDIS_URL, or use redis:// if the server does not use TLS"
            }
            Self::NotRedis => "correct the host and the port in REDIS_URL, or use rediss:// if the server requires TLS",
            Self::NoDatabase => "use a lower number in the path of REDIS_URL, or increase `databases` of Redis",
            Self::Cluster => "use one server, or Sentinel with redis+sentinel:// in REDIS_URL",
            Self::Other(_) => "start Redis, or correct REDIS_URL",
        }
    }
}

impl RedisError {
    /// Describes an error while connecting.
    pub(super) fn connecting(error: ::redis::RedisError) -> Self {
        let text = error.to_string();
        let is_closed = error.is_io_error() && CLOSED.iter().any(|closed| text.contains(closed));
        match error.kind() {
            _ if NO_TLS.iter().any(|tls| text.contains(tls)) => Self::NoTls,
            _ if text.contains(NO_DATABASE) => Self::NoDatabase,
            ErrorKind::Parse => Self::NotRedis,
            _ if is_closed => Self::NotRedis,
            _ => Self::from(error),
        }
    }
}

impl From<::redis::RedisError> for RedisError {
    fn from(error: ::redis::RedisError) -> Self {
        let detail = || error.detail().unwrap_or_default().to_owned();
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
                Self::Unauthenticated(error.detail().unwrap_or("a password is required").to_owned())
            }
            (ErrorKind::Server(ServerErrorKind::NoPerm), _) => Self::Forbidden(detail()),
            (ErrorKind::Server(ServerErrorKind::ReadOnly), _) | (_, Some("NOREPLICAS")) => Self::ReadOnly(detail()),
            (_, Some("OOM")) => Self::OutOfMemory,
            (ErrorKind::MasterNameNotFoundBySentinel, _) => Self::UnknownPrimary,
            _ => Self::Other(without_error_number(&error.to_string())),
        }
    }
}

/// Returns whether a command failed because of the value of its key, which another program has written. Other keys are not affected.
pub(super) fn is_about_value(error: &::redis::RedisError) -> bool {
    // A response that violates the protocol is also `Parse`; it closes the connection, so that the next command fails.
    let is_value = matches!(
        error.kind(),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType | ErrorKind::Server(ServerErrorKind::ResponseError)
    );
    is_value || error.code() == Some("WRONGTYPE")
}

/// Removes the number that the standard library appends to errors of the operating system.
fn without_error_number(text: &str) -> String {
    text.split_once(" (os error").map_or(text, |(text, _)| text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_operating_system_have_no_number() {
        let error = std::io::Error::from_raw_os_error(111);
        assert_eq!(RedisError::from(::redis::RedisError::from(error)).to_string(), "Connection refused");
    }
}
