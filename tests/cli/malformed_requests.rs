//! Malformed, ambiguous and slow requests are rejected and their connections closed; they do not affect other clients.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::json;

use crate::support::{Sandbox, TestResponse, TestServer, connect};

fn sandbox() -> Sandbox {
    Sandbox::new().env("APP_ENV", "testing").env("RATE_LIMIT", "off").env("LOG_LEVEL", "info")
}

/// Sends bytes, and reads until the server closes the connection.
fn exchange(server: &TestServer, bytes: &[u8]) -> TestResponse {
    let mut stream = connect(server.address).unwrap();
    stream.write_all(bytes).unwrap();
    TestResponse::read(stream).unwrap()
}

/// Reads one response from an open connection.
pub fn next(stream: &mut BufReader<TcpStream>) -> TestResponse {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "the connection ended: {head}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    TestResponse { status, head, body: String::from_utf8(body).unwrap() }
}

/// Asserts that a response is a complete error response that closes the connection.
#[track_caller]
fn expect_rejected(response: &TestResponse, status: u16, code: &str) {
    assert_eq!(response.status, status, "{response:#?}");
    let error = response.json();
    let (found, media_type) = match error.get("error") {
        Some(envelope) => (envelope["code"].clone(), "application/json"),
        None => (error["code"].clone(), "application/problem+json"),
    };
    assert_eq!(found, code, "{response:#?}");
    let head = response.head.to_ascii_lowercase();
    for line in [
        &format!("content-type: {media_type}"),
        "connection: close",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'",
        "x-permitted-cross-domain-policies: none",
        "x-request-id: ",
        "date: ",
    ] {
        assert!(head.contains(line), "no {line}: {response:#?}");
    }
    assert!(!head.contains("server: "), "{response:#?}");
}

#[test]
fn response_with_a_long_head_is_sent() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    // The `Link` header of a deprecated operation contains the path.
    let path = format!("/v1/bucketlists/{}/items", "1".repeat(3_000));
    let get = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nConnection: close\r\n\r\n");
    let response = exchange(&server, get.as_bytes());
    assert_eq!((response.status, &response.json()["error"]["request_id"]), (401, &json!("mine")), "{response:#?}");
    assert!(response.head.len() > 3_000 && response.head.contains("www-authenticate: Bearer"), "{response:#?}");
}

#[test]
fn ambiguous_request_is_rejected() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    let get = "GET /v2/users/me HTTP/1.1\r\nHost: x\r\n";
    let post = "POST /v2/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let smuggled = "GET /v2/admin/users HTTP/1.1\r\nHost: x\r\n\r\n";
    for (what, bytes) in [
        // The end of the body is ambiguous.
        (
            "a length and chunks",
            format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "chunks and a length",
            format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        ("two lengths", format!("{post}Content-Length: 0\r\nContent-Length: 44\r\n\r\n{smuggled}")),
        ("the same length twice", format!("{post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}")),
        ("a list of lengths", format!("{post}Content-Length: 2, 2\r\n\r\n{{}}")),
        ("a length with a sign", format!("{post}Content-Length: +2\r\n\r\n{{}}")),
        ("a length in hexadecimal", format!("{post}Content-Length: 0x2\r\n\r\n{{}}")),
        ("a length below zero", format!("{post}Content-Length: -2\r\n\r\n{{}}")),
        ("a length that overflows", format!("{post}Content-Length: 99999999999999999999999999\r\n\r\n{{}}")),
        ("an unknown coding", format!("{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        ("another coding before chunked", format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{smuggled}")),
        (
            "another coding on a line before chunked",
            format!("{post}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        ("chunked twice", format!("{post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{smuggled}")),
        ("chunked is not the last coding", format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")),
        ("a coding with a vertical tab", format!("{post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n")),
        ("a coding and HTTP/1.0", post.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("a space before the colon", format!("{post}Content-Length : 2\r\n\r\n{{}}")),
        // The end of a line is ambiguous.
        ("bare line feeds", get.replace("\r\n", "\n") + "\n"),
        ("a bare line feed in the head", format!("{get}X: a\nContent-Length: 44\r\n\r\n{smuggled}")),
        ("a bare line feed at the end", format!("{get}\n")),
        ("a bare carriage return", format!("{get}X: a\rY: b\r\n\r\n")),
        ("a folded line", format!("{get}X: a\r\n b\r\n\r\n")),
        ("a folded first line", "GET / HTTP/1.1\r\n Host: x\r\n\r\n".to_owned()),
        ("a NUL byte", format!("{get}X: a\0b\r\n\r\n")),
        // The host is missing or ambiguous.
        ("no host", "GET /v2/users/me HTTP/1.1\r\n\r\n".to_owned()),
        ("two hosts", format!("{get}Host: y\r\n\r\n")),
        ("the same host twice", format!("{get}Host: x\r\n\r\n")),
        ("an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n".to_owned()),
        ("an invalid host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned()),
        ("a host with a login", "GET / HTTP/1.1\r\nHost: ada@x\r\n\r\n".to_owned()),
        ("another host in the request line", "GET http://y/version HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        // The message is not an HTTP request.
        ("an unknown version", "GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned()),
        ("no version", "GET /\r\n\r\n".to_owned()),
        ("a space in the path", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("an invalid method", "G<T / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("a header without a name", format!("{get}: x\r\n\r\n")),
        ("a header without a colon", format!("{get}x\r\n\r\n")),
        ("a TLS handshake", "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03\r\n\r\n".to_owned()),
    ] {
        let response = exchange(&server, bytes.as_bytes());
        assert_eq!(response.status, 400, "{what}: {response:#?}");
        expect_rejected(&response, 400, "MALFORMED_REQUEST");
        // Bytes after it get no response.
        assert!(!response.body.contains("HTTP/1.1"), "{what}: {response:#?}");
    }
    server.wait_until_logged("MALFORMED_REQUEST");
    server.stop();
}

#[test]
fn error_response_keeps_pipeline_order_and_version_format() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    let malformed = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nX: a\0\r\n\r\n");
    let response = exchange(&server, malformed("/v1/bucketlists").as_bytes());
    expect_rejected(&response, 400, "MALFORMED_REQUEST");
    assert!(response.json()["error"]["request_id"].is_string(), "{response:?}");
    let response = exchange(&server, malformed("/v2/bucketlists?x=1").as_bytes());
    expect_rejected(&response, 400, "MALFORMED_REQUEST");
    assert_eq!(response.json()["instance"], "/v2/bucketlists");
    // The response to HEAD has no body.
    let mut stream = connect(server.address).unwrap();
    stream.write_all(malformed("/v2/bucketlists").replace("GET", "HEAD").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    // A malformed request that is pipelined after a valid one.
    let mut stream = BufReader::new(connect(server.address).unwrap());
    let both = format!("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n{}", malformed("/v2/x"));
    stream.get_mut().write_all(both.as_bytes()).unwrap();
    assert_eq!(next(&mut stream).status, 200);
    let response = next(&mut stream);
    expect_rejected(&response, 400, "MALFORMED_REQUEST");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    server.stop();
}

#[test]
fn oversized_head_is_rejected() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    let get =
        |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    let long = |bytes: usize| format!("/v2/bucketlists?q={}", "x".repeat(bytes));
    // The limits of the API, of hyper for URLs, and of hyper for its buffer.
    for bytes in [9_000, 70_000] {
        expect_rejected(&exchange(&server, get(&long(bytes), "").as_bytes()), 414, "URI_TOO_LONG");
    }
    expect_rejected(&exchange(&server, get(&long(2_000_000), "").as_bytes()), 431, "HEADERS_TOO_LARGE");
    for headers in [
        format!("X: {}\r\n", "x".repeat(20_000)),
        format!("X: {}\r\n", "x".repeat(1_000_000)),
        "X: x\r\n".repeat(1_025),
    ] {
        expect_rejected(&exchange(&server, get("/v2/bucketlists", &headers).as_bytes()), 431, "HEADERS_TOO_LARGE");
    }
    server.stop();
}

#[test]
fn oversized_body_is_rejected_before_it_is_sent() {
    let sandbox = sandbox().env("BODY_LIMIT", "2048");
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    let body = vec![b' '; 900_000];
    let head = format!(
        "POST /v1/bucketlists HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    );
    let mut stream = connect(server.address).unwrap();
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes()).unwrap();
    // The server must read the rest before it closes: a reset would discard the response.
    stream.write_all(&body).unwrap();
    let response = TestResponse::read(stream).unwrap();
    assert_eq!((response.status, response.json()["error"]["code"].as_str()), (413, Some("PAYLOAD_TOO_LARGE")));
    server.stop();
}

#[test]
fn unusual_valid_requests_are_served() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    let login = json!({"email": "nobody@example.com", "password": "harbour-lantern-42"}).to_string();
    let post = "POST /v2/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let chunks =
        format!("{:x};name=value\r\n{}\r\n1\r\n{}\r\n0\r\n\r\n", login.len() - 1, &login[..login.len() - 1], "}");
    for (what, bytes, status) in [
        ("empty lines first", "\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 200),
        ("HTTP/1.0", "GET /version HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("the absolute form", "GET http://x/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 200),
        (
            "a header without a value",
            "GET /version HTTP/1.1\r\nHost: x\r\nX:\r\nConnection: close\r\n\r\n".to_owned(),
            200,
        ),
        ("an IPv6 host", "GET /version HTTP/1.1\r\nHost: [::1]:8000\r\nConnection: close\r\n\r\n".to_owned(), 200),
        // Proxies could disagree on the end of a body with extensions: the next request is not read.
        (
            "chunks with an extension",
            format!("{post}Transfer-Encoding: chunked\r\n\r\n{chunks}GET /version HTTP/1.1\r\nHost: x\r\n\r\n"),
            401,
        ),
    ] {
        let response = exchange(&server, bytes.as_bytes());
        assert_eq!(response.status, status, "{what}: {response:#?}");
        assert!(!response.body.contains("HTTP/1.1"), "{what}: {response:#?}");
    }
    for method in ["TRACE", "CONNECT", "PROPFIND", "BREW"] {
        let response = exchange(
            &server,
            format!("{method} /v2/users/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        assert_eq!(response.status, 405, "{method}: {response:#?}");
    }
    // Pipelined requests get their responses in order.
    let mut stream = BufReader::new(connect(server.address).unwrap());
    stream
        .get_mut()
        .write_all(&b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n"[..])
        .unwrap();
    assert_eq!(next(&mut stream).body, r#"{"status":"pass"}"#);
    assert!(next(&mut stream).json()["contracts"].is_array());
    server.stop();
}

#[test]
fn incomplete_head_times_out() {
    let sandbox = sandbox().env("HEADER_TIMEOUT", "150ms").env("LOG_LEVEL", "debug");
    let server = sandbox.serve();
    for partial in ["GET /v2/users/me HTTP/1.1\r\nHost: x\r\nX-Half: ", "GET ", "P"] {
        expect_rejected(&exchange(&server, partial.as_bytes()), 408, "REQUEST_TIMEOUT");
    }
    // The timeout also applies to the second request on a connection.
    let mut stream = BufReader::new(connect(server.address).unwrap());
    stream.get_mut().write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(next(&mut stream).status, 200);
    stream.get_mut().write_all(b"GET /health/live HTTP/1.1\r\nHo").unwrap();
    expect_rejected(&next(&mut stream), 408, "REQUEST_TIMEOUT");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    server.stop();
}

#[test]
fn idle_connection_is_closed() {
    let sandbox = sandbox().env("IDLE_TIMEOUT", "150ms").env("SEND_TIMEOUT", "150ms");
    let server = sandbox.serve();
    // Connections without a request, after a response, and with HTTP/2 but without a request.
    let mut unused = connect(server.address).unwrap();
    let mut after_response = BufReader::new(connect(server.address).unwrap());
    after_response.get_mut().write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(next(&mut after_response).status, 200);
    let mut http_2 = connect(server.address).unwrap();
    http_2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    assert_eq!(unused.read(&mut [0]).unwrap(), 0);
    assert_eq!(after_response.read(&mut [0]).unwrap(), 0);
    let mut rest = Vec::new();
    let _ = http_2.read_to_end(&mut rest);
    // The server sends SETTINGS first and GOAWAY (7) before it closes.
    assert!(rest.windows(5).any(|frame| frame[0] == 0 && frame[3] == 7), "{rest:?}");
    server.stop();
}

#[test]
fn client_that_reads_nothing_is_disconnected() {
    let sandbox = sandbox().env("SEND_TIMEOUT", "150ms");
    let server = sandbox.serve();
    let mut stream = connect(server.address).unwrap();
    stream.set_write_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    // The unread responses exceed all buffers: the server stops reading and closes the connection after SEND_TIMEOUT.
    let error = loop {
        let result = stream.write_all(b"GET /openapi/v2.json HTTP/1.1\r\nHost: x\r\n\r\n");
        if let Err(error) = result {
            break error;
        }
    };
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    assert!(matches!(error.kind(), BrokenPipe | ConnectionReset), "{error:?}");
    server.wait_until_logged("client does not read the response");
    server.get("/health/live", None).expect(200);
    server.stop();
}

#[test]
fn idle_connections_are_closed_at_the_connection_limit() {
    let sandbox = sandbox().env("MAX_CONNECTIONS", "2");
    let server = sandbox.serve();
    let mut waiting: Vec<_> = (0..2).map(|_| BufReader::new(connect(server.address).unwrap())).collect();
    for stream in &mut waiting {
        stream.get_mut().write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(next(stream).status, 200);
    }
    server.get("/health/live", None).expect(200);
    assert!(waiting.iter_mut().all(|stream| stream.read(&mut [0]).unwrap() == 0));
    server.wait_until_logged("MAX_CONNECTIONS");
    server.stop();
}
