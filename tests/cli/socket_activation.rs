//! The server uses a socket that systemd has bound (`deploy/systemd/bucketlist.socket`).

use std::{
    io::{BufReader, Write},
    net::TcpListener,
    os::fd::OwnedFd,
};

use crate::{
    malformed_requests::next,
    support::{Sandbox, TestServer, connect},
};

fn copy(listener: &TcpListener) -> OwnedFd {
    listener.try_clone().unwrap().into()
}

#[test]
fn connection_during_a_restart_is_served_by_the_next_server() {
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    // The port of the socket applies.
    let sandbox = Sandbox::new().env("PORT", "1").env("SHUTDOWN_DELAY", "0");
    let server = TestServer::run(&sandbox, sandbox.serve_on(copy(&socket)));
    assert_eq!(server.address, address);
    server.get("/health/ready", None).expect(200);
    server.stop();
    let mut stream = BufReader::new(connect(address).unwrap());
    stream.get_mut().write_all(b"GET /v2/bucketlists HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let server = TestServer::run(&sandbox, sandbox.serve_on(copy(&socket)));
    // Not 503, although the server was still starting when it received the request.
    next(&mut stream).expect(401);
    server.stop();
}

#[test]
fn socket_that_is_not_a_port_prevents_startup() {
    let sandbox = Sandbox::new();
    let socket = std::os::unix::net::UnixListener::bind(sandbox.path("socket")).unwrap();
    let output = sandbox.serve_on(socket).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("error: cannot use the socket that systemd has passed: "), "{error}");
    assert!(error.ends_with("help: use one `ListenStream=` with a port in the socket unit\n"), "{error}");
}

#[test]
fn several_sockets_prevent_startup() {
    let error = Sandbox::new().env("LISTEN_FDS", "2").run(&["serve"]).expect_error();
    assert_eq!(
        error,
        "systemd has passed 2 sockets instead of one\nhelp: use one `ListenStream=` with a port in the socket unit"
    );
}
