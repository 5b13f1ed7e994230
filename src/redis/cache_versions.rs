//! Cache versions of accounts: they show whether the data of an account that a server has cached is current.
//!
//! The cache version of an account is a random number in Redis. A server that changes data of an account or of its sessions replaces
//! the cache version after the commit and before the response. A server reads the cache version before the database, and stores what it
//! has read together with the cache version. A cached entry is valid
//!
//! - while its cache version is that of the account, so that an acknowledged change is visible to the next request on every server;
//! - if it was read since the connection to Redis was opened, so that a Redis that has lost its last writes in a restart or a failover does
//!   not make an old entry valid again;
//! - for [`MAX_AGE`] since it was read from the database. If a server cannot replace the cache version, it waits for this time before it
//!   responds to a change. Other servers, which may still reach Redis, do not use old entries then.
//!
//! A server that cannot reach Redis for longer suspends all caches through the database ([`CacheSuspension`]), so that only its first changes
//! wait.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use super::Redis;
use crate::{domain::UserId, metrics::RedisUse};

/// Maximum age of a cached entry.
pub const MAX_AGE: Duration = Duration::from_secs(1);
/// Maximum error of measured times.
const MARGIN: Duration = Duration::from_millis(20);
/// Retention of a cache version. After that, the next request reads the database.
const TTL: Duration = Duration::from_secs(3_600);
/// Interval between attempts to replace a cache version.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The cache version of an account at the time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheVersion {
    account: UserId,
    value: u64,
    /// The connection that the cache version was read from.
    generation: u64,
}

impl CacheVersion {
    /// Returns the account.
    #[must_use]
    pub const fn account(&self) -> UserId {
        self.account
    }
}

/// Suspends the caches of all servers.
pub trait CacheSuspension: Send + Sync + 'static {
    /// Returns whether no server uses anything cached now.
    fn is_effective(&self) -> bool;

    /// Starts to suspend caches, until Redis is connected. Must be called on a Tokio runtime.
    fn start(&self, redis: &Redis);
}

/// Reads and replaces cache versions.
#[derive(Clone)]
pub struct CacheVersions {
    redis: Redis,
    suspension: Arc<dyn CacheSuspension>,
}

impl fmt::Debug for CacheVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheVersions").field(&self.redis).finish()
    }
}

/// Reports that a change was committed. If it is dropped, there was none.
#[derive(Debug)]
pub struct Invalidation(Option<oneshot::Sender<UserId>>);

/// The delivery of an invalidation, which proceeds even if this value is dropped.
#[derive(Debug)]
pub struct Delivery(Option<JoinHandle<()>>);

impl Invalidation {
    /// Replaces the cache version of an account.
    pub fn committed(self, account: UserId) {
        if let Some(sender) = self.0 {
            let _ = sender.send(account);
        }
    }
}

impl Delivery {
    /// Waits until no server uses entries from before the change.
    pub async fn wait(self) {
        if let Some(task) = self.0
            && let Err(error) = task.await
            && error.is_panic()
        {
            // Entries from before the change may be valid for this time.
            sleep(MAX_AGE + MARGIN).await;
        }
    }
}

impl CacheVersions {
    #[must_use]
    pub fn new(redis: Redis, suspension: Arc<dyn CacheSuspension>) -> Self {
        Self { redis, suspension }
    }

    /// Returns the cache version of an account; `None` if Redis is unavailable, so that nothing cached is valid.
    pub async fn current(&self, account: UserId) -> Option<CacheVersion> {
        let cache_version = self.read(account).await;
        if cache_version.is_none() {
            self.redis.record_fallback(RedisUse::TokenStatus);
        }
        cache_version
    }

    async fn read(&self, account: UserId) -> Option<CacheVersion> {
        let link = self.redis.link()?;
        let key = self.key(account);
        let value = match self.redis.get(&link, &key).await.ok()? {
            Some(value) => value,
            None => self.redis.get_or_set(&link, &key, rand::random(), TTL).await.ok()?,
        };
        Some(CacheVersion { account, value, generation: link.generation })
    }

    /// Prepares the invalidation of a change. Must be called on a Tokio runtime.
    #[must_use]
    pub fn invalidate(&self) -> (Invalidation, Delivery) {
        let (sender, committed) = oneshot::channel();
        let cache_versions = self.clone();
        let task = tokio::spawn(async move {
            if let Ok(account) = committed.await {
                cache_versions.replace(account).await;
            }
        });
        (Invalidation(Some(sender)), Delivery(Some(task)))
    }

    /// Prepares nothing: without Redis, no server caches data that another one changes.
    #[must_use]
    pub const fn invalidate_nothing() -> (Invalidation, Delivery) {
        (Invalidation(None), Delivery(None))
    }

    /// Replaces the cache version of an account, or waits until cached entries have expired.
    async fn replace(&self, account: UserId) {
        let deadline = Instant::now() + MAX_AGE + MARGIN;
        let key = self.key(account);
        loop {
            if let Some(link) = self.redis.link()
                && self.redis.set(&link, &key, rand::random::<u64>(), TTL).await.is_ok()
            {
                return;
            }
            if self.suspension.is_effective() {
                return;
            }
            self.suspension.start(&self.redis);
            let retry = async {
                sleep(RETRY_INTERVAL).await;
                self.redis.connected().await;
            };
            tokio::select! {
                () = retry => {}
                () = sleep_until(deadline) => {
                    return self.redis.record_fallback(RedisUse::CacheInvalidation);
                }
            }
        }
    }

    fn key(&self, account: UserId) -> String {
        self.redis.key(format_args!("epoch:{account}"))
    }
}
