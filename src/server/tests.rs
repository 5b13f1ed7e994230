//! Tests the bytes that clients receive.

use std::{
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use poem::{Body, Endpoint, Request, Response, endpoint::make_sync, http::StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use super::{ConnectionLimits, Server, activity::Activity, stream::GuardedStream};

const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 10,
    header_timeout: Duration::from_secs(60),
    idle_timeout: Duration::from_secs(60),
    send_timeout: Duration::from_secs(60),
    response_timeout: Duration::from_secs(60),
    shutdown_timeout: Duration::from_secs(60),
    body_bytes: 1024 * 1024,
};

/// Streams a hundred lines; on `/broken` the last one fails.
fn stream_lines(request: &Request) -> Response {
    let fails = request.uri().path() == "/broken";
    let line = move |number: usize| match number {
        99 if fails => Err(io::Error::other("gone")),
        number => Ok(format!("line {number}\r\n")),
    };
    // Each line is flushed before the next one is polled.
    let lines = stream::iter((0..100).map(line)).then(async |line| {
        tokio::task::yield_now().await;
        line
    });
    Response::builder().content_type("text/csv").body(Body::from_bytes_stream(lines))
}

/// Starts a server with an endpoint.
fn serve(
    endpoint: impl Endpoint<Output = Response> + 'static,
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let error_responder = Arc::new(|_, _: &str| StatusCode::BAD_REQUEST.into());
    let shutdown = CancellationToken::new();
    let server = Server::new(listener, None, endpoint, error_responder, watch::channel(LIMITS).1).unwrap();
    let server = tokio::spawn(server.run(shutdown.clone()));
    (address, shutdown, server)
}

/// Returns everything that the server sends until it closes the connection.
async fn exchange(path: &str, respond: fn(&Request) -> Response) -> String {
    let (address, shutdown, server) = serve(make_sync(move |request| respond(&request)));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    // A reset ends the response as well.
    let _ = client.read_to_end(&mut read).await;
    shutdown.cancel();
    server.await.unwrap();
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn failed_response_is_visibly_incomplete() {
    for (path, is_whole) in [("/whole", true), ("/broken", false)] {
        let read = exchange(path, stream_lines).await;
        assert!(read.starts_with("HTTP/1.1 200 OK\r\n") && read.contains("line 0\r\n"), "{read}");
        assert_eq!(read.contains("line 99\r\n"), is_whole, "{read}");
        assert_eq!(read.ends_with("\r\n0\r\n\r\n"), is_whole, "{path}: {read}");
    }
}

/// Streams a body whose second part, in a separate write, looks like an error response of hyper.
fn stream_nested_response(_: &Request) -> Response {
    let parts = ["a log: ", "HTTP/1.1 400 Bad Request\r\n\r\n", "end"];
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let body = stream::iter(parts).then(async |part| {
        tokio::task::yield_now().await;
        Ok::<_, io::Error>(part)
    });
    Response::builder().header("content-length", length).body(Body::from_bytes_stream(body))
}

#[tokio::test]
async fn body_that_looks_like_an_error_response_is_not_replaced() {
    let response = exchange("/", stream_nested_response).await;
    assert!(response.ends_with("\r\n\r\na log: HTTP/1.1 400 Bad Request\r\n\r\nend"), "{response}");
}

#[tokio::test]
async fn error_response_of_hyper_is_replaced() {
    let response = exchange("/a b", stream_lines).await;
    assert!(
        response.starts_with("HTTP/1.1 400 Bad Request\r\n") && response.contains("connection: close"),
        "{response}"
    );
}

/// Sends `bytes` over HTTP/2 as flow control allows, with an end after all of them.
async fn send_body(mut body: h2::SendStream<Bytes>, mut bytes: usize) -> Result<(), h2::Error> {
    while bytes > 0 {
        body.reserve_capacity(bytes.min(16_384));
        let Some(capacity) = poll_fn(|cx| body.poll_capacity(cx)).await.transpose()? else {
            return Err(h2::Reason::STREAM_CLOSED.into());
        };
        let sent = capacity.min(bytes);
        body.send_data(Bytes::from(vec![b' '; sent]), sent == bytes)?;
        bytes -= sent;
    }
    Ok(())
}

#[tokio::test]
async fn http2_response_before_the_end_of_the_body_is_not_followed_by_a_reset() {
    // The endpoint reads nothing, or the first bytes.
    let endpoint = poem::endpoint::make(|mut request: Request| async move {
        if request.uri().path() == "/read" {
            let _ = request.take_body().into_bytes_limit(10).await;
        }
        Ok::<_, poem::Error>(Response::builder().status(StatusCode::UNAUTHORIZED).body("no"))
    });
    let (address, shutdown, server) = serve(endpoint);
    let (mut client, connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await.unwrap();
    tokio::spawn(connection);
    for path in ["/ignore", "/read"] {
        for bytes in [1, 60_000, 2_000_000, 4_000_000] {
            let request = poem::http::Request::post(format!("http://x{path}")).body(()).unwrap();
            client = client.ready().await.unwrap();
            let (response, body) = client.send_request(request, false).unwrap();
            let sending = tokio::spawn(send_body(body, bytes));
            let mut body = response.await.unwrap().into_body();
            assert_eq!(body.data().await.unwrap().unwrap(), "no", "{path} {bytes}");
            assert!(body.data().await.is_none(), "{path} {bytes}");
            sending.await.unwrap().unwrap();
        }
    }
    shutdown.cancel();
    server.await.unwrap();
}

#[tokio::test]
async fn http2_connection_is_not_inspected() {
    let (mut client, server) = tokio::io::duplex(1024);
    let activity = Arc::new(Activity::new(Instant::now()));
    let mut stream = GuardedStream::new(server, true, activity, Arc::new(|_, _: &str| StatusCode::BAD_REQUEST.into()));
    let written = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    stream.write_all(written).await.unwrap();
    drop(stream);
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, written);
}
