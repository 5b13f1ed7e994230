//! The audit trail: the action, actor and client address of each security event.

use std::{collections::BTreeSet, time::Duration};

use ::contract::v2::parameters::AuditAction;
use bucketlist::{
    db::{DbError, schema::audit_events},
    domain::Clock,
};
use diesel::prelude::*;
use poem::http::Method;

use crate::support::{Actor, TestApp, Value, json};

async fn login<'a>(app: &'a TestApp, actor: &Actor<'_>) -> Actor<'a> {
    let body = json!({"email": actor.email(), "password": Actor::PASSWORD});
    Actor::new(app, Some(app.anonymous().post("/v2/auth/login", &body).await.expect(200).json()))
}

/// Returns the events that match a query, newest first.
async fn events(admin: &Actor<'_>, query: &str) -> Vec<Value> {
    let path = format!("/v2/admin/audit?per_page=100{query}");
    admin.get(&path).await.expect(200).json()["data"].as_array().unwrap().clone()
}

async fn count(app: &TestApp) -> i64 {
    app.app.db.read(|c| audit_events::table.count().get_result(c).map_err(DbError::from)).await.unwrap()
}

/// Returns the fields of an event without ID, time and links.
fn recorded_fields(event: &Value) -> Value {
    json!([event["action"], event["actor_id"], event["target_type"], event["target_id"], event["detail"]])
}

both_engines! {
    async fn every_security_event_is_recorded(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let user = app.user().await;
        let (id, admin_id) = (user.id(), admin.id());
        let session = |actor: &Actor<'_>| {
            let token = actor.token();
            let part = token.split('.').nth(1).unwrap().to_owned();
            let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
            serde_json::from_slice::<Value>(&claims).unwrap()["sid"].to_string()
        };
        let first = session(&user);

        // Successful and failed logins.
        let phone = login(&app, &user).await;
        for (email, password) in [(user.email(), "not-the-password"), ("nobody@example.com".into(), Actor::PASSWORD)] {
            let body = json!({"email": email, "password": password});
            app.anonymous().post("/v1/auth/login", &body).await.expect_error(401, "INVALID_CREDENTIALS");
        }
        // Ended sessions.
        phone.post("/v1/auth/logout", &Value::Null).await.expect(204);
        let (laptop, tablet) = (login(&app, &user).await, login(&app, &user).await);
        user.delete(&format!("/v2/auth/sessions/{}", session(&laptop))).await.expect(204);
        // A reused refresh token.
        let body = json!({"refresh_token": tablet.refresh_token()});
        app.anonymous().post("/v2/auth/refresh", &body).await.expect(200);
        app.advance_clock(Duration::from_secs(11));
        app.anonymous().post("/v2/auth/refresh", &body).await.expect(401);
        // Changes of password and email address.
        let change = json!({"current_password": "not-the-password", "new_password": "lantern-harbour-43"});
        user.put("/v2/auth/password", &change).await.expect_error(422, "WRONG_PASSWORD");
        let change = json!({"current_password": Actor::PASSWORD, "new_password": "lantern-harbour-43"});
        user.put("/v2/auth/password", &change).await.expect(204);
        let change = json!({"email": "moved@example.com", "current_password": "lantern-harbour-43"});
        user.patch("/v2/users/me", &change).await.expect(200);
        for email in ["moved@example.com", "nobody@example.com"] {
            app.anonymous().post("/v2/auth/password-reset", &json!({"email": email})).await.expect(202);
        }
        app.run_jobs().await;
        let mail = app.mailer.take().pop().unwrap();
        let token = mail.text.lines().find(|line| line.starts_with("    ")).unwrap().trim().to_owned();
        let confirm = json!({"token": token, "new_password": Actor::PASSWORD});
        app.anonymous().post("/v2/auth/password-reset/confirm", &confirm).await.expect(204);
        // Changes by administrators.
        let path = format!("/v2/admin/users/{id}");
        for change in [
            json!({"role": "admin"}),
            json!({"role": "admin"}),
            json!({"role": "user", "disabled": true}),
        ] {
            admin.patch(&path, &change).await.expect(200);
        }
        let body = json!({"email": "moved@example.com", "password": Actor::PASSWORD});
        app.anonymous().post("/v1/auth/login", &body).await.expect_error(403, "ACCOUNT_DISABLED");
        admin.patch(&path, &json!({"disabled": false})).await.expect(200);
        let again = app.anonymous().post("/v2/auth/login", &body).await.expect(200).json();
        let again = Actor::new(&app, Some(again));
        again.delete("/v2/auth/sessions").await.expect(204);
        admin.delete(&path).await.expect(204);

        let all = events(&admin, "").await;
        let mut recorded: Vec<Value> = all.iter().rev().map(recorded_fields).collect();
        // The registration of the administrator.
        assert_eq!(recorded.remove(0)[0], "user.registered");
        let by_user = |action: &str, detail: Value| json!([action, id, "user", id, detail]);
        let by_unauthenticated = |action: &str, detail: Value| json!([action, null, "user", id, detail]);
        let by_admin = |action: &str, detail: Value| json!([action, admin_id, "user", id, detail]);
        assert_eq!(recorded, [
            by_user("user.registered", json!({"session": first})),
            by_user("login.succeeded", json!({"session": session(&phone)})),
            by_unauthenticated("login.failed", json!({"reason": "wrong_password"})),
            json!(["login.failed", null, null, null, {"reason": "unknown_account"}]),
            by_user("session.logged_out", json!({"session": session(&phone)})),
            by_user("login.succeeded", json!({"session": session(&laptop)})),
            by_user("login.succeeded", json!({"session": session(&tablet)})),
            by_user("session.ended", json!({"session": session(&laptop)})),
            by_unauthenticated("session.token_reused", json!({"session": session(&tablet)})),
            by_user("password.rejected", json!({})),
            by_user("user.password_changed", json!({})),
            by_user("user.email_changed", json!({})),
            by_unauthenticated("password_reset.requested", json!({})),
            json!(["password_reset.requested", null, null, null, {}]),
            by_user("password_reset.confirmed", json!({})),
            by_admin("user.role_changed", json!({"from": "user", "to": "admin"})),
            by_admin("user.role_changed", json!({"from": "admin", "to": "user"})),
            by_admin("user.disabled", json!({})),
            by_unauthenticated("login.failed", json!({"reason": "disabled_account"})),
            by_admin("user.enabled", json!({})),
            by_user("login.succeeded", json!({"session": session(&again)})),
            by_user("session.ended", json!({"session": "all"})),
            // The events of a deleted account remain.
            by_admin("user.deleted", json!({})),
        ]);

        let recorded: BTreeSet<&str> = all.iter().map(|event| event["action"].as_str().unwrap()).collect();
        let tested_elsewhere = [
            "user.created", "user.deprecation_notices_disabled", "user.deprecation_notices_enabled", "login.rate_limited", "export.requested", "export.read", "incident.read", "incident.resolved", "incident.deleted", "incident.replayed",
            "api_client.created", "api_client.updated", "api_client.rotated", "api_client.deleted",
            "job.retried", "job.cancelled", "job.deleted", "job_schedule.run",
            "profile.recorded",
        ];
        let known = AuditAction::ALL.iter().map(|action| action.as_str()).filter(|action| !tested_elsewhere.contains(action));
        assert_eq!(recorded, known.collect(), "an action was not recorded");

        let text = serde_json::to_string(&all).unwrap();
        for secret in ["@", Actor::PASSWORD, "lantern-harbour", "not-the-password", &token, &tablet.refresh_token()] {
            assert!(!text.contains(secret), "{secret}");
        }
    }

    async fn event_contains_the_client_address(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.trusted_proxies = vec!["0.0.0.0/0".parse().unwrap()]).build();
        let admin = app.admin().await;
        let user = app.user().await;
        let request = admin.request(Method::PATCH, &format!("/v1/users/{}", user.id()));
        let request = request.header("x-request-id", "by-hand.7").header("x-forwarded-for", "2001:db8::7");
        request.json(&json!({"disabled": true})).send().await.expect(200);
        let event = events(&admin, "&action=user.disabled").await.remove(0);
        assert_eq!((&event["request_id"], &event["address"]), (&json!("by-hand.7"), &json!("2001:db8::7")));
        assert_eq!(event["created_at"], "2027-01-15T08:00:00.000000Z");
        assert_eq!(event["_links"], json!({"collection": {"href": "/v2/admin/audit", "method": "GET"}}));
        let event = events(&admin, "&action=user.registered").await.remove(0);
        assert_eq!(event["address"], Value::Null, "the address is unknown");
        assert!(event["request_id"].as_str().unwrap().len() > 30, "{event}");
    }

    async fn failed_operations_are_not_recorded(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let user = app.user().await;
        let before = count(&app).await;
        let path = format!("/v2/admin/users/{}", admin.id());
        admin.patch(&path, &json!({"role": "user"})).await.expect_error(409, "LAST_ADMIN");
        admin.delete(&path).await.expect_error(409, "LAST_ADMIN");
        admin.patch("/v2/admin/users/999999", &json!({"disabled": true})).await.expect(404);
        user.delete("/v2/auth/sessions/999999").await.expect(404);
        let stale = user.request(Method::PATCH, "/v2/users/me").header("if-match", "\"another\"");
        let change = json!({"email": "new@example.com", "current_password": Actor::PASSWORD});
        stale.json(&change).send().await.expect(412);
        let taken = json!({"email": user.email(), "password": Actor::PASSWORD});
        app.anonymous().post("/v1/auth/register", &taken).await.expect_error(409, "EMAIL_TAKEN");
        // Reads are not recorded either.
        for path in ["/v2/admin/users", "/v2/admin/audit", "/v1/users", &path] {
            admin.get(path).await.expect(200);
        }
        let body = json!({"refresh_token": user.refresh_token()});
        app.anonymous().post("/v2/auth/refresh", &body).await.expect(200);
        assert_eq!(count(&app).await, before);
    }

    async fn failed_login_does_the_same_work_for_unknown_accounts(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let mut statement_counts = BTreeSet::new();
        for (path, email) in [("login", user.email()), ("login", "nobody@example.com".to_owned())] {
            let body = json!({"email": email, "password": "not-the-password"});
            let before = app.app.db.statements();
            app.anonymous().post(&format!("/v2/auth/{path}"), &body).await.expect(401);
            statement_counts.insert(app.app.db.statements() - before);
        }
        assert_eq!(statement_counts.len(), 1, "{statement_counts:?}");
        let mut statement_counts = BTreeSet::new();
        for email in [user.email(), "nobody@example.com".to_owned()] {
            let before = app.app.db.statements();
            app.anonymous().post("/v2/auth/password-reset", &json!({"email": email})).await.expect(202);
            statement_counts.insert(app.app.db.statements() - before);
        }
        assert_eq!(statement_counts.len(), 1, "{statement_counts:?}");
    }

    async fn events_can_be_filtered_by_actor_action_target_and_time(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let mut users = Vec::new();
        for _ in 0..3 {
            app.advance_clock(Duration::from_secs(60));
            users.push(app.user().await);
        }
        for user in &users {
            app.advance_clock(Duration::from_secs(60));
            admin.patch(&format!("/v2/admin/users/{}", user.id()), &json!({"disabled": true})).await.expect(200);
        }
        let actions = async |query: &str| {
            let found = events(&admin, query).await;
            found.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (admin_id, id) = (admin.id(), users[1].id());
        assert_eq!(actions("").await.len(), 7);
        assert_eq!(actions(&format!("&actor_id={admin_id}")).await.len(), 4);
        assert_eq!(actions(&format!("&actor_id={admin_id}&action=user.disabled")).await, ["user.disabled"; 3]);
        assert_eq!(actions(&format!("&target_type=user&target_id={id}")).await, ["user.disabled", "user.registered"]);
        assert_eq!(actions("&action=user.enabled").await, [""; 0]);
        // Both bounds are exclusive.
        let bounds = "created_after=2027-01-15T08:01:00Z&created_before=2027-01-15T08:04:00Z";
        assert_eq!(actions(&format!("&{bounds}")).await, ["user.registered"; 2]);

        for query in ["", "&sort=created_at", "&action=user.disabled", &format!("&actor_id={admin_id}"), &format!("&{bounds}")] {
            let mut expected = events(&admin, query).await;
            let mut visited = Vec::new();
            let mut next = Some(format!("/v2/admin/audit?per_page=1&include=total{query}"));
            while let Some(path) = next {
                let page = admin.get(&path).await.expect(200).json();
                assert_eq!(page["meta"]["total"], expected.len(), "{path}");
                visited.extend(page["data"].as_array().unwrap().clone());
                next = page["links"]["next"].as_str().map(str::to_owned);
            }
            assert_eq!(visited, expected, "{query}");
            let request = admin.request(Method::GET, &format!("/v2/admin/audit?{}", query.trim_start_matches('&')));
            let rows = request.header("accept", "application/x-ndjson").send().await.expect(200).body;
            let rows = String::from_utf8(rows).unwrap();
            assert_eq!(rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect::<Vec<Value>>(), expected);
            expected.sort_by_key(|event| event["id"].as_i64());
            expected.dedup();
            assert_eq!(visited.len(), expected.len());
        }
        for invalid_query in ["action=user.eaten", "actor_id=0", "target_type=cake", "sort=name", "created_before=yesterday"] {
            admin.get(&format!("/v2/admin/audit?{invalid_query}")).await.expect_error(422, "VALIDATION_FAILED");
        }
    }

    async fn csv_has_one_column_per_scalar_field(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let user = app.user().await;
        admin.patch(&format!("/v2/admin/users/{}", user.id()), &json!({"role": "admin"})).await.expect(200);
        let request = admin.request(Method::GET, "/v2/admin/audit").header("accept", "text/csv");
        let response = request.send().await.expect(200);
        assert_eq!(response.header("content-disposition"), "attachment; filename=\"audit.csv\"");
        let mut rows = csv::Reader::from_reader(&response.body[..]);
        let names = rows.headers().unwrap().clone();
        let first = rows.records().next().unwrap().unwrap();
        let cell = |name: &str| first.get(names.iter().position(|column| column == name).unwrap()).unwrap();
        assert_eq!((cell("action"), cell("actor_id")), ("user.role_changed", &*admin.id().to_string()));
        assert_eq!((cell("target_type"), cell("target_id")), ("user", &*user.id().to_string()));
        assert_eq!((cell("created_at"), cell("address")), ("2027-01-15T08:00:00.000000Z", ""));
        assert!(!names.iter().any(|name| name == "detail" || name == "_links"), "{names:?}");
    }

    async fn events_are_purged_after_the_retention_period(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.audit_retention = Duration::from_secs(86_400)).build();
        let purge = async || app.app.worker.purge_expired().await.unwrap();
        app.user().await;
        app.advance_clock(Duration::from_secs(86_400));
        app.user().await;
        assert_eq!((purge().await, count(&app).await), (0, 2));
        app.advance_clock(Duration::from_secs(1));
        assert_eq!((purge().await, count(&app).await), (1, 1));
        // A purge deletes at most 10,000 events.
        let old = app.clock.now().micros() - 2 * 86_400_000_000;
        app.execute(&format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10001)
             INSERT INTO audit_events (created_at, action, detail) SELECT {old} + n, 'user.enabled', '{{}}' FROM numbers"
        ));
        assert_eq!((purge().await, count(&app).await), (10_000, 2));
        assert_eq!((purge().await, count(&app).await), (1, 1));
    }
}
