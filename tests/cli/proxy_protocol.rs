//! PROXY protocol: the address of the client, headers that are rejected, and clients without a proxy.

use std::io::{Read, Write};

use serde_json::json;

use crate::support::{MAX_ATTEMPTS, Sandbox, TestResponse, TestServer, connect};

/// A version 2 header without a client.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
const HEALTH: &[u8] = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A server that accepts one refresh per minute and address.
fn sandbox(trusted: &str) -> Sandbox {
    Sandbox::new()
        .env("APP_ENV", "testing")
        .env("LOG_LEVEL", "info")
        .env("LOG_FORMAT", "json")
        .env("RATE_LIMIT_REFRESH", "1")
        .env("PROXY_PROTOCOL", "on")
        .env("TRUSTED_PROXIES", trusted)
}

/// Returns a refresh with an unknown token, of which an address may send one per minute.
fn refresh(forwarded: &str) -> Vec<u8> {
    let body = json!({"refresh_token": "x".repeat(43)}).to_string();
    let head = format!(
        "POST /v2/auth/refresh HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forwarded}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Sends bytes on a new connection, in parts. Returns what the server sends until it closes the connection.
fn exchange(server: &TestServer, parts: &[&[u8]]) -> Vec<u8> {
    let mut stream = connect(server.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut received = Vec::new();
    for part in parts {
        // The server may have closed the connection.
        if stream.write_all(part).is_err() {
            break;
        }
    }
    let _ = stream.read_to_end(&mut received);
    received
}

#[track_caller]
fn status(received: &[u8]) -> u16 {
    TestResponse::read(received).unwrap_or_else(|error| panic!("{error}: {received:?}")).status
}

/// Waits until a line of the log contains the text. Each attempt is a health check of the proxy.
#[track_caller]
fn wait_until_logged(server: &TestServer, text: &str) {
    let is_logged = |_| {
        assert_eq!(status(&exchange(server, &[LOCAL, HEALTH])), 200);
        server.log().contains(text)
    };
    assert!((0..MAX_ATTEMPTS).any(is_logged), "{text} is not in {}", server.log());
}

/// Returns a version 2 header for an IPv6 client, with an unknown TLV.
fn v2(last: u8) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x28".to_vec();
    // Each address has its own network: rate limits apply to networks.
    header.extend([0x20, 0x01, 0x0d, 0xb8, last, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    header.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    header.extend([0x30, 0x39, 0x01, 0xbb, 0xe9, 0x00, 0x01, 0x2a]);
    header
}

#[test]
fn header_of_a_trusted_proxy_names_the_client() {
    let sandbox = sandbox("127.0.0.1");
    let server = sandbox.serve();
    let first = b"PROXY TCP4 203.0.113.1 10.0.0.1 43121 443\r\n".as_slice();
    let second = b"PROXY TCP4 203.0.113.2 10.0.0.1 43121 443\r\n".as_slice();
    assert_eq!(status(&exchange(&server, &[first, &refresh("")])), 401);
    assert_eq!(status(&exchange(&server, &[first, &refresh("")])), 429, "the same client");
    assert_eq!(status(&exchange(&server, &[second, &refresh("")])), 401, "another client");
    // The client is not a trusted proxy, so that its header is not read.
    assert_eq!(status(&exchange(&server, &[second, &refresh("X-Forwarded-For: 203.0.113.3\r\n")])), 429);
    let (ipv6, other) = (v2(1), v2(2));
    let parts: Vec<&[u8]> = ipv6.chunks(1).collect();
    assert_eq!(status(&exchange(&server, &[parts, vec![&refresh("")]].concat())), 401, "split into bytes");
    assert_eq!(status(&exchange(&server, &[&ipv6, &refresh("")])), 429, "the same client");
    assert_eq!(status(&exchange(&server, &[&other, &refresh("")])), 401, "another client");
    // LOCAL and UNKNOWN: the proxy itself.
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        assert_eq!(status(&exchange(&server, &[header, HEALTH])), 200);
    }
    server.stop();
}

#[test]
fn connection_without_a_valid_header_is_closed() {
    let sandbox = sandbox("127.0.0.0/8").env("HEADER_TIMEOUT", "500ms");
    let server = sandbox.serve();
    let mut long = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec();
    long.extend([0; 1000]);
    for (bytes, reason) in [
        (HEALTH, "header is missing"),
        (b"PROXY TCP4 nonsense\r\n".as_slice(), "header is malformed"),
        (&long, "header is too long"),
        // No timeout of the client: the server ends the connection.
        (b"PROXY TCP4 203.0.113.1", "header did not arrive"),
    ] {
        assert_eq!(exchange(&server, &[bytes, if reason.ends_with("arrive") { b"" } else { HEALTH }]), b"", "{reason}");
        wait_until_logged(&server, reason);
    }
    assert!(server.log().contains("invalid PROXY protocol header; connection closed"), "{}", server.log());
    // `bucketlist health` sends a header, because its address is trusted.
    let port = server.address.port().to_string();
    sandbox.env("PORT", port).run(&["health"]).expect_success();
    server.stop();
}

#[test]
fn header_of_another_address_is_rejected() {
    let sandbox = sandbox("192.0.2.0/24");
    let server = sandbox.serve();
    assert_eq!(status(&exchange(&server, &[HEALTH])), 200, "a client without a proxy");
    for header in [b"PROXY TCP4 192.0.2.1 10.0.0.1 43121 443\r\n".as_slice(), &v2(1)] {
        let received = exchange(&server, &[header, HEALTH]);
        assert_eq!(status(&received), 400, "{}", String::from_utf8_lossy(&received));
    }
    sandbox.env("PORT", server.address.port().to_string()).run(&["health"]).expect_success();
    server.stop();
}

#[test]
fn proxies_must_be_listed() {
    let output = sandbox("").run(&["serve"]).expect_exit_code(1);
    assert!(output.err.contains("\n  PROXY_PROTOCOL: requires TRUSTED_PROXIES"), "{output:?}");
}
