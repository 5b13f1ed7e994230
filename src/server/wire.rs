//! The stream under a connection: tells its pace, lets nothing ambiguous through, and gives refusals their body.
//!
//! What hyper cannot read it answers itself, with a status and nothing else, before any request exists. Such an answer is
//! known by what it lacks, and replaced on its way out. What hyper would read and must not is cut off and followed by
//! what it cannot read, so that there is one way for a refusal to take its turn behind the answers before it.

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

use super::{ErrorResponder, RejectReason, head::Head, pace::Pace, refusal};

/// What no request can contain, and the end of a head.
const UNREADABLE: &[u8] = b"\0\r\n\r\n";
/// For how long, and for how many bytes, a client may go on sending what nobody reads. A connection that is closed before
/// that is reset, and the client may lose the answer that says why.
const LINGER: Duration = Duration::from_secs(2);
const MAX_LINGER: usize = 1024 * 1024;

pub(super) struct Wire<S> {
    socket: S,
    pace: Arc<Pace>,
    refuse: Arc<ErrorResponder>,
    head: Head,
    /// What is still to be read in place of what was refused.
    unreadable: &'static [u8],
    is_refused: bool,
    /// What is still to be sent in place of what hyper wrote.
    replacement: Bytes,
    linger: Option<Pin<Box<Sleep>>>,
    lingered: usize,
}

impl<S> Wire<S> {
    pub(super) fn new(socket: S, is_http2: bool, pace: Arc<Pace>, refuse: Arc<ErrorResponder>) -> Self {
        let head = if is_http2 { Head::of_http2() } else { Head::new() };
        Self {
            socket,
            pace,
            refuse,
            head,
            unreadable: UNREADABLE,
            is_refused: false,
            replacement: Bytes::new(),
            linger: None,
            lingered: 0,
        }
    }

    /// Gives hyper something it refuses.
    fn feed_unreadable(&mut self, buffer: &mut ReadBuf<'_>) {
        let (now, later) = self.unreadable.split_at(self.unreadable.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.unreadable = later;
    }

    /// Looks at what was read into the buffer after `before`.
    fn look(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        if let Err((at, refusal)) = self.head.read(&buffer.filled()[before..]) {
            self.pace.refuse(refusal);
            self.is_refused = true;
            buffer.set_filled(before + at);
            if buffer.filled().len() == before {
                self.feed_unreadable(buffer);
            }
        }
    }

    /// What is to be sent in place of an answer that hyper makes on its own. Ours have a name.
    fn replacement(&self, written: &[u8]) -> Option<Bytes> {
        let status = written.strip_prefix(b"HTTP/1.1 4")?;
        // Of hyper's own, the head is all there is.
        let has_name = written.windows(13).any(|window| window == b"x-request-id:");
        if has_name {
            return None;
        }
        let refusal = self.pace.refusal().unwrap_or(match status.get(..2) {
            Some(b"14") => RejectReason::UriTooLong,
            Some(b"31") => RejectReason::HeadersTooLarge,
            _ => RejectReason::Malformed,
        });
        Some(refusal::answer(&*self.refuse, refusal, self.head.start()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn send_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replacement.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.replacement))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.replacement.advance(sent),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Tells how a write went.
    fn told<T>(&self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &outcome {
            Poll::Ready(_) => self.pace.sent(),
            Poll::Pending => self.pace.stalled(Instant::now()),
        }
        outcome
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>], first: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = self.send_replacement(cx);
        if !matches!(outcome, Poll::Ready(Ok(()))) {
            return self.told(outcome.map_ok(|()| 0));
        }
        if let Some(replacement) = self.replacement(first) {
            self.replacement = replacement;
            self.is_refused = true;
            // An answer without a body: all there is.
            return Poll::Ready(Ok(first.len().max(slices.iter().map(|slice| slice.len()).sum())));
        }
        let socket = Pin::new(&mut self.socket);
        let outcome =
            if slices.is_empty() { socket.poll_write(cx, first) } else { socket.poll_write_vectored(cx, slices) };
        self.told(outcome)
    }

    /// Reads, and forgets, what the client is still sending.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 4096];
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if linger.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while self.lingered < MAX_LINGER {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.lingered += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_refused || self.pace.refusal().is_some() {
            self.is_refused = true;
            self.feed_unreadable(buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.look(buffer, before);
            self.pace.read(Instant::now(), self.head.is_open() && !self.is_refused);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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
            ready!(self.told(outcome))?;
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send_replacement(cx))?;
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        }
        if self.is_refused || self.head.is_within() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
