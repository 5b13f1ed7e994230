//! Caches the status of access tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::sync::Cache;

use super::Claims;
use crate::{
    db::{Db, DbError, repositories::token_status::ReadTokenStatus},
    domain::{SessionId, Timestamp, TokenStatus, UserId},
    redis::{CacheVersion, CacheVersions, MAX_AGE},
};

/// Caches the status of tokens between requests, if this process sees every change.
///
/// Code that ends a session or changes an account invalidates the entries after its commit and before its response: with
/// [`TokenStatusCache::invalidate`] if this process is the only writer, and with the cache version of the account if servers share Redis. The command
/// line changes the database from another process: such a change takes effect when the entries expire.
#[derive(Clone)]
pub struct TokenStatusCache {
    coherence: Coherence,
    counters: Arc<TokenCacheCounters>,
    entries: Cache<String, CachedStatus>,
}

/// How the cache learns of changes.
#[derive(Clone)]
enum Coherence {
    /// It does not, so that nothing is cached.
    None,
    /// This process is the only writer, and counts changes.
    SoleWriter(Arc<AtomicU64>),
    Shared(CacheVersions),
}

/// The state at which an entry was read; it is valid while the state is current.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Validity {
    Changes(u64),
    CacheVersion(CacheVersion),
}

#[derive(Clone)]
struct CachedStatus {
    validity: Validity,
    read_at: Instant,
    status: TokenStatus,
}

/// Hits and misses since the start.
#[derive(Debug, Default)]
struct TokenCacheCounters {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Maximum age of an entry.
const TTL: Duration = MAX_AGE;
const MAX_ENTRIES: u64 = 10_000;

impl TokenStatusCache {
    /// Creates a cache. Unless this process is the only writer or servers share cache versions, it stores nothing, and every request reads the
    /// database.
    #[must_use]
    pub fn new(is_sole_writer: bool, cache_versions: Option<CacheVersions>) -> Self {
        let coherence = match (is_sole_writer, cache_versions) {
            (true, _) => Coherence::SoleWriter(Arc::default()),
            (false, Some(cache_versions)) => Coherence::Shared(cache_versions),
            (false, None) => Coherence::None,
        };
        let entries = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(TTL).build();
        Self { coherence, counters: Arc::default(), entries }
    }

    /// Returns whether statuses are cached.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        !matches!(self.coherence, Coherence::None)
    }

    /// Returns the number of requests whose token status was cached.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.counters.hits.load(Ordering::Relaxed)
    }

    /// Returns the number of requests whose token status was read from the database.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.counters.misses.load(Ordering::Relaxed)
    }

    /// Invalidates every entry if this process is the only writer.
    pub fn invalidate(&self) {
        if let Coherence::SoleWriter(changes) = &self.coherence {
            changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Returns the current cache version of an account; `None` if cache versions are not used or not available.
    pub async fn cache_version(&self, account: UserId) -> Option<CacheVersion> {
        match &self.coherence {
            Coherence::Shared(cache_versions) => cache_versions.current(account).await,
            _ => None,
        }
    }

    /// Returns the state at which an entry must have been read to be valid; `None` if no entry is valid.
    fn validity(&self, cache_version: Option<CacheVersion>) -> Option<Validity> {
        match &self.coherence {
            Coherence::None => None,
            Coherence::SoleWriter(changes) => Some(Validity::Changes(changes.load(Ordering::SeqCst))),
            Coherence::Shared(_) => cache_version.map(Validity::CacheVersion),
        }
    }

    fn cached(&self, token_id: &str, validity: Validity) -> Option<TokenStatus> {
        let entry = self.entries.get(token_id)?;
        (entry.validity == validity && entry.read_at.elapsed() < TTL).then_some(entry.status)
    }

    /// Returns the status of a token; `None` if its session does not exist. `cache_version` is that of the account in the token, and was read
    /// during this request.
    ///
    /// # Errors
    /// Fails if the database cannot be read.
    pub async fn get(
        &self,
        db: &Db,
        claims: &Claims,
        cache_version: Option<CacheVersion>,
        now: Timestamp,
    ) -> Result<Option<TokenStatus>, DbError> {
        // Before the database is read, so that an invalidation during the read applies to this entry.
        let (validity, read_at) = (self.validity(cache_version), Instant::now());
        if let Some(status) = validity.and_then(|validity| self.cached(&claims.jti, validity)) {
            self.counters.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Some(status));
        }
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        let read = ReadTokenStatus { session_id: SessionId::new(claims.sid), token_id: claims.jti.clone(), now };
        let status = db.read_batchable_as("TokenStatusCache::get", read).await?;
        let is_cacheable = |status: &TokenStatus| match validity {
            Some(Validity::CacheVersion(cache_version)) => {
                status.is_cacheable && cache_version.account() == status.user_id
            }
            _ => true,
        };
        if let (Some(validity), Some(status)) = (validity, &status)
            && is_cacheable(status)
        {
            self.entries.insert(claims.jti.clone(), CachedStatus { validity, read_at, status: status.clone() });
        }
        Ok(status)
    }
}
