//! Replicas that cannot be used: what `serve` and `doctor` report.

use bucketlist::db::Target;

use crate::support::{Replication, Sandbox, server_url};

fn url(target: Target) -> String {
    let Target::Postgres(url) = target else { unreachable!("the target is PostgreSQL") };
    url
}

#[test]
fn unusable_replicas_are_reported() {
    let servers = Replication::start();
    let (primary, standby) = (url(servers.primary()), url(servers.standby()));
    let sandbox = Sandbox::new().env("DATABASE_URL", &primary).env("PORT", "0").env("LOG_LEVEL", "warn");
    let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
    servers.wait_for_replay();
    let sandbox = sandbox.env("DATABASE_REPLICA_URLS", &standby);
    let report = sandbox.run(&["doctor"]).expect_exit_code(0).out;
    assert!(report.contains(":5433: a standby of the database"), "{report}");

    // Another cluster can never be a replica.
    let sandbox = sandbox.env("DATABASE_REPLICA_URLS", format!("{standby},{}", server_url()));
    let error = sandbox.run(&["serve"]).expect_error();
    let (problem, help) = error.rsplit_once('\n').unwrap();
    assert!(problem.contains("the server belongs to another cluster: its system identifier is "), "{error}");
    assert_eq!(help, "help: correct DATABASE_REPLICA_URLS: it lists the standbys of the server in DATABASE_URL");
    let report = sandbox.run(&["doctor"]).expect_exit_code(1).out;
    assert!(report.contains(":5433: a standby of the database") && report.contains("another cluster"), "{report}");

    // Without the others, the server starts.
    let wrong_password = standby.replace("postgres://postgres@", "postgres://secured:wrong-word@");
    let closed = "postgres://postgres@127.0.0.1:1/postgres";
    for (replica, problem, code) in [
        // After a failover, the setting can contain the new primary.
        (format!("{primary}&connect_timeout=4"), "the server is a primary, not a standby", 0),
        (wrong_password, "password authentication failed for user", 1),
        (closed.to_owned(), "cannot connect: ", 1),
    ] {
        let sandbox = Sandbox::new()
            .env("DATABASE_URL", &primary)
            .env("DATABASE_REPLICA_URLS", &replica)
            .env("PORT", "0")
            .env("APP_ENV", "testing")
            .env("LOG_LEVEL", "warn");
        let server = sandbox.serve();
        let token = server.register(&format!("user-{}@example.com", problem.len()));
        server.get("/v2/bucketlists", Some(&token)).expect(200);
        let log = server.log();
        assert!(log.contains("replica unavailable; reads run on the primary") && log.contains(problem), "{log}");
        assert!(!log.contains("wrong-word"), "{log}");
        drop(server);
        let report = sandbox.run(&["doctor"]).expect_exit_code(code).out;
        assert!(report.contains(problem) && !report.contains("wrong-word"), "{report}");
    }
}
