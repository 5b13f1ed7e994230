//! Commands on a PostgreSQL server that does not respond, or on a database that cannot be used.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use bucketlist::db::{Options, Target, migrations::Migrator};
use diesel::connection::SimpleConnection;

use crate::support::{Engine, MAX_ATTEMPTS, Proxy, STRONG_SECRET, Sandbox, StartupOptions, server_url};

/// More than the limits of the commands together, and less than the limits of the operating system.
const SOON: Duration = Duration::from_secs(30);

fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a statement on the server when it is dropped.
struct Cleanup(String);

impl Drop for Cleanup {
    fn drop(&mut self) {
        on_server(&self.0);
    }
}

fn on_server(sql: &str) {
    let options = Options::new(Target::Postgres(server_url()), 1);
    Migrator::connect(&options).unwrap().connection().batch_execute(sql).unwrap();
}

#[test]
fn database_with_another_encoding_is_rejected() {
    let name = unique("latin1");
    on_server(&format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"));
    let _cleanup = Cleanup(format!("DROP DATABASE {name}"));
    let mut url = url::Url::parse(&server_url()).unwrap();
    url.set_path(&name);
    let sandbox = Sandbox::new().env("DATABASE_URL", url.as_str()).env("PORT", "0");
    let expected = "the database has the encoding LATIN1; UTF8 is required\n\
                    help: create one with `CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`";
    for arguments in [&["migrate", "up"][..], &["migrate", "status"], &["serve"]] {
        assert_eq!(sandbox.run(arguments).expect_error(), expected, "{arguments:?}");
    }
    let report = sandbox.run(&["doctor"]).expect_exit_code(1).out;
    assert!(report.contains("FAIL  database: PostgreSQL: the database has the encoding LATIN1"), "{report}");
}

#[test]
fn missing_privilege_to_create_tables_is_reported_with_its_remedy() {
    let sandbox = Sandbox::on(Engine::Postgres);
    let role = unique("limited");
    on_server(&format!("CREATE ROLE {role} NOLOGIN"));
    let _cleanup = Cleanup(format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    let url = sandbox.variable("DATABASE_URL").to_owned();
    let schema = url.split("search_path%3D").nth(1).unwrap().to_owned();
    sandbox.execute(&format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
    let sandbox = sandbox.env("DATABASE_URL", format!("{url}%20-crole%3D{role}")).env("PORT", "0");
    let expected = format!(
        "role {role} may not create tables in schema {schema}\n\
         help: run `GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}` as the owner of the database"
    );
    for arguments in [&["migrate", "up"][..], &["serve"]] {
        assert_eq!(sandbox.run(arguments).expect_error(), expected, "{arguments:?}");
    }
    let report = sandbox.run(&["doctor"]).expect_exit_code(1).out;
    assert!(report.contains(&format!("may not create tables in schema {schema}; run `GRANT")), "{report}");
}

#[test]
fn commands_give_up_on_a_server_that_does_not_respond() {
    // The operating system accepts connections, and no process reads from them.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("postgres://ada@{}/lists", silent.local_addr().unwrap());
    let started = Instant::now();
    let commands = [&["migrate", "status"][..], &["migrate", "up"], &["serve"], &["doctor"]].map(|arguments| {
        let sandbox = Sandbox::new().env("DATABASE_URL", &url).env("PORT", "0");
        thread::spawn(move || sandbox.run(arguments).expect_exit_code(1))
    });
    for command in commands {
        let output = command.join().unwrap();
        assert!(
            output.out.contains("FAIL  database") || output.err.contains("cannot open the database"),
            "{output:#?}"
        );
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

/// Starts a PostgreSQL server that accepts each login and does not respond to statements. Returns its address.
fn server_without_responses_to_statements() -> SocketAddr {
    const AUTHENTICATION_OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
    const READY_FOR_QUERY: &[u8] = b"Z\0\0\0\x05I";
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                // Ends commands without a limit as well, after the limit of the test.
                client.set_read_timeout(Some(SOON)).unwrap();
                let mut received = [0; 1024];
                let startup_length = client.read(&mut received).unwrap_or_default();
                let accepted = client.write_all(&[AUTHENTICATION_OK, READY_FOR_QUERY].concat());
                while startup_length > 0 && accepted.is_ok() && matches!(client.read(&mut received), Ok(1..)) {}
            });
        }
    });
    address
}

#[test]
fn commands_give_up_on_a_server_that_does_not_respond_to_statements() {
    let address = server_without_responses_to_statements();
    let url = format!("postgres://ada@{address}/lists?sslmode=disable&gssencmode=disable");
    let started = Instant::now();
    let commands = [&["migrate", "status"][..], &["migrate", "down"], &["serve"], &["doctor"]].map(|arguments| {
        let sandbox = Sandbox::new().env("DATABASE_URL", &url).env("DATABASE_EXCLUSIVE", "true").env("PORT", "0");
        thread::spawn(move || sandbox.run(arguments).expect_exit_code(1))
    });
    for command in commands {
        let output = command.join().unwrap();
        assert!(
            format!("{}{}", output.out, output.err).contains("the database did not respond within 10 seconds"),
            "{output:#?}"
        );
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[test]
fn sigterm_ends_a_server_whose_database_does_not_respond() {
    for is_exclusive in ["false", "true"] {
        let sandbox = Sandbox::on(Engine::Postgres);
        let target = Target::Postgres(sandbox.variable("DATABASE_URL").to_owned());
        let proxy = Proxy::to(&target);
        let Target::Postgres(url) = proxy.target(&target) else { unreachable!("the target is PostgreSQL") };
        let sandbox = sandbox
            .env("DATABASE_URL", url)
            .env("DATABASE_EXCLUSIVE", is_exclusive)
            .env("APP_ENV", "testing")
            .env("LOG_LEVEL", "warn")
            .env("SHUTDOWN_DELAY", "0s")
            .env("SHUTDOWN_TIMEOUT", "1s");
        let mut server = sandbox.serve();
        let token = server.register("ada@example.com");
        proxy.silence_all();
        if is_exclusive == "true" {
            // A thread waits for the response, and cannot be interrupted.
            let deadline = Instant::now() + SOON;
            while !server.log().contains("database lock check got no response") {
                assert!(Instant::now() < deadline, "{}", server.log());
                server.get("/health/live", None).expect(200);
            }
        }
        let address = server.address;
        let in_flight = thread::spawn(move || crate::support::send(address, "GET", "/v1/users/me", Some(&token), None));
        let started = Instant::now();
        server.signal("TERM");
        assert!(server.wait_for_exit().success(), "{}", server.log());
        assert!(started.elapsed() < SOON / 2, "{:?}", started.elapsed());
        // The request has a response, or its connection was closed.
        let _ = in_flight.join().unwrap();
    }
}

#[test]
fn pooler_is_reported_and_cannot_have_an_exclusive_lock() {
    let target = Target::Postgres(server_url());
    let proxy = Proxy::pooler(&target, StartupOptions::Reject);
    let Target::Postgres(url) = proxy.target(&target) else { unreachable!("the target is PostgreSQL") };
    let sandbox = Sandbox::new().env("DATABASE_URL", url).env("DATABASE_EXCLUSIVE", "true").env("PORT", "0");
    assert_eq!(
        sandbox.run(&["serve"]).expect_error(),
        "DATABASE_EXCLUSIVE requires a connection without a pooler such as PgBouncer\n\
         help: set DATABASE_EXCLUSIVE=false, or set DATABASE_URL to the PostgreSQL server"
    );
    let report = sandbox.env("DATABASE_PREPARED", "on").run(&["doctor"]).expect_exit_code(1).out;
    for line in [
        "ok    database: connected to PostgreSQL through a connection pooler",
        "FAIL  database exclusive: requires a direct connection",
        "ok    database prepared: supported by the connection pooler",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
}

#[test]
fn unusable_database_is_reported_with_a_remedy() {
    let server = server_url();
    let separator = if server.contains('?') { '&' } else { '?' };
    for (url, remedy) in [
        (format!("{server}{separator}dbname=absent_lists"), "create it with `CREATE DATABASE name"),
        (format!("{server}{separator}target_session_attrs=standby"), "no server in DATABASE_URL has the role"),
    ] {
        let sandbox = Sandbox::new().env("DATABASE_URL", url).env("PORT", "0");
        let error = sandbox.run(&["serve"]).expect_error();
        assert!(error.contains(&format!("help: {remedy}")), "{error}");
        let report = sandbox.run(&["doctor"]).expect_exit_code(1).out;
        assert!(report.contains(remedy), "{report}");
    }
}

#[test]
fn running_server_with_other_settings_is_reported() {
    let sandbox = Sandbox::on(Engine::Postgres).env("APP_ENV", "testing").env("JWT_SECRET", STRONG_SECRET);
    let sandbox = sandbox.env("LOG_LEVEL", "warn").env("PORT", "0");
    let first = sandbox.serve();
    // The first renewal follows the start.
    let is_reported = (0..MAX_ATTEMPTS).any(|_| {
        let report = sandbox.run(&["doctor"]).expect_exit_code(0).out;
        report.contains("ok    running servers: 1 with the same settings")
    });
    assert!(is_reported);
    let sandbox =
        sandbox.env("JWT_SECRET", "another-secret-of-more-than-32-characters").env("REDIS_URL", "redis://127.0.0.1:1");
    let report = sandbox.run(&["doctor"]).expect_exit_code(1).out;
    for setting in ["JWT_SECRET", "REDIS_URL"] {
        assert!(report.contains(&format!("warn  running servers: {setting} differs on ")), "{report}");
    }
    // Both servers report it: the second one at once, the first one at its next renewal.
    let second = sandbox.serve();
    second.wait_until_logged("another server of this database has a different setting");
    assert!(second.log().contains("each server rejects the tokens of the other"), "{}", second.log());
    first.stop();
}
