//! The body of an HTTP/1 request, of which the rest is read before the response is sent.
//!
//! The endpoint can respond without reading the body, for example if the token is invalid. hyper then closes the connection,
//! and a client that reuses it loses its next request. The rest of a small body is therefore read and discarded, which keeps
//! the connection usable. Otherwise the response must have `Connection: close`, so that the client opens another connection.

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

/// Maximum size of a body that is read only to keep the connection open.
const MAX_DRAINED_BYTES: u64 = 64 * 1024;
/// Maximum time for reading it, which delays the response.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A body that the endpoint reads and of which the connection reads the rest.
#[derive(Clone)]
pub(super) struct RequestBody(Arc<Mutex<State>>);

struct State {
    body: BoxBody<Bytes, io::Error>,
    /// Whether the endpoint has started to read.
    is_read: bool,
}

impl RequestBody {
    pub(super) fn new(body: BoxBody<Bytes, io::Error>) -> Self {
        Self(Arc::new(Mutex::new(State { body, is_read: false })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the rest of the body after the endpoint has responded. Returns whether the body was read completely.
    ///
    /// A body that the endpoint has stopped reading is too large or too slow, so its rest is not read. A client that
    /// waits for `100 Continue` would send the body only if it were read.
    pub(super) async fn drain(self, is_expected: bool) -> bool {
        self.drain_within(DRAIN_TIMEOUT, is_expected).await
    }

    async fn drain_within(mut self, limit: Duration, is_expected: bool) -> bool {
        let (is_complete, may_drain) = {
            let state = self.state();
            let is_small = state.body.size_hint().upper().is_some_and(|bytes| bytes <= MAX_DRAINED_BYTES);
            (state.body.is_end_stream(), is_small && !state.is_read && !is_expected)
        };
        if is_complete || !may_drain {
            return is_complete;
        }
        let read = async { while let Some(Ok(_)) = self.frame().await {} };
        timeout(limit, read).await.is_ok() && self.is_end_stream()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut state = self.state();
        state.is_read = true;
        Pin::new(&mut state.body).poll_frame(cx)
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

    #[tokio::test]
    async fn small_body_is_read_to_its_end() {
        assert!(body(0).drain(false).await && body(MAX_DRAINED_BYTES).drain(false).await);
        assert!(!body(MAX_DRAINED_BYTES + 1).drain(false).await);
        // The client has not sent the body yet.
        assert!(!body(1).drain(true).await);
        // The endpoint has read it.
        let mut whole = body(MAX_DRAINED_BYTES + 1);
        while whole.frame().await.is_some() {}
        assert!(whole.drain(true).await);
    }

    #[tokio::test]
    async fn body_that_does_not_arrive_is_given_up() {
        assert!(!RequestBody::new(BodyExt::boxed(NeverSent(1))).drain_within(Duration::ZERO, false).await);
        // The endpoint has already waited for this one: its response is not delayed again.
        let mut given_up = RequestBody::new(BodyExt::boxed(NeverSent(1)));
        assert!(given_up.frame().now_or_never().is_none());
        assert_eq!(given_up.drain_within(Duration::MAX, false).now_or_never(), Some(false));
    }
}
