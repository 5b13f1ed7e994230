//! API clients: their keys, scopes, rate limits and management.

use std::{collections::BTreeSet, time::Duration};

use ::contract::{operation::Scope, v1, v2};
use poem::http::Method;

use super::operations::{ResourceIds, operations, request};
use crate::{
    security::snapshot::Snapshot,
    support::{Actor, TestApp, UncheckedResponse, Value, json},
};

const PATH: &str = "/v2/admin/api-clients";

fn key(client: &Value) -> &str {
    client["key"].as_str().unwrap()
}

fn path(client: &Value) -> String {
    format!("{PATH}/{}", client["id"])
}

/// Returns an API client of `owner` with these scopes.
async fn client<'a>(app: &'a TestApp, admin: &Actor<'a>, owner: &Actor<'_>, scopes: &[&str]) -> Actor<'a> {
    Actor::with_api_key(app, key(&admin.create_api_client(owner.id(), scopes).await))
}

async fn me(actor: &Actor<'_>) -> UncheckedResponse {
    actor.get("/v2/users/me").await
}

/// Returns the declaration of an operation of either version.
fn declared(operation: &openapi_model::Operation) -> &'static ::contract::Operation {
    let find = if operation.path.starts_with("/v1") { v1::document::operation } else { v2::document::operation };
    find(&operation.id).unwrap()
}

both_engines! {
    async fn key_acts_for_the_account_that_owns_it(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner, other) = (app.admin().await, app.user().await, app.user().await);
        let created = admin.create_api_client(owner.id(), &["read", "write"]).await;
        let sync = Actor::with_api_key(&app, key(&created));
        let list = sync.create_bucketlist("See the world").await;
        assert_eq!(me(&sync).await.expect(200).json()["id"], owner.id());
        owner.get(&format!("/v2/bucketlists/{list}")).await.expect(200);
        let foreign = other.create_bucketlist("Private").await;
        sync.get(&format!("/v2/bucketlists/{foreign}")).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        for scheme in ["Bearer", "bearer"] {
            let request = app.anonymous().request(Method::GET, "/v1/bucketlists");
            request.header("authorization", &format!("{scheme} {}", key(&created))).send().await.expect(200);
        }
    }

    async fn operations_require_the_scope_of_their_method_or_role(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner, admin_owner) = (app.admin().await, app.user().await, app.admin().await);
        let ids = ResourceIds::create(&owner).await;
        let of_admin = admin.create_api_client(admin_owner.id(), &["read", "write"]).await;
        let without_admin = Actor::with_api_key(&app, key(&of_admin));
        let of_user = client(&app, &admin, &owner, &["admin"]).await;
        let (read, write) = (client(&app, &admin, &owner, &["read"]).await, client(&app, &admin, &owner, &["write"]).await);
        let all = client(&app, &admin, &owner, &["read", "write", "admin"]).await;
        let mut tried = BTreeSet::new();
        for operation in operations().filter(|operation| operation.is_secured) {
            let access = declared(operation).access;
            let send = async |actor: &Actor<'_>| request(actor, operation, &ids.path(operation)).send().await;
            let message = |response: UncheckedResponse, scope: &str| {
                let response = response.expect_error(403, "INSUFFICIENT_SCOPE");
                let challenge = format!("Bearer realm=\"bucketlist\", error=\"insufficient_scope\", scope=\"{scope}\"");
                assert_eq!(response.header("www-authenticate"), challenge);
                let body = response.json();
                let message = body["error"]["message"].as_str().or_else(|| body["detail"].as_str()).unwrap().to_owned();
                assert_eq!(message, format!("The API client does not have the scope `{scope}`."));
            };
            match access.required_scope(&operation.method) {
                None => {
                    assert!(access.requires_session(), "{}", operation.id);
                    send(&all).await.expect_error(403, "SESSION_REQUIRED");
                }
                Some(Scope::Admin) => {
                    message(send(&without_admin).await, "admin");
                    send(&of_user).await.expect_error(403, "FORBIDDEN");
                }
                Some(Scope::Read) => message(send(&write).await, "read"),
                Some(Scope::Write) => message(send(&read).await, "write"),
            }
            tried.insert(format!("{:?} {access:?}", access.required_scope(&operation.method)));
        }
        assert_eq!(tried.len(), 5, "{tried:?}");
    }

    async fn admin_scope_of_an_administrator_permits_administration_except_of_credentials(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let robot = client(&app, &admin, &admin, &["admin"]).await;
        for path in ["/v1/users", "/v2/admin/users", "/v2/admin/audit", PATH] {
            robot.get(path).await.expect(200);
        }
        let body = json!({"name": "Copy", "contact_email": "a@example.com", "scopes": ["admin"]});
        robot.post(PATH, &body).await.expect_error(403, "SESSION_REQUIRED");
        // The role of the owner applies to the next request.
        let other = app.admin().await;
        other.patch(&format!("/v2/admin/users/{}", admin.id()), &json!({"role": "user"})).await.expect(200);
        robot.get("/v2/admin/users").await.expect_error(403, "FORBIDDEN");
    }

    async fn inactive_keys_are_rejected_by_the_next_request_on_every_server(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner) = (app.admin().await, app.user().await);
        let replica = app.second_server();
        let expect = async |key: &str, status: u16| {
            for server in [&app, &replica] {
                let response = me(&Actor::with_api_key(server, key)).await;
                if status == 200 {
                    response.expect(200);
                } else {
                    let response = response.expect_error(401, "INVALID_TOKEN");
                    assert_eq!(response.header("www-authenticate"), "Bearer realm=\"bucketlist\", error=\"invalid_token\"");
                }
            }
        };
        let deleted = admin.create_api_client(owner.id(), &["read"]).await;
        expect(key(&deleted), 200).await;
        admin.delete(&path(&deleted)).await.expect(204);
        expect(key(&deleted), 401).await;

        let expired = admin.create_api_client(owner.id(), &["read"]).await;
        expect(key(&expired), 200).await;
        admin.patch(&path(&expired), &json!({"expires_at": "2027-01-15T08:00:01Z"})).await.expect(200);
        app.advance_clock(Duration::from_secs(1));
        expect(key(&expired), 401).await;
        admin.patch(&path(&expired), &json!({"expires_at": null})).await.expect(200);
        expect(key(&expired), 200).await;

        let of_owner = admin.create_api_client(owner.id(), &["read"]).await;
        let account = format!("/v2/admin/users/{}", owner.id());
        admin.patch(&account, &json!({"disabled": true})).await.expect(200);
        expect(key(&of_owner), 401).await;
        admin.patch(&account, &json!({"disabled": false})).await.expect(200);
        expect(key(&of_owner), 200).await;
        admin.delete(&account).await.expect(204);
        expect(key(&of_owner), 401).await;
        admin.get(&path(&of_owner)).await.expect_error(404, "API_CLIENT_NOT_FOUND");
    }

    async fn unknown_malformed_and_ambiguous_keys_get_one_response(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner) = (app.admin().await, app.user().await);
        let created = admin.create_api_client(owner.id(), &["read"]).await;
        let valid = key(&created);
        let other = admin.create_api_client(owner.id(), &["read"]).await;
        admin.delete(&path(&other)).await.expect(204);
        let last = if valid.ends_with('0') { "1" } else { "0" };
        let mistyped = format!("{}{last}", &valid[..valid.len() - 1]);
        let mut bodies = BTreeSet::new();
        for key in [key(&other), &mistyped, "blk_", "blk_demo", "nonsense", ""] {
            let response = me(&Actor::with_api_key(&app, key)).await.expect_error(401, "INVALID_TOKEN");
            let mut body = response.json();
            body["request_id"].take();
            bodies.insert(body.to_string());
        }
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        let both = owner.request(Method::GET, "/v2/users/me").header("x-api-key", valid);
        both.send().await.expect_error(401, "INVALID_TOKEN");
        // A client that does not distinguish between the security schemes sends its credential for each of them.
        let same = Actor::with_api_key(&app, valid).request(Method::GET, "/v2/users/me");
        same.header("authorization", &format!("Bearer {valid}")).send().await.expect(200);
        let twice = Actor::with_api_key(&app, valid).request(Method::GET, "/v2/users/me");
        twice.append_header("x-api-key", valid).send().await.expect_error(401, "INVALID_TOKEN");
    }

    async fn rotated_key_remains_valid_during_the_overlap(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner) = (app.admin().await, app.user().await);
        let created = admin.create_api_client(owner.id(), &["read"]).await;
        let rotate = format!("{}/rotate", path(&created));
        let rotated = admin.post(&format!("{rotate}?overlap_seconds=60"), &Value::Null).await.expect(200).json();
        assert_eq!(rotated["previous_valid_until"], "2027-01-15T08:01:00.000000Z");
        let both = [key(&created), key(&rotated)].map(|key| Actor::with_api_key(&app, key));
        for actor in &both {
            me(actor).await.expect(200);
        }
        let previous = async || admin.get(&path(&created)).await.expect(200).json()["previous_valid_until"].clone();
        assert_eq!(previous().await, rotated["previous_valid_until"]);
        app.advance_clock(Duration::from_secs(60));
        assert_eq!(previous().await, Value::Null);
        me(&both[0]).await.expect_error(401, "INVALID_TOKEN");
        me(&both[1]).await.expect(200);
        assert_eq!(admin.get(&path(&created)).await.expect(200).json()["key_prefix"], rotated["key_prefix"]);

        // Without an overlap, previous keys are revoked. By default, they remain valid for a day.
        let second = admin.post(&format!("{rotate}?overlap_seconds=0"), &Value::Null).await.expect(200).json();
        me(&both[1]).await.expect_error(401, "INVALID_TOKEN");
        let third = admin.post(&rotate, &Value::Null).await.expect(200).json();
        assert_eq!(third["previous_valid_until"], "2027-01-16T08:01:00.000000Z");
        me(&Actor::with_api_key(&app, key(&second))).await.expect(200);
        for overlap in ["-1", "2592001", "x"] {
            admin.post(&format!("{rotate}?overlap_seconds={overlap}"), &Value::Null).await.expect(422);
        }
    }

    async fn each_api_client_has_its_own_rate_limit(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = 20;
        }).build();
        let (admin, owner) = (app.admin().await, app.user().await);
        let limited = admin.create_api_client(owner.id(), &["read"]).await;
        admin.patch(&path(&limited), &json!({"rate_limit": 2})).await.expect(200);
        let (first, second) = (Actor::with_api_key(&app, key(&limited)), client(&app, &admin, &owner, &["read"]).await);
        for remaining in ["1", "0"] {
            let response = me(&first).await.expect(200);
            assert_eq!(response.header("ratelimit-policy"), "\"general\";q=2;w=60");
            assert!(response.header("ratelimit").starts_with(&format!("\"general\";r={remaining};")), "{response:?}");
        }
        me(&first).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        // Another client of the account and its session have other counters.
        assert_eq!(me(&second).await.expect(200).header("ratelimit-policy"), "\"general\";q=20;w=60");
        me(&owner).await.expect(200);
    }

    async fn guessed_keys_are_limited_by_address(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = 4;
        }).build();
        let (admin, owner) = (app.admin().await, app.user().await);
        let created = admin.create_api_client(owner.id(), &["read"]).await;
        let valid = Actor::with_api_key(&app, key(&created));
        me(&valid).await.expect(200);
        let deleted = admin.create_api_client(owner.id(), &["read"]).await;
        admin.delete(&path(&deleted)).await.expect(204);
        let unknown = Actor::with_api_key(&app, key(&deleted));
        me(&unknown).await.expect_error(401, "INVALID_TOKEN");
        let before = app.app.db.statements();
        me(&unknown).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(app.app.db.statements(), before, "a rate-limited request reads the database");
        me(&valid).await.expect(200);
    }

    async fn use_is_recorded_once_a_minute(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner) = (app.admin().await, app.user().await);
        let created = admin.create_api_client(owner.id(), &["read"]).await;
        let sync = Actor::with_api_key(&app, key(&created));
        let last_used = async || admin.get(&path(&created)).await.expect(200).json()["last_used_at"].clone();
        assert_eq!(last_used().await, Value::Null);
        me(&sync).await.expect(200);
        assert_eq!(last_used().await, "2027-01-15T08:00:00.000000Z");
        app.advance_clock(Duration::from_secs(59));
        me(&sync).await.expect(200);
        assert_eq!(last_used().await, "2027-01-15T08:00:00.000000Z");
        app.advance_clock(Duration::from_secs(1));
        me(&sync).await.expect(200);
        assert_eq!(last_used().await, "2027-01-15T08:01:00.000000Z");
        // The first use of a new key is recorded at once.
        app.advance_clock(Duration::from_secs(1));
        let rotated = admin.post(&format!("{}/rotate", path(&created)), &Value::Null).await.expect(200).json();
        me(&Actor::with_api_key(&app, key(&rotated))).await.expect(200);
        assert_eq!(last_used().await, "2027-01-15T08:01:01.000000Z");
    }

    async fn api_clients_can_be_created_listed_changed_and_deleted(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner) = (app.admin().await, app.user().await);
        let body = json!({"name": " Nightly  sync ", "contact_email": "ops@example.com", "scopes": ["write", "read", "read"],
                          "rate_limit": 60, "expires_at": "2027-06-01T02:00:00+02:00"});
        let response = admin.post(PATH, &body).await.expect(201);
        let created = response.json();
        assert_eq!(response.header("location"), path(&created));
        assert_eq!((&created["user_id"], &created["scopes"]), (&json!(admin.id()), &json!(["read", "write"])));
        assert_eq!(created["expires_at"], "2027-06-01T00:00:00.000000Z");
        assert!(key(&created).starts_with(&format!("blk_{}_", created["key_prefix"].as_str().unwrap())));

        let read = admin.get(&path(&created)).await.expect(200);
        assert_eq!(read.header("etag"), response.header("etag"));
        let mut expected = created.clone();
        expected.as_object_mut().unwrap().remove("key");
        assert_eq!(read.json(), expected);

        let patch = admin.request(Method::PATCH, &path(&created)).header("if-match", read.header("etag"));
        let changed = patch.merge_patch(&json!({"rate_limit": null, "scopes": ["read"]})).send().await.expect(200);
        assert_eq!((&changed.json()["rate_limit"], &changed.json()["scopes"]), (&Value::Null, &json!(["read"])));
        let stale = admin.request(Method::PATCH, &path(&created)).header("if-match", read.header("etag"));
        stale.json(&json!({"name": "Lost"})).send().await.expect_error(412, "PRECONDITION_FAILED");

        for _ in 0..3 {
            admin.create_api_client(owner.id(), &["read"]).await;
        }
        let (mut next, mut seen) = (format!("{PATH}?per_page=2&include=total"), Vec::new());
        while !next.is_empty() {
            let page = admin.get(&next).await.expect(200).json();
            assert_eq!(page["meta"]["total"], 4);
            seen.extend(page["data"].as_array().unwrap().iter().map(|client| client["id"].as_i64().unwrap()));
            next = page["links"]["next"].as_str().unwrap_or_default().to_owned();
        }
        assert!(seen.len() == 4 && seen.is_sorted_by(|a, b| a > b), "{seen:?}");
        let own = admin.get(&format!("{PATH}?user_id={}", admin.id())).await.expect(200).json();
        assert_eq!(own["data"][0]["id"], created["id"]);
        assert_eq!(own["data"].as_array().unwrap().len(), 1);

        admin.delete(&path(&created)).await.expect(204);
        admin.get(&path(&created)).await.expect_error(404, "API_CLIENT_NOT_FOUND");
        admin.delete(&path(&created)).await.expect_error(404, "API_CLIENT_NOT_FOUND");
    }

    async fn invalid_api_clients_are_rejected_with_all_violations(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, disabled) = (app.admin().await, app.user().await);
        admin.patch(&format!("/v2/admin/users/{}", disabled.id()), &json!({"disabled": true})).await.expect(200);
        let body = json!({"name": "", "contact_email": "nobody", "scopes": [], "rate_limit": 0});
        let problem = admin.post(PATH, &body).await.expect_error(422, "VALIDATION_FAILED").json();
        let pointers: BTreeSet<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/contact_email", "/name", "/rate_limit", "/scopes"].into());
        for (field, value) in [
            ("scopes", json!(["everything"])),
            ("rate_limit", json!(1_000_001)),
            ("expires_at", json!("2027-01-01T00:00:00")),
            ("expires_at", json!("2027-01-15T08:00:00Z")),
            ("user_id", json!(999_999)),
            ("user_id", json!(disabled.id())),
        ] {
            let mut body = json!({"name": "Sync", "contact_email": "a@example.com", "scopes": ["read"]});
            body[field] = value;
            let problem = admin.post(PATH, &body).await.expect_error(422, "VALIDATION_FAILED").json();
            assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with(&format!("/{field}")), "{problem}");
        }
        assert_eq!(admin.get(PATH).await.expect(200).json()["data"], json!([]));
        let created = admin.create_api_client(admin.id(), &["read"]).await;
        let change = json!({"expires_at": "2000-01-01T00:00:00Z"});
        let problem = admin.patch(&path(&created), &change).await.expect_error(422, "VALIDATION_FAILED").json();
        assert_eq!(problem["errors"][0]["pointer"], "/expires_at");
    }

    async fn retried_request_returns_the_api_client_without_its_key(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let body = json!({"name": "Sync", "contact_email": "a@example.com", "scopes": ["read"]});
        let create = || admin.request(Method::POST, PATH).header("idempotency-key", "once").json(&body).send();
        let first = create().await.expect(201).json();
        let replayed = create().await.expect(201);
        assert_eq!(replayed.header("idempotency-replayed"), "true");
        let replayed = replayed.json();
        assert_eq!((&replayed["id"], &replayed["key"]), (&first["id"], &Value::Null));
        let other = admin.request(Method::POST, PATH).header("idempotency-key", "once");
        let other = other.json(&json!({"name": "Other", "contact_email": "a@example.com", "scopes": ["read"]}));
        other.send().await.expect_error(422, "IDEMPOTENCY_KEY_REUSED");
    }

    async fn changes_and_acting_clients_are_in_the_audit_trail(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, owner) = (app.admin().await, app.user().await);
        let created = admin.create_api_client(owner.id(), &["read", "write"]).await;
        admin.patch(&path(&created), &json!({"name": "Sync 2", "scopes": ["write"]})).await.expect(200);
        admin.post(&format!("{}/rotate", path(&created)), &Value::Null).await.expect(200);
        Actor::with_api_key(&app, key(&created)).post("/v2/exports", &json!({})).await.expect(202);
        admin.delete(&path(&created)).await.expect(204);
        let events = admin.get(&format!("/v2/admin/audit?target_type=api_client&target_id={}", created["id"])).await;
        let events = events.expect(200).json();
        let events: Vec<_> = events["data"].as_array().unwrap().iter().rev().map(|event| (event["action"].as_str().unwrap(), &event["actor_id"], &event["detail"])).collect();
        let admin_id = json!(admin.id());
        assert_eq!(events.iter().map(|(action, actor, _)| (*action, *actor)).collect::<Vec<_>>(),
            ["api_client.created", "api_client.updated", "api_client.rotated", "api_client.deleted"].map(|action| (action, &admin_id)));
        assert_eq!(events[0].2["name"], created["name"]);
        assert_eq!(*events[1].2, json!({"fields": "name scopes", "scopes": "write"}));
        let export = admin.get("/v2/admin/audit?action=export.requested").await.expect(200).json();
        let export = &export["data"][0];
        assert_eq!((&export["actor_id"], &export["detail"]["api_client_id"]), (&json!(owner.id()), &json!(created["id"].to_string())));
    }

    async fn times_outside_the_years_1_to_9999_are_rejected(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let message = "must be in the years 1 to 9999 in UTC";
        for time in ["9999-12-31T23:59:59-01:00", "9999-12-31T23:59:60Z", "0001-01-01T00:00:00+00:01"] {
            let body = json!({"name": "Sync", "contact_email": "a@example.com", "scopes": ["read"], "expires_at": time});
            let rejected = admin.post(PATH, &body).await.expect_error(422, "VALIDATION_FAILED");
            assert_eq!(rejected.json()["errors"][0]["detail"], message, "{time}");
            let encoded = time.replace('+', "%2B");
            for path in [
                format!("/v2/admin/audit?created_before={encoded}"),
                format!("/v2/admin/incidents?received_after={encoded}"),
                format!("/v2/bucketlists?created_after={encoded}"),
            ] {
                let rejected = admin.get(&path).await.expect_error(422, "VALIDATION_FAILED");
                assert_eq!(rejected.json()["errors"][0]["detail"], message, "{path}");
            }
        }
        // The latest time that is accepted is returned unchanged, and its link works.
        for (time, expected) in [
            ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
            ("20991231T120000+0100", "2099-12-31T11:00:00.000000Z"),
        ] {
            let body = json!({"name": "Sync", "contact_email": "a@example.com", "scopes": ["read"], "expires_at": time});
            assert_eq!(admin.post(PATH, &body).await.expect(201).json()["expires_at"], expected);
            let encoded = time.replace('+', "%2B");
            let page = admin.get(&format!("/v2/admin/audit?created_before={encoded}&per_page=1")).await.expect(200).json();
            admin.get(page["links"]["next"].as_str().unwrap()).await.expect(200);
        }
    }

    async fn keys_are_not_stored(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let body = json!({"name": "Sync", "contact_email": "a@example.com", "scopes": ["read"]});
        let create = admin.request(Method::POST, PATH).header("idempotency-key", "once").header("x-debug-capture", "1");
        let created = create.json(&body).send().await.expect(201).json();
        let sent = Actor::with_api_key(&app, key(&created)).request(Method::GET, "/v2/nothing");
        sent.header("x-debug-capture", "1").send().await.expect(404);
        let robot = client(&app, &admin, &admin, &["read", "admin"]).await;
        let captured = robot.request(Method::GET, "/v2/users/me").header("x-debug-capture", "1").send().await.expect(200);
        app.flush_incidents().await;
        let found = admin.get(&format!("/v2/admin/incidents?request_id={}", captured.header("x-request-id"))).await.expect(200);
        let incident = admin.get(found.json()["data"][0]["_links"]["self"]["href"].as_str().unwrap()).await.expect(200).json();
        let headers = incident["request"]["headers"].as_array().unwrap().clone();
        let sent = headers.iter().find(|header| header["name"] == "x-api-key").unwrap();
        assert_ne!(sent["value"].as_str(), robot.api_key.as_deref());
        assert_eq!((&incident["user_id"], &incident["session_id"]), (&json!(admin.id()), &Value::Null));
        assert_eq!(incident["scopes"], json!(["read", "admin"]));
        assert!(incident["api_client_id"].is_i64(), "{incident}");
        let secret = &key(&created)[13..];
        let stored = format!("{:?}", Snapshot::of(&app.database));
        for key in [secret, &robot.api_key.as_deref().unwrap()[13..]] {
            // Binary values are in hexadecimal.
            assert!(!stored.contains(key) && !stored.contains(&hex::encode(key)), "the database contains a key");
        }
    }
}
