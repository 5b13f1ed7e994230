//! An answer that fails on its way must look broken to whoever reads it.
//!
//! When a body fails, hyper gives the connection up; but poem asks the connection to finish before it lets go, and hyper
//! then writes the last chunk of HTTP/1, as if the body had ended there: half a file would pass for a whole one. So the
//! failure unwinds the connection's task, which poem provides for: the socket is closed, and nothing more is written.

use std::{io, panic::resume_unwind};

use bytes::Bytes;
use http_body_util::{BodyExt, combinators::BoxBody};
use poem::{
    Endpoint, Request, Response,
    http::{Version, header::CONTENT_LENGTH},
};

/// What a server runs: the endpoint, and connections that break where its answers do.
pub struct Breaking<E>(pub E);

impl<E: Endpoint<Output = Response>> Endpoint for Breaking<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        // HTTP/2 resets the stream, and a body of a known length is missed.
        let can_end_early = request.version() <= Version::HTTP_11;
        let mut response = self.0.call(request).await?;
        if can_end_early && !response.headers().contains_key(CONTENT_LENGTH) {
            let body: BoxBody<Bytes, io::Error> = response.take_body().into();
            // Not a panic: nothing is printed, and whoever made the body has logged why.
            response.set_body(body.map_err(|error| -> io::Error { resume_unwind(Box::new(error)) }).boxed());
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use futures_util::{StreamExt, stream};
    use poem::{
        Body, Server,
        endpoint::make,
        http::header::{ACCEPT_ENCODING, CONTENT_ENCODING},
        listener::TcpAcceptor,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;
    use crate::http::compression;

    /// A hundred lines, the last of which may fail; compressed if the client likes.
    async fn answer(request: Request) -> Response {
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
        let body = Body::from_bytes_stream(lines);
        let response = Response::builder().content_type("text/csv").body(body);
        match compression::preferred(request.headers()) {
            Some(encoding) => compression::compress(response, encoding),
            None => response,
        }
    }

    /// Everything the server sends until it closes the connection.
    async fn exchange(path: &str, encoding: &str) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TcpAcceptor::from_std(listener).unwrap();
        let server = tokio::spawn(
            Server::new_with_acceptor(acceptor).run(Breaking(make(|request| async move { answer(request).await }))),
        );
        let mut client = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\n{ACCEPT_ENCODING}: {encoding}\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        // A reset is an end, too.
        let _ = client.read_to_end(&mut read).await;
        server.abort();
        read
    }

    #[tokio::test]
    async fn a_broken_answer_has_no_end() {
        for encoding in ["identity", "gzip", "br", "zstd"] {
            for (path, is_whole) in [("/whole", true), ("/broken", false)] {
                let read = exchange(path, encoding).await;
                let text = String::from_utf8_lossy(&read);
                assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
                assert_eq!(text.contains(&format!("{CONTENT_ENCODING}: {encoding}")), encoding != "identity", "{text}");
                assert_eq!(read.ends_with(b"\r\n0\r\n\r\n"), is_whole, "{path} {encoding}: {text}");
                assert!(encoding != "identity" || text.contains("line 0\r\n"), "{text}");
            }
        }
    }
}
