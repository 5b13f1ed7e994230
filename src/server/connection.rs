//! One connection, from the handshake to its end.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use http_body_util::combinators::BoxBody;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use poem::{
    Endpoint,
    http::{
        HeaderMap, HeaderValue, Uri, Version,
        header::{CONNECTION, HOST, TRANSFER_ENCODING},
        uri::{Authority, Scheme},
    },
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Notify, watch},
    time::{sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    ErrorResponder, Limits, ROOM, RejectReason,
    pace::{InFlight, Pace, Verdict},
    wire::Wire,
};

/// The head of an HTTP/1 request, or a part of an answer, that is held in memory. Heads that are too large for the API
/// and not for this are answered by it.
const MAX_BUFFER: usize = 128 * 1024;
/// HTTP/2: the requests that a connection may have at a time, and the headers of one.
const MAX_STREAMS: u32 = 128;
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// What all connections of a server share.
pub(super) struct Connections<E> {
    endpoint: E,
    refuse: Arc<ErrorResponder>,
    limits: Limits,
    local: LocalAddr,
    protocol: auto::Builder<TokioExecutor>,
}

impl<E: Endpoint<Output = poem::Response> + 'static> Connections<E> {
    pub(super) fn new(endpoint: E, refuse: Arc<ErrorResponder>, limits: Limits, local: SocketAddr) -> Self {
        let mut protocol = auto::Builder::new(TokioExecutor::new());
        // The time for a head is measured from its first byte, by the connection itself; this one counts from the end of
        // the last answer, and closes what that cannot see.
        protocol.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_buf_size(MAX_BUFFER);
        // How many streams may be reset before the connection is, is h2's to say: 20 that nobody has seen, 1024 in all.
        protocol
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST);
        Self { endpoint, refuse, limits, local: LocalAddr(local.into()), protocol }
    }

    /// Serves a connection to its end; after `stopping` or when room is needed, to the end of its requests.
    pub(super) async fn run(
        self: Arc<Self>,
        socket: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        mut stopping: watch::Receiver<bool>,
        crowded: Arc<Notify>,
    ) {
        // Answers are written in one piece; waiting for more only makes them late.
        let _ = socket.set_nodelay(true);
        let Some(tls) = tls else {
            return self.serve(socket, peer, Scheme::HTTP, false, stopping, crowded).await;
        };
        let handshake = timeout(self.limits.header_timeout, tls.accept(socket));
        let outcome = tokio::select! {
            biased;
            outcome = handshake => outcome,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match outcome {
            Ok(Ok(stream)) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.serve(stream, peer, Scheme::HTTPS, is_http2, stopping, crowded).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no handshake"),
            Err(_) => tracing::debug!(%peer, "closed: the handshake took too long"),
        }
    }

    async fn serve<S>(
        self: Arc<Self>,
        socket: S,
        peer: SocketAddr,
        scheme: Scheme,
        is_http2: bool,
        stopping: watch::Receiver<bool>,
        crowded: Arc<Notify>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let pace = Arc::new(Pace::new(Instant::now()));
        let wire = Wire::new(socket, is_http2, Arc::clone(&pace), Arc::clone(&self.refuse));
        let shared = Arc::clone(&self);
        let service = service_fn({
            let pace = Arc::clone(&pace);
            move |request| Arc::clone(&shared).answer(request, peer, scheme.clone(), pace.begin())
        });
        let mut connection = pin!(self.protocol.serve_connection(TokioIo::new(wire), service));
        // Polled when something of it happens, not whenever the connection moves.
        let mut signals = FuturesUnordered::new();
        let mut next = Some(Instant::now());
        let mut is_ending = false;
        loop {
            if let Some(until) = next.take() {
                signals.push(signal(until, stopping.clone(), &crowded, is_ending));
            }
            tokio::select! {
                biased;
                outcome = connection.as_mut() => {
                    if let Err(error) = outcome {
                        tracing::debug!(%peer, error, "the connection broke off");
                    }
                    // Nothing more is said on a connection that broke: half an answer must not look like a whole one.
                    return;
                }
                Some(signal) = signals.next() => {
                    let now = Instant::now();
                    let verdict = match signal {
                        Signal::Look => pace.judge(now, &self.limits),
                        Signal::Crowded if pace.is_idle_since(now.checked_sub(ROOM)) => Verdict::Retire,
                        Signal::Crowded => Verdict::Wait(now),
                        Signal::Stop => Verdict::Retire,
                    };
                    next = Some(now + self.limits.send_timeout);
                    match verdict {
                        Verdict::Wait(until) => next = Some(until),
                        Verdict::Reject => pace.refuse(RejectReason::HeaderTimeout),
                        Verdict::Retire if !is_ending => {
                            is_ending = true;
                            connection.as_mut().graceful_shutdown();
                        }
                        Verdict::Retire => return tracing::debug!(%peer, "closed: nothing was asked"),
                        Verdict::Cut(why) => return tracing::info!(why, "closed a connection"),
                    }
                }
            }
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        scheme: Scheme,
        in_flight: InFlight,
    ) -> Result<Response<Answer>, Infallible> {
        let is_http1 = request.version() <= Version::HTTP_11;
        // Where a body in chunks ends is not followed: nothing comes after it.
        let is_last = is_http1 && request.headers().contains_key(TRANSFER_ENCODING);
        let has_host = !is_http1 || has_one_host(request.version(), request.uri(), request.headers());
        let mut response: Response<BoxBody<Bytes, io::Error>> = if has_host {
            let request = (request, self.local.clone(), RemoteAddr(peer.into()), scheme).into();
            self.endpoint.get_response(request).await.into()
        } else {
            (self.refuse)(RejectReason::InvalidHost, request.uri().path()).into()
        };
        if is_last || !has_host {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Answer { body, in_flight }))
    }
}

/// What a connection is told from outside.
enum Signal {
    /// It is time to look at its pace.
    Look,
    /// Others wait for its place.
    Crowded,
    /// The server stops.
    Stop,
}

async fn signal(until: Instant, mut stopping: watch::Receiver<bool>, crowded: &Notify, is_ending: bool) -> Signal {
    tokio::select! {
        biased;
        _ = stopping.wait_for(|stopping| *stopping), if !is_ending => Signal::Stop,
        () = crowded.notified(), if !is_ending => Signal::Crowded,
        () = sleep_until(until.into()) => Signal::Look,
    }
}

/// RFC 9112, section 3.2: one host that can be understood, and the same that the request line names if it does.
fn has_one_host(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return version < Version::HTTP_11 && !headers.contains_key(HOST);
    };
    let Some(host) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    host.as_str().bytes().all(is_host) && uri.authority().is_none_or(|named| *named == host)
}

/// The body of an answer, for as long as the request is in flight.
struct Answer {
    body: BoxBody<Bytes, io::Error>,
    in_flight: InFlight,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // The end of the answer is told by letting go of it.
        if frame.is_ready() && !self.body.is_end_stream() {
            self.in_flight.moves();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_one_host() {
        let has = |version, uri: &str, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
            }
            has_one_host(version, &uri.parse().unwrap(), &headers)
        };
        for host in ["api.example.com", "api.example.com:8443", "127.0.0.1:8000", "[::1]:8000", "API.example.com"] {
            assert!(has(Version::HTTP_11, "/x", &[host]), "{host}");
        }
        for host in ["", " ", "a b", "a/b", "a@b", "a,b", "\u{e9}", "http://a"] {
            assert!(!has(Version::HTTP_11, "/x", &[host]), "{host}");
        }
        assert!(!has(Version::HTTP_11, "/x", &[]));
        assert!(!has(Version::HTTP_11, "/x", &["a", "a"]));
        assert!(has(Version::HTTP_10, "/x", &[]) && !has(Version::HTTP_10, "/x", &["a", "b"]));
        assert!(has(Version::HTTP_11, "http://a/x", &["a"]) && !has(Version::HTTP_11, "http://a/x", &["b"]));
    }
}
