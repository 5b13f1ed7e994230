//! Cache of responses in memory, bounded in bytes and coherent with writes.
//!
//! An entry belongs to an account with the same permissions, and to the revision of its data before the response was computed. It is valid
//! while that revision is current, so that callers always see their own writes. Changes that the command line makes to an
//! SQLite database become visible when an entry expires.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use contract::{ApiError, Caller, ErrorCode, Permissions};
use moka::sync::Cache;
use poem::{
    Body, Response,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header::CONTENT_LENGTH},
};

/// Maximum age of an entry.
const TIME_TO_LIVE: Duration = Duration::from_secs(5);
/// Maximum size of a cached body: a larger one would evict many entries.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// Approximate size of an entry without its key and body, in bytes.
const ENTRY_OVERHEAD: usize = 512;

/// RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A cache of the responses of operations that are declared as cached.
#[derive(Clone)]
pub struct ResponseCache {
    entries: Cache<CacheKey, Arc<CachedResponse>>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Hits and misses since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
}

/// The properties of a request that affect the response, besides the caller's data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    user_id: i64,
    /// The links in a response depend on them.
    permissions: Permissions,
    /// Path and query.
    target: String,
    media_type: &'static str,
}

impl CacheKey {
    pub(super) fn new(caller: &Caller, uri: &Uri, media_type: &'static str) -> Self {
        let target = uri.path_and_query().map_or("", |target| target.as_str()).to_owned();
        Self { user_id: caller.user_id, permissions: caller.permissions(), target, media_type }
    }
}

struct CachedResponse {
    revision: u64,
    headers: HeaderMap,
    body: Bytes,
}

impl ResponseCache {
    /// Creates a cache of `max_bytes`; `None` if that is 0.
    #[must_use]
    pub fn new(max_bytes: u64) -> Option<Self> {
        let weigh = |key: &CacheKey, entry: &Arc<CachedResponse>| {
            u32::try_from(key.target.len() + entry.body.len() + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
        };
        (max_bytes > 0).then(|| Self {
            entries: Cache::builder().max_capacity(max_bytes).weigher(weigh).time_to_live(TIME_TO_LIVE).build(),
            counters: Arc::default(),
        })
    }

    /// Returns the hits and misses since the start.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.counters.hits.load(Ordering::Relaxed),
            misses: self.counters.misses.load(Ordering::Relaxed),
        }
    }

    /// Returns the approximate size of all entries.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.entries.weighted_size()
    }

    /// Returns the cached response if its revision is `revision`.
    pub(super) fn get(&self, key: &CacheKey, revision: u64) -> Option<Response> {
        let Some(entry) = self.entries.get(key).filter(|entry| entry.revision == revision) else {
            self.counters.misses.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.counters.hits.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::builder().status(StatusCode::OK).body(entry.body.clone());
        *response.headers_mut() = entry.headers.clone();
        response.headers_mut().insert(CACHE_STATUS, HeaderValue::from_static("bucketlist; hit"));
        Some(response)
    }

    /// Stores a response that was computed at `revision` or later, if it is successful and not too large.
    ///
    /// # Errors
    /// Fails if the body cannot be read.
    pub(super) async fn store(&self, key: CacheKey, revision: u64, response: Response) -> Result<Response, ApiError> {
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if response.status() != StatusCode::OK || length.is_none_or(|length: usize| length > MAX_BODY_BYTES) {
            return Ok(response);
        }
        let (mut parts, body) = response.into_parts();
        // A body of known length is not a stream, so it is already in memory.
        let body =
            body.into_bytes().await.map_err(|error| ApiError::new(ErrorCode::InternalError).with_source(error))?;
        let entry = CachedResponse { revision, headers: parts.headers.clone(), body: body.clone() };
        self.entries.insert(key, Arc::new(entry));
        parts.headers.insert(CACHE_STATUS, HeaderValue::from_static("bucketlist; fwd=miss; stored"));
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use contract::operation::Scope;

    use super::*;

    fn key(user_id: i64) -> CacheKey {
        let permissions = Permissions::of_session(false);
        CacheKey { user_id, permissions, target: "/v2/bucketlists".to_owned(), media_type: "application/json" }
    }

    fn response(status: StatusCode, body: &'static str) -> Response {
        Response::builder().status(status).header(CONTENT_LENGTH, body.len()).body(body)
    }

    #[tokio::test]
    async fn entry_is_valid_for_its_caller_and_revision() {
        let cache = ResponseCache::new(1 << 20).unwrap();
        assert!(cache.get(&key(1), 7).is_none());
        cache.store(key(1), 7, response(StatusCode::OK, "one")).await.unwrap();
        let hit = cache.get(&key(1), 7).unwrap();
        assert_eq!(hit.headers()["cache-status"], "bucketlist; hit");
        assert_eq!(hit.into_body().into_string().await.unwrap(), "one");
        assert!(cache.get(&key(1), 8).is_none(), "a later revision");
        assert!(cache.get(&key(2), 7).is_none(), "another caller");
        let permissions = Permissions::of_api_client(false, &[Scope::Read]);
        assert!(cache.get(&CacheKey { permissions, ..key(1) }, 7).is_none(), "other permissions");
        assert_eq!(cache.counts(), CacheCounts { hits: 1, misses: 4 });
    }

    #[tokio::test]
    async fn only_small_successful_responses_of_known_length_are_stored() {
        let cache = ResponseCache::new(1 << 20).unwrap();
        cache.store(key(1), 7, response(StatusCode::NOT_FOUND, "no")).await.unwrap();
        cache.store(key(2), 7, Response::builder().body("of unknown length")).await.unwrap();
        let large = "x".repeat(MAX_BODY_BYTES + 1);
        let large = Response::builder().header(CONTENT_LENGTH, large.len()).body(large);
        let unchanged = cache.store(key(3), 7, large).await.unwrap();
        assert_eq!(unchanged.into_body().into_bytes().await.unwrap().len(), MAX_BODY_BYTES + 1);
        for user_id in 1..=3 {
            assert!(cache.get(&key(user_id), 7).is_none(), "{user_id}");
        }
        assert!(ResponseCache::new(0).is_none());
    }

    #[tokio::test]
    async fn body_that_cannot_be_read_is_an_error() {
        let cache = ResponseCache::new(1 << 20).unwrap();
        let broken = Body::from_bytes_stream(futures_util::stream::iter([Err::<Bytes, _>(io::Error::other("gone"))]));
        let broken = Response::builder().header(CONTENT_LENGTH, 5).body(broken);
        let error = cache.store(key(1), 7, broken).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InternalError);
        assert!(cache.get(&key(1), 7).is_none());
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let cache = ResponseCache::new(10_000).unwrap();
        for user_id in 0..1_000 {
            cache.store(key(user_id), 7, response(StatusCode::OK, "body")).await.unwrap();
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.weighted_size() <= 10_000);
        assert!(cache.entries.entry_count() > 0);
    }
}
