//! Answers kept in memory: bounded in bytes, and true.
//!
//! An answer is kept with the count of changes its caller's data had before it was computed, and is good for as long as the
//! count is still that one. So nobody sees a state older than their own last write, and nobody sees anybody else's answer:
//! the caller is part of the key. What changes the embedded database from outside the server (the command line) is seen
//! when an answer's time is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use moka::sync::Cache;
use poem::{
    Body, Response,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, ETAG},
    },
};

/// For how long an answer is good at most.
const KEPT: Duration = Duration::from_secs(5);
/// A larger answer is not kept: it would push out many that are asked for more often.
const MAX_ANSWER: usize = 256 * 1024;
/// About what an entry costs besides its text, in bytes.
const OVERHEAD: usize = 512;

/// RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Answers of cached operations.
#[derive(Clone)]
pub struct ResponseCache {
    answers: Cache<Key, Arc<Answer>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often an answer was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Requests answered from memory.
    pub hits: u64,
    /// Requests that could have been.
    pub misses: u64,
}

/// Whose answer to what, as what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) user: i64,
    pub(super) target: String,
    pub(super) media_type: &'static str,
}

struct Answer {
    revision: u64,
    headers: HeaderMap,
    body: Bytes,
}

impl ResponseCache {
    /// Keeps at most so many bytes; `None` for none at all.
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        let weigh = |key: &Key, answer: &Arc<Answer>| {
            u32::try_from(key.target.len() + answer.body.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        (bytes > 0).then(|| Self {
            answers: Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(KEPT).build(),
            counts: Arc::default(),
        })
    }

    /// How often an answer was there, since the start.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.counts.hits.load(Ordering::Relaxed),
            misses: self.counts.misses.load(Ordering::Relaxed),
        }
    }

    /// The answer, if it is still true at this revision.
    pub(super) fn get(&self, key: &Key, revision: u64) -> Option<Response> {
        let Some(answer) = self.answers.get(key).filter(|answer| answer.revision == revision) else {
            self.counts.misses.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.counts.hits.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::builder().status(StatusCode::OK).body(answer.body.clone());
        *response.headers_mut() = answer.headers.clone();
        response.headers_mut().insert(CACHE_STATUS, HeaderValue::from_static("bucketlist; hit"));
        Some(response)
    }

    /// Keeps an answer that was computed at this revision or after it, if it is a success of reasonable size.
    pub(super) async fn keep(&self, key: Key, revision: u64, response: Response) -> Response {
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if response.status() != StatusCode::OK || length.is_none_or(|length: usize| length > MAX_ANSWER) {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        // In memory already: a body whose length is known was made in one piece.
        let Ok(body) = body.into_bytes().await else {
            return Response::from_parts(parts, Body::empty());
        };
        let answer = Answer { revision, headers: parts.headers.clone(), body: body.clone() };
        self.answers.insert(key, Arc::new(answer));
        parts.headers.insert(CACHE_STATUS, HeaderValue::from_static("bucketlist; fwd=miss; stored"));
        Response::from_parts(parts, Body::from(body))
    }
}

/// The tag of a response, without quotes, if it has a strong one.
pub(super) fn opaque_tag(response: &Response) -> Option<&str> {
    response.headers().get(ETAG)?.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: i64) -> Key {
        Key { user, target: "/v2/bucketlists".to_owned(), media_type: "application/json" }
    }

    fn response(status: StatusCode, body: &'static str) -> Response {
        Response::builder().status(status).header(CONTENT_LENGTH, body.len()).body(body)
    }

    #[tokio::test]
    async fn an_answer_is_good_for_its_caller_until_something_changes() {
        let cache = ResponseCache::new(1 << 20).unwrap();
        assert!(cache.get(&key(1), 7).is_none());
        drop(cache.keep(key(1), 7, response(StatusCode::OK, "one")).await);
        let hit = cache.get(&key(1), 7).unwrap();
        assert_eq!(hit.headers()["cache-status"], "bucketlist; hit");
        assert_eq!(hit.into_body().into_string().await.unwrap(), "one");
        assert!(cache.get(&key(1), 8).is_none(), "something has changed");
        assert!(cache.get(&key(2), 7).is_none(), "somebody else's");
        assert_eq!(cache.counts(), CacheCounts { hits: 1, misses: 3 });
    }

    #[tokio::test]
    async fn only_successes_of_known_and_reasonable_size_are_kept() {
        let cache = ResponseCache::new(1 << 20).unwrap();
        drop(cache.keep(key(1), 7, response(StatusCode::NOT_FOUND, "no")).await);
        drop(cache.keep(key(2), 7, Response::builder().body("of unknown length")).await);
        let large = "x".repeat(MAX_ANSWER + 1);
        let large = Response::builder().header(CONTENT_LENGTH, large.len()).body(large);
        let passed_on = cache.keep(key(3), 7, large).await;
        assert_eq!(passed_on.into_body().into_bytes().await.unwrap().len(), MAX_ANSWER + 1);
        for user in 1..=3 {
            assert!(cache.get(&key(user), 7).is_none(), "{user}");
        }
        assert!(ResponseCache::new(0).is_none());
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let cache = ResponseCache::new(10_000).unwrap();
        for user in 0..1_000 {
            drop(cache.keep(key(user), 7, response(StatusCode::OK, "body")).await);
        }
        cache.answers.run_pending_tasks();
        assert!(cache.answers.weighted_size() <= 10_000);
        assert!(cache.answers.entry_count() > 0);
    }
}
