//! Connections: who gets one, how long it may take over what, and how it ends. HTTP/1.1 and HTTP/2, with TLS or without.
//!
//! Owns sockets, certificates and everything that keeps a client from holding up others; what a request means is its
//! endpoint's. Knows nothing of the API.

mod connection;
mod head;
mod pace;
mod refusal;
pub mod tls;
mod wire;

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use connection::Connections;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many there may be at a time.
    pub connections: usize,
    /// How long a TLS handshake, and the head of an HTTP/1 request, may take to arrive.
    pub header_timeout: Duration,
    /// How long a connection may be open without a request.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub send_timeout: Duration,
    /// How long a request may be without any progress at all: longer than the endpoint takes for it.
    pub answer_timeout: Duration,
    /// How long requests in flight may take when the server is to stop.
    pub shutdown_timeout: Duration,
}

/// Why something that arrived is no request to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// It cannot be read.
    Malformed,
    /// A line of its head ends without a carriage return.
    BareLineFeed,
    /// It has two lengths.
    DuplicateContentLength,
    /// It has a length and comes in chunks.
    ConflictingLength,
    /// It names no host, or two.
    InvalidHost,
    /// It is for another host.
    UnknownHost,
    /// It came over HTTP where operations are called over HTTPS.
    HttpsRequired,
    /// Its URL is longer than can be read.
    UriTooLong,
    /// Its headers are more than can be read.
    HeadersTooLarge,
    /// Its head did not arrive in time.
    HeaderTimeout,
}

/// Makes the answer to what is no request, at what may be its path.
pub type ErrorResponder = dyn Fn(RejectReason, &str) -> Response + Send + Sync;

/// One that listens.
pub struct Server<E> {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    connections: Connections<E>,
}

/// How often connections that have had nothing to do for as long are asked to make room.
const ROOM: Duration = Duration::from_secs(1);
/// How long to leave a listener alone that cannot accept.
const BREATH: Duration = Duration::from_millis(100);

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// On a listener that does not block.
    ///
    /// # Errors
    /// When the runtime cannot have the listener.
    pub fn new(
        listener: StdListener,
        tls: Option<TlsAcceptor>,
        endpoint: E,
        refuse: Arc<ErrorResponder>,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        let connections = Connections::new(endpoint, refuse, limits, listener.local_addr()?);
        Ok(Self { listener, tls, limits, connections })
    }

    /// Serves until `stop` ends. Then nobody is let in any more, connections without a request end, and those with one when
    /// it is answered; what takes longer than is allowed is cut.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let (cutting, cut) = watch::channel(false);
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let crowded = Arc::new(Notify::new());
        let connections = Arc::new(self.connections);
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&self.listener, &places, &crowded) => accepted,
            };
            let Some((place, socket, peer)) = accepted else { continue };
            let connection =
                connections.clone().run(socket, peer, self.tls.clone(), stopped.clone(), Arc::clone(&crowded));
            let mut cut = cut.clone();
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = connection => {}
                    _ = cut.wait_for(|cut| *cut) => {}
                }
                drop(place);
            });
        }
        drop(self.listener);
        let _ = stopping.send(true);
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        if timeout(self.limits.shutdown_timeout, places.acquire_many(all)).await.is_err() {
            let left = self.limits.connections - places.available_permits();
            tracing::warn!(connections = left, "cutting what is still open");
            let _ = cutting.send(true);
            // A moment for their tasks to let go of them.
            let _ = timeout(ROOM, places.acquire_many(all)).await;
        }
    }
}

/// The next connection that there is a place for. Others wait where they are, and those that have nothing to do are asked
/// to go.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    crowded: &Notify,
) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let (socket, peer) = match listener.accept().await {
        Ok(accepted) => accepted,
        // It went before it was let in.
        Err(error) if is_of_the_connection(&error) => return None,
        Err(error) => {
            tracing::error!(%error, "cannot accept connections");
            sleep(BREATH).await;
            return None;
        }
    };
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some((place, socket, peer));
    }
    tracing::warn!("no place for another connection: MAX_CONNECTIONS are open");
    loop {
        crowded.notify_waiters();
        if let Ok(place) = timeout(ROOM, Arc::clone(places).acquire_owned()).await {
            return Some((place.ok()?, socket, peer));
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
