//! TCP and TLS connections: their number, their timeouts and their shutdown. HTTP/1.1 and HTTP/2.
//!
//! Contains sockets, certificates, and limits that keep slow or malicious clients from blocking others. Independent of the
//! API: requests are passed to an endpoint.

mod activity;
mod ambiguity;
mod chunked_body;
mod connection;
mod error_response;
mod proxy_header;
mod request_body;
mod request_scanner;
mod stream;
pub mod tls;

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use connection::Connections;

/// Limits of a server and its connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Maximum number of open connections.
    pub connections: usize,
    /// Maximum time for a PROXY protocol header, for a TLS handshake, and for the head of an HTTP/1 request to arrive.
    pub header_timeout: Duration,
    /// Maximum time without a request.
    pub idle_timeout: Duration,
    /// Maximum time without progress while a client reads a response.
    pub send_timeout: Duration,
    /// Maximum time without progress in a request. Longer than the endpoint takes for a request.
    pub response_timeout: Duration,
    /// Maximum time for requests in flight after a shutdown was requested.
    pub shutdown_timeout: Duration,
    /// Maximum size of a request body that the endpoint reads, in bytes.
    pub body_bytes: usize,
}

/// The reason for rejecting a request before it reaches the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// The head cannot be parsed.
    Malformed,
    /// A line of the head ends without a carriage return.
    BareLineFeed,
    /// There is more than one `Content-Length`.
    DuplicateContentLength,
    /// There are both `Content-Length` and `Transfer-Encoding`.
    ConflictingLength,
    /// `Transfer-Encoding` is not `chunked`.
    UnsupportedTransferCoding,
    /// `Host` is missing, repeated or invalid.
    InvalidHost,
    /// `Host` is not the host of this server.
    UnknownHost,
    /// The operation requires HTTPS.
    HttpsRequired,
    /// The URL is too long.
    UriTooLong,
    /// The header block is too large.
    HeadersTooLarge,
    /// The head did not arrive in time.
    HeaderTimeout,
    /// The server is starting and not ready for requests.
    Starting,
}

/// Creates the response to a rejected request from the reason and the part of the path that was received.
pub type ErrorResponder = dyn Fn(RejectReason, &str) -> Response + Send + Sync;

/// A listening server.
pub struct Server<E> {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: watch::Receiver<ConnectionLimits>,
    connections: Connections<E>,
}

/// If the maximum number of connections is reached, connections that have been idle for this time are closed.
const IDLE_EVICTION: Duration = Duration::from_secs(1);
/// Pause after an error of the listener.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Maximum time for the tasks of aborted connections to end.
const ABORT_TIMEOUT: Duration = Duration::from_millis(250);

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// Creates a server on a non-blocking listener. Changes of the timeouts in `limits` apply to open connections as well;
    /// the number of connections is fixed.
    ///
    /// # Errors
    /// Fails if the listener cannot be registered with the runtime.
    pub fn new(
        listener: StdListener,
        tls: Option<TlsAcceptor>,
        endpoint: E,
        error_responder: Arc<ErrorResponder>,
        limits: watch::Receiver<ConnectionLimits>,
    ) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        let connections = Connections::new(endpoint, error_responder, limits.clone(), listener.local_addr()?);
        Ok(Self { listener, tls, limits, connections })
    }

    /// Expects a PROXY protocol header at the start of each connection from one of these proxies. Other clients send none.
    #[must_use]
    pub fn expecting_proxy_headers_from(mut self, proxies: Vec<IpNet>) -> Self {
        self.connections.expect_proxy_headers_from(proxies);
        self
    }

    /// Asks clients to use another server as soon as `draining` is cancelled: an HTTP/1 connection closes after its next response, and
    /// HTTP/2 clients receive GOAWAY. New connections are still accepted.
    #[must_use]
    pub fn draining_after(mut self, draining: CancellationToken) -> Self {
        self.connections.drain_after(draining);
        self
    }

    /// Serves until `shutdown` is cancelled. Then it stops accepting connections, closes those without a request, and
    /// closes the others when their requests are complete or the shutdown timeout has passed.
    pub async fn run(self, shutdown: CancellationToken) {
        let abort = CancellationToken::new();
        let tasks = TaskTracker::new();
        let slots = Arc::new(Semaphore::new(self.limits.borrow().connections));
        let full = Arc::new(Notify::new());
        let connections = Arc::new(self.connections);
        while let Some(accepted) = shutdown.run_until_cancelled(accept(&self.listener, &slots, &full)).await {
            let Some((slot, socket, peer)) = accepted else { continue };
            // Boxed: the task would reserve space for it three times.
            let connection =
                Box::pin(connections.clone().run(socket, peer, self.tls.clone(), shutdown.clone(), Arc::clone(&full)));
            let abort = abort.clone();
            tasks.spawn(async move {
                abort.run_until_cancelled(connection).await;
                drop(slot);
            });
        }
        drop(self.listener);
        tasks.close();
        let shutdown_timeout = self.limits.borrow().shutdown_timeout;
        if timeout(shutdown_timeout, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "shutdown timeout reached; closing open connections");
            abort.cancel();
            let _ = timeout(ABORT_TIMEOUT, tasks.wait()).await;
        }
    }
}

/// Accepts a connection. At the maximum number of connections, it waits for a slot and closes idle connections.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    full: &Notify,
) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let (socket, peer) = match listener.accept().await {
        Ok(accepted) => accepted,
        // The client closed the connection before it was accepted.
        Err(error) if is_connection_error(&error) => return None,
        Err(error) => {
            tracing::error!(%error, "cannot accept connections");
            sleep(ACCEPT_RETRY_DELAY).await;
            return None;
        }
    };
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Some((slot, socket, peer));
    }
    tracing::warn!("maximum number of connections reached (MAX_CONNECTIONS)");
    loop {
        full.notify_waiters();
        if let Ok(slot) = timeout(IDLE_EVICTION, Arc::clone(slots).acquire_owned()).await {
            return Some((slot.ok()?, socket, peer));
        }
    }
}

fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
