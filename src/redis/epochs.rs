//! Epochs of accounts: whether what a server has cached about an account is current.
//!
//! The epoch of an account is a random number in Redis. A server that changes data of an account or of its sessions replaces the epoch after
//! the commit and before the response. A server reads the epoch before the database, and stores what it has read together with
//! the epoch. A cached entry is valid
//!
//! - while its epoch is that of the account, so that an acknowledged change is visible to the next request on every server;
//! - if it was read since the connection to Redis was opened, so that a Redis that has lost its last writes in a restart or a failover does
//!   not make an old entry valid again;
//! - for [`MAX_AGE`] since it was read from the database. If a server cannot replace the epoch, it waits for this time before it
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
/// Retention of an epoch. After that, the next request reads the database.
const TTL: Duration = Duration::from_secs(3_600);
/// Interval between attempts to replace an epoch.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The epoch of an account at the time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    account: UserId,
    value: u64,
    /// The connection that the epoch was read from.
    generation: u64,
}

impl Epoch {
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

/// Reads and replaces epochs.
#[derive(Clone)]
pub struct AccountEpochs {
    redis: Redis,
    suspension: Arc<dyn CacheSuspension>,
}

impl fmt::Debug for AccountEpochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccountEpochs").field(&self.redis).finish()
    }
}

/// Reports that a change was committed. If it is dropped, there was none.
#[derive(Debug)]
pub struct Announcement(Option<oneshot::Sender<UserId>>);

/// The delivery of an announcement, which proceeds even if this value is dropped.
#[derive(Debug)]
pub struct Delivery(Option<JoinHandle<()>>);

impl Announcement {
    /// Replaces the epoch of an account.
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

impl AccountEpochs {
    #[must_use]
    pub fn new(redis: Redis, suspension: Arc<dyn CacheSuspension>) -> Self {
        Self { redis, suspension }
    }

    /// Returns the epoch of an account; `None` if Redis is unavailable, so that nothing cached is valid.
    pub async fn current(&self, account: UserId) -> Option<Epoch> {
        let epoch = self.read(account).await;
        if epoch.is_none() {
            self.redis.record_fallback(RedisUse::TokenStatus);
        }
        epoch
    }

    async fn read(&self, account: UserId) -> Option<Epoch> {
        let link = self.redis.link()?;
        let key = self.key(account);
        let value = match self.redis.get(&link, &key).await.ok()? {
            Some(value) => value,
            None => self.redis.get_or_set(&link, &key, rand::random(), TTL).await.ok()?,
        };
        Some(Epoch { account, value, generation: link.generation })
    }

    /// Prepares the announcement of a change. Must be called on a Tokio runtime.
    #[must_use]
    pub fn announce(&self) -> (Announcement, Delivery) {
        let (sender, committed) = oneshot::channel();
        let epochs = self.clone();
        let task = tokio::spawn(async move {
            if let Ok(account) = committed.await {
                epochs.replace(account).await;
            }
        });
        (Announcement(Some(sender)), Delivery(Some(task)))
    }

    /// Prepares nothing: without Redis, there is nothing to announce.
    #[must_use]
    pub const fn announce_nothing() -> (Announcement, Delivery) {
        (Announcement(None), Delivery(None))
    }

    /// Replaces the epoch of an account, or waits until cached entries have expired.
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
                    return self.redis.record_fallback(RedisUse::Announcement);
                }
            }
        }
    }

    fn key(&self, account: UserId) -> String {
        self.redis.key(format_args!("epoch:{account}"))
    }
}
