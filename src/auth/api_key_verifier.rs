//! Verifies the keys of API clients.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::sync::Cache;

use super::ApiKey;
use crate::{
    db::{Db, DbError, repositories::api_clients},
    domain::{ApiClientId, ApiKeyStatus, Clock, Timestamp, UserId},
    redis::{CacheVersion, MAX_AGE},
};

/// Interval between two records of a use.
const USE_INTERVAL: Duration = Duration::from_secs(60);
/// Retention of a verified key for rate limits. A client that is rate-limited is not verified again before, so this is also the
/// time after which it receives its new limit, and a revoked key 401 instead of 429.
const VERIFIED_TTL: Duration = Duration::from_secs(10);
const MAX_ENTRIES: u64 = 10_000;

/// The client of a key that was valid within the last seconds: whose rate limit applies to its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownApiClient {
    pub id: ApiClientId,
    pub account: UserId,
    /// Requests per minute; `None` for the general rate limit.
    pub rate_limit: Option<u32>,
}

/// Verifies keys so that all servers reject a revoked key immediately: against the database on every request, or against an entry that is
/// valid in the current cache version of the account.
#[derive(Clone)]
pub struct ApiKeyVerifier {
    db: Db,
    clock: Arc<dyn Clock>,
    /// By digest. Determines rate limits, which are checked before the database is read, but grants nothing.
    verified: Cache<Vec<u8>, KnownApiClient>,
    /// By digest.
    statuses: Cache<Vec<u8>, CachedKeyStatus>,
    /// When this process last recorded a use, by the public part of the key, so that a database that cannot be written delays one
    /// request per interval and not all.
    recorded: Cache<String, Timestamp>,
}

#[derive(Clone)]
struct CachedKeyStatus {
    cache_version: CacheVersion,
    read_at: Instant,
    status: Arc<ApiKeyStatus>,
}

impl ApiKeyVerifier {
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            clock,
            verified: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(VERIFIED_TTL).build(),
            statuses: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(MAX_AGE).build(),
            recorded: Cache::new(MAX_ENTRIES),
        }
    }

    /// Returns the client of a key, if the key was valid within the last seconds.
    #[must_use]
    pub fn known(&self, key: &ApiKey) -> Option<KnownApiClient> {
        self.verified.get(&key.digest())
    }

    /// Returns the status of an active key and records its use; `None` if the key is unknown, expired or revoked, or if the account
    /// is disabled. `cache_version` is that of the account, read during this request; `None` if nothing cached is valid.
    ///
    /// # Errors
    /// Fails if the database cannot be read.
    pub async fn verify(
        &self,
        key: &ApiKey,
        cache_version: Option<CacheVersion>,
    ) -> Result<Option<ApiKeyStatus>, DbError> {
        let (digest, now) = (key.digest(), self.clock.now());
        let status = match cache_version.and_then(|cache_version| self.cached(&digest, cache_version)) {
            Some(status) => Some(status),
            None => self.read(key, cache_version, now).await?,
        };
        let Some(status) = status.filter(|status| status.is_active(now)) else {
            self.verified.invalidate(&digest);
            return Ok(None);
        };
        let rate_limit = status.client.rate_limit.and_then(|limit| u32::try_from(limit).ok());
        let known = KnownApiClient { id: status.client.id, account: status.client.user_id, rate_limit };
        self.verified.insert(digest, known);
        self.record_use(key.prefix(), &status, now).await;
        Ok(Some(status))
    }

    fn cached(&self, digest: &[u8], cache_version: CacheVersion) -> Option<ApiKeyStatus> {
        let entry = self.statuses.get(digest)?;
        (entry.cache_version == cache_version && entry.read_at.elapsed() < MAX_AGE).then(|| (*entry.status).clone())
    }

    async fn read(
        &self,
        key: &ApiKey,
        cache_version: Option<CacheVersion>,
        now: Timestamp,
    ) -> Result<Option<ApiKeyStatus>, DbError> {
        let (prefix, read_at) = (key.prefix().to_owned(), Instant::now());
        let status = self.db.read(move |c| api_clients::key_status(c, &prefix, now).map_err(DbError::from)).await?;
        // An unknown prefix takes the same time as a wrong key.
        let is_match = key.matches(status.as_ref().map_or(&[0; 32][..], |status| &status.digest));
        let status = status.filter(|_| is_match);
        if let (Some(cache_version), Some(status)) = (cache_version, &status)
            && status.is_cacheable
            && cache_version.account() == status.client.user_id
        {
            self.statuses
                .insert(key.digest(), CachedKeyStatus { cache_version, read_at, status: Arc::new(status.clone()) });
        }
        Ok(status)
    }

    async fn record_use(&self, prefix: &str, status: &ApiKeyStatus, now: Timestamp) {
        let (id, before) = (status.client.id, now.before(USE_INTERVAL));
        let last = [status.key_last_used_at, self.recorded.get(prefix)];
        if last.into_iter().flatten().any(|at| at > before) {
            return;
        }
        let prefix = prefix.to_owned();
        self.recorded.insert(prefix.clone(), now);
        let recorded =
            self.db.write(move |c| api_clients::record_use(c, &prefix, now, before).map_err(DbError::from)).await;
        if let Err(error) = recorded {
            tracing::warn!(api_client = %id, %error, "cannot record the use of an API key");
        }
    }
}
