//! The files of an SQLite database: who may read them, which server uses them, and what a copy contains.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use bucketlist::db::{Options, Target, migrations::Migrator, schema::bucketlists};
use diesel::{dsl::count_star, prelude::*};
use serde_json::json;

use crate::support::Sandbox;

/// The error of a second server on this database, or of a command that requires the server to be stopped.
fn in_use(database: &str, help: &str) -> String {
    format!("another server uses database {database}\nhelp: {help}")
}

#[test]
fn database_files_are_private_in_a_public_directory() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("DATABASE_URL", "sqlite://public/lists.db");
    fs::create_dir(sandbox.path("public")).unwrap();
    fs::set_permissions(sandbox.path("public"), fs::Permissions::from_mode(0o755)).unwrap();
    let mode = |name: &str| fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777;
    let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
    assert_eq!(mode("public/lists.db"), 0o600, "created by a command");
    fs::remove_file(sandbox.path("public/lists.db")).unwrap();
    let server = sandbox.serve();
    server.register("ada@example.com");
    for name in ["public/lists.db", "public/lists.db-wal", "public/lists.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    server.stop();
}

#[test]
fn second_server_is_rejected_on_every_path_of_the_database() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let server = sandbox.serve();
    symlink("bucketlist.db", sandbox.path("data/alias.db")).unwrap();
    fs::hard_link(sandbox.path("data/bucketlist.db"), sandbox.path("data/other.db")).unwrap();
    // The lock file of other operating systems has no effect here.
    let _ = fs::remove_file(sandbox.path("data/bucketlist.db.lock"));
    let help = "stop the other server, or use PostgreSQL to run several servers";
    for path in ["data/bucketlist.db", "data/alias.db", "data/other.db"] {
        let output = sandbox
            .command(&["serve"])
            .env("DATABASE_URL", format!("sqlite://{path}"))
            .env("PORT", "0")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: {}\n", in_use(path, help)));
    }
    server.stop();
    sandbox.serve().stop();
}

#[test]
fn migration_is_not_reverted_under_a_running_server() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let server = sandbox.serve();
    let error = in_use("data/bucketlist.db", "stop the server before you revert a migration");
    assert_eq!(sandbox.run(&["migrate", "down"]).expect_error(), error);
    assert_eq!(sandbox.run(&["migrate", "redo"]).expect_error(), error);
    server.get("/health/ready", None).expect(200);
    // Other commands share the database with the server.
    assert_eq!(sandbox.run(&["migrate", "up"]).expect_success(), "The database is up to date.\n");
    let _ = sandbox.run(&["migrate", "status"]).expect_exit_code(0);
    server.stop();
    assert!(sandbox.run(&["migrate", "down"]).expect_success().starts_with("down  "));
}

#[test]
fn copy_of_the_database_file_after_a_stop_has_every_write() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("RATE_LIMIT", "off").env("SHUTDOWN_DELAY", "0s");
    for (number, signal) in ["TERM", "INT"].into_iter().enumerate() {
        let mut server = sandbox.serve();
        let token = server.register(&format!("user-{number}@example.com"));
        for list in 0..40 {
            let body = json!({"name": format!("List {list}")});
            server.post("/v1/bucketlists", Some(&token), &body).expect(201);
        }
        server.signal(signal);
        assert!(server.wait_for_exit().success(), "{}", server.log());
        let copy = sandbox.path(&format!("copy-{number}.db"));
        fs::copy(sandbox.path("data/bucketlist.db"), &copy).unwrap();
        assert_eq!(count_bucketlists(Target::Sqlite(copy)), 40 * (i64::try_from(number).unwrap() + 1), "{signal}");
    }
}

fn count_bucketlists(target: Target) -> i64 {
    let mut migrator = Migrator::connect(&Options::new(target, 1)).unwrap();
    bucketlists::table.select(count_star()).first(migrator.connection()).unwrap()
}
