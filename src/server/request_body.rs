//! A request body whose unread part is drained when the endpoint has responded.
//!
//! The endpoint can respond without reading the body, for example if the token is invalid. The rest is then read and discarded:
//!
//! - HTTP/1: hyper closes the connection, and a client that reuses it loses its next request. Reading the rest of a small body
//!   keeps the connection usable. Otherwise the response must have `Connection: close`, so that the client opens another
//!   connection.
//! - HTTP/2: hyper resets the stream after the response (RFC 9113, section 8.1), and several clients then lose the response.
//!   A body that is not much larger than the limit is therefore read completely, after the response if it arrives slowly.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::timeout;

/// Maximum size of a body that is read only to keep an HTTP/1 connection open.
const MAX_DRAINED_BYTES: u64 = 64 * 1024;
/// Maximum time for reading the rest of a body, which delays the response.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// How far beyond the body limit an HTTP/2 request body is drained, in bytes.
const MAX_EXCESS_BYTES: u64 = 4 * 1024 * 1024;
/// Maximum time for reading the rest of the body of an HTTP/2 request, also after the response.
const STREAM_DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A body that the endpoint reads; the connection drains the rest.
#[derive(Clone)]
pub(super) struct RequestBody(Arc<Mutex<State>>);

struct State {
    body: BoxBody<Bytes, io::Error>,
    /// Whether the endpoint has started to read.
    is_read: bool,
    /// Whether the body was read completely.
    is_complete: bool,
    /// Number of bytes that were read.
    bytes: u64,
}

impl RequestBody {
    pub(super) fn new(body: BoxBody<Bytes, io::Error>) -> Self {
        Self(Arc::new(Mutex::new(State { body, is_read: false, is_complete: false, bytes: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the body was read completely.
    pub(super) fn is_complete(&self) -> bool {
        let state = self.state();
        state.is_complete || state.body.is_end_stream()
    }

    /// Reads the rest of an HTTP/1 body after the endpoint has responded. Returns whether the body was read completely.
    ///
    /// A body that the endpoint has stopped reading is too large or too slow, so its rest is not read. `expects_continue`: whether the
    /// request has `Expect: 100-continue`. Its client would send the body only if it were read.
    pub(super) async fn drain(self, expects_continue: bool) -> bool {
        self.drain_within(DRAIN_TIMEOUT, expects_continue).await
    }

    async fn drain_within(mut self, limit: Duration, expects_continue: bool) -> bool {
        let may_drain = {
            let state = self.state();
            state.body.size_hint().lower() <= MAX_DRAINED_BYTES && !state.is_read && !expects_continue
        };
        if may_drain && !self.is_complete() {
            let _ = timeout(limit, self.read_up_to(MAX_DRAINED_BYTES)).await;
        }
        self.is_complete()
    }

    /// Reads the rest of an HTTP/2 body after the endpoint has responded, up to `limit` and an excess. Returns when the response
    /// should be sent; a body that arrives slowly is read further.
    pub(super) async fn drain_stream(mut self, limit: usize, expects_continue: bool) {
        if self.is_complete() {
            return;
        }
        let max_bytes = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(MAX_EXCESS_BYTES);
        let draining = tokio::spawn(async move {
            let _ = timeout(STREAM_DRAIN_TIMEOUT, self.read_up_to(max_bytes)).await;
        });
        // A client that waits for `100 Continue` sends its body after the response, if at all.
        if !expects_continue {
            let _ = timeout(DRAIN_TIMEOUT, draining).await;
        }
    }

    /// Reads until the body is complete, fails or is larger than `max_bytes`.
    async fn read_up_to(&mut self, max_bytes: u64) {
        while let Some(Ok(_)) = self.frame().await {
            if self.state().bytes > max_bytes {
                break;
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut state = self.state();
        state.is_read = true;
        let frame = Pin::new(&mut state.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                state.bytes = state.bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            }
            Poll::Ready(None) => state.is_complete = true,
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.state().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.state().body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::Full;

    use super::*;

    /// A body of which only the length is known.
    struct NeverSent(u64);

    impl Body for NeverSent {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            Poll::Pending
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    fn body(bytes: u64) -> RequestBody {
        let length = usize::try_from(bytes).unwrap();
        RequestBody::new(BodyExt::boxed(Full::new(Bytes::from(vec![b' '; length])).map_err(|never| match never {})))
    }

    /// A body of unknown length.
    fn stream(bytes: u64) -> RequestBody {
        let length = usize::try_from(bytes).unwrap();
        let chunks = vec![b' '; length].chunks(1000).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let chunks = futures_util::stream::iter(chunks.into_iter().map(|chunk| Ok(Frame::data(chunk))));
        RequestBody::new(BodyExt::boxed(http_body_util::StreamBody::new(chunks)))
    }

    #[tokio::test]
    async fn stream_is_read_to_a_limit_above_that_of_the_endpoint() {
        for (excess, is_complete) in [(0, true), (1, false)] {
            let body = stream(10 + MAX_EXCESS_BYTES + excess);
            body.clone().drain_stream(10, false).await;
            assert_eq!(body.is_complete(), is_complete);
        }
        // The client may be waiting for the response before it sends the body.
        let never_sent = RequestBody::new(BodyExt::boxed(NeverSent(1)));
        assert!(never_sent.drain_stream(10, true).now_or_never().is_some());
    }

    #[tokio::test]
    async fn small_body_is_read_to_its_end() {
        assert!(body(0).drain(false).await && body(MAX_DRAINED_BYTES).drain(false).await);
        assert!(!body(MAX_DRAINED_BYTES + 1).drain(false).await);
        assert!(stream(MAX_DRAINED_BYTES).drain(false).await);
        assert!(!stream(MAX_DRAINED_BYTES + 1).drain(false).await);
        // The client has not sent the body yet.
        assert!(!body(1).drain(true).await);
        // The endpoint has read it.
        let mut whole = body(MAX_DRAINED_BYTES + 1);
        while whole.frame().await.is_some() {}
        assert!(whole.drain(true).await);
    }

    #[tokio::test]
    async fn drain_stops_when_the_body_does_not_arrive() {
        assert!(!RequestBody::new(BodyExt::boxed(NeverSent(1))).drain_within(Duration::ZERO, false).await);
        // The endpoint has already waited for this one: its response is not delayed again.
        let mut unread = RequestBody::new(BodyExt::boxed(NeverSent(1)));
        assert!(unread.frame().now_or_never().is_none());
        assert_eq!(unread.drain_within(Duration::MAX, false).now_or_never(), Some(false));
    }
}
