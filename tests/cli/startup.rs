//! The server while it starts.

use std::{
    net::TcpListener,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;

use crate::support::{Engine, Sandbox, TestResponse, send};

#[test]
fn server_is_live_and_not_ready_until_migrations_are_applied() {
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let sandbox = Sandbox::on(Engine::Postgres);
    let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
    // A lock that the migrations of the server wait for.
    let mut lock = sandbox.migrator();
    lock.connection().batch_execute("BEGIN; LOCK TABLE __diesel_schema_migrations").unwrap();
    let mut command = sandbox.command(&["serve"]);
    command.env("APP_ENV", "testing").env("PORT", address.port().to_string());
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let wait_for = |path: &str, status: u16| -> TestResponse {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            match send(address, "GET", path, None, None) {
                Ok(response) if response.status == status => return response,
                _ => thread::yield_now(),
            }
        }
        panic!("{path} is not {status}");
    };
    let live = wait_for("/health/live", 200);
    assert!(live.head.contains("x-content-type-options: nosniff"), "{live:?}");
    for path in ["/health/ready", "/v2/bucketlists", "/docs"] {
        let response = send(address, "GET", path, None, None).unwrap().expect(503);
        assert!(response.head.contains("retry-after: 5"), "{response:?}");
        assert_eq!(response.json()["detail"], "The server is starting.", "{response:?}");
    }
    lock.connection().batch_execute("COMMIT").unwrap();
    wait_for("/health/ready", 200);
    server.kill().unwrap();
    server.wait().unwrap();
}
