//! `REDIS_URL` of the server and of `doctor`: TLS, users, Sentinel, and addresses that cannot be used.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Engine, RedisServer, Sandbox};

const SECRET: &str = "topsecret";

fn free_port() -> String {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string()
}

/// Returns the status and the detail of a check of `doctor`.
fn check(sandbox: &Sandbox, name: &str) -> (String, String) {
    let outcome = sandbox.run(&["doctor", "--format", "json"]);
    assert!(!outcome.out.contains(SECRET) && !outcome.err.contains(SECRET), "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {report:#}"));
    (check["status"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
}

fn sandbox(url: &str) -> Sandbox {
    Sandbox::new().env("PORT", free_port()).env("REDIS_URL", url).env("REDIS_TIMEOUT", "1s")
}

#[test]
fn usable_redis_is_reported_with_its_version() {
    let redis = RedisServer::with_arguments(&["--requirepass", SECRET]);
    let sandbox = sandbox(&format!("{}?pass={SECRET}", redis.url()));
    let (status, detail) = check(&sandbox, "redis");
    assert!(status == "ok" && detail.starts_with("connected to unix://") && detail.contains(", version "), "{detail}");
    assert!(check(&sandbox, "redis prefix").1.starts_with("bucketlist:development:sqlite-"));
    redis.run(&["-a", SECRET, "CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]);
    let (status, detail) = check(&sandbox, "redis eviction");
    assert!(status == "warn" && detail.contains("allkeys-lru") && detail.contains("noeviction"), "{detail}");
    redis.run(&["-a", SECRET, "CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert_eq!(check(&sandbox, "redis eviction").0, "ok");
}

#[test]
fn redis_that_cannot_be_used_is_described_with_a_remedy() {
    let redis = RedisServer::with_arguments(&["--requirepass", "another", "--replica-read-only", "yes"]);
    let absent = format!("redis://:{SECRET}@127.0.0.1:{}", free_port());
    for (url, problem, remedy) in [
        (redis.url(), "authentication failed", "correct the user and the password in REDIS_URL"),
        (
            format!("{}?pass={SECRET}", redis.url()),
            "authentication failed",
            "correct the user and the password in REDIS_URL",
        ),
        (absent, "refused", "start Redis, or correct REDIS_URL"),
        (format!("redis://:{SECRET}@redis.invalid"), "", "start Redis, or correct REDIS_URL"),
    ] {
        let (status, detail) = check(&sandbox(&url), "redis");
        assert_eq!(status, "fail", "{detail}");
        assert!(detail.contains(problem) && detail.ends_with(remedy), "{url}: {detail}");
    }
    let (status, detail) = check(&sandbox(&format!("redis:://:{SECRET}@localhost")), "REDIS_URL");
    assert!(status == "fail" && detail.starts_with("must have the form redis://"), "{detail}");
}

#[test]
fn address_of_another_service_is_described_with_a_remedy() {
    let redis_port = free_port();
    let _redis = RedisServer::with_arguments(&["--port", &redis_port]);
    let cluster_port = free_port();
    let _cluster = RedisServer::with_arguments(&["--port", &cluster_port, "--cluster-enabled", "yes"]);
    // Speaks HTTP.
    let other = Sandbox::new().env("APP_ENV", "testing").serve();
    for (url, problem, remedy) in [
        (
            format!("rediss://:{SECRET}@127.0.0.1:{redis_port}"),
            "TLS",
            "correct the port in REDIS_URL, or use redis:// if the server does not use TLS",
        ),
        (
            format!("redis://127.0.0.1:{}", other.address.port()),
            "does not respond like Redis",
            "correct the host and the port",
        ),
        (format!("redis://127.0.0.1:{redis_port}/99"), "the database number is out of range", "use a lower number"),
        (format!("redis://127.0.0.1:{cluster_port}"), "Redis Cluster is not supported", "use one server, or Sentinel"),
    ] {
        let (status, detail) = check(&sandbox(&url), "redis");
        assert_eq!(status, "fail", "{detail}");
        assert!(detail.contains(problem) && detail.contains(remedy), "{url}: {detail}");
    }
    let (status, detail) = check(&sandbox(&format!("redis+cluster://:{SECRET}@localhost")), "REDIS_URL");
    assert!(status == "fail" && detail.starts_with("Redis Cluster is not supported; use Sentinel"), "{detail}");
}

#[test]
fn eviction_is_reported_at_start() {
    let redis = RedisServer::with_arguments(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let sandbox = sandbox(&redis.url()).env("APP_ENV", "testing").env("LOG_LEVEL", "warn").env("PORT", "0");
    let server = sandbox.serve();
    server.wait_until_logged("Redis evicts keys when its memory limit is reached");
}

#[test]
fn different_settings_of_a_running_server_are_reported() {
    let redis = RedisServer::start();
    let server = sandbox(&redis.url()).env("REDIS_PREFIX", "lists");
    let _running = server.serve();
    let other = sandbox(&redis.url()).env("REDIS_PREFIX", "lists").env("RATE_LIMIT_GENERAL", "7");
    let (status, detail) = check(&other, "shared settings");
    assert!(status == "warn" && detail.contains("REDIS_PREFIX"), "{detail}");
}

#[test]
fn tls_connection_verifies_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, certified.cert.pem()).unwrap();
    fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let port = free_port();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let _redis = RedisServer::with_arguments(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        certificate,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://localhost:{port}");
    let (status, detail) = check(&sandbox(&url).env("SSL_CERT_FILE", certificate), "redis");
    assert!(status == "ok", "{detail}");
    let (status, detail) = check(&sandbox(&url), "redis");
    assert!(status == "fail" && detail.contains("certificate"), "{detail}");
}

/// A process that is killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn primary_is_found_through_sentinel() {
    let folder = tempfile::tempdir().unwrap();
    let (port, sentinel_port) = (free_port(), free_port());
    let _redis = RedisServer::with_arguments(&["--port", &port, "--requirepass", SECRET]);
    let file = folder.path().join("sentinel.conf");
    let text = format!(
        "port {sentinel_port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {port} 1\nsentinel auth-pass main {SECRET}\n"
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel").current_dir(folder.path()).stdout(Stdio::null());
    let _sentinel = Process(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(format!("127.0.0.1:{sentinel_port}")).is_err() {
        assert!(Instant::now() < deadline, "Sentinel did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let absent = free_port();
    let url = |name: &str| format!("redis+sentinel://:{SECRET}@127.0.0.1:{absent},127.0.0.1:{sentinel_port}/{name}");
    let (status, detail) = check(&sandbox(&url("main")), "redis");
    assert!(status == "ok", "{detail}");
    let (status, detail) = check(&sandbox(&url("other")), "redis");
    assert!(status == "fail" && detail.contains("Sentinel does not know"), "{detail}");
}

#[test]
fn server_starts_without_redis() {
    let url = format!("redis://:{SECRET}@127.0.0.1:{}", free_port());
    let sandbox = Sandbox::on(Engine::Postgres).env("REDIS_URL", &url).env("LOG_LEVEL", "warn");
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    server.get("/v2/bucketlists", Some(&token)).expect(200);
    let health = server.get("/health/ready", None).expect(200).json();
    assert_eq!((&health["status"], &health["checks"]["redis"]), (&"warn".into(), &"warn".into()));
    server.wait_until_logged("cannot connect to Redis");
    assert!(!server.log().contains(SECRET), "{}", server.log());
}
