//! Serves one connection.

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
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use ipnet::IpNet;
use poem::{
    Endpoint,
    http::{
        HeaderValue, Version,
        header::{CONNECTION, EXPECT, TRANSFER_ENCODING},
        uri::Scheme,
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
use tokio_util::sync::CancellationToken;

use super::{
    ConnectionLimits, ErrorResponder, IDLE_EVICTION, RejectReason,
    activity::{Activity, Decision, InFlight},
    ambiguity,
    proxy_header::{self, ProxyHeaderError},
    request_body::RequestBody,
    stream::GuardedStream,
};

/// Maximum size of hyper's buffer, and so of the head of an HTTP/1 request. The API rejects smaller heads that exceed its
/// own limit.
const MAX_BUFFER: usize = 128 * 1024;
/// Maximum number of headers of an HTTP/1 request: as many as the maximum size of the header block has room for, at 16 bytes each.
/// hyper allocates a table of this size for each request.
const MAX_HEADERS: usize = 1024;
/// Maximum number of concurrent HTTP/2 requests of a connection.
const MAX_STREAMS: u32 = 128;
/// Maximum size of the headers of an HTTP/2 request.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// State shared by the connections of a server.
pub(super) struct Connections<E> {
    endpoint: E,
    error_responder: Arc<ErrorResponder>,
    limits: watch::Receiver<ConnectionLimits>,
    local: LocalAddr,
    /// The proxies that send a PROXY protocol header.
    proxies: Vec<IpNet>,
    /// Cancelled when clients should use another server.
    draining: CancellationToken,
}

impl<E: Endpoint<Output = poem::Response> + 'static> Connections<E> {
    pub(super) fn new(
        endpoint: E,
        error_responder: Arc<ErrorResponder>,
        limits: watch::Receiver<ConnectionLimits>,
        local: SocketAddr,
    ) -> Self {
        let local = LocalAddr(local.into());
        Self { endpoint, error_responder, limits, local, proxies: Vec::new(), draining: CancellationToken::new() }
    }

    pub(super) fn expect_proxy_headers_from(&mut self, proxies: Vec<IpNet>) {
        self.proxies = proxies;
    }

    pub(super) fn drain_after(&mut self, draining: CancellationToken) {
        self.draining = draining;
    }

    fn limits(&self) -> ConnectionLimits {
        *self.limits.borrow()
    }

    /// Returns the settings of a new connection.
    fn protocol(&self) -> auto::Builder<TokioExecutor> {
        let mut protocol = auto::Builder::new(TokioExecutor::new());
        // The header timeout is enforced by `Activity`, from the first byte of a head. hyper's timeout starts at the end of
        // the last response; it closes connections that `Activity` does not see.
        //
        // A client may close its side of the connection after the request and still read the response.
        protocol
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits().idle_timeout)
            .max_buf_size(MAX_BUFFER)
            .max_headers(MAX_HEADERS)
            .half_close(true);
        // h2 limits resets itself: 20 streams that were not accepted yet, 1024 in total.
        protocol
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST);
        protocol
    }

    /// Serves a connection until it closes. While the server drains, it closes after its next response. After `shutdown`, or if it is
    /// idle when slots are needed, it closes gracefully.
    pub(super) async fn run(
        self: Arc<Self>,
        mut socket: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        shutdown: CancellationToken,
        full: Arc<Notify>,
    ) {
        // Responses are written in one piece: Nagle's algorithm would only delay them.
        let _ = socket.set_nodelay(true);
        let Some(client) = shutdown.run_until_cancelled(self.client_address(&mut socket, peer)).await else { return };
        let Some(peer) = client else { return };
        let Some(tls) = tls else {
            return self.serve(socket, peer, Scheme::HTTP, false, shutdown, full).await;
        };
        let handshake = timeout(self.limits().header_timeout, tls.accept(socket));
        let Some(outcome) = shutdown.run_until_cancelled(handshake).await else { return };
        match outcome {
            Ok(Ok(stream)) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.serve(stream, peer, Scheme::HTTPS, is_http2, shutdown, full).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake timed out"),
        }
    }

    /// Returns the address of the client: `peer`, or what it names in a PROXY protocol header if it is one of the proxies. A header
    /// of any other peer is part of its request, which is malformed. `None` if a proxy sends no valid header.
    async fn client_address(&self, socket: &mut TcpStream, peer: SocketAddr) -> Option<SocketAddr> {
        if !self.proxies.iter().any(|network| network.contains(&peer.ip().to_canonical())) {
            return Some(peer);
        }
        match timeout(self.limits().header_timeout, proxy_header::read(socket)).await {
            Ok(Ok(client)) => return Some(client.unwrap_or(peer)),
            // A health check that only connects.
            Ok(Err(ProxyHeaderError::Closed)) => {
                tracing::debug!(%peer, "connection closed without a PROXY protocol header")
            }
            Ok(Err(error)) => tracing::warn!(%peer, %error, "invalid PROXY protocol header; connection closed"),
            Err(_) => {
                tracing::warn!(%peer, error = "header did not arrive", "invalid PROXY protocol header; connection closed")
            }
        }
        None
    }

    async fn serve<S>(
        self: Arc<Self>,
        socket: S,
        peer: SocketAddr,
        scheme: Scheme,
        is_http2: bool,
        shutdown: CancellationToken,
        full: Arc<Notify>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let activity = Arc::new(Activity::new(Instant::now()));
        let stream = GuardedStream::new(socket, is_http2, Arc::clone(&activity), Arc::clone(&self.error_responder));
        let shared = Arc::clone(&self);
        // Cancelled by the first HTTP/2 request: a connection that is still starting would be closed instead of drained.
        let uses_http2 = CancellationToken::new();
        let service = service_fn({
            let (activity, uses_http2) = (Arc::clone(&activity), uses_http2.clone());
            move |request: Request<Incoming>| {
                if request.version() > Version::HTTP_11 {
                    uses_http2.cancel();
                }
                Arc::clone(&shared).respond(request, peer, scheme.clone(), activity.start_request())
            }
        });
        let protocol = self.protocol();
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        // A separate set, so that the signals are not polled each time the connection is.
        let mut signals = FuturesUnordered::new();
        let mut next = Some(Instant::now());
        let mut is_closing = false;
        loop {
            if let Some(until) = next.take() {
                let go_away = async {
                    self.draining.cancelled().await;
                    uses_http2.cancelled().await;
                };
                signals.push(signal(until, &shutdown, go_away, &full, is_closing));
            }
            tokio::select! {
                biased;
                outcome = connection.as_mut() => {
                    if let Err(error) = outcome {
                        tracing::debug!(%peer, error, "connection failed");
                    }
                    // Nothing is written after a failure: a truncated response must not look complete.
                    return;
                }
                Some(signal) = signals.next() => {
                    let (now, limits) = (Instant::now(), self.limits());
                    let decision = match signal {
                        Signal::Check => activity.decide(now, &limits),
                        Signal::Full if activity.is_idle_since(now.checked_sub(IDLE_EVICTION)) => Decision::CloseGracefully,
                        Signal::Full => Decision::WaitUntil(now),
                        Signal::GoAway | Signal::Shutdown => Decision::CloseGracefully,
                    };
                    next = Some(now + limits.send_timeout);
                    match decision {
                        Decision::WaitUntil(until) => next = Some(until),
                        Decision::RejectRequest => activity.reject(RejectReason::HeaderTimeout),
                        Decision::CloseGracefully if !is_closing => {
                            is_closing = true;
                            connection.as_mut().graceful_shutdown();
                        }
                        Decision::CloseGracefully => return tracing::debug!(%peer, "idle connection closed"),
                        Decision::Abort(reason) => return tracing::info!(reason, "connection aborted"),
                    }
                }
            }
        }
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        scheme: Scheme,
        in_flight: InFlight,
    ) -> Result<Response<TrackedBody>, Infallible> {
        let is_http1 = request.version() <= Version::HTTP_11;
        let response = match is_http1.then(|| ambiguity::find(&request)).flatten() {
            Some(reason) => close_after((self.error_responder)(reason, request.uri().path()).into()),
            None if request.body().is_end_stream() => self.call(request, peer, scheme).await,
            None => {
                let expects_continue = request.headers().contains_key(EXPECT);
                let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
                let (response, body) = self.call_with_body(request, peer, scheme).await;
                if is_http1 {
                    let is_reusable = body.drain(expects_continue).await && !(is_chunked && in_flight.is_end_unknown());
                    if is_reusable { response } else { close_after(response) }
                } else {
                    body.drain_stream(self.limits().body_bytes, expects_continue).await;
                    response
                }
            }
        };
        let response = if self.draining.is_cancelled() {
            in_flight.record_last_response();
            close_after(response)
        } else {
            response
        };
        Ok(response.map(|body| TrackedBody { body, in_flight }))
    }

    async fn call(&self, request: Request<Incoming>, peer: SocketAddr, scheme: Scheme) -> BoxedResponse {
        let request = (request, self.local.clone(), RemoteAddr(peer.into()), scheme).into();
        self.endpoint.get_response(request).await.into()
    }

    /// Passes a request to the endpoint. Returns the response and the body, of which the endpoint may not have read all.
    async fn call_with_body(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        scheme: Scheme,
    ) -> (BoxedResponse, RequestBody) {
        let mut request: poem::Request = (request, self.local.clone(), RemoteAddr(peer.into()), scheme).into();
        let body = RequestBody::new(request.take_body().into());
        request.set_body(poem::Body::from(BodyExt::boxed(body.clone())));
        (self.endpoint.get_response(request).await.into(), body)
    }
}

type BoxedResponse = Response<BoxBody<Bytes, io::Error>>;

/// Closes the connection after the response.
fn close_after(mut response: BoxedResponse) -> BoxedResponse {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

enum Signal {
    /// Check the limits of the connection.
    Check,
    /// Other connections are waiting for a slot.
    Full,
    /// Announce the end of an HTTP/2 connection.
    GoAway,
    Shutdown,
}

async fn signal(
    until: Instant,
    shutdown: &CancellationToken,
    go_away: impl Future<Output = ()>,
    full: &Notify,
    is_closing: bool,
) -> Signal {
    tokio::select! {
        biased;
        () = shutdown.cancelled(), if !is_closing => Signal::Shutdown,
        () = go_away, if !is_closing => Signal::GoAway,
        () = full.notified(), if !is_closing => Signal::Full,
        () = sleep_until(until.into()) => Signal::Check,
    }
}

/// The body of a response. Its request is in flight until the body is dropped.
struct TrackedBody {
    body: BoxBody<Bytes, io::Error>,
    in_flight: InFlight,
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // The end of the response is recorded when the body is dropped.
        if frame.is_ready() && !self.body.is_end_stream() {
            self.in_flight.record_progress();
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
