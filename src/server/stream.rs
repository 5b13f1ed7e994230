//! The byte stream under an HTTP connection.
//!
//! It reports activity, rejects ambiguous requests, and replaces the error responses of hyper by those of the API.
//! If hyper cannot parse a request, it writes a response that consists of a status only, and no request reaches the endpoint.
//! The stream recognizes this response, because no other is in progress, and replaces it. To reject an ambiguous request,
//! which hyper would accept, the stream passes it to hyper only in part, followed by bytes that hyper cannot parse. The
//! rejection is thus sent after the responses to earlier requests.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{ErrorResponder, RejectReason, activity::Activity, error_response, request_scanner::RequestScanner};

/// Bytes that no request can contain, and the end of a head.
const UNPARSABLE: &[u8] = b"\0\r\n\r\n";
/// Maximum time and number of bytes that a client may send after a rejection, or after the last response before a shutdown. Closing
/// earlier resets the connection, and the client could lose the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_LINGER_BYTES: usize = 1024 * 1024;

pub(super) struct GuardedStream<S> {
    socket: S,
    activity: Arc<Activity>,
    error_responder: Arc<ErrorResponder>,
    scanner: RequestScanner,
    /// The rest of [`UNPARSABLE`] that hyper has not read yet.
    unparsable: &'static [u8],
    is_rejected: bool,
    /// Number of requests that had reached the endpoint when the last response was complete and flushed. `None` while a
    /// response is being written.
    requests_at_boundary: Option<u64>,
    /// The rest of a response that replaces hyper's.
    replacement: Bytes,
    linger: Option<Pin<Box<Sleep>>>,
    lingered: usize,
}

impl<S> GuardedStream<S> {
    pub(super) fn new(
        socket: S,
        is_http2: bool,
        activity: Arc<Activity>,
        error_responder: Arc<ErrorResponder>,
    ) -> Self {
        let scanner = if is_http2 { RequestScanner::for_http2() } else { RequestScanner::new() };
        Self {
            socket,
            activity,
            error_responder,
            scanner,
            unparsable: UNPARSABLE,
            is_rejected: false,
            requests_at_boundary: Some(0),
            replacement: Bytes::new(),
            linger: None,
            lingered: 0,
        }
    }

    fn feed_unparsable(&mut self, buffer: &mut ReadBuf<'_>) {
        let (now, later) = self.unparsable.split_at(self.unparsable.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.unparsable = later;
    }

    /// Scans the bytes of `buffer` after `before`.
    fn scan(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        if let Err((at, reason)) = self.scanner.scan(&buffer.filled()[before..]) {
            self.activity.reject(reason);
            self.is_rejected = true;
            buffer.set_filled(before + at);
            if buffer.filled().len() == before {
                self.feed_unparsable(buffer);
            }
        }
        if self.scanner.is_end_unknown() {
            self.activity.record_unknown_end();
        }
    }

    /// Returns the response to send instead of `written` if `written` is an error response of hyper.
    fn replacement(&mut self, written: &[u8]) -> Option<Bytes> {
        let requests_at_boundary = self.requests_at_boundary.take();
        if self.scanner.is_http2() || requests_at_boundary != Some(self.activity.requests().0) {
            return None;
        }
        let status = written.strip_prefix(b"HTTP/1.1 ")?;
        let reason = self.activity.rejection().unwrap_or(match status.get(..3) {
            Some(b"414") => RejectReason::UriTooLong,
            Some(b"431") => RejectReason::HeadersTooLarge,
            _ => RejectReason::Malformed,
        });
        Some(error_response::serialize(&*self.error_responder, reason, self.scanner.start()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedStream<S> {
    fn send_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replacement.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.replacement))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.replacement.advance(sent),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn record_write<T>(&self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &outcome {
            Poll::Ready(_) => self.activity.record_write(),
            Poll::Pending => self.activity.record_blocked_write(Instant::now()),
        }
        outcome
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>], first: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = self.send_replacement(cx);
        if !matches!(outcome, Poll::Ready(Ok(()))) {
            return self.record_write(outcome.map_ok(|()| 0));
        }
        if let Some(replacement) = self.replacement(first) {
            self.replacement = replacement;
            self.is_rejected = true;
            // hyper's response has no body: this is all of it.
            return Poll::Ready(Ok(first.len().max(slices.iter().map(|slice| slice.len()).sum())));
        }
        let socket = Pin::new(&mut self.socket);
        let outcome =
            if slices.is_empty() { socket.poll_write(cx, first) } else { socket.poll_write_vectored(cx, slices) };
        self.record_write(outcome)
    }

    /// Reads and discards what the client is still sending.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 4096];
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER_TIMEOUT)));
        if linger.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while self.lingered < MAX_LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.lingered += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_rejected || self.activity.rejection().is_some() {
            self.is_rejected = true;
            self.feed_unparsable(buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.scan(buffer, before);
            self.activity.record_read(Instant::now(), self.scanner.is_in_head() && !self.is_rejected);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[], bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.first().map_or(&[][..], |slice| slice);
        self.poll_send(cx, slices, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.replacement.is_empty() {
            let outcome = self.send_replacement(cx);
            ready!(self.record_write(outcome))?;
        }
        // hyper flushes when its buffer is empty. Without a request in flight, the next byte starts a response.
        let (requests, is_idle) = self.activity.requests();
        if is_idle {
            self.requests_at_boundary = Some(requests);
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send_replacement(cx))?;
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        }
        if self.is_rejected || self.scanner.is_in_request() || self.activity.is_last_response() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
