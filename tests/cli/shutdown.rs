//! Graceful shutdown: readiness fails first, requests in flight are completed, and no client can block it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use chrono::{DateTime, FixedOffset};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::{
    malformed_requests::next,
    support::{Engine, Sandbox, TestResponse, TestServer, connect, head},
};

/// A POST whose handler waits for the rest of its body.
struct HalfSent {
    stream: BufReader<TcpStream>,
    rest: String,
}

impl HalfSent {
    fn new(server: &TestServer, token: &str, name: &str) -> Self {
        let body = json!({"name": name}).to_string();
        let head = head(server.address, "POST", "/v1/bucketlists", Some(token), Some(body.len()));
        let mut stream = BufReader::new(connect(server.address).unwrap());
        // The server sends 100 Continue when it reads the body: the request is in flight.
        write!(stream.get_mut(), "{head}Expect: 100-continue\r\n\r\n").unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
        stream.read_line(&mut line).unwrap();
        let (first, rest) = body.split_at(5);
        stream.get_mut().write_all(first.as_bytes()).unwrap();
        Self { stream, rest: rest.to_owned() }
    }

    fn finish(mut self) -> TestResponse {
        self.stream.get_mut().write_all(self.rest.as_bytes()).unwrap();
        TestResponse::read(self.stream).unwrap()
    }
}

fn sandbox() -> Sandbox {
    Sandbox::new().env("APP_ENV", "testing").env("LOG_LEVEL", "info")
}

both_engines! {
    fn sigterm_fails_readiness_then_completes_requests_in_flight(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("LOG_LEVEL", "info").env("SHUTDOWN_DELAY", "10m");
        let mut server = sandbox.serve();
        let token = server.register("ada@example.com");
        server.get("/health/ready", None).expect(200);
        let in_flight = HalfSent::new(&server, &token, "In flight");

        server.signal("TERM");
        let response = server.wait_for_status("/health/ready", 503);
        assert!(response.body.contains("The server is shutting down."), "{response:?}");
        // The server responds to requests during SHUTDOWN_DELAY.
        server.get("/health/live", None).expect(200);
        server.post("/v1/bucketlists", Some(&token), &json!({"name": "In the delay"})).expect(201);

        // An interrupt ends the delay.
        server.signal("INT");
        server.wait_until_closed();
        let created = in_flight.finish().expect(201).json();
        assert!(server.wait_for_exit().success(), "{}", server.log());
        let log = server.log();
        assert!(log.contains("shutting down; completing requests in flight") && log.contains("server stopped"), "{log}");

        // Both writes were committed.
        let server = sandbox.serve();
        let page = server.get("/v1/bucketlists", Some(&token)).expect(200).json();
        assert_eq!(page["meta"]["total"], 2);
        server.get(&format!("/v1/bucketlists/{}", created["id"]), Some(&token)).expect(200);
        server.stop();
    }
}

#[test]
fn sigterm_without_delay_exits_with_0() {
    let sandbox = sandbox().env("SHUTDOWN_DELAY", "0s");
    for signal in ["TERM", "INT"] {
        let mut server = sandbox.serve();
        server.get("/health/live", None).expect(200);
        server.signal(signal);
        assert_eq!(server.wait_for_exit().code(), Some(0), "{signal}: {}", server.log());
    }
}

#[test]
fn stalled_request_does_not_block_shutdown() {
    let sandbox = sandbox().env("SHUTDOWN_DELAY", "0s").env("SHUTDOWN_TIMEOUT", "200ms");
    let mut server = sandbox.serve();
    let token = server.register("ada@example.com");
    let mut stalled = HalfSent::new(&server, &token, "Never finished");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.log());
    let mut rest = String::new();
    let _ = stalled.stream.read_to_string(&mut rest);
    assert!(!rest.contains("201 Created"), "{rest}");
    let server = sandbox.serve();
    assert_eq!(server.get("/v1/bucketlists", Some(&token)).expect(200).json()["meta"]["total"], 0);
    server.stop();
}

/// Returns the time of the first event with this message in a log of JSON lines.
#[track_caller]
fn logged_at(log: &str, message: &str) -> DateTime<FixedOffset> {
    let mut events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let event = events.find(|event| event["message"] == message);
    let event = event.unwrap_or_else(|| panic!("`{message}` is not in the log:\n{log}"));
    DateTime::parse_from_rfc3339(event["timestamp"].as_str().unwrap()).unwrap()
}

/// Background tasks have what is left of `SHUTDOWN_TIMEOUT` after the requests in flight, not another one.
#[test]
fn requests_and_background_tasks_share_the_shutdown_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(4);
    let sandbox =
        Sandbox::on(Engine::Postgres).env("APP_ENV", "testing").env("LOG_LEVEL", "info").env("LOG_FORMAT", "json");
    let sandbox = sandbox.env("DATABASE_LOCK_TIMEOUT", "5m").env("DATABASE_STATEMENT_TIMEOUT", "5m");
    let sandbox = sandbox.env("DATABASE_TRANSACTION_TIMEOUT", "5m");
    let sandbox = sandbox.env("SHUTDOWN_DELAY", "0s").env("SHUTDOWN_TIMEOUT", format!("{}s", TIMEOUT.as_secs()));
    let mut server = sandbox.serve();
    let token = server.register("ada@example.com");
    // The task that stores incidents cannot complete, nor can a request.
    let mut lock = sandbox.migrator();
    lock.connection().batch_execute("BEGIN; LOCK TABLE incident_groups").unwrap();
    let failing = head(server.address, "GET", "/v2/users/me", Some(&token), None);
    let mut failed = connect(server.address).unwrap();
    write!(failed, "{failing}X-Fault: internal\r\n\r\n").unwrap();
    TestResponse::read(failed).unwrap().expect(500);
    let stalled = HalfSent::new(&server, &token, "Never finished");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.log());
    let log = server.log();
    let connections_closed = logged_at(&log, "shutdown timeout reached; closing open connections");
    let tasks_interrupted = logged_at(&log, "shutdown timeout reached; background tasks interrupted");
    let spent_on_tasks = (tasks_interrupted - connections_closed).to_std().unwrap();
    assert!(spent_on_tasks < TIMEOUT, "{spent_on_tasks:?}");
    drop((stalled, lock));
}

#[test]
fn idle_connections_do_not_block_shutdown() {
    let sandbox = sandbox().env("SHUTDOWN_DELAY", "0s").env("SHUTDOWN_TIMEOUT", "10m");
    let mut server = sandbox.serve();
    // A connection without a request, and one that stays open after a response.
    let unused = connect(server.address).unwrap();
    let mut after_response = BufReader::new(connect(server.address).unwrap());
    write!(after_response.get_mut(), "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut line = String::new();
    after_response.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.log());
    drop((unused, after_response));
}

/// A connection that a client keeps for several requests.
struct KeptConnection(BufReader<TcpStream>);

impl KeptConnection {
    fn new(server: &TestServer) -> Self {
        Self(BufReader::new(connect(server.address).unwrap()))
    }

    fn send(&mut self, token: &str, name: &str) -> TestResponse {
        let body = json!({"name": name}).to_string();
        let head = format!(
            "POST /v2/bucketlists HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.0.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
        next(&mut self.0).expect(201)
    }

    /// Asserts that the server closes the connection, and does not reset it.
    fn expect_closed(&mut self) {
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0, "the server has sent more");
    }
}

fn closes(response: &TestResponse) -> bool {
    response.head.to_ascii_lowercase().contains("connection: close")
}

/// Checks that kept connections get another response after SIGTERM, which closes them.
fn check_kept_connections(mut server: TestServer) {
    let token = server.register("ada@example.com");
    let mut kept: Vec<_> = (0..3).map(|_| KeptConnection::new(&server)).collect();
    for (number, connection) in kept.iter_mut().enumerate() {
        assert!(!closes(&connection.send(&token, &format!("Before {number}"))));
    }
    let mut unused = KeptConnection::new(&server);
    server.signal("TERM");
    server.wait_for_status("/health/ready", 503);
    let mut idle = kept.pop().unwrap();
    for (number, connection) in kept.iter_mut().enumerate() {
        assert!(closes(&connection.send(&token, &format!("After {number}"))));
        // The server reads what the client sends before it has noticed.
        connection.0.get_mut().write_all(&[b'x'; 10_000]).unwrap();
        connection.expect_closed();
    }
    // A new connection gets one response as well.
    assert!(closes(&unused.send(&token, "On another connection")));
    unused.expect_closed();
    server.signal("INT");
    // The end of the delay closes idle connections.
    idle.expect_closed();
    drop((kept, unused, idle));
    assert!(server.wait_for_exit().success(), "{}", server.log());
}

#[test]
fn kept_connections_close_after_a_response_during_the_delay() {
    check_kept_connections(sandbox().env("SHUTDOWN_DELAY", "10m").serve());
}

#[test]
fn kept_connections_on_a_passed_socket_close_after_a_response_during_the_delay() {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let sandbox = sandbox().env("SHUTDOWN_DELAY", "10m");
    let passed: std::os::fd::OwnedFd = socket.into();
    check_kept_connections(TestServer::run(&sandbox, sandbox.serve_on(passed)));
}
