//! Connections stay usable after a response that was sent before the body was read, or the response announces their end.

use std::{
    io::{BufReader, Read, Write},
    net::{Shutdown, TcpStream},
};

use serde_json::json;

use crate::{
    malformed_requests::next,
    support::{Sandbox, TestResponse, TestServer, connect},
};

fn sandbox() -> Sandbox {
    Sandbox::new().env("APP_ENV", "testing").env("RATE_LIMIT", "off")
}

/// Returns the head of a request whose token is invalid, so that the server responds without reading the body.
fn unauthorized_head(length: usize, headers: &str) -> String {
    format!(
        "POST /v1/bucketlists HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer invalid\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
}

fn closes(response: &TestResponse) -> bool {
    response.head.to_ascii_lowercase().contains("\r\nconnection: close\r\n")
}

fn open(server: &TestServer) -> BufReader<TcpStream> {
    BufReader::new(connect(server.address).unwrap())
}

#[test]
fn connection_stays_open_after_an_unread_body() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    let body = vec![b' '; 20_000];
    let mut stream = open(&server);
    let mut responses = 0;
    for attempt in 0..50 {
        // In one write and in two, as Python sends it.
        if attempt % 2 == 0 {
            let whole = [unauthorized_head(body.len(), "").as_bytes(), &body].concat();
            stream.get_mut().write_all(&whole).unwrap();
        } else {
            stream.get_mut().write_all(unauthorized_head(body.len(), "").as_bytes()).unwrap();
            stream.get_mut().write_all(&body).unwrap();
        }
        let response = next(&mut stream).expect(401);
        if closes(&response) {
            // Only if this test was interrupted between the writes for longer than the server waits.
            stream = open(&server);
        } else {
            responses += 1;
        }
    }
    assert!(responses > 0, "no connection was kept open");
    server.stop();
}

#[test]
fn connection_stays_open_after_a_chunked_body() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    let login = json!({"email": "ada@example.com", "password": "harbour-lantern-42"}).to_string();
    let (first, second) = login.split_at(10);
    let chunks = format!("a\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n", second.len());
    let head = |path: &str, headers: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\
             Transfer-Encoding: chunked\r\n\r\n"
        )
    };
    let mut stream = open(&server);
    // Bodies that are read, ignored, and not read because the token is invalid.
    for (head, status) in [
        (head("/v2/auth/login", ""), 401),
        (head("/v1/nothing", ""), 404),
        (head("/v1/bucketlists", "Authorization: Bearer invalid\r\n"), 401),
    ] {
        for bytes in [vec![format!("{head}{chunks}")], vec![head, chunks.clone()]] {
            for part in bytes {
                stream.get_mut().write_all(part.as_bytes()).unwrap();
            }
            let response = next(&mut stream).expect(status);
            assert!(!closes(&response), "{response:?}");
        }
    }
    // Pipelined: the next request is found after the body.
    let both = format!("{}{chunks}GET /version HTTP/1.1\r\nHost: x\r\n\r\n", head("/v2/auth/login", ""));
    stream.get_mut().write_all(both.as_bytes()).unwrap();
    next(&mut stream).expect(401);
    next(&mut stream).expect(200);
    // Requests after the body are scanned like others.
    let smuggled = format!("{}{chunks}GET /version HTTP/1.1\nHost: x\n\n", head("/v2/auth/login", ""));
    stream.get_mut().write_all(smuggled.as_bytes()).unwrap();
    next(&mut stream).expect(401);
    let response = next(&mut stream).expect(400);
    assert!(closes(&response), "{response:?}");
    // The end of a body with unusual framing is ambiguous for some proxies.
    for unusual in ["1;a=b\r\n{\r\n0\r\n\r\n", "1\r\n{\r\n0\r\nTrailer: x\r\n\r\n", "1 \r\n{\r\n0\r\n\r\n"] {
        let mut stream = open(&server);
        let request = format!("{}{unusual}GET /version HTTP/1.1\r\nHost: x\r\n\r\n", head("/v2/auth/login", ""));
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let response = next(&mut stream);
        assert!(response.status == 400 && closes(&response), "{unusual:?}: {response:?}");
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "{unusual:?}");
    }
    server.stop();
}

#[test]
fn response_announces_the_end_of_the_connection() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    for (what, length, headers) in
        [("a large body", 200_000, ""), ("a body that waits for 100 Continue", 2, "Expect: 100-continue\r\n")]
    {
        let mut stream = open(&server);
        stream.get_mut().write_all(unauthorized_head(length, headers).as_bytes()).unwrap();
        let response = next(&mut stream).expect(401);
        assert!(closes(&response), "{what}: {response:?}");
        // A client that has started to send the body does not lose the response.
        let _ = stream.get_mut().write_all(&vec![b' '; length]);
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "{what}");
    }
    server.stop();
}

#[test]
fn client_that_closes_its_side_receives_its_response() {
    let sandbox = sandbox();
    let server = sandbox.serve();
    let login = json!({"email": "ada@example.com", "password": "harbour-lantern-42"}).to_string();
    let post = |length: usize, body: &str| {
        format!(
            "POST /v2/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    for (what, request, status) in [
        ("a request without a body", "GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 200),
        ("a request with a body", post(login.len(), &login), 401),
        ("a request whose body is incomplete", post(login.len() + 1, &login), 400),
    ] {
        let mut stream = connect(server.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let response = TestResponse::read(stream).unwrap();
        assert_eq!(response.status, status, "{what}: {response:?}");
    }
    server.stop();
}
