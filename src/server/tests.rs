//! An answer that fails on its way must look broken to whoever reads it.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use poem::{Body, Request, Response, endpoint::make_sync, http::StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

use super::{Limits, Server};

const LIMITS: Limits = Limits {
    connections: 10,
    header_timeout: Duration::from_secs(60),
    idle_timeout: Duration::from_secs(60),
    send_timeout: Duration::from_secs(60),
    answer_timeout: Duration::from_secs(60),
    shutdown_timeout: Duration::from_secs(60),
};

/// A hundred lines, the last of which may fail.
fn answer(request: &Request) -> Response {
    let fails = request.uri().path() == "/broken";
    let line = move |number: usize| match number {
        99 if fails => Err(io::Error::other("gone")),
        number => Ok(format!("line {number}\r\n")),
    };
    // A line at a time is on its way before the next one is looked for.
    let lines = stream::iter((0..100).map(line)).then(async |line| {
        tokio::task::yield_now().await;
        line
    });
    Response::builder().content_type("text/csv").body(Body::from_bytes_stream(lines))
}

/// Everything the server sends until it closes the connection.
async fn exchange(path: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = make_sync(|request| answer(&request));
    let refuse = Arc::new(|_, _: &str| StatusCode::BAD_REQUEST.into());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new(listener, None, endpoint, refuse, LIMITS).unwrap();
    let server = tokio::spawn(server.run(async { drop(stopped.await) }));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    // A reset is an end, too.
    let _ = client.read_to_end(&mut read).await;
    stop.send(()).unwrap();
    server.await.unwrap();
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_broken_answer_has_no_end() {
    for (path, is_whole) in [("/whole", true), ("/broken", false)] {
        let read = exchange(path).await;
        assert!(read.starts_with("HTTP/1.1 200 OK\r\n") && read.contains("line 0\r\n"), "{read}");
        assert_eq!(read.contains("line 99\r\n"), is_whole, "{read}");
        assert_eq!(read.ends_with("\r\n0\r\n\r\n"), is_whole, "{path}: {read}");
    }
}
