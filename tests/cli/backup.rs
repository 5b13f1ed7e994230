//! `bucketlist backup`, `bucketlist restore` and recurring backups.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::json;

use crate::support::{Engine, Sandbox, TestServer};

const PASSWORD: &str = "harbour-lantern-42";

fn login_status(server: &TestServer, email: &str) -> u16 {
    server.post("/v1/auth/login", None, &json!({"email": email, "password": PASSWORD})).status
}

/// Returns the names in the directory that begin with a prefix.
fn names(sandbox: &Sandbox, folder: &str, prefix: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(sandbox.path(folder)) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort();
    names
}

#[test]
fn backup_of_a_running_server_can_be_restored() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let server = sandbox.serve();
    server.register("before@example.com");
    let output = sandbox.run(&["backup", "backup.db"]).expect_success();
    assert!(output.starts_with("Wrote backup.db (") && output.ends_with("integrity verified).\n"), "{output}");
    server.register("after@example.com");
    let error = sandbox.run(&["backup", "backup.db"]).expect_error();
    assert_eq!(error, "backup.db already exists\nhelp: choose another file name, or delete the file");
    let error = sandbox.run(&["restore", "backup.db"]).expect_error();
    assert!(error.starts_with("another server uses database ") && error.contains("\nhelp: stop the server"), "{error}");
    assert_eq!(login_status(&server, "after@example.com"), 200);
    server.stop();

    let output = sandbox.run(&["restore", "backup.db"]).expect_success();
    assert!(output.starts_with("Restored data/bucketlist.db from backup.db ("), "{output}");
    let replaced = names(&sandbox, "data", "bucketlist.db.replaced-");
    assert!(output.contains(&format!("The previous database is data/{}.\n", replaced[0])), "{output}");
    let server = sandbox.serve();
    assert_eq!([login_status(&server, "before@example.com"), login_status(&server, "after@example.com")], [200, 401]);
    server.stop();

    // The replaced database is intact.
    let output = sandbox.run(&["restore", &format!("data/{}", replaced[0])]).expect_success();
    assert!(output.contains("integrity verified"), "{output}");
    let server = sandbox.serve();
    assert_eq!(login_status(&server, "after@example.com"), 200);
    server.stop();
}

#[test]
fn unusable_files_are_rejected_and_change_nothing() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    sandbox.run(&["migrate", "up"]).expect_success();
    sandbox.run(&["backup", "newer.db"]).expect_success();
    let sql = "ATTACH 'newer.db' AS n; INSERT INTO n.__diesel_schema_migrations (version) VALUES ('29990101000000')";
    sandbox.execute(&sql.replace("newer.db", &sandbox.path("newer.db").to_string_lossy()));
    sandbox.write("text.db", "not a database, but long enough");
    let before = fs::read(sandbox.path("data/bucketlist.db")).unwrap();
    for (file, expected) in [
        ("newer.db", "newer.db has migration 29990101000000, which this version does not know\nhelp: restore it with"),
        ("text.db", "text.db is not an SQLite database\nhelp: choose a file that `bucketlist backup` has written"),
        ("absent.db", "absent.db does not exist"),
        ("data", "data is not a regular file\nhelp: choose a file"),
        ("/dev/null", "/dev/null is not a regular file\nhelp: choose a file"),
    ] {
        let error = sandbox.run(&["restore", file]).expect_error();
        assert!(error.starts_with(expected), "{error}");
    }
    assert_eq!(fs::read(sandbox.path("data/bucketlist.db")).unwrap(), before);
    assert_eq!(names(&sandbox, "data", "bucketlist.db.replaced"), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn backup_to_a_full_disk_leaves_no_file() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    sandbox.run(&["migrate", "up"]).expect_success();
    sandbox.run(&["seed"]).expect_success();
    assert!(fs::metadata(sandbox.path("data/bucketlist.db")).unwrap().len() > 200_000);
    let binary = env!("CARGO_BIN_EXE_bucketlist");
    // A limit on the size of files fails like a full disk. The signal is ignored, so that the write returns an error.
    let script = format!("trap '' XFSZ; ulimit -f 128; exec '{binary}' backup backup.db");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(sandbox.folder.path()).env("APP_ENV", "testing");
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with("error: cannot copy data/bucketlist.db to backup.db: "), "{error}");
    assert!(error.contains("help: check the free space"), "{error}");
    assert_eq!(names(&sandbox, ".", "backup.db"), Vec::<String>::new());
}

#[test]
fn server_writes_recurring_backups() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("LOG_LEVEL", "info").env("BACKUP_INTERVAL", "1h");
    let server = sandbox.serve();
    server.wait_until_logged("database backed up");
    let first = names(&sandbox, "data/backups", "bucketlist-");
    assert_eq!(first.len(), 1);
    server.stop();
    sandbox.run(&["restore", &format!("data/backups/{}", first[0])]).expect_success();
}

/// Starts a backup and sends it a signal when its partial file exists; returns the exit code and standard error.
fn interrupt_backup(sandbox: &Sandbox, signal: &str) -> (Option<i32>, String) {
    let mut child = sandbox.interruptible_command(&["backup", "backup.db"]).stderr(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        if !names(sandbox, ".", "backup.db.").is_empty() {
            let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
            break;
        }
        thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn invalid_backup_directory_prevents_startup() {
    for command in ["serve", "worker"] {
        let sandbox = Sandbox::new().env("APP_ENV", "testing").env("PORT", "0").env("BACKUP_INTERVAL", "1h");
        let sandbox = sandbox.env("BACKUP_DIR", "file/below");
        sandbox.write("file", "kept");
        let error = sandbox.run(&[command]).expect_error();
        assert!(error.contains("cannot write to directory file/below: "), "{error}");
        assert!(error.ends_with("\nhelp: make it writable, or set BACKUP_DIR to another directory"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_backups() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("BACKUP_INTERVAL", "1h");
    sandbox.serve().stop();
    let mode = fs::metadata(sandbox.path("data/backups")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn interrupted_backup_leaves_no_file() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    sandbox.run(&["migrate", "up"]).expect_success();
    // Without a write-ahead log, a writer makes the backup wait.
    sandbox.execute("PRAGMA journal_mode = DELETE");
    let mut writer = SqliteConnection::establish(sandbox.path("data/bucketlist.db").to_str().unwrap()).unwrap();
    writer.batch_execute("BEGIN EXCLUSIVE").unwrap();
    for (signal, expected) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let (code, error) = loop {
            let (code, error) = interrupt_backup(&sandbox, signal);
            // The backup waits for 5 seconds, and a slow machine can send the signal later.
            if code != Some(1) {
                break (code, error);
            }
            assert!(error.contains("database is locked"), "{error}");
        };
        assert_eq!((code, error.as_str()), (Some(expected), ""), "{signal}");
        assert_eq!(names(&sandbox, ".", "backup.db"), Vec::<String>::new(), "{signal}");
    }
}

#[test]
fn postgresql_is_rejected_with_its_tools() {
    let sandbox = Sandbox::on(Engine::Postgres).env("APP_ENV", "testing");
    for command in ["backup", "restore"] {
        let error = sandbox.run(&[command, "backup.db"]).expect_error();
        let expected =
            format!("`{command}` supports only SQLite\nhelp: use pg_dump and pg_restore, see docs/backup.md");
        assert_eq!(error, expected);
    }
    let outcome = sandbox.env("BACKUP_INTERVAL", "1h").run(&["migrate", "status"]).expect_exit_code(1);
    assert!(outcome.err.contains("BACKUP_INTERVAL: supports only SQLite"), "{outcome:?}");
}
