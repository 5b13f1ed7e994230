//! `bucketlist serve`: startup message, seed, secrets, mail and log.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    thread,
};

use serde_json::json;

use crate::support::{Engine, MAX_ATTEMPTS, STRONG_SECRET, Sandbox, TestServer};

#[test]
fn development_prints_urls_and_working_logins() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let url = server.url();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "BucketList API {version} (development)\n  \
         API       {url}/v1\n            {url}/v2\n  \
         Docs      {url}/docs\n  \
         Document  {url}/openapi/v1.json\n            {url}/openapi/v2.json\n  \
         Health    {url}/health/ready\n  \
         Database  SQLite\n  \
         Login     demo@example.com / bucketlist-demo\n  \
         Admin     admin@example.com / bucketlist-admin\n"
    );
    assert_eq!(server.greeting, expected);
    for path in ["/docs", "/openapi/v1.json", "/openapi/v2.json", "/health/ready", "/"] {
        server.get(path, None).expect(200);
    }
    for (email, password) in [("demo@example.com", "bucketlist-demo"), ("admin@example.com", "bucketlist-admin")] {
        server.post("/v1/auth/login", None, &json!({"email": email, "password": password})).expect(200);
    }
    server.stop();
}

both_engines! {
    fn development_seeds_an_empty_database_once(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        let login = json!({"email": "demo@example.com", "password": "bucketlist-demo"});
        let lists = |server: &TestServer| {
            let session = server.post("/v1/auth/login", None, &login).expect(200).json();
            let page = server.get("/v1/bucketlists", session["access_token"].as_str()).expect(200).json();
            page["meta"]["total"].as_i64().unwrap()
        };
        let server = sandbox.serve();
        let seeded = lists(&server);
        assert!(seeded > 0);
        server.stop();
        let server = sandbox.serve();
        assert_eq!(lists(&server), seeded);
        server.stop();
    }

    fn other_environments_seed_nothing_and_show_no_login(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "production").env("JWT_SECRET", STRONG_SECRET);
        let server = sandbox.serve();
        assert!(!server.greeting.contains("example.com"), "{}", server.greeting);
        let login = json!({"email": "admin@example.com", "password": "bucketlist-admin"});
        server.post("/v1/auth/login", None, &login).expect(401);
        server.stop();
        // `--seed` seeds in every environment.
        let server = TestServer::start(&sandbox, &["serve", "--seed"]);
        server.post("/v1/auth/login", None, &login).expect(200);
        server.stop();
    }

    fn server_waits_for_migration_without_auto_migrate(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("AUTO_MIGRATE", "false");
        let server = sandbox.serve();
        server.get("/health/live", None).expect(200);
        let response = server.get("/health/ready", None).expect(503);
        assert!(response.body.contains("run `bucketlist migrate up`"), "{response:?}");
        let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
        server.get("/health/ready", None).expect(200);
        server.register("ada@example.com");
        server.stop();
    }
}

#[test]
fn generated_secret_is_private_and_persistent() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    server.stop();
    let mode = fs::metadata(sandbox.path("data/jwt_secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = sandbox.read("data/jwt_secret");
    assert!(secret.len() >= 32);
    let server = sandbox.serve();
    server.get("/v1/users/me", Some(&token)).expect(200);
    assert_eq!(sandbox.read("data/jwt_secret"), secret);
    server.stop();
}

#[test]
fn tokens_survive_secret_rotation() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("JWT_SECRET", STRONG_SECRET);
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    server.stop();
    let sandbox = sandbox
        .env("JWT_SECRET", "another-secret-of-more-than-32-characters")
        .env("JWT_PREVIOUS_SECRETS", STRONG_SECRET);
    let server = sandbox.serve();
    server.get("/v1/users/me", Some(&token)).expect(200);
    server.stop();
    let sandbox = sandbox.env("JWT_PREVIOUS_SECRETS", "");
    let server = sandbox.serve();
    server.get("/v1/users/me", Some(&token)).expect(401);
    server.stop();
}

#[test]
fn servers_sharing_postgresql_see_changes_immediately() {
    let sandbox = Sandbox::on(Engine::Postgres).env("APP_ENV", "testing").env("JWT_SECRET", STRONG_SECRET);
    let (one, two) = (sandbox.serve(), sandbox.serve());
    let token = one.register("ada@example.com");
    for number in 0..3 {
        let created = one.post("/v1/bucketlists", Some(&token), &json!({"name": format!("List {number}")})).expect(201);
        two.get(&format!("/v1/bucketlists/{}", created.json()["id"]), Some(&token)).expect(200);
    }
    one.send("POST", "/v1/auth/logout", Some(&token), None).unwrap().expect(204);
    two.get("/v1/users/me", Some(&token)).expect(401);
    one.stop();
    two.stop();
}

#[test]
fn mail_file_is_private_and_contains_a_valid_token() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("LOG_LEVEL", "debug").env("ACCOUNT_NOTICES", "false");
    let server = sandbox.serve();
    server.register("ada@example.com");
    server.post("/v1/auth/password-reset", None, &json!({"email": "ada@example.com"})).expect(202);
    // The worker writes the file after the response; each attempt sends a request.
    let mail = (0..MAX_ATTEMPTS)
        .find_map(|_| {
            server.get("/health/live", None).expect(200);
            let file = fs::read_dir(sandbox.path("data/mail")).ok()?.next()?.unwrap().path();
            // The file is created before it is written.
            fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')).map(|text| (file, text))
        })
        .expect("the mail was not written");
    let (file, text) = mail;
    assert!(text.starts_with("To: ada@example.com\nSubject: "), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .filter(|word| word.len() >= 32)
        .max_by_key(|word| word.len())
        .unwrap_or_else(|| panic!("no token: {text}"));
    let body = json!({"token": token, "new_password": "lantern-harbour-43"});
    server.post("/v1/auth/password-reset/confirm", None, &body).expect(204);
    let login = json!({"email": "ada@example.com", "password": "lantern-harbour-43"});
    server.post("/v1/auth/login", None, &login).expect(200);
    let log = server.log();
    for secret in [token, "lantern-harbour-43", "harbour-lantern-42", "ada@example.com"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    server.stop();
}

#[test]
fn json_log_has_one_line_per_request() {
    let sandbox = Sandbox::new().env("APP_ENV", "production").env("JWT_SECRET", STRONG_SECRET).env("LOG_LEVEL", "info");
    let mut server = sandbox.serve();
    let token = server.register("ada@example.com");
    let response = server.get("/v1/users/me?x=hidden", Some(&token));
    let id = response.head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();
    server.signal("INT");
    assert!(server.wait_for_exit().success());
    let log = server.log();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let line = lines
        .iter()
        .find(|line| line["target"] == "bucketlist::access" && line["span"]["id"] == id.as_str())
        .unwrap_or_else(|| panic!("{id} is not in\n{log}"));
    assert_eq!(line["path"], "/v1/users/me");
    assert_eq!(line["operation"], "getMe");
    assert!(!log.contains("hidden") && !log.contains(&token), "{log}");
}

#[test]
fn health_succeeds_only_while_the_server_is_ready() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let out = sandbox.run(&["health", "--url", &server.url()]).expect_success();
    assert_eq!(out, format!("{} is ready\n", server.url()));
    let url = server.url();
    server.stop();
    let error = sandbox.run(&["health", "--url", &url]).expect_error();
    assert!(error.contains(&url), "{error}");
}

#[test]
fn health_reports_a_server_that_is_not_ready_or_silent() {
    let sandbox = Sandbox::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The operating system accepts the connection, and no process reads from it.
    let error = sandbox.run(&["health", "--url", &url]).expect_error();
    assert_eq!(error, format!("{url} did not respond within 2 seconds"));
    let (_silent, _) = listener.accept().unwrap();

    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 1024]).unwrap();
        connection.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let error = sandbox.run(&["health", "--url", &url]).expect_error();
    assert_eq!(error, format!("{url} is not ready: /health/ready returned 503"));
    server.join().unwrap();
}

#[test]
fn health_with_https_requires_the_name_in_the_certificate() {
    let sandbox =
        Sandbox::new().env("PUBLIC_URL", "https://localhost").env("TLS_CERT", "cert.pem").env("TLS_KEY", "key.pem");
    let error = sandbox.run(&["health"]).expect_error();
    let expected = "the server has a TLS certificate, and HOST is not a name in it\n\
                    help: pass --url with a name of the certificate, such as --url https://localhost:8443";
    assert_eq!(error, expected);
}

#[test]
fn short_secret_is_replaced_and_an_unreadable_one_reported() {
    let sandbox = Sandbox::new();
    sandbox.write("data/jwt_secret", "too short\n");
    sandbox.serve().stop();
    assert!(sandbox.read("data/jwt_secret").len() >= 32);
    fs::remove_file(sandbox.path("data/jwt_secret")).unwrap();
    fs::create_dir(sandbox.path("data/jwt_secret")).unwrap();
    let error = sandbox.env("PORT", "0").run(&["serve"]).expect_exit_code(1).err;
    let expected =
        "error: cannot store the generated secret in data/jwt_secret: is a directory\nhelp: set JWT_SECRET\n";
    assert!(error.ends_with(expected), "{error}");
}
