//! Attacks on identity and isolation: credentials in unusual places, method override, host header injection, foreign
//! cursors and entity tags, cache poisoning, and stale permissions.

use std::collections::BTreeMap;

use poem::http::Method;

use super::{
    operations::{Target, targets},
    snapshot::Snapshot,
};
use crate::{
    support::{Actor, TestApp, TestResponse, json},
    v2::operations::ResourceIds,
};

/// Returns the parts of a response that do not depend on the individual request.
fn comparable_parts(response: &TestResponse) -> (u16, BTreeMap<String, String>, String) {
    let (status, mut headers, body) = response.comparable();
    headers.remove("cache-status");
    (status, headers, body)
}

both_engines! {
    async fn token_is_accepted_only_in_the_authorization_header(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, anonymous) = (app.user().await, app.anonymous());
        let ids = ResourceIds::create(&user).await;
        let token = user.token();
        for target in targets().into_iter().filter(|target| target.operation.is_secured) {
            let path = ids.path(target.operation);
            for name in ["access_token", "token", "authorization", "jwt", "bearer", "api_key"] {
                let request = target.request(&anonymous, &format!("{path}?{name}={token}"));
                request.send().await.expect_error(401, "AUTHENTICATION_REQUIRED");
            }
            for (name, value) in [
                ("cookie", format!("access_token={token}; token={token}; session={token}")),
                ("x-authorization", format!("Bearer {token}")),
                ("x-access-token", token.clone()),
                ("x-auth-token", token.clone()),
                ("proxy-authorization", format!("Bearer {token}")),
                ("x-forwarded-authorization", format!("Bearer {token}")),
                ("x-user-id", user.id().to_string()),
                ("x-forwarded-user", user.email()),
            ] {
                let request = target.request(&anonymous, &path).header(name, &value);
                request.send().await.expect_error(401, "AUTHENTICATION_REQUIRED");
            }
        }
    }

    async fn method_override_headers_are_ignored(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let ids = ResourceIds::create(&user).await;
        let before = Snapshot::of_resources(&app.database);
        for target in targets().into_iter().filter(|target| target.method() == Method::GET && !target.is_for_admins()) {
            let path = ids.path(target.operation);
            let plain = user.get(&path).await.any_status();
            for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
                for method in ["DELETE", "PUT", "PATCH", "POST"] {
                    let response = user.request(Method::GET, &path).header(name, method).send().await.any_status();
                    assert_eq!(comparable_parts(&response), comparable_parts(&plain), "{target}");
                }
            }
            user.get(&format!("{path}?_method=DELETE")).await.expect(422);
        }
        assert_eq!(Snapshot::of_resources(&app.database), before);
    }

    async fn host_and_forwarded_headers_do_not_appear_in_responses(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let ids = ResourceIds::create(&user).await;
        let attacker_host = "attacker.example";
        for target in targets().into_iter().filter(|target| target.method() == Method::GET && !target.is_for_admins()) {
            let q = if target.operation.id == "search" { "?q=see" } else { "" };
            for path in [format!("{}{q}", ids.path(target.operation)), ResourceIds::NONEXISTENT.path(target.operation)] {
                let plain = user.get(&path).await.any_status();
                for (name, value) in [
                    ("host", attacker_host),
                    ("x-forwarded-host", attacker_host),
                    ("x-forwarded-server", attacker_host),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-prefix", "/attacker.example"),
                    ("forwarded", "host=attacker.example;proto=https"),
                    ("x-original-url", "/v1/users"),
                    ("x-rewrite-url", "/v1/users"),
                    ("x-host", attacker_host),
                    ("x-original-host", attacker_host),
                ] {
                    let response = user.request(Method::GET, &path).header(name, value).send().await.any_status();
                    assert_eq!(comparable_parts(&response), comparable_parts(&plain), "{target}: {name}");
                }
            }
        }
        // `Location` headers and mails do not contain it either.
        let request = user.request(Method::POST, "/v2/bucketlists").json(&json!({"name": "Elsewhere"}));
        let created = request.header("host", attacker_host).header("x-forwarded-host", attacker_host).send().await.expect(201);
        assert!(created.header("location").starts_with("/v2/bucketlists/"), "{created:?}");
        let request = app.anonymous().request(Method::POST, "/v1/auth/password-reset").json(&json!({"email": user.email()}));
        request.header("host", attacker_host).header("x-forwarded-host", attacker_host).send().await.expect(202);
        app.run_jobs().await;
        let mail = app.mailer.take().remove(0);
        assert!(mail.text.contains("http://test.example/") && !mail.text.contains(attacker_host), "{}", mail.text);
    }

    async fn mail_contains_no_user_supplied_text(engine: Engine) {
        let app = TestApp::new(engine);
        let name = "your account is locked: call https://attacker.example";
        let body = json!({"email": "victim@example.com", "password": Actor::PASSWORD, "name": name});
        app.anonymous().post("/v1/auth/register", &body).await.expect(201);
        app.anonymous().post("/v1/auth/password-reset", &json!({"email": "victim@example.com"})).await.expect(202);
        app.run_jobs().await;
        let mail = app.mailer.take().remove(0);
        assert_eq!(mail.to, "victim@example.com");
        for text in [&mail.subject, &mail.text] {
            assert!(!text.contains("attacker") && !text.contains("locked"), "{text}");
        }
    }

    async fn foreign_cursor_is_rejected(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, other) = (app.admin().await, app.user().await);
        let (ids, theirs) = (ResourceIds::create(&admin).await, ResourceIds::create(&other).await);
        for (actor, ids) in [(&admin, ids), (&other, theirs)] {
            for number in 0..3 {
                actor.create_bucketlist(&format!("See {number}")).await;
                actor.create_item(ids.list, &format!("See {number}")).await;
                let body = json!({"email": actor.email(), "password": Actor::PASSWORD});
                app.anonymous().post("/v1/auth/login", &body).await.expect(200);
            }
        }
        let lists: Vec<Target> = targets().into_iter().filter(|target| target.names("query").contains(&"cursor")).collect();
        assert!(lists.len() >= 4);
        let query = |target: &Target| if target.operation.id == "search" { "&q=see" } else { "" };
        let mut tried = 0;
        let mut cursors = Vec::new();
        for target in &lists {
            for (actor, ids) in [(&admin, ids), (&other, theirs)] {
                if target.is_for_admins() && actor.id() == other.id() {
                    continue;
                }
                let path = format!("{}?per_page=1{}", ids.path(target.operation), query(target));
                let Some(next) = actor.get(&path).await.expect(200).json()["links"]["next"].as_str().map(str::to_owned) else {
                    continue;
                };
                let cursor = next.split("cursor=").nth(1).unwrap().split('&').next().unwrap().to_owned();
                cursors.push((target.operation.id.clone(), actor.id(), cursor));
            }
        }
        for target in &lists {
            for (actor, ids) in [(&admin, ids), (&other, theirs)] {
                if target.is_for_admins() && actor.id() == other.id() {
                    continue;
                }
                for (of, owner_id, cursor) in &cursors {
                    let path = format!("{}?per_page=1{}&cursor={cursor}", ids.path(target.operation), query(target));
                    if (of, *owner_id) == (&target.operation.id, actor.id()) {
                        actor.get(&path).await.expect(200);
                    } else {
                        actor.get(&path).await.expect_error(400, "INVALID_CURSOR");
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 20, "{tried}");
    }

    async fn entity_tags_do_not_reveal_foreign_resources(engine: Engine) {
        let app = TestApp::new(engine);
        let (owner, other) = (app.user().await, app.user().await);
        let ids = ResourceIds::create(&owner).await;
        let before = Snapshot::of_user(&app.database, owner.id());
        for target in targets().into_iter().filter(|target| !target.is_for_admins() && !target.names("path").is_empty()) {
            let path = ids.path(target.operation);
            let plain = target.request(&other, &path).send().await.expect(404);
            for name in target.names("header") {
                let etag = owner.get(&path).await.any_status().headers.get("etag").cloned();
                for value in [etag.as_deref().unwrap_or("\"x\""), "*", "\"x\"", "key"] {
                    let response = target.request(&other, &path).header(name, value).send().await.any_status();
                    // A malformed header is rejected before the resource is looked up.
                    assert!(response.status == 400 || comparable_parts(&response) == comparable_parts(&plain), "{target}: {name}: {value}: {response:?}");
                }
            }
        }
        assert_eq!(Snapshot::of_user(&app.database, owner.id()), before);
    }

    async fn cached_response_is_bound_to_caller_format_and_version(engine: Engine) {
        let app = TestApp::new(engine);
        let (first, second) = (app.user().await, app.user().await);
        let (first_ids, second_ids) = (ResourceIds::create(&first).await, ResourceIds::create(&second).await);
        second.patch("/v1/users/me", &json!({"name": "Second"})).await.expect(200);
        let cached: Vec<Target> = targets().into_iter().filter(|target| target.declared.is_cached).collect();
        assert!(cached.len() >= 8, "{}", cached.len());
        for target in &cached {
            let path = first_ids.path(target.operation);
            let bare = path.replacen("/v1", "", 1).replacen("/v2", "", 1);
            let version = &path[2..3];
            let other_version = if version == "1" { "2" } else { "1" };
            for accept in &target.operation.response_media_types {
                // Headers of an earlier request must not influence later responses.
                for poison in [
                    ("accept", "text/csv"),
                    ("accept", "application/x-ndjson"),
                    ("accept-encoding", "gzip"),
                    ("accept-language", "xx"),
                    ("accept-version", other_version),
                    ("x-forwarded-host", "attacker.example"),
                    ("if-none-match", "*"),
                    ("range", "bytes=0-1"),
                    ("cookie", "user=2"),
                ] {
                    let fresh = |actor: &Actor<'_>, path: &str| {
                        let request = Actor::new(&app, actor.session.clone()).request(Method::GET, path);
                        request.header("accept", accept)
                    };
                    for (actor, path) in [(&first, &path), (&first, &bare)] {
                        let request = actor.request(Method::GET, path).header(poison.0, poison.1);
                        request.send().await.any_status();
                        actor.request(Method::HEAD, path).header(poison.0, poison.1).send().await.any_status();
                    }
                    let response = fresh(&first, &path).send().await.expect(200);
                    assert!(response.header("content-type").starts_with(accept.as_str()), "{target}: {response:?}");
                    assert!(!response.body.is_empty() && !response.headers.contains_key("content-encoding"), "{target}");
                    assert!(!response.headers.contains_key("content-version"), "{target}");
                    let response = fresh(&first, &bare).header("accept-version", version).send().await.expect(200);
                    assert_eq!(response.header("content-version"), version, "{target}");
                    // Another user gets their own data or 404.
                    let response = fresh(&second, &path).send().await.any_status();
                    if target.names("path").is_empty() {
                        let text = String::from_utf8(response.body).unwrap();
                        assert!(!text.contains(&format!("\"id\":{},", first_ids.list)), "{target}: {text}");
                    } else {
                        assert_eq!(response.status, 404, "{target}: {response:?}");
                    }
                }
            }
        }
        assert_ne!(first_ids.list, second_ids.list);
    }

    async fn deleted_disabled_or_demoted_user_is_rejected_immediately_by_every_operation(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let (demoted, disabled, deleted) = (app.admin().await, app.user().await, app.user().await);
        let mut ids = Vec::new();
        for actor in [&demoted, &disabled, &deleted] {
            ids.push(ResourceIds::create(actor).await);
        }
        // Fills the response cache for each user, in every format.
        let reads = |ids: ResourceIds| {
            let targets = targets().into_iter().filter(|target| target.method() == Method::GET && target.operation.is_secured);
            targets.flat_map(move |target| {
                let types = if target.operation.response_media_types.is_empty() { vec!["*/*".to_owned()] } else { target.operation.response_media_types.clone() };
                types.into_iter().map(move |accept| (target, ids.path(target.operation), accept))
            })
        };
        for (actor, ids) in [&demoted, &disabled, &deleted].into_iter().zip(&ids) {
            for (_, path, accept) in reads(*ids) {
                actor.request(Method::GET, &path).header("accept", &accept).send().await.any_status();
            }
        }
        let path = |actor: &Actor<'_>| format!("/v2/admin/users/{}", actor.id());
        admin.patch(&path(&demoted), &json!({"role": "user"})).await.expect(200);
        admin.patch(&path(&disabled), &json!({"disabled": true})).await.expect(200);
        admin.delete(&path(&deleted)).await.expect(204);
        let before = Snapshot::of_resources(&app.database);
        for (target, path, accept) in reads(ids[0]).filter(|(target, ..)| target.is_for_admins()) {
            let request = target.request(&demoted, &path).header("accept", &accept);
            request.send().await.expect_error(403, "FORBIDDEN");
        }
        for target in targets().into_iter().filter(Target::is_for_admins) {
            target.request(&demoted, &ids[0].path(target.operation)).send().await.expect_error(403, "FORBIDDEN");
        }
        for (actor, ids, status, code) in [(&disabled, ids[1], 403, "ACCOUNT_DISABLED"), (&deleted, ids[2], 401, "INVALID_TOKEN")] {
            for target in targets().into_iter().filter(|target| target.operation.is_secured) {
                let request = target.request(actor, &ids.path(target.operation));
                request.send().await.expect_error(status, code);
            }
            for (target, path, accept) in reads(ids) {
                let request = target.request(actor, &path).header("accept", &accept);
                request.send().await.expect_error(status, code);
            }
        }
        assert_eq!(Snapshot::of_resources(&app.database), before);
    }
}

/// Server-side request forgery (OWASP API7) requires input that the server uses as a URL.
#[test]
fn no_field_or_parameter_is_a_url() {
    let mut seen = 0;
    for target in targets() {
        let fields = target.texts().into_iter().map(|text| (text.at, text.schema));
        let parameters = ["path", "query", "header"].into_iter().flat_map(|location| target.parameters(location));
        let parameters = parameters.map(|it| (it["name"].as_str().unwrap().to_owned(), target.resolve(&it["schema"])));
        for (name, schema) in fields.chain(parameters) {
            let format = schema["format"].as_str().unwrap_or_default();
            assert!(!["uri", "url", "hostname", "ipv4", "ipv6"].contains(&format), "{target}: {name} is a {format}");
            let field = name.rsplit('/').next().unwrap().to_lowercase();
            for url_term in ["url", "uri", "host", "callback", "webhook", "redirect", "return_to", "file"] {
                assert!(!field.contains(url_term), "{target}: {name} may be a URL");
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}
