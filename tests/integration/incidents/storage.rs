//! How incidents are stored: bounded, sealed, for a time; and what becomes of them while the database is away.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bucketlist::{
    app::{App, Dependencies},
    domain::SystemRandom,
};
use bytes::Bytes;
use diesel::connection::SimpleConnection;
use futures_util::{future, stream};
use poem::{Body, Endpoint, Request, http::Method};
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{count, fail, incident_of};
use crate::faults::select_number as number;
use crate::support::{Actor, Engine, TestApp, TestResponse, UncheckedResponse, json};

/// The same server after a start with other settings.
fn started_again(app: &TestApp, change: impl FnOnce(&mut bucketlist::config::Config)) -> App {
    let mut config = app.config.clone();
    change(&mut config);
    let parts = Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: app.mailer.clone() };
    App::new(&config, &SecretString::from("the-secret-that-test-apps-sign-with"), parts).unwrap()
}

async fn ask(app: &App, actor: &Actor<'_>, path: &str) -> UncheckedResponse {
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
        app.store_incidents().await;
        let path = format!("/v2/admin/incidents/{}", incident_of(&admin, &request).await["id"]);
        app.advance_clock(Duration::from_secs(61));
        // Gone for readers at once, and from the disk with the next purge.
        admin.get(&path).await.expect_error(404, "INCIDENT_NOT_FOUND");
        assert_eq!(count(&admin).await, 0);
        assert_eq!(app.app.incidents.purge_expired().await.unwrap(), 2, "the incident and its group");
        assert_eq!(app.app.incidents.purge_expired().await.unwrap(), 0);
        assert_eq!(admin.get("/v2/admin/incident-groups").await.expect(200).json()["data"], json!([]));
    }

    async fn a_full_table_loses_the_oldest_of_the_most_frequent(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.max = 6).build();
        let admin = app.admin().await;
        let rare = fail(&admin, Method::GET, "/v2/users/me", None).await;
        let mut last = String::new();
        for list in 1..=20 {
            last = fail(&admin, Method::GET, &format!("/v2/bucketlists/{list}"), None).await;
            if list % 4 == 0 {
                app.store_incidents().await;
            }
        }
        assert_eq!(count(&admin).await, 6);
        incident_of(&admin, &rare).await;
        incident_of(&admin, &last).await;
        let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
        let counts: Vec<i64> =
            groups["data"].as_array().unwrap().iter().map(|group| group["occurrences"].as_i64().unwrap()).collect();
        assert!(counts.contains(&20) && counts.contains(&1), "they are still counted: {counts:?}");
    }

    async fn what_is_above_the_rate_is_only_counted(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.per_minute = 6).build();
        let admin = app.admin().await;
        for list in 1..=10 {
            fail(&admin, Method::GET, &format!("/v2/bucketlists/{list}"), None).await;
        }
        app.store_incidents().await;
        assert_eq!(count(&admin).await, 3);
        let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
        assert_eq!(groups["data"][0]["occurrences"], 10);
        app.advance_clock(Duration::from_secs(60));
        fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.store_incidents().await;
        assert_eq!(count(&admin).await, 4);
    }

    async fn what_takes_long_is_counted_at_its_end(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.incidents.limits.filter = "400,500".parse().unwrap();
            config.incidents.limits.per_minute = 2;
        }).build();
        let admin = app.admin().await;
        let (go_on, waits) = oneshot::channel::<()>();
        let broken = stream::once(async move {
            waits.await.unwrap();
            Err::<Bytes, _>(io::Error::other("gone"))
        });
        let request = Request::builder().method(Method::POST).uri_str("/v2/bucketlists").content_type("application/json");
        let request = request.header("authorization", format!("Bearer {}", admin.token()));
        let slow = app.call(request.body(Body::from_bytes_stream(broken)));
        let quick = async {
            // The slow one has come, and there was room; now there is none for half a minute.
            app.advance_clock(Duration::from_secs(40));
            fail(&admin, Method::GET, "/v2/users/me", None).await;
            go_on.send(()).unwrap();
        };
        let (slow, ()) = future::join(slow, quick).await;
        assert_eq!(slow.status(), 400);
        app.store_incidents().await;
        assert_eq!(count(&admin).await, 1, "the quick one");
        let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
        let seen: i64 = groups["data"].as_array().unwrap().iter().map(|group| group["occurrences"].as_i64().unwrap()).sum();
        assert_eq!(seen, 2, "the slow one is counted");
    }

    async fn what_an_administrator_asks_for_is_kept_in_a_storm(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.per_minute = 1).build();
        let (admin, user) = (app.admin().await, app.user().await);
        for _ in 0..3 {
            fail(&user, Method::GET, "/v2/users/me", None).await;
        }
        let asked = async |actor: &Actor<'_>| {
            actor.request(Method::GET, "/v2/users/me").header("x-debug-capture", "1").send().await.expect(200);
        };
        asked(&user).await;
        asked(&admin).await;
        app.store_incidents().await;
        assert_eq!(count(&admin).await, 2, "the first failure, and what was asked for");
    }

    async fn records_are_sealed_where_there_is_a_key(engine: Engine) {
        let key = |text: &str| Some(SecretString::from(text.repeat(8)));
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.key = key("a-key")).build();
        let admin = app.admin().await;
        let body = json!({"name": "a name to look for"});
        let request = fail(&admin, Method::POST, "/v2/bucketlists", Some(&body)).await;
        app.store_incidents().await;
        let incident = incident_of(&admin, &request).await;
        assert_eq!(incident["request"]["body"]["text"], body.to_string());
        let path = format!("/v2/admin/incidents/{}", incident["id"]);
        // Another key: it says what is missing. The old one given besides: all is well.
        let other = started_again(&app, |config| config.incidents.key = key("other"));
        let response = ask(&other, &admin, &path).await.expect_error(409, "INCIDENT_SEALED");
        assert!(!String::from_utf8_lossy(&response.body).contains("a name to look for"));
        ask(&other, &admin, &format!("{path}/har")).await.expect_error(409, "INCIDENT_SEALED");
        ask(&other, &admin, "/v2/admin/incidents").await.expect(200);
        // What is refused changes nothing.
        let fixed = json!({"resolved": true, "fixed_in": "9.9.9"}).to_string();
        send(&other, &admin, Method::PATCH, &path, fixed).await.expect_error(409, "INCIDENT_SEALED");
        assert_eq!(admin.get(&path).await.expect(200).json(), incident);
        let events = admin.get("/v2/admin/audit?action=incident.resolved").await.expect(200).json();
        assert_eq!(events["data"], json!([]));
        let rotated = started_again(&app, |config| {
            config.incidents.key = key("other");
            config.incidents.previous_keys = key("a-key").into_iter().collect();
        });
        assert_eq!(ask(&rotated, &admin, &path).await.expect(200).json(), incident);
        // A record that was put into another row cannot be opened there.
        fail(&admin, Method::POST, "/v2/bucketlists", Some(&json!({"name": "another"}))).await;
        app.store_incidents().await;
        let (column, row) = ("record", incident["id"].as_i64().unwrap());
        app.execute(&format!("UPDATE incidents SET {column} = (SELECT {column} FROM incidents WHERE id = {row})"));
        let moved = format!("/v2/admin/incidents/{}", row + 1);
        admin.get(&moved).await.expect_error(500, "INTERNAL_ERROR");
        admin.get(&path).await.expect(200);
    }

    async fn while_the_database_is_away_failures_wait(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let first = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.execute("ALTER TABLE incidents RENAME TO away");
        assert!(app.app.incidents.drain().await.is_err());
        let second = fail(&admin, Method::GET, "/v2/bucketlists/2", None).await;
        assert!(app.app.incidents.drain().await.is_err());
        app.execute("ALTER TABLE away RENAME TO incidents");
        app.store_incidents().await;
        incident_of(&admin, &first).await;
        incident_of(&admin, &second).await;
        assert_eq!(count(&admin).await, 2);
        let counts = app.app.incidents.stats().await;
        assert_eq!((counts.stored.load(Ordering::Relaxed), counts.lost.load(Ordering::Relaxed)), (2, 0));
    }

    async fn what_a_user_sent_goes_with_the_account(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        fail(&user, Method::GET, "/v2/bucketlists/1", None).await;
        app.store_incidents().await;
        assert_eq!(count(&admin).await, 1);
        // This one is stored after the account is gone: it is nobody's.
        fail(&user, Method::GET, "/v2/bucketlists/2", None).await;
        admin.delete(&format!("/v2/admin/users/{}", user.id())).await.expect(204);
        assert_eq!(count(&admin).await, 0);
        app.store_incidents().await;
        let page = admin.get("/v2/admin/incidents").await.expect(200).json();
        assert_eq!(page["data"][0]["user_id"], json!(null));
    }
}

/// Of two changes at once on PostgreSQL, the second begins with what the first has left.
#[tokio::test]
async fn a_change_of_a_group_waits_for_the_one_before_it() {
    let app = TestApp::new(Engine::Postgres);
    let admin = app.admin().await;
    let request = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
    app.store_incidents().await;
    let path = format!("/v2/admin/incidents/{}", incident_of(&admin, &request).await["id"]);
    let mut other = app.database.migrator();
    other.connection().batch_execute("BEGIN; UPDATE incident_groups SET resolved_at = 1800000000000000").unwrap();
    let body = json!({"fixed_in": "0.2.0"});
    let change = admin.patch(&path, &body);
    let waits = async {
        let waiting =
            "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
        while number(other.connection(), waiting).unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        other.connection().batch_execute("COMMIT").unwrap();
    };
    let (changed, ()) = future::join(change, waits).await;
    let changed = changed.expect(200).json();
    assert_eq!((&changed["resolved"], &changed["fixed_in"]), (&json!(true), &json!("0.2.0")));
}
