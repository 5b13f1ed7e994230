//! The server while it starts.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use bucketlist::db::migrations::Migrator;
use diesel::connection::SimpleConnection;

use crate::support::{Engine, Sandbox, TestResponse, send};

/// A server that waits for a lock on the table of migrations.
struct StartingServer {
    process: Child,
    address: SocketAddr,
    lock: Migrator,
    _sandbox: Sandbox,
}

impl StartingServer {
    fn start() -> Self {
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let sandbox = Sandbox::on(Engine::Postgres);
        let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
        let mut lock = sandbox.migrator();
        lock.connection().batch_execute("BEGIN; LOCK TABLE __diesel_schema_migrations").unwrap();
        let mut command = sandbox.command(&["serve"]);
        command.env("APP_ENV", "testing").env("SHUTDOWN_DELAY", "0s").env("PORT", address.port().to_string());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { process, address, lock, _sandbox: sandbox }
    }

    fn get(&self, path: &str) -> std::io::Result<TestResponse> {
        send(self.address, "GET", path, None, None)
    }

    fn wait_for(&self, path: &str, status: u16) -> TestResponse {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            match self.get(path) {
                Ok(response) if response.status == status => return response,
                _ => thread::yield_now(),
            }
        }
        panic!("{path} is not {status}");
    }

    fn signal(&mut self, name: &str) -> ExitStatus {
        let status = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.process.wait().unwrap()
    }
}

impl Drop for StartingServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn server_is_live_and_not_ready_until_migrations_are_applied() {
    let mut server = StartingServer::start();
    let live = server.wait_for("/health/live", 200);
    assert!(live.head.contains("x-content-type-options: nosniff"), "{live:?}");
    for path in ["/health/ready", "/v2/bucketlists", "/docs"] {
        let response = server.get(path).unwrap().expect(503);
        assert!(response.head.contains("retry-after: 5"), "{response:?}");
        assert_eq!(response.json()["detail"], "The server is starting.", "{response:?}");
    }
    server.lock.connection().batch_execute("COMMIT").unwrap();
    server.wait_for("/health/ready", 200);
    assert!(server.signal("TERM").success());
}

#[test]
fn server_that_is_starting_can_be_stopped() {
    for signal in ["TERM", "INT"] {
        let mut server = StartingServer::start();
        server.wait_for("/health/live", 200);
        assert!(server.signal(signal).success(), "{signal}");
    }
}
