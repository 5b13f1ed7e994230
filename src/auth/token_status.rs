//! Caches the status of access tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;

use super::Claims;
use crate::{
    db::{Db, DbError, repositories::sessions},
    domain::{SessionId, TokenStatus},
};

/// Caches the status of tokens between requests if this process is the only writer.
///
/// Code that ends a session or changes an account calls [`TokenStatusCache::invalidate`] after its commit and before its
/// response; this invalidates all entries. The command line changes the SQLite database from another process: such a change
/// takes effect when the entries expire.
#[derive(Clone)]
pub struct TokenStatusCache {
    generation: Arc<AtomicU64>,
    counters: Arc<TokenCacheCounters>,
    entries: Option<Cache<String, (u64, TokenStatus)>>,
}

/// Hits and misses since the start.
#[derive(Debug, Default)]
struct TokenCacheCounters {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Maximum age of an entry.
const TTL: Duration = Duration::from_secs(1);
const MAX_ENTRIES: u64 = 10_000;

impl TokenStatusCache {
    /// Creates a cache. Unless `is_sole_writer`, it stores nothing, and every request reads the database.
    #[must_use]
    pub fn new(is_sole_writer: bool) -> Self {
        let entries = is_sole_writer.then(|| Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(TTL).build());
        Self { generation: Arc::new(AtomicU64::new(0)), counters: Arc::default(), entries }
    }

    /// Returns whether statuses are cached.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.entries.is_some()
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

    /// Invalidates every entry.
    pub fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn cached(&self, token_id: &str) -> Option<TokenStatus> {
        let (generation, status) = self.entries.as_ref()?.get(token_id)?;
        (generation == self.generation()).then_some(status)
    }

    /// Returns the status of a token; `None` if its session has ended.
    ///
    /// # Errors
    /// Fails if the database cannot be read.
    pub async fn get(&self, db: &Db, claims: &Claims) -> Result<Option<TokenStatus>, DbError> {
        if let Some(status) = self.cached(&claims.jti) {
            self.counters.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Some(status));
        }
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        // Read the generation before the database, so that an invalidation during the read applies to this entry.
        let generation = self.generation();
        let (session_id, token_id) = (SessionId::new(claims.sid), claims.jti.clone());
        let status = db.read(move |c| sessions::token_status(c, session_id, &token_id).map_err(DbError::from)).await?;
        if let (Some(entries), Some(status)) = (&self.entries, &status) {
            entries.insert(claims.jti.clone(), (generation, status.clone()));
        }
        Ok(status)
    }
}
