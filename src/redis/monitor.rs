//! Connects to Redis, and replaces the connection when it fails.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ::redis::cmd;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Link, Redis, RedisError,
    error::MIN_VERSION,
    peers::{self, RECORD_INTERVAL},
    unresponsive::MAX_TIMEOUTS,
};
use crate::domain::Quota;

/// Maximum time for connecting, authenticating and the checks of a new connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Waiting times between attempts to connect.
const MIN_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The task that keeps the connection to Redis.
pub struct RedisMonitor(Redis);

impl RedisMonitor {
    pub(super) const fn new(redis: Redis) -> Self {
        Self(redis)
    }

    /// Runs until `shutdown` is cancelled. The connection remains usable after that, so that the last requests can complete.
    pub async fn run(self, shutdown: CancellationToken) {
        let _ = shutdown.run_until_cancelled(self.keep_connected()).await;
    }

    async fn keep_connected(&self) {
        let Self(redis) = self;
        let address = &redis.0.settings.address;
        let (mut delay, mut reported) = (MIN_DELAY, None);
        loop {
            match self.connect().await {
                Ok(link) => {
                    tracing::info!(%address, "Redis connected");
                    let link = Arc::new(link);
                    redis.publish(Arc::clone(&link));
                    self.report_differences(&link).await;
                    self.report_eviction(&link).await;
                    let reason = self.watch(&link).await;
                    redis.unpublish(&link);
                    tracing::warn!(
                        %address,
                        %reason,
                        "Redis connection lost; rate limits apply to each server, and token statuses are read from the database"
                    );
                    (delay, reported) = (MIN_DELAY, None);
                }
                Err(error) => {
                    let reason = error.to_string();
                    // Only changes are logged, because attempts are repeated for as long as Redis is unavailable.
                    if reported.as_ref() != Some(&reason) {
                        tracing::warn!(%address, reason, help = error.help(), "cannot connect to Redis; retrying");
                        reported = Some(reason);
                    }
                    delay = (delay * 2).min(MAX_DELAY);
                }
            }
            sleep(delay).await;
        }
    }

    async fn connect(&self) -> Result<Link, RedisError> {
        let Self(redis) = self;
        let link = open_within_limit(redis).await?;
        match peers::register(redis, &link).await {
            // One late response is no reason to stop using Redis.
            Ok(()) | Err(RedisError::Timeout(_)) => Ok(link),
            Err(error) => Err(error),
        }
    }

    /// Returns the reason when the connection must be replaced.
    async fn watch(&self, link: &Link) -> RedisError {
        let Self(redis) = self;
        loop {
            tokio::select! {
                () = sleep(RECORD_INTERVAL) => {}
                () = link.lost.cancelled() => return RedisError::Other("a command failed".to_owned()),
            }
            // Also detects a primary that has become a replica.
            if let Err(error) = peers::register(redis, link).await
                && link.lost.is_cancelled()
            {
                return error;
            }
        }
    }

    async fn report_differences(&self, link: &Link) {
        let Self(redis) = self;
        for difference in peers::read_differences(redis, link).await.unwrap_or_default() {
            tracing::warn!(
                server = difference.server,
                setting = difference.setting,
                "another server with the same REDIS_PREFIX has different settings"
            );
        }
    }

    async fn report_eviction(&self, link: &Link) {
        let Self(redis) = self;
        if let Some(policy) = redis.read_evicting_policy(link).await {
            tracing::warn!(
                policy,
                help = "set maxmemory-policy to noeviction",
                "Redis evicts keys when its memory limit is reached; rate limits may be forgotten"
            );
        }
    }
}

/// Like [`open`], but fails after [`CONNECT_TIMEOUT`].
pub(super) async fn open_within_limit(redis: &Redis) -> Result<Link, RedisError> {
    match timeout(CONNECT_TIMEOUT, open(redis)).await {
        Ok(result) => result,
        Err(_) if redis.0.settings.address.is_tls() => Err(RedisError::NoHandshake(CONNECT_TIMEOUT)),
        Err(_) => Err(RedisError::Timeout(CONNECT_TIMEOUT)),
    }
}

/// Opens a connection, and verifies that it is fast enough and that the user may count requests.
async fn open(redis: &Redis) -> Result<Link, RedisError> {
    let connection = redis.0.settings.address.connect().await.map_err(RedisError::connecting)?;
    let link = Link::new(connection, redis.0.generations.fetch_add(1, Ordering::Relaxed));
    let mut connection = link.connection.clone();
    // A user without this permission can still use a version that is new enough.
    let info: Result<String, _> = cmd("INFO").arg("server").query_async(&mut connection).await;
    if let Ok(info) = info {
        if let Some(version) = unsupported_version(&info) {
            return Err(RedisError::OldVersion(version));
        }
        if info_value(&info, "redis_mode") == Some("cluster") {
            return Err(RedisError::Cluster);
        }
    }
    for attempt in 1.. {
        let quota = Quota { requests: u32::MAX, window: Duration::from_secs(1) };
        match redis.count(&link, "connect", quota).await {
            // The first command also loads the script.
            Err(RedisError::Timeout(_)) if attempt < MAX_TIMEOUTS => {}
            result => return result.map(|_| link),
        }
    }
    Ok(link)
}

/// Returns the version in the response of `INFO` if it is not supported.
pub(super) fn unsupported_version(info: &str) -> Option<String> {
    let version = info_value(info, "redis_version")?;
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    ((major, minor) < MIN_VERSION).then(|| version.to_owned())
}

/// Returns a value in the response of `INFO`.
pub(super) fn info_value<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_detected() {
        for (version, is_supported) in
            [("5.0.14", false), ("6.0.16", false), ("6.2.0", true), ("7.0.15", true), ("10.1.0", true), ("x", true)]
        {
            let info = format!("# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n");
            assert_eq!(unsupported_version(&info).is_none(), is_supported, "{version}");
        }
    }
}
