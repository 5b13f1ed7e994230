//! `bucketlist doctor`.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{STRONG_SECRET, Sandbox};

/// Returns the exit code and the JSON report.
fn report(sandbox: &Sandbox) -> (i32, Value) {
    let outcome = sandbox.run(&["doctor", "--format", "json"]);
    assert_eq!(outcome.err, "");
    (outcome.code.unwrap(), serde_json::from_str(&outcome.out).unwrap_or_else(|_| panic!("{outcome:?}")))
}

/// Returns the status and the detail of a check.
#[track_caller]
fn check(report: &Value, name: &str) -> (String, String) {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {report:#}"));
    (check["status"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
}

fn free_port() -> String {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn empty_directory_is_healthy_and_stays_unchanged() {
    let sandbox = Sandbox::new().env("PORT", free_port());
    let (code, report) = report(&sandbox);
    assert_eq!(code, 0, "{report:#}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check}");
    }
    assert!(!sandbox.exists("data"), "doctor created the data directory");
}

both_engines! {
    fn migration_state_is_reported(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("PORT", free_port());
        let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
        let (code, current) = report(&sandbox);
        assert_eq!((code, check(&current, "migrations").0.as_str()), (0, "ok"), "{current:#}");
        assert_eq!(check(&current, "database").0, "ok");

        // The state after a migration that was interrupted while it filled the search index.
        let _ = sandbox.run(&["seed"]).expect_exit_code(0);
        sandbox.execute("DELETE FROM search_index");
        let (code, partial) = report(&sandbox);
        let (status, detail) = check(&partial, "search");
        assert_eq!((code, status.as_str()), (0, "warn"));
        assert!(detail.ends_with("bucketlists and items are not indexed; run `bucketlist migrate up`"), "{detail}");
        let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
        assert!(report(&sandbox).1["checks"].as_array().unwrap().iter().all(|check| check["name"] != "search"));

        let _ = sandbox.run(&["migrate", "down"]).expect_exit_code(0);
        let (code, behind) = report(&sandbox);
        assert_eq!(code, 0);
        let expected = "1 pending; run `bucketlist migrate up`".to_owned();
        assert_eq!(check(&behind, "migrations"), ("warn".to_owned(), expected));

        sandbox.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        let (code, ahead) = report(&sandbox);
        assert_eq!(code, 1);
        let (status, detail) = check(&ahead, "migrations");
        assert_eq!(status, "fail");
        assert!(detail.contains("20991231235959") && detail.contains("use the newer version"), "{detail}");
    }
}

#[test]
fn text_output_matches_json_and_marks_set_variables() {
    let sandbox = Sandbox::new().env("PORT", free_port()).env("BODY_LIMIT", "2048");
    let text = sandbox.run(&["doctor"]).expect_exit_code(0).out;
    assert!(text.starts_with(&format!("BucketList API {} (", env!("CARGO_PKG_VERSION"))), "{text}");
    assert!(text.lines().any(|line| line.starts_with("  * BODY_LIMIT ") && line.ends_with(" 2048")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("    REQUEST_TIMEOUT ") && line.ends_with(" 30s")), "{text}");
    assert!(text.contains("\n  ok    configuration: valid for development\n"), "{text}");
}

#[test]
fn unencrypted_remote_connections_are_warned_about() {
    let has_warnings = |database: &str, mail: &str| {
        let sandbox =
            Sandbox::new().env("APP_ENV", "staging").env("JWT_SECRET", STRONG_SECRET).env("PORT", free_port());
        let sandbox =
            sandbox.env("DATABASE_URL", database).env("SMTP_URL", mail).env("DATABASE_ACQUIRE_TIMEOUT", "1ms");
        let report = report(&sandbox).1;
        let checks = report["checks"].as_array().unwrap();
        let is_warned = |name: &str| checks.iter().any(|check| check["name"] == name && check["status"] == "warn");
        (is_warned("database connection"), is_warned("mail"))
    };
    // Nothing listens on port 1, and names in `.invalid` do not resolve (RFC 2606).
    let (local, remote) = ("postgres://ada:pw@127.0.0.1:1/lists", "postgres://ada:pw@database.invalid:1/lists");
    assert_eq!(has_warnings(local, "smtp://localhost:25"), (false, false));
    assert_eq!(has_warnings("postgres://ada:pw@[::1]:1/lists", "smtp://[::1]"), (false, false));
    assert_eq!(has_warnings(remote, "smtp://mail.invalid"), (true, true));
    assert_eq!(
        has_warnings(&format!("{remote}?sslmode=require"), "smtp://mail.invalid?tls=opportunistic"),
        (true, true)
    );
    assert_eq!(
        has_warnings(&format!("{remote}?sslmode=verify-full"), "smtp://mail.invalid?tls=required"),
        (false, false)
    );
    assert_eq!(has_warnings(remote, "smtps://mail.invalid"), (true, false));
    // libpq also reads the host from the query; it can be the directory of a socket.
    assert_eq!(has_warnings("postgres:///lists?host=database.invalid&port=1", "smtp://localhost"), (true, false));
    assert_eq!(has_warnings("postgres:///lists?host=/nowhere&port=1", "smtp://localhost"), (false, false));
    assert_eq!(has_warnings("postgres://%2Fnowhere:1/lists", "smtp://localhost"), (false, false));
}

#[test]
fn secrets_are_redacted_in_text_and_json() {
    let sandbox = Sandbox::new()
        .env("JWT_SECRET", STRONG_SECRET)
        .env("JWT_PREVIOUS_SECRETS", format!("{STRONG_SECRET}-older"))
        .env("SMTP_URL", "smtp://ada:hunter2hunter2@127.0.0.1:1")
        .env("DATABASE_URL", "postgres://ada:hunter2hunter2@127.0.0.1:1/lists");
    for arguments in [&["doctor"][..], &["doctor", "--format", "json"]] {
        let outcome = sandbox.run(arguments).expect_exit_code(1);
        let all = format!("{}{}", outcome.out, outcome.err);
        assert!(!all.contains(STRONG_SECRET) && !all.contains("hunter2"), "{all}");
        assert_eq!(all.matches("[redacted]").count(), 4, "{all}");
    }
}

#[test]
fn problems_are_reported_with_a_remedy_and_exit_with_1() {
    let sandbox = Sandbox::new().env("DATABASE_URL", "postgres://ada@127.0.0.1:1/lists").env("PORT", free_port());
    let (code, unreachable) = report(&sandbox);
    let (status, detail) = check(&unreachable, "database");
    assert_eq!((code, status.as_str()), (1, "fail"));
    assert!(
        detail.contains("PostgreSQL") && detail.contains("correct DATABASE_URL") && !detail.contains('\n'),
        "{detail}"
    );

    for folder in ["file", "file/below"] {
        let sandbox = Sandbox::new().env("DATA_DIR", folder).env("PORT", free_port());
        sandbox.write("file", "");
        let (code, blocked) = report(&sandbox);
        let (status, detail) = check(&blocked, "data directory");
        assert_eq!((code, status.as_str()), (1, "fail"), "{folder}");
        assert!(detail.contains("set DATA_DIR to another directory"), "{detail}");
    }

    // No file can be created below /proc, also by root.
    let sandbox = Sandbox::new().env("DATA_DIR", "/proc/bucketlist/data").env("PORT", free_port());
    let (code, uncreatable) = report(&sandbox);
    let (status, detail) = check(&uncreatable, "data directory");
    assert_eq!((code, status.as_str()), (1, "fail"));
    assert!(detail.contains("set DATA_DIR to another directory"), "{detail}");

    let sandbox = Sandbox::new().env("BACKUP_INTERVAL", "1h").env("BACKUP_DIR", "file").env("PORT", free_port());
    sandbox.write("file", "");
    let (code, blocked) = report(&sandbox);
    let (status, detail) = check(&blocked, "backup directory");
    assert_eq!((code, status.as_str()), (1, "fail"));
    assert!(detail.contains("set BACKUP_DIR to another directory"), "{detail}");

    let sandbox = Sandbox::new().env("DATABASE_URL", "sqlite://notes.txt").env("PORT", free_port());
    sandbox.write("notes.txt", &"these are notes and no database ".repeat(8));
    let (code, no_database) = report(&sandbox);
    assert_eq!((code, check(&no_database, "database").0.as_str()), (1, "fail"));
}

#[test]
fn each_invalid_setting_is_reported() {
    let sandbox = Sandbox::new().env("PORT", "many").env("JWT_SECRET", "short").env("RATE_LIMIT", "sometimes");
    let (code, report) = report(&sandbox);
    assert_eq!(code, 1);
    for name in ["PORT", "JWT_SECRET", "RATE_LIMIT"] {
        assert_eq!(check(&report, name).0, "fail", "{name}");
    }
    assert!(!sandbox.exists("data"));
}

#[test]
fn port_in_use_is_a_warning() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let sandbox = Sandbox::new().env("PORT", listener.local_addr().unwrap().port().to_string());
    let (code, report) = report(&sandbox);
    assert_eq!((code, check(&report, "port").0.as_str()), (0, "warn"), "the port can be in use by this server");
}

#[test]
fn missing_production_settings_are_warned_about() {
    let sandbox = Sandbox::new()
        .env("APP_ENV", "production")
        .env("JWT_SECRET", STRONG_SECRET)
        .env("RATE_LIMIT", "off")
        .env("PORT", free_port());
    let (code, report) = report(&sandbox);
    assert_eq!(code, 0);
    assert_eq!(check(&report, "mail").0, "warn");
    assert_eq!(check(&report, "rate limits").0, "warn");
    assert_eq!(check(&report, "secret").0, "ok");
}
