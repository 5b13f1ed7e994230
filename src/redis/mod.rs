//! Redis: the state that several servers share. While it is unavailable, each server counts for itself and reads the database.
//!
//! [`RedisMonitor`] connects, and replaces the connection when it fails. A command runs on the current connection, within
//! `REDIS_TIMEOUT`; without a connection, callers do not wait.

mod address;
mod cache_versions;
mod check;
mod commands;
mod error;
mod monitor;
mod peers;
mod unresponsive;

use std::{
    fmt,
    future::Future,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use ::redis::{RedisResult, aio::MultiplexedConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::SharedSettings,
    metrics::{RedisMetrics, RedisResult as CommandResult, RedisUse},
};

pub use address::RedisAddress;
pub use cache_versions::{CacheSuspension, CacheVersion, CacheVersions, Delivery, Invalidation, MAX_AGE};
pub use check::RedisReport;
pub use commands::GcraDecision;
pub use error::RedisError;
pub use monitor::RedisMonitor;
use unresponsive::UnresponsivePeriod;

/// The commands that the user in `REDIS_URL` must be allowed to run, on keys that begin with the prefix.
pub const COMMANDS: &str = "get set evalsha script|load time sadd srem smembers";

/// The settings of Redis.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    pub address: RedisAddress,
    /// The prefix of all keys.
    pub prefix: String,
    /// Maximum time that a request waits for a response.
    pub timeout: Duration,
}

/// A connection to Redis that is replaced when it fails; cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    settings: RedisSettings,
    /// Identifies this server among those that share Redis.
    server_id: String,
    shared_settings: SharedSettings,
    /// `None` while Redis is unavailable.
    link: watch::Sender<Option<Arc<Link>>>,
    generations: AtomicU64,
    metrics: Option<RedisMetrics>,
}

/// A connection.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    /// Differs from that of all other connections of this process.
    generation: u64,
    unresponsive: UnresponsivePeriod,
    /// Cancelled when the connection must not be used any more.
    lost: CancellationToken,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.0.settings).finish()
    }
}

impl Redis {
    /// Creates an unconnected client, and the task that connects it.
    #[must_use]
    pub fn new(settings: RedisSettings, shared_settings: SharedSettings, metrics: Option<RedisMetrics>) -> Self {
        Self(Arc::new(Inner {
            settings,
            server_id: uuid::Uuid::now_v7().simple().to_string(),
            shared_settings,
            link: watch::Sender::new(None),
            generations: AtomicU64::new(0),
            metrics,
        }))
    }

    /// Returns the task that connects to Redis.
    #[must_use]
    pub fn monitor(&self) -> RedisMonitor {
        RedisMonitor::new(self.clone())
    }

    /// Returns whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.link.borrow().is_some()
    }

    /// Waits until there is a connection.
    pub async fn connected(&self) {
        // Fails only if the sender is dropped, which this handle prevents.
        let _ = self.0.link.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until there is no connection.
    pub async fn disconnected(&self) {
        let _ = self.0.link.subscribe().wait_for(Option::is_none).await;
    }

    /// Returns the current connection.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.0.link.borrow().clone()
    }

    /// Counts an operation that ran without Redis.
    pub(crate) fn record_fallback(&self, used_for: RedisUse) {
        if let Some(metrics) = &self.0.metrics {
            metrics.record_fallback(used_for);
        }
    }

    fn key(&self, name: fmt::Arguments<'_>) -> String {
        format!("{}:{name}", self.0.settings.prefix)
    }

    /// Runs a command within the time limit. The connection is replaced after a failure that is not about the value of the key, and if there
    /// is no response for some time.
    async fn run<T>(&self, link: &Link, command: impl Future<Output = RedisResult<T>>) -> Result<T, RedisError> {
        let started = Instant::now();
        let result = match tokio::time::timeout(self.0.settings.timeout, command).await {
            Ok(Ok(value)) => {
                link.unresponsive.record_response();
                Ok(value)
            }
            Ok(Err(error)) => {
                if error::is_about_value(&error) {
                    link.unresponsive.record_response();
                } else {
                    link.lost.cancel();
                }
                Err(RedisError::from(error))
            }
            Err(_) => {
                if link.unresponsive.record_timeout(started, Instant::now()) {
                    link.lost.cancel();
                }
                Err(RedisError::Timeout(self.0.settings.timeout))
            }
        };
        if link.lost.is_cancelled() {
            self.unpublish(link);
        }
        if let Some(metrics) = &self.0.metrics {
            let outcome = match &result {
                Ok(_) => CommandResult::Ok,
                Err(RedisError::Timeout(_)) => CommandResult::Timeout,
                Err(_) => CommandResult::Error,
            };
            metrics.record_command(outcome, started.elapsed());
        }
        result
    }

    /// Makes a connection available.
    fn publish(&self, link: Arc<Link>) {
        self.0.link.send_replace(Some(link));
        self.set_up(true);
    }

    /// Makes a connection unavailable, unless it was replaced.
    fn unpublish(&self, link: &Link) {
        let is_current = |current: &mut Option<Arc<Link>>| {
            let is_current = current.as_ref().is_some_and(|current| current.generation == link.generation);
            if is_current {
                *current = None;
            }
            is_current
        };
        if self.0.link.send_if_modified(is_current) {
            self.set_up(false);
        }
    }

    fn set_up(&self, is_up: bool) {
        if let Some(metrics) = &self.0.metrics {
            metrics.set_up(is_up);
        }
    }
}

impl Link {
    fn new(connection: MultiplexedConnection, generation: u64) -> Self {
        Self { connection, generation, unresponsive: UnresponsivePeriod::default(), lost: CancellationToken::new() }
    }
}
