//! What the console needs of the API: groups of incidents with their activity, changes of several groups, replays, the exports of all users,
//! and usage by requests.

use std::time::Duration;

use poem::http::Method;

use crate::support::{Actor, TestApp, Value, json};

const GROUPS: &str = "/v2/admin/incident-groups";
const DAY: Duration = Duration::from_secs(86_400);

/// Sends a request that fails in this way.
async fn fail(actor: &Actor<'_>, path: &str, fault: &str) {
    actor.request(Method::GET, path).header("x-fault", fault).send().await.expect(500);
}

async fn rows(admin: &Actor<'_>, path: &str) -> Vec<Value> {
    admin.get(path).await.expect(200).json()["data"].as_array().unwrap().clone()
}

/// Returns an app whose incidents and sessions outlive a test that advances the clock.
fn app(engine: crate::support::Engine) -> TestApp {
    let builder = TestApp::builder().engine(engine).config(|config| {
        config.incidents.ttl = 1_000 * DAY;
        config.tokens.access_ttl = 1_000 * DAY;
        config.tokens.refresh_ttl = 1_000 * DAY;
        config.tokens.session_ttl = 1_000 * DAY;
    });
    builder.build()
}

both_engines! {
    async fn groups_count_users_and_incidents_by_day(engine: Engine) {
        let app = app(engine);
        let (admin, ada, bob) = (app.admin().await, app.user().await, app.user().await);
        fail(&ada, "/v2/bucketlists", "panic").await;
        app.flush_incidents().await;
        app.clock.advance(20 * DAY);
        fail(&ada, "/v2/bucketlists", "panic").await;
        fail(&bob, "/v2/bucketlists", "panic").await;
        app.flush_incidents().await;
        app.clock.advance(2 * DAY);
        fail(&bob, "/v2/bucketlists", "panic").await;
        let credentials = json!({"email": "ada@example.com", "password": "harbour-lantern-42"});
        let login = app.anonymous().request(Method::POST, "/v2/auth/login").header("x-fault", "panic");
        login.json(&credentials).send().await.expect(500);
        app.flush_incidents().await;

        let found = rows(&admin, &format!("{GROUPS}?operation=listBucketlists")).await;
        let [group] = found.as_slice() else { panic!("{found:?}") };
        let mut activity = vec![0; 14];
        (activity[11], activity[13]) = (2, 1);
        for (field, expected) in [
            ("incidents", json!(4)), ("occurrences", json!(4)), ("users", json!(2)), ("activity", json!(activity)), ("state", json!("unresolved")),
        ] {
            assert_eq!(group[field], expected, "{field}");
        }
        // An unauthenticated request has no user.
        let found = rows(&admin, &format!("{GROUPS}?operation=login")).await;
        assert_eq!((&found[0]["users"], &found[0]["incidents"]), (&json!(0), &json!(1)));
    }

    async fn groups_are_filtered_and_sorted(engine: Engine) {
        let app = app(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        for path in ["/v2/bucketlists", "/v2/users/me", "/v2/search?q=x", "/v2/bucketlists"] {
            fail(&user, path, "panic").await;
            app.flush_incidents().await;
            app.clock.advance(Duration::from_secs(1));
        }
        let listed = async |query: &str| -> Vec<String> {
            let found = rows(&admin, &format!("{GROUPS}?{query}")).await;
            found.iter().map(|group| group["operation"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(listed("").await, ["search", "getMe", "listBucketlists"]);
        assert_eq!(listed("sort=first_seen_at").await, ["listBucketlists", "getMe", "search"]);
        assert_eq!(listed("sort=-last_seen_at").await, ["listBucketlists", "search", "getMe"]);
        assert_eq!(listed("sort=last_seen_at").await, ["getMe", "search", "listBucketlists"]);
        assert_eq!(listed("operation=getMe&status=500&code=INTERNAL_ERROR").await, ["getMe"]);
        assert_eq!(listed("status=503").await, Vec::<String>::new());
        let mut path = format!("{GROUPS}?sort=-last_seen_at&per_page=1&status=500");
        let mut paged = Vec::new();
        loop {
            let page = admin.get(&path).await.expect(200).json();
            paged.push(page["data"][0]["operation"].as_str().unwrap().to_owned());
            let Some(next) = page["links"]["next"].as_str() else { break };
            path = next.to_owned();
        }
        assert_eq!(paged, ["listBucketlists", "search", "getMe"]);
        for query in ["sort=occurrences", "status=99", "resolved=maybe"] {
            admin.get(&format!("{GROUPS}?{query}")).await.expect_error(422, "VALIDATION_FAILED");
        }
    }

    async fn several_groups_are_resolved_and_reopened(engine: Engine) {
        let app = app(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        for path in ["/v2/bucketlists", "/v2/users/me", "/v2/search?q=x"] {
            fail(&user, path, "panic").await;
        }
        app.flush_incidents().await;
        let ids: Vec<i64> = rows(&admin, GROUPS).await.iter().map(|group| group["id"].as_i64().unwrap()).collect();
        let resolve = async |body: Value| admin.post(&format!("{GROUPS}/resolve"), &body).await.expect(200).json()["data"].clone();

        // Groups that do not exist are ignored.
        let changed = resolve(json!({"ids": [ids[0], ids[1], 999_999], "fixed_in": "2.0.0"})).await;
        let changed = changed.as_array().unwrap();
        assert_eq!(changed.len(), 2);
        for group in changed {
            assert_eq!((&group["state"], &group["resolved"], &group["fixed_in"]), (&json!("resolved"), &json!(true), &json!("2.0.0")));
            assert!(group["resolved_at"].is_string() && group["incidents"] == 1, "{group}");
        }
        assert_eq!(rows(&admin, &format!("{GROUPS}?resolved=true")).await.len(), 2);
        let incidents = rows(&admin, "/v2/admin/incidents?resolved=true").await;
        assert_eq!(incidents.len(), 2, "the incidents of the groups are resolved");
        // Another resolution keeps the time and the version.
        app.clock.advance(Duration::from_secs(60));
        let again = resolve(json!({"ids": [ids[0]]})).await;
        let before = changed.iter().find(|group| group["id"] == ids[0]).unwrap();
        assert_eq!((&again[0]["resolved_at"], &again[0]["fixed_in"]), (&before["resolved_at"], &json!("2.0.0")));

        // A regression is a separate state, and the next resolution does not inherit the version.
        for path in ["/v2/bucketlists", "/v2/users/me", "/v2/search?q=x"] {
            fail(&user, path, "panic").await;
        }
        app.flush_incidents().await;
        let regressed = rows(&admin, GROUPS).await.into_iter().filter(|group| group["state"] == "regressed").count();
        assert_eq!(regressed, 2);
        let resolved = resolve(json!({"ids": ids})).await;
        for group in resolved.as_array().unwrap() {
            assert_eq!((&group["state"], &group["fixed_in"]), (&json!("resolved"), &json!(null)), "{group}");
        }
        let reopened = resolve(json!({"ids": ids, "resolved": false})).await;
        assert!(reopened.as_array().unwrap().iter().all(|group| group["state"] == "unresolved"), "{reopened}");

        let events = rows(&admin, "/v2/admin/audit?action=incident.resolved").await;
        assert_eq!(events.len(), 4);
        assert_eq!(events[0]["detail"]["resolved"], "false");
        for body in [json!({"ids": []}), json!({"ids": [0]}), json!({"ids": vec![1; 101]}), json!({"ids": [1], "fixed_in": ""}), json!({})] {
            admin.post(&format!("{GROUPS}/resolve"), &body).await.expect_error(422, "VALIDATION_FAILED");
        }
        user.post(&format!("{GROUPS}/resolve"), &json!({"ids": ids})).await.expect_error(403, "FORBIDDEN");
    }

    async fn replays_are_sent_to_configured_servers_only(engine: Engine) {
        let app = app(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        fail(&user, "/v2/bucketlists", "panic").await;
        app.flush_incidents().await;
        let id = rows(&admin, "/v2/admin/incidents").await[0]["id"].clone();
        let path = format!("/v2/admin/incidents/{id}/replay");
        for target in ["production", "http://127.0.0.1:1", "staging@127.0.0.1", ""] {
            admin.post(&path, &json!({"target": target})).await.expect_error(422, "VALIDATION_FAILED");
        }
        admin.post(&path, &json!({"target": "staging", "url": "http://127.0.0.1:1"})).await.expect_error(422, "UNKNOWN_FIELD");
        admin.post("/v2/admin/incidents/999999/replay", &json!({"target": "staging"})).await.expect_error(404, "INCIDENT_NOT_FOUND");
        user.post(&path, &json!({"target": "staging"})).await.expect_error(403, "FORBIDDEN");
        app.anonymous().post(&path, &json!({"target": "staging"})).await.expect(401);
        assert_eq!(rows(&admin, "/v2/admin/audit?action=incident.replayed").await.len(), 0);

        // The server of the test configuration does not exist.
        let outcome = admin.post(&path, &json!({"target": "staging"})).await.expect(200).json();
        assert_eq!((&outcome["result"], &outcome["replayed"]), (&json!("not_sent"), &json!(null)));
        assert!(outcome["reason"].as_str().unwrap().starts_with("cannot connect to http://127.0.0.1:1"), "{outcome}");
        let events = rows(&admin, "/v2/admin/audit?action=incident.replayed").await;
        assert_eq!((&events[0]["target_id"], &events[0]["detail"]["target"]), (&id, &json!("staging")));
    }

    async fn exports_of_all_users_are_listed_and_cancelled(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, ada, bob) = (app.admin().await, app.user().await, app.user().await);
        ada.create_bucketlist("See the world").await;
        let finished = ada.create_export("json").await;
        app.clock.advance(Duration::from_secs(1));
        let queued = bob.post("/v2/exports", &json!({"format": "csv"})).await.expect(202).json()["id"].as_i64().unwrap();
        let listed = rows(&admin, "/v2/admin/exports").await;
        let summary: Vec<_> = listed.iter().map(|one| (one["id"].as_i64().unwrap(), one["user_id"].as_i64().unwrap(), one["state"].as_str().unwrap())).collect();
        assert_eq!(summary, [(queued, bob.id(), "queued"), (finished, ada.id(), "finished")]);
        assert_eq!((&listed[1]["records"], &listed[1]["_links"]["cancel"]), (&json!(1), &json!(null)));
        assert_eq!(rows(&admin, &format!("/v2/admin/exports?user_id={}", ada.id())).await.len(), 1);
        assert_eq!(rows(&admin, "/v2/admin/exports?state=queued").await[0]["id"], queued);
        assert_eq!(rows(&admin, "/v2/admin/exports?state=failed").await.len(), 0);
        let page = admin.get("/v2/admin/exports?per_page=1").await.expect(200).json();
        assert_eq!(admin.get(page["links"]["next"].as_str().unwrap()).await.expect(200).json()["data"][0]["id"], finished);

        let cancel = &listed[0]["_links"]["cancel"];
        assert_eq!(cancel["method"], "POST");
        admin.request(Method::POST, cancel["href"].as_str().unwrap()).send().await.expect(200);
        let failed = rows(&admin, "/v2/admin/exports?state=failed").await;
        assert_eq!((&failed[0]["id"], &failed[0]["_links"]["cancel"]), (&json!(queued), &json!(null)));
        // The file belongs to its user.
        admin.get(&format!("/v2/exports/{finished}/content")).await.expect_error(404, "EXPORT_NOT_FOUND");
        bob.get("/v2/admin/exports").await.expect_error(403, "FORBIDDEN");
    }

    async fn usage_is_sorted_by_requests_across_pages(engine: Engine) {
        let app = app(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        for (path, count) in [("/v2/bucketlists", 5), ("/v2/users/me", 3), ("/v2/auth/sessions", 3), ("/v2/search?q=x", 4)] {
            for _ in 0..count {
                user.get(path).await.expect(200);
            }
        }
        app.flush_usage().await;
        let query = format!("group_by=operation&consumer=user:{}&sort=-requests", user.id());
        let mut path = format!("/v2/admin/usage?per_page=1&{query}");
        let mut found = Vec::new();
        loop {
            let page = admin.get(&path).await.expect(200).json();
            let row = &page["data"][0];
            found.push((row["operation"].as_str().unwrap().to_owned(), row["requests"].as_i64().unwrap()));
            let Some(next) = page["links"]["next"].as_str() else { break };
            path = next.to_owned();
        }
        let expected = [("listBucketlists", 5), ("search", 4), ("getMe", 3), ("listSessions", 3)];
        assert_eq!(found, expected.map(|(operation, requests)| (operation.to_owned(), requests)));
        let stream = admin.request(Method::GET, &format!("/v2/admin/usage?{query}")).header("accept", "application/x-ndjson").send().await.expect(200);
        let first: Value = serde_json::from_slice(stream.body.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
        assert_eq!(first["operation"], "listBucketlists");
        // By day: the rows of all days, the most requests first.
        app.clock.advance(DAY);
        user.get("/v2/bucketlists").await.expect(200);
        app.flush_usage().await;
        let days = rows(&admin, "/v2/admin/usage?group_by=day&sort=-requests").await;
        let counts: Vec<i64> = days.iter().map(|row| row["requests"].as_i64().unwrap()).collect();
        assert!(counts.len() == 2 && counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
        admin.get("/v2/admin/usage?sort=requests").await.expect_error(422, "VALIDATION_FAILED");
        // A cursor belongs to its sort order.
        let cursor = admin.get(&format!("/v2/admin/usage?per_page=1&{query}")).await.expect(200).json()["links"]["next"].clone();
        let other = cursor.as_str().unwrap().replace("sort=-requests&", "");
        admin.get(&other).await.expect_error(400, "INVALID_CURSOR");
    }
}
