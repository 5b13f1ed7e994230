//! Reads on a replica of PostgreSQL: which run there, that they see every acknowledged write of their user, and that no request fails
//! while the replica is delayed, stopped, silent or promoted.

use std::time::{Duration, Instant};

use bucketlist::{
    db::{DbConnection, DbError, MinRevision, ReplicaMonitor, Target},
    domain::UserId,
};
use diesel::connection::SimpleConnection;
use poem::{Endpoint, Request, http::Method};
use tokio::sync::Mutex;

use crate::{
    faults::{expect_ready, select_number},
    support::{Actor, Database, Proxy, Replication, StartupOptions, TestApp, json},
};

/// More than every limit of these tests, and less than the limits of the server's connections.
const SOON: Duration = Duration::from_secs(10);

struct Replicated {
    app: TestApp,
    monitor: Mutex<ReplicaMonitor>,
    // Dropped last.
    servers: Replication,
}

impl Replicated {
    fn start() -> Self {
        let servers = Replication::start();
        let replica = servers.standby();
        Self::with_replica(servers, replica)
    }

    fn with_replica(servers: Replication, replica: Target) -> Self {
        let app = TestApp::builder()
            .database(Database::at(servers.primary()))
            .config(|config| {
                config.database.replicas = vec![replica];
                config.metrics_address = Some("127.0.0.1:0".parse().unwrap());
                // A cached response reads nothing.
                config.responses.cache_bytes = 0;
            })
            .build();
        let monitor = Mutex::new(app.app.db.replica_monitor().unwrap());
        Self { app, monitor, servers }
    }

    /// Checks the replica when it has replayed everything.
    async fn check(&self) {
        self.servers.wait_for_replay();
        self.check_now().await;
    }

    async fn check_now(&self) {
        self.monitor.lock().await.check_all().await;
    }

    /// Sends a GET request. Returns its body, and the number of statements on the primary and on the replica.
    async fn get(&self, user: &Actor<'_>, path: &str) -> (String, u64, u64) {
        self.get_as(user, path, "application/json").await
    }

    async fn get_as(&self, user: &Actor<'_>, path: &str, accept: &str) -> (String, u64, u64) {
        let db = &self.app.app.db;
        let (primary, replica) = (db.statements(), db.replica_statements());
        let response = user.request(Method::GET, path).header("accept", accept).send().await.expect(200);
        let text = String::from_utf8(response.body).unwrap();
        (text, db.statements() - primary, db.replica_statements() - replica)
    }

    async fn metrics(&self) -> String {
        let request = Request::builder().method(Method::GET).uri_str("/metrics").finish();
        let response = self.app.app.metrics.as_ref().unwrap().call(request).await.unwrap();
        response.into_body().into_string().await.unwrap()
    }

    async fn metric(&self, series: &str) -> f64 {
        let text = self.metrics().await;
        let line =
            text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{series}: {text}"));
        line.split_whitespace().last().unwrap().parse().unwrap()
    }
}

/// Returns the status of the readiness check, and that of the replicas.
async fn health(replicated: &Replicated) -> (String, String) {
    let body = replicated.app.anonymous().get("/health/ready").await.expect(200).json();
    (body["status"].as_str().unwrap().to_owned(), body["checks"]["replicas"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn reads_of_the_own_data_run_on_the_replica() {
    let replicated = Replicated::start();
    let user = replicated.app.user().await;
    let list = user.create_bucketlist("Travel the world").await;
    let item = user.create_item(list, "Lisbon").await;
    let path = format!("/v2/bucketlists/{list}");
    // Before the first check, the replica is not used.
    assert_eq!(replicated.get(&user, &path).await.2, 0);
    replicated.check().await;

    let item_path = format!("{path}/items/{item}");
    for (path, accept, expected) in [
        // The check of the revision and the query.
        (&*path, "application/json", 2),
        (&item_path, "application/json", 2),
        ("/v2/bucketlists", "application/json", 2),
        ("/v2/search?q=lisbon", "application/json", 2),
        (&format!("/v1/bucketlists/{list}/items"), "application/json", 2),
        (&format!("{path}/items"), "text/csv", 2),
        // BEGIN, the check of the revision, both queries and COMMIT.
        (&format!("{path}?include=items"), "application/json", 5),
    ] {
        let (text, primary, replica) = replicated.get_as(&user, path, accept).await;
        assert!(text.contains("Lisbon") || text.contains("Travel"), "{path}: {text}");
        // The token status.
        assert_eq!((primary, replica), (1, expected), "{path} {accept}");
    }
    // Data that changes without the revision, and data of other users.
    for path in ["/v2/users/me", "/v2/auth/sessions"] {
        assert_eq!(replicated.get(&user, path).await.2, 0, "{path}");
    }
    // A resource that a replica with the revision does not have does not exist.
    let before = replicated.app.app.db.statements();
    user.get("/v2/bucketlists/999999").await.expect(404);
    assert_eq!(replicated.app.app.db.statements() - before, 1);
}

#[tokio::test]
async fn replica_is_checked_after_a_lost_connection_to_the_primary() {
    let replicated = Replicated::start();
    let user = replicated.app.user().await;
    let path = format!("/v2/bucketlists/{}", user.create_bucketlist("Mine").await);
    replicated.check().await;
    assert_eq!(replicated.get(&user, &path).await.2, 2);
    // As at a failover, after which the replica may have different transactions from the new primary.
    replicated.servers.on_primary(
        "SELECT count(pg_terminate_backend(pid))::text AS value FROM pg_stat_activity \
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    assert_eq!(replicated.get(&user, &path).await.2, 0);
    for _ in 0..2 {
        replicated.check().await;
    }
    assert_eq!(replicated.get(&user, &path).await.2, 2);
}

#[tokio::test]
async fn every_read_sees_the_last_write_of_its_user() {
    let replicated = Replicated::start();
    let (user, other) = (replicated.app.user().await, replicated.app.user().await);
    let (list, others) = (user.create_bucketlist("Mine").await, other.create_bucketlist("Others").await);
    replicated.check().await;
    let path = format!("/v2/bucketlists/{list}");
    assert!(replicated.get(&user, &path).await.2 > 0);

    replicated.servers.pause_replay();
    let item = user.create_item(list, "Lisbon").await;
    user.put(&format!("/v1/bucketlists/{list}"), &json!({"name": "Renamed"})).await.expect(200);
    let (text, primary, replica) = replicated.get(&user, &path).await;
    assert!(text.contains("Renamed") && text.contains(r#""items_total":1"#), "{text}");
    // On the replica, only the check of the revision.
    assert_eq!((primary, replica), (2, 1));
    replicated.get(&user, &format!("{path}/items/{item}")).await;
    // Other users are not affected by writes that are not theirs.
    assert_eq!(replicated.get(&other, &format!("/v2/bucketlists/{others}")).await.2, 2);
    // An account that the replica does not have yet.
    let new = replicated.app.user().await;
    assert_eq!(replicated.get(&new, "/v2/bucketlists").await.1, 2);
    assert_eq!(replicated.metric(r#"db_replica_fallbacks_total{reason="behind"}"#).await, 3.0);
    assert_eq!(replicated.metric(r#"db_reads_total{target="primary"}"#).await, 3.0);

    replicated.servers.resume_replay();
    let (text, primary, replica) = replicated.get(&user, &path).await;
    assert!(text.contains("Renamed"), "{text}");
    assert_eq!((primary, replica), (1, 2));
}

#[tokio::test]
async fn stopped_replica_fails_no_request_and_is_used_again() {
    let replicated = Replicated::start();
    let user = replicated.app.user().await;
    let path = format!("/v2/bucketlists/{}", user.create_bucketlist("Mine").await);
    replicated.check().await;
    replicated.get(&user, &path).await;

    replicated.servers.kill_standby();
    for _ in 0..3 {
        replicated.get(&user, &path).await;
    }
    expect_ready(&replicated.app).await;
    replicated.check_now().await;
    let before = replicated.app.app.db.replica_statements();
    replicated.get(&user, &path).await;
    assert_eq!(replicated.app.app.db.replica_statements(), before, "the replica is not used");
    assert!(replicated.metric(r#"db_replica_fallbacks_total{reason="unavailable"}"#).await >= 1.0);
    assert_eq!(replicated.metric("db_replica_available").await, 0.0);
    // Its lag is not known.
    assert!(!replicated.metrics().await.contains("db_replica_lag_seconds{"));
    assert_eq!(health(&replicated).await, ("warn".to_owned(), "warn".to_owned()));

    replicated.servers.start_standby();
    // Lost connections can be noticed by the first check, after which there is another one.
    for _ in 0..2 {
        replicated.check().await;
    }
    assert_eq!(replicated.get(&user, &path).await.2, 2);
    assert_eq!(replicated.metric("db_replica_available").await, 1.0);
    assert_eq!(health(&replicated).await, ("pass".to_owned(), "pass".to_owned()));
}

#[tokio::test]
async fn delayed_replica_is_left_out_until_it_has_caught_up() {
    let servers = Replication::start();
    let app = TestApp::builder()
        .database(Database::at(servers.primary()))
        .config(|config| {
            config.database.replicas = vec![servers.standby()];
            config.database.max_replica_lag = Duration::from_nanos(1);
            config.metrics_address = Some("127.0.0.1:0".parse().unwrap());
        })
        .build();
    let monitor = Mutex::new(app.app.db.replica_monitor().unwrap());
    let replicated = Replicated { app, monitor, servers };
    replicated.check().await;
    assert_eq!(replicated.metric("db_replica_available").await, 1.0);
    replicated.servers.pause_replay();
    replicated.app.user().await;
    replicated.check_now().await;
    assert_eq!(replicated.metric("db_replica_available").await, 0.0);
    assert!(replicated.metric("db_replica_lag_seconds").await > 0.0);
    assert_eq!(health(&replicated).await.1, "warn");
    replicated.servers.resume_replay();
    replicated.check().await;
    assert_eq!(replicated.metric("db_replica_available").await, 1.0);
    assert_eq!(replicated.metric("db_replica_lag_seconds").await, 0.0);
}

#[tokio::test]
async fn failed_reads_are_repeated_on_the_primary() {
    let replicated = Replicated::start();
    let user = replicated.app.user().await;
    replicated.check().await;
    let db = replicated.app.app.db.clone();
    let min_revision = Some(MinRevision::new(UserId::new(user.id()), 0));
    let is_standby = |c: &mut DbConnection| select_number(c, "SELECT pg_is_in_recovery()::int::bigint AS n");
    let on_replica = db.read_since(min_revision, move |c| is_standby(c).map_err(DbError::from)).await.unwrap();
    assert_eq!(on_replica, 1);
    for fault in [
        "DO $$ BEGIN RAISE SQLSTATE '40001' USING message = 'conflict with recovery'; END $$",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT 1 / 0",
        "SELECT * FROM missing",
        "",
    ] {
        replicated.check().await;
        let before = db.replica_statements();
        let read = db.read_since(min_revision, move |c| {
            if is_standby(c)? == 1 {
                assert!(!fault.is_empty(), "the work panics on the replica");
                c.batch_execute(fault)?;
            }
            Ok::<_, DbError>(is_standby(c)?)
        });
        assert_eq!(read.await.unwrap(), 0, "{fault}");
        assert!(db.replica_statements() > before, "{fault}");
    }
    // A write with a minimum revision fails on both.
    let write = db.snapshot_since(min_revision, |c| Ok::<_, DbError>(c.batch_execute("DELETE FROM users")?)).await;
    assert!(write.is_err());
    assert_eq!(db.read(|c| Ok::<_, DbError>(select_number(c, "SELECT count(*) AS n FROM users")?)).await.unwrap(), 1);
}

#[tokio::test]
async fn silent_replica_delays_a_read_only_until_the_next_check() {
    let servers = Replication::start();
    let proxy = Proxy::to(&servers.standby());
    let replica = proxy.target(&servers.standby());
    let replicated = Replicated::with_replica(servers, replica);
    let user = replicated.app.user().await;
    let path = format!("/v2/bucketlists/{}", user.create_bucketlist("Mine").await);
    replicated.check().await;
    assert_eq!(replicated.get(&user, &path).await.2, 2);

    proxy.silence_all();
    let started = Instant::now();
    let read = user.get(&path);
    let (response, ()) = tokio::join!(read, replicated.check_now());
    response.expect(200);
    user.get(&path).await.expect(200);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn replica_is_read_through_a_pooler() {
    for pooler in [StartupOptions::Ignore, StartupOptions::Reject] {
        let servers = Replication::start();
        let proxy = Proxy::pooler(&servers.standby(), pooler);
        let replica = proxy.target(&servers.standby());
        let replicated = Replicated::with_replica(servers, replica);
        let user = replicated.app.user().await;
        let path = format!("/v2/bucketlists/{}", user.create_bucketlist("Mine").await);
        replicated.check().await;
        // BEGIN, the check of the revision, the query and COMMIT.
        assert_eq!(replicated.get(&user, &path).await.2, 4, "{pooler:?}");
        replicated.servers.pause_replay();
        user.put(&path.replace("v2", "v1"), &json!({"name": "Renamed"})).await.expect(200);
        assert!(replicated.get(&user, &path).await.0.contains("Renamed"));
    }
}

#[tokio::test]
async fn promoted_replica_is_not_used() {
    let replicated = Replicated::start();
    let user = replicated.app.user().await;
    let list = user.create_bucketlist("Mine").await;
    replicated.check().await;
    replicated.servers.promote_standby();
    replicated.servers.on_standby("UPDATE bucketlists SET name = 'Diverged' RETURNING name AS value");
    // Before and after the next check.
    for _ in 0..2 {
        let (text, primary, _) = replicated.get(&user, &format!("/v2/bucketlists/{list}")).await;
        assert!(text.contains("Mine"), "{text}");
        assert_eq!(primary, 2);
        replicated.check_now().await;
    }
    // It has not failed, but is not a replica any more.
    assert!(!replicated.metrics().await.contains("db_replica_available{"));
}

#[tokio::test]
async fn export_is_read_on_the_replica() {
    let replicated = Replicated::start();
    let user = replicated.app.user().await;
    let list = user.create_bucketlist("Mine").await;
    user.create_item(list, "Lisbon").await;
    let export = user.post("/v2/exports", &json!({"format": "json"})).await.expect(202).json()["id"].clone();
    replicated.app.run_jobs().await;
    replicated.check().await;
    let path = format!("/v2/exports/{export}/content");
    let (text, _, replica) = replicated.get(&user, &path).await;
    assert!(text.contains("Lisbon"), "{text}");
    assert_eq!(replica, 2);

    // The parts of an export that the replica does not have are read on the primary.
    replicated.servers.pause_replay();
    let export = user.post("/v2/exports", &json!({"format": "json"})).await.expect(202).json()["id"].clone();
    replicated.app.run_jobs().await;
    let (text, _, replica) = replicated.get(&user, &format!("/v2/exports/{export}/content")).await;
    assert!(text.contains("Lisbon"), "{text}");
    assert_eq!(replica, 1);
}
