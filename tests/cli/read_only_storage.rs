//! A server whose storage becomes read-only while it runs, and is writable again afterwards.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{Sandbox, TestServer, repository_root};

/// The files of the database.
const FILES: [&str; 3] = ["data/bucketlist.db", "data/bucketlist.db-wal", "data/bucketlist.db-shm"];

/// Files that cannot be written, even by root, until it is dropped.
struct Immutable(Vec<PathBuf>);

impl Immutable {
    /// Returns `None` where this is not permitted: the file system must support attributes, and the user must be root.
    fn new(sandbox: &Sandbox, files: &[&str]) -> Option<Self> {
        let files = Self(files.iter().map(|name| sandbox.path(name)).collect());
        files.change("+i").then_some(files)
    }

    fn change(&self, attribute: &str) -> bool {
        let mut command = Command::new("chattr");
        command.arg(attribute).args(&self.0).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        self.change("-i");
    }
}

/// Writes all cached pages, so that the next write to a mapped page must be permitted by the file system.
fn sync() {
    assert!(Command::new("sync").status().unwrap().success());
}

fn create_bucketlist(server: &TestServer, token: &str, name: &str) -> u16 {
    server.post("/v1/bucketlists", Some(token), &json!({"name": name})).status
}

fn count_bucketlists(server: &TestServer, token: &str) -> i64 {
    let page = server.get("/v1/bucketlists?per_page=1", Some(token)).expect(200).json();
    page["meta"]["total"].as_i64().unwrap()
}

#[test]
fn commands_that_read_create_nothing() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let openapi = repository_root().join("openapi/v1.json");
    let openapi = openapi.to_str().unwrap();
    let commands = [
        &["migrate", "status"][..],
        &["job", "list"],
        &["job", "show", "1"],
        &["job", "schedules"],
        &["api-client", "list"],
        &["incidents", "list"],
        &["incidents", "show", "1"],
        &["usage", "top"],
        &["usage", "deprecated"],
        &["openapi", "diff", openapi, openapi, "--usage", "30d"],
    ];
    for arguments in commands {
        let error = sandbox.run(arguments).expect_error();
        let help = "create it with `bucketlist serve` or `bucketlist migrate up`, or correct DATABASE_URL";
        assert_eq!(error, format!("database data/bucketlist.db does not exist\nhelp: {help}"), "{arguments:?}");
        assert!(!sandbox.exists("data"), "{arguments:?}");
    }

    // Nor do they migrate.
    sandbox.run(&["migrate", "up"]).expect_success();
    sandbox.run(&["migrate", "down"]).expect_success();
    let error = sandbox.run(&["job", "list"]).expect_error();
    assert_eq!(error, "1 migration is pending\nhelp: run `bucketlist migrate up`");
    sandbox.run(&["migrate", "down"]).expect_success();
    let error = sandbox.run(&["job", "list"]).expect_error();
    assert_eq!(error, "2 migrations are pending\nhelp: run `bucketlist migrate up`");
    sandbox.run(&["migrate", "up"]).expect_success();

    let Some(_immutable) = Immutable::new(&sandbox, &["data", FILES[0]]) else { return };
    assert_eq!(sandbox.run(&["job", "list"]).expect_success(), "No jobs.\n");
    assert_eq!(sandbox.run(&["usage", "top"]).expect_exit_code(0).err, "");
    assert!(sandbox.run(&["migrate", "status"]).expect_success().starts_with("applied "));
    sandbox.run(&["backup", "backup.db"]).expect_success();
    let doctor = sandbox.run(&["doctor"]).expect_exit_code(1).out;
    let line = doctor.lines().find(|line| line.contains("FAIL  database:")).unwrap_or_else(|| panic!("{doctor}"));
    assert!(!line.contains("start it") && line.contains("writable"), "{line}");
    let error = sandbox.run(&["job", "retry", "1"]).expect_error();
    assert!(error.starts_with("cannot write to directory data: "), "{error}");
}

#[test]
fn server_survives_read_only_storage_and_recovers() {
    for files in [&FILES[..], &FILES[2..], &FILES[..1]] {
        let sandbox = Sandbox::new().env("APP_ENV", "testing").env("RATE_LIMIT", "off").env("LOG_LEVEL", "warn");
        let server = sandbox.serve();
        let token = server.register("ada@example.com");
        assert_eq!(create_bucketlist(&server, &token, "Before"), 201);
        let Some(immutable) = Immutable::new(&sandbox, files) else { return };
        sync();
        // Reads use the index too. A change is either stored or rejected.
        let mut stored = count_bucketlists(&server, &token);
        for number in 0..20 {
            let status = create_bucketlist(&server, &token, &format!("Meanwhile {number}"));
            assert!([201, 503].contains(&status), "{files:?}: {status}");
            stored += i64::from(status == 201);
            assert_eq!(count_bucketlists(&server, &token), stored, "{files:?}");
        }
        if files.len() > 1 {
            let response = server.get("/health/ready", None).expect(503);
            assert!(response.body.contains("The database cannot be written."), "{response:?}");
        }
        drop(immutable);
        server.wait_for_status("/health/ready", 200);
        assert_eq!(create_bucketlist(&server, &token, "Afterwards"), 201, "{files:?}: {}", server.log());
        // Another process uses the same index as the server.
        sandbox.execute("UPDATE bucketlists SET description = 'changed by another process'");
        assert_eq!(create_bucketlist(&server, &token, "Last"), 201, "{files:?}: {}", server.log());
        assert_eq!(count_bucketlists(&server, &token), stored + 2, "{files:?}");
        server.stop();
        assert!(sandbox.run(&["doctor"]).expect_exit_code(0).out.contains("ok    database"));
    }
}

#[test]
fn immutable_database_file_prevents_startup() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("PORT", "0");
    let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
    let Some(_immutable) = Immutable::new(&sandbox, &FILES[..1]) else { return };
    let error = sandbox.run(&["serve"]).expect_error();
    let expected = "cannot write to database data/bucketlist.db: operation not permitted\n\
                    help: make the file writable, or set DATABASE_URL to another file";
    assert_eq!(error, expected);
    let doctor = sandbox.run(&["doctor"]).expect_exit_code(1).out;
    assert!(doctor.contains("FAIL  database: cannot write to database data/bucketlist.db: "), "{doctor}");
}
