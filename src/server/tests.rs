//! Tests the bytes that clients receive.

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use poem::{Body, Request, Response, endpoint::make_sync, http::StatusCode};
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

/// Returns everything that the server sends until it closes the connection.
async fn exchange(path: &str, respond: fn(&Request) -> Response) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = make_sync(move |request| respond(&request));
    let error_responder = Arc::new(|_, _: &str| StatusCode::BAD_REQUEST.into());
    let shutdown = CancellationToken::new();
    let server = Server::new(listener, None, endpoint, error_responder, watch::channel(LIMITS).1).unwrap();
    let server = tokio::spawn(server.run(shutdown.clone()));
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
