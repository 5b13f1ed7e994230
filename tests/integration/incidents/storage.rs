//! Storage of incidents: limits, retention, encryption, and outages of the database.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bucketlist::{
    app::{App, Dependencies},
    db::{DbConnection, DbError, repositories::incidents::list_records_after},
    domain::{IncidentFilter, Keyset, SystemRandom, Timestamp},
};
use bytes::Bytes;
use diesel::connection::SimpleConnection;
use futures_util::{future, stream};
use poem::{Body, Endpoint, Request, http::Method};
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{count, fail, incident_of};
use crate::faults::select_number as number;
use crate::support::{Actor, Engine, TestApp, TestResponse, UncheckedResponse, Value, json};

/// Starts another server on the same database with other settings.
fn restart(app: &TestApp, change: impl FnOnce(&mut bucketlist::config::Config)) -> App {
    let mut config = app.config.clone();
    change(&mut config);
    let parts = Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: app.mailer.clone() };
    App::new(&config, &SecretString::from("the-secret-that-test-apps-sign-with"), parts).unwrap()
}

async fn get(app: &App, actor: &Actor<'_>, path: &str) -> UncheckedResponse {
    send(app, actor, Method::GET, path, String::new()).await
}

async fn send(app: &App, actor: &Actor<'_>, method: Method, path: &str, body: String) -> UncheckedResponse {
    let authorization = format!("Bearer {}", actor.token());
    let request = Request::builder().method(method.clone()).uri(path.parse().unwrap());
    let request = request.header("authorization", authorization).content_type("application/json").body(body);
    UncheckedResponse(TestResponse::read(method, path.to_owned(), app.endpoint.call(request).await.unwrap()).await)
}

both_engines! {
    async fn incidents_expire(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.ttl = Duration::from_secs(60)).build();
        let admin = app.admin().await;
        let request = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.flush_incidents().await;
        let path = format!("/v2/admin/incidents/{}", incident_of(&admin, &request).await["id"]);
        app.advance_clock(Duration::from_secs(61));
        // Expired incidents are hidden at once, and deleted by the next purge.
        admin.get(&path).await.expect_error(404, "INCIDENT_NOT_FOUND");
        assert_eq!(count(&admin).await, 0);
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 2, "the incident and its group");
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 0);
        assert_eq!(admin.get("/v2/admin/incident-groups").await.expect(200).json()["data"], json!([]));
    }

    async fn full_table_evicts_the_oldest_of_the_most_frequent_group(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.max = 6).build();
        let admin = app.admin().await;
        let rare = fail(&admin, Method::GET, "/v2/users/me", None).await;
        let mut last = String::new();
        for list in 1..=20 {
            last = fail(&admin, Method::GET, &format!("/v2/bucketlists/{list}"), None).await;
            if list % 4 == 0 {
                app.flush_incidents().await;
            }
        }
        assert_eq!(count(&admin).await, 6);
        incident_of(&admin, &rare).await;
        incident_of(&admin, &last).await;
        let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
        let counts: Vec<i64> =
            groups["data"].as_array().unwrap().iter().map(|group| group["occurrences"].as_i64().unwrap()).collect();
        assert!(counts.contains(&20) && counts.contains(&1), "evicted incidents are still counted: {counts:?}");
    }

    async fn failures_above_the_rate_are_only_counted(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.per_minute = 6).build();
        let admin = app.admin().await;
        for list in 1..=10 {
            fail(&admin, Method::GET, &format!("/v2/bucketlists/{list}"), None).await;
        }
        app.flush_incidents().await;
        assert_eq!(count(&admin).await, 3);
        let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
        assert_eq!(groups["data"][0]["occurrences"], 10);
        app.advance_clock(Duration::from_secs(60));
        fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.flush_incidents().await;
        assert_eq!(count(&admin).await, 4);
    }

    async fn counted_group_gets_its_site_from_the_first_captured_failure(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.per_minute = 1).build();
        let admin = app.admin().await;
        fail(&admin, Method::GET, "/v2/users/me", None).await;
        fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.flush_incidents().await;
        let group = async || {
            let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
            let is_counted = |group: &&Value| group["operation"] == "getBucketlist";
            groups["data"].as_array().unwrap().iter().find(is_counted).unwrap().clone()
        };
        let counted = group().await;
        assert_eq!((&counted["site"], &counted["occurrences"]), (&json!(""), &json!(1)));
        app.advance_clock(Duration::from_secs(60));
        let request = fail(&admin, Method::GET, "/v2/bucketlists/2", None).await;
        app.flush_incidents().await;
        let captured = group().await;
        assert_eq!((&captured["id"], &captured["occurrences"]), (&counted["id"], &json!(2)));
        assert!(captured["site"].as_str().unwrap().starts_with("panic"), "{captured}");
        assert_eq!(incident_of(&admin, &request).await["site"], captured["site"]);
    }

    async fn records_are_listed_with_a_constant_number_of_queries(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for list in 1..=20 {
            fail(&admin, Method::GET, &format!("/v2/bucketlists/{list}"), None).await;
            fail(&admin, Method::DELETE, &format!("/v2/bucketlists/{list}"), None).await;
        }
        app.flush_incidents().await;
        let statements = async |limit: i64| {
            let before = app.app.db.statements();
            let work = move |c: &mut DbConnection| {
                let filter = IncidentFilter { resolved: Some(false), ..IncidentFilter::default() };
                let keyset = Keyset::oldest_first(None, limit);
                list_records_after(c, &filter, &keyset, Timestamp::default()).map_err(DbError::from)
            };
            let found = app.app.db.read(work).await.unwrap();
            (found.len(), app.app.db.statements() - before)
        };
        let ((one, few), (all, many)) = (statements(1).await, statements(100).await);
        assert_eq!((one, all, many), (1, 40, few));
    }

    async fn slow_request_is_counted_when_it_fails(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.incidents.limits.filter = "400,500".parse().unwrap();
            config.incidents.limits.per_minute = 2;
        }).build();
        let admin = app.admin().await;
        let (resume, resumed) = oneshot::channel::<()>();
        let broken = stream::once(async move {
            resumed.await.unwrap();
            Err::<Bytes, _>(io::Error::other("gone"))
        });
        let request = Request::builder().method(Method::POST).uri_str("/v2/bucketlists").content_type("application/json");
        let request = request.header("authorization", format!("Bearer {}", admin.token()));
        let slow = app.call(request.body(Body::from_bytes_stream(broken)));
        let quick = async {
            // The slow request arrived while the rate allowed a capture. The next one uses the rate up for 30 seconds.
            app.advance_clock(Duration::from_secs(40));
            fail(&admin, Method::GET, "/v2/users/me", None).await;
            resume.send(()).unwrap();
        };
        let (slow, ()) = future::join(slow, quick).await;
        assert_eq!(slow.status(), 400);
        app.flush_incidents().await;
        assert_eq!(count(&admin).await, 1, "only the fast request was captured");
        let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
        let seen: i64 = groups["data"].as_array().unwrap().iter().map(|group| group["occurrences"].as_i64().unwrap()).sum();
        assert_eq!(seen, 2, "the slow request is counted");
    }

    async fn requested_capture_ignores_the_rate(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.per_minute = 1).build();
        let (admin, user) = (app.admin().await, app.user().await);
        for _ in 0..3 {
            fail(&user, Method::GET, "/v2/users/me", None).await;
        }
        let request_capture = async |actor: &Actor<'_>| {
            actor.request(Method::GET, "/v2/users/me").header("x-debug-capture", "1").send().await.expect(200);
        };
        request_capture(&user).await;
        request_capture(&admin).await;
        app.flush_incidents().await;
        assert_eq!(count(&admin).await, 2, "the first failure and the requested capture");
    }

    async fn records_are_encrypted_if_a_key_is_configured(engine: Engine) {
        let key = |text: &str| Some(SecretString::from(text.repeat(8)));
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.key = key("a-key")).build();
        let admin = app.admin().await;
        let body = json!({"name": "a name to look for"});
        let request = fail(&admin, Method::POST, "/v2/bucketlists", Some(&body)).await;
        app.flush_incidents().await;
        let incident = incident_of(&admin, &request).await;
        assert_eq!(incident["request"]["body"]["text"], body.to_string());
        let path = format!("/v2/admin/incidents/{}", incident["id"]);
        // With another key, the record cannot be decrypted. With the old key as a previous key, it can.
        let other = restart(&app, |config| config.incidents.key = key("other"));
        let response = get(&other, &admin, &path).await.expect_error(409, "INCIDENT_KEY_MISSING");
        assert!(!String::from_utf8_lossy(&response.body).contains("a name to look for"));
        get(&other, &admin, &format!("{path}/har")).await.expect_error(409, "INCIDENT_KEY_MISSING");
        get(&other, &admin, "/v2/admin/incidents").await.expect(200);
        // A rejected change has no effect.
        let fixed = json!({"resolved": true, "fixed_in": "9.9.9"}).to_string();
        send(&other, &admin, Method::PATCH, &path, fixed).await.expect_error(409, "INCIDENT_KEY_MISSING");
        assert_eq!(admin.get(&path).await.expect(200).json(), incident);
        let events = admin.get("/v2/admin/audit?action=incident.resolved").await.expect(200).json();
        assert_eq!(events["data"], json!([]));
        let rotated = restart(&app, |config| {
            config.incidents.key = key("other");
            config.incidents.previous_keys = key("a-key").into_iter().collect();
        });
        assert_eq!(get(&rotated, &admin, &path).await.expect(200).json(), incident);
        // A record that is copied into another row cannot be decrypted.
        fail(&admin, Method::POST, "/v2/bucketlists", Some(&json!({"name": "another"}))).await;
        app.flush_incidents().await;
        let (column, row) = ("record", incident["id"].as_i64().unwrap());
        app.execute(&format!("UPDATE incidents SET {column} = (SELECT {column} FROM incidents WHERE id = {row})"));
        let moved = format!("/v2/admin/incidents/{}", row + 1);
        admin.get(&moved).await.expect_error(500, "INTERNAL_ERROR");
        admin.get(&path).await.expect(200);
    }

    async fn incidents_are_stored_after_a_database_outage(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let first = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.execute("ALTER TABLE incidents RENAME TO away");
        assert!(app.app.incidents.drain().await.is_err());
        let second = fail(&admin, Method::GET, "/v2/bucketlists/2", None).await;
        assert!(app.app.incidents.drain().await.is_err());
        app.execute("ALTER TABLE away RENAME TO incidents");
        app.flush_incidents().await;
        incident_of(&admin, &first).await;
        incident_of(&admin, &second).await;
        assert_eq!(count(&admin).await, 2);
        let stats = app.app.incidents.stats().await;
        assert_eq!((stats.stored.load(Ordering::Relaxed), stats.lost.load(Ordering::Relaxed)), (2, 0));
    }

    async fn incidents_are_deleted_with_the_account(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        fail(&user, Method::GET, "/v2/bucketlists/1", None).await;
        app.flush_incidents().await;
        assert_eq!(count(&admin).await, 1);
        // This incident is stored after the account was deleted: it has no user.
        fail(&user, Method::GET, "/v2/bucketlists/2", None).await;
        admin.delete(&format!("/v2/admin/users/{}", user.id())).await.expect(204);
        assert_eq!(count(&admin).await, 0);
        app.flush_incidents().await;
        let page = admin.get("/v2/admin/incidents").await.expect(200).json();
        assert_eq!(page["data"][0]["user_id"], json!(null));
    }
}

/// Of two concurrent changes on PostgreSQL, the second sees the result of the first.
#[tokio::test]
async fn concurrent_changes_of_a_group_are_serialized() {
    let app = TestApp::new(Engine::Postgres);
    let admin = app.admin().await;
    let request = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
    app.flush_incidents().await;
    let path = format!("/v2/admin/incidents/{}", incident_of(&admin, &request).await["id"]);
    let mut other = app.database.migrator();
    other.connection().batch_execute("BEGIN; UPDATE incident_groups SET resolved_at = 1800000000000000").unwrap();
    let body = json!({"fixed_in": "0.2.0"});
    let change = admin.patch(&path, &body);
    let commit_when_blocked = async {
        let waiting =
            "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
        while number(other.connection(), waiting).unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        other.connection().batch_execute("COMMIT").unwrap();
    };
    let (changed, ()) = future::join(change, commit_when_blocked).await;
    let changed = changed.expect(200).json();
    assert_eq!((&changed["resolved"], &changed["fixed_in"]), (&json!(true), &json!("0.2.0")));
}
