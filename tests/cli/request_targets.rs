//! Request targets, `Host` and `Authorization` in forms that client libraries do not send.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use crate::support::{Sandbox, connect};

/// Sends bytes and returns everything that the server sends until it closes the connection.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address).unwrap();
    // The server may close the connection before it has read all bytes.
    let _ = stream.write_all(bytes);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

/// Returns the status of each response in a text.
fn statuses(response: &str) -> Vec<u16> {
    response.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).map(|line| line[..3].parse().unwrap()).collect()
}

fn head(response: &str) -> &str {
    response.split("\r\n\r\n").next().unwrap()
}

fn body(response: &str) -> &str {
    response.split("\r\n\r\n").nth(1).unwrap_or_default()
}

#[test]
fn routing_depends_only_on_the_path() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    let request = |line: &str, headers: &str| {
        let text = format!("{line}\r\n{headers}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n");
        exchange(server.address, text.as_bytes())
    };
    let expected = request("GET /v1/users/me HTTP/1.1", "Host: localhost\r\n");
    assert_eq!(statuses(&expected), [200]);
    for (line, headers) in [
        ("GET http://attacker.example/v1/users/me HTTP/1.1", "Host: attacker.example\r\n"),
        ("GET http://attacker.example/v1/users/me HTTP/1.1", "Host: localhost\r\n"),
        ("GET http://user:password@attacker.example:81/v1/users/me HTTP/1.1", "Host: localhost\r\n"),
        ("GET /v1/users/me HTTP/1.1", "Host: attacker.example\r\nX-Forwarded-Host: attacker.example\r\n"),
    ] {
        let response = request(line, headers);
        let is_rejected = statuses(&response).iter().all(|status| (400..500).contains(status));
        assert!(
            is_rejected || (statuses(&response), body(&response)) == (vec![200], body(&expected)),
            "{line}: {response}"
        );
        assert!(!response.contains("attacker.example"), "{response}");
    }
    for line in [
        "GET //attacker.example/v1/users/me HTTP/1.1",
        "GET /v1/../v1/users/me HTTP/1.1",
        "GET /%76%31/users/me HTTP/1.1",
        "GET /v1/users/me/ HTTP/1.1",
        "GET /v1\\users\\me HTTP/1.1",
        "get /v1/users/me HTTP/1.1",
        "TRACE /v1/users/me HTTP/1.1",
        "PROPFIND /v1/users/me HTTP/1.1",
        "CONNECT attacker.example:443 HTTP/1.1",
        "GET * HTTP/1.1",
    ] {
        let response = request(line, "Host: localhost\r\n");
        assert!(statuses(&response).iter().all(|status| (400..500).contains(status)), "{line}: {response}");
        assert!(!response.contains(&token) && !response.contains("ada@"), "{line}: {response}");
    }
    assert_eq!(server.get("/health/live", None).status, 200);
}

#[test]
fn options_of_the_server_returns_its_methods() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    for (line, host, status) in [("OPTIONS *", "localhost", 204), ("CONNECT a.example:443", "a.example:443", 405)] {
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let response = exchange(server.address, request.as_bytes());
        assert_eq!(statuses(&response), [status], "{line}: {response}");
        assert!(head(&response).contains("allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"), "{line}: {response}");
    }
}

#[test]
fn number_of_headers_is_limited_by_their_size() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    for (number, status) in [(100, 200), (900, 200), (3_000, 431)] {
        let headers: String = (0..number).map(|number| format!("X-{number:05}: 1\r\n")).collect();
        let request = format!("GET /health/live HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        let response = exchange(server.address, request.as_bytes());
        assert_eq!(statuses(&response), [status], "{number}: {response}");
    }
}

#[test]
fn line_breaks_in_a_target_do_not_reach_response_headers() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    for target in [
        "/v1/bucketlists/1%0d%0aSet-Cookie:%20a=1",
        "/v1/bucketlists/1%0aSet-Cookie:%20a=1/items",
        "/v1/bucketlists?q=%0d%0aSet-Cookie:%20a=1",
        "/v2/bucketlists?q=%0d%0aSet-Cookie:%20a=1&sort=%0d%0a",
        "/v2/search?q=%E5%98%8A%E5%98%8DSet-Cookie:%20a=1",
        "/%0d%0aSet-Cookie:%20a=1",
    ] {
        let response = server.get(target, Some(&token));
        assert!(response.status < 500, "{target}: {response:#?}");
        assert!(!response.head.to_lowercase().contains("\nset-cookie"), "{target}: {}", response.head);
    }
}

#[test]
fn repeated_authorization_header_is_rejected() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let (ada, eve) = (server.register("ada@example.com"), server.register("eve@example.com"));
    for (first, second) in [(&*ada, &*eve), (&*ada, &*ada), (&*ada, "x"), ("x", &*ada)] {
        let request = format!(
            "GET /v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {first}\r\nauthorization: Bearer {second}\r\n\
             Connection: close\r\n\r\n"
        );
        let response = exchange(server.address, request.as_bytes());
        assert_eq!(statuses(&response), [401], "{response}");
        assert!(head(&response).contains("www-authenticate: Bearer"), "{response}");
        assert!(body(&response).contains("INVALID_TOKEN"), "{response}");
    }
}
