//! Errors that keep the server from starting: a message with help, and all invalid settings together.

use std::net::TcpListener;

use crate::support::{Engine, STRONG_SECRET, Sandbox};

#[test]
fn port_in_use_prevents_startup() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let sandbox = Sandbox::new().env("PORT", port.to_string());
    let error = sandbox.run(&["serve"]).expect_error();
    assert_eq!(
        error,
        format!("port {port} is already in use\nhelp: stop the other server, or set PORT to another port")
    );
}

#[test]
fn foreign_bind_address_prevents_startup() {
    // The address is reserved for documentation (RFC 5737).
    let sandbox = Sandbox::new().env("HOST", "192.0.2.1").env("PORT", "0");
    let error = sandbox.run(&["serve"]).expect_error();
    assert!(error.starts_with("cannot listen on 192.0.2.1:0: "), "{error}");
    assert!(error.ends_with("\nhelp: set HOST and PORT to an address of this machine"), "{error}");
}

#[test]
fn invalid_data_directory_prevents_startup() {
    for folder in ["file", "file/below"] {
        let sandbox = Sandbox::new().env("DATA_DIR", folder).env("PORT", "0");
        sandbox.write("file", "kept");
        for arguments in [&["serve"][..], &["migrate", "up"], &["seed"], &["user", "create", "ada@example.com"]] {
            let error = sandbox.run(arguments).expect_error();
            assert!(error.starts_with(&format!("cannot write to directory {folder}: ")), "{error}");
            assert!(error.ends_with("\nhelp: make it writable, or set DATA_DIR to another directory"), "{error}");
        }
        assert_eq!(sandbox.read("file"), "kept");
    }
}

#[test]
fn uncreatable_database_directory_prevents_startup() {
    let sandbox = Sandbox::new().env("DATABASE_URL", "sqlite://file/below/lists.db").env("PORT", "0");
    sandbox.write("file", "");
    let error = sandbox.run(&["serve"]).expect_error();
    assert!(error.starts_with("cannot write to directory file/below: "), "{error}");
    assert!(error.ends_with("\nhelp: make it writable, or set DATABASE_URL to another directory"), "{error}");
}

#[test]
fn invalid_database_file_prevents_startup() {
    let sandbox = Sandbox::new().env("DATABASE_URL", "sqlite://lists").env("PORT", "0");
    std::fs::create_dir(sandbox.path("lists")).unwrap();
    let error = sandbox.run(&["serve"]).expect_error();
    let help = "\nhelp: set DATABASE_URL to an SQLite database or to a new file";
    assert_eq!(error, format!("cannot open database lists: is a directory{help}"));

    let sandbox = Sandbox::new().env("DATABASE_URL", "sqlite://lists").env("PORT", "0");
    let notes = "these are notes and no database ".repeat(8);
    sandbox.write("lists", &notes);
    let error = sandbox.run(&["serve"]).expect_error();
    assert_eq!(error, format!("cannot open database lists: file is not a database{help}"));
    assert_eq!(sandbox.read("lists"), notes);
}

#[test]
fn unreachable_postgresql_prevents_startup() {
    for url in ["postgres://ada:hunter2hunter2@127.0.0.1:1/lists", "postgres://ada:hunter2hunter2@%2Fnowhere/lists"] {
        let sandbox = Sandbox::new().env("DATABASE_URL", url).env("PORT", "0");
        for arguments in [&["serve"][..], &["migrate", "status"]] {
            let error = sandbox.run(arguments).expect_error();
            assert!(error.starts_with("cannot open the database: connection to server "), "{error}");
            let help = "\nhelp: start the PostgreSQL server, or correct DATABASE_URL";
            assert!(error.ends_with(help), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

both_engines! {
    fn newer_database_prevents_startup(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("PORT", "0");
        let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
        sandbox.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        sandbox.execute("UPDATE schema_compatibility SET minimum_version = '20991231235959'");
        for auto_migrate in ["true", "false"] {
            let output = sandbox.command(&["serve"]).env("AUTO_MIGRATE", auto_migrate).output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(
                String::from_utf8(output.stderr).unwrap(),
                "error: the database has migration 20991231235959, which this version does not know\n\
                 help: start the version that has migrated it, or revert with its `bucketlist migrate down`\n"
            );
        }
    }
}

/// Returns the lines about invalid variables.
fn invalid_variables(sandbox: &Sandbox) -> Vec<String> {
    let outcome = sandbox.run(&["serve"]).expect_exit_code(1);
    assert_eq!(outcome.out, "");
    let mut lines = outcome.err.lines();
    let first = lines.next().unwrap();
    assert_eq!(first, "error: invalid configuration");
    assert_eq!(lines.next_back(), Some("help: see .env.example for every variable and its format"));
    let lines: Vec<String> = lines.map(|line| line.strip_prefix("  ").unwrap().to_owned()).collect();
    assert!(!sandbox.exists("data"), "the data directory was created");
    lines
}

#[test]
fn invalid_variables_are_reported_at_once_in_table_order() {
    let sandbox = Sandbox::new()
        .env("APP_ENV", "prod")
        .env("PORT", "99999")
        .env("DATABASE_URL", "mysql://ada:hunter2hunter2@example.com/lists")
        .env("ACCESS_TOKEN_TTL", "5 parsecs")
        .env("SMTP_URL", "hunter2hunter2")
        .env("LOG_LEVEL", "bucketlist=loud");
    let lines = invalid_variables(&sandbox);
    let expected = [
        "APP_ENV: `prod` is not one of development, testing, staging, production",
        "PORT: `99999` is not a port number from 0 to 65535",
        "DATABASE_URL: must start with sqlite:// or postgres://",
        "ACCESS_TOKEN_TTL: `5 parsecs` is not a duration such as 500ms, 30s, 15m, 1h or 30d",
        "SMTP_URL: must have the form smtp://USER:PASSWORD@HOST:PORT or smtps://…, with special characters encoded, such as %40 for @",
        "LOG_LEVEL: `bucketlist=loud` is not a log level (off, error, warn, info, debug or trace) or a list of directives such as \
         `info,hyper=warn`",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn missing_or_weak_secret_prevents_startup_outside_development() {
    for environment in ["staging", "production"] {
        let sandbox = Sandbox::new().env("APP_ENV", environment).env("PORT", "0");
        let remedy = "create one with `openssl rand -base64 48`";
        assert_eq!(invalid_variables(&sandbox), [format!("JWT_SECRET: must be set in {environment}; {remedy}")]);
        let short = sandbox.env("JWT_SECRET", "hunter2");
        assert_eq!(invalid_variables(&short), [format!("JWT_SECRET: has fewer than 32 characters; {remedy}")]);
        for weak in ["change-me-change-me-change-me-change-me", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            let sandbox = Sandbox::new().env("APP_ENV", environment).env("JWT_SECRET", weak);
            let lines = invalid_variables(&sandbox);
            assert_eq!(
                lines,
                [format!("JWT_SECRET: looks like a placeholder, which is not allowed in {environment}; {remedy}")]
            );
        }
        let sandbox = Sandbox::new()
            .env("APP_ENV", environment)
            .env("JWT_SECRET", STRONG_SECRET)
            .env("JWT_PREVIOUS_SECRETS", "hunter2");
        assert_eq!(
            invalid_variables(&sandbox),
            [format!("JWT_PREVIOUS_SECRETS: has fewer than 32 characters; {remedy}")]
        );
    }
}

#[test]
fn second_server_on_one_embedded_database_prevents_startup() {
    let sandbox = Sandbox::new().env("PORT", "0");
    let first = sandbox.serve();
    let error = sandbox.run(&["serve"]).expect_error();
    assert!(error.starts_with("another server uses database data/bucketlist.db\nhelp: "), "{error}");
    // Other commands run beside the server, and another server can start after it has stopped.
    sandbox.run(&["migrate", "status"]).expect_success();
    first.stop();
    sandbox.serve().stop();
}

#[test]
fn second_server_on_a_claimed_database_prevents_startup() {
    let sandbox = Sandbox::on(Engine::Postgres).env("PORT", "0");
    let exclusive = sandbox.env("DATABASE_EXCLUSIVE", "true");
    let first = exclusive.serve();
    let error = "another server uses the database exclusively\n\
                 help: stop that server, or set DATABASE_EXCLUSIVE=false on all servers";
    assert_eq!(exclusive.run(&["serve"]).expect_error(), error);
    let shared = exclusive.env("DATABASE_EXCLUSIVE", "false");
    assert_eq!(shared.run(&["serve"]).expect_error(), error);
    first.stop();
    let (one, other) = (shared.serve(), shared.serve());
    one.stop();
    other.stop();
}

#[cfg(unix)]
#[test]
fn data_directory_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new().env("PORT", "0");
    sandbox.serve().stop();
    let mode = std::fs::metadata(sandbox.path("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
