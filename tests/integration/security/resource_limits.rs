//! Resource consumption (OWASP API4): every operation enforces its rate limit and the limits on size and depth. The rate
//! limits come from the endpoint traits, so that no operation can lack one.

use std::collections::BTreeSet;

use ::contract::operation::OperationLimit;
use poem::http::Method;

use super::{
    operations::{Target, targets},
    snapshot::Snapshot,
};
use crate::{
    support::{Actor, TestApp, Value, json},
    v2::operations::ResourceIds,
};

/// Returns the name of a limit and the number of requests that it allows in these tests.
const fn quota(limit: OperationLimit) -> (&'static str, u32) {
    match limit {
        OperationLimit::General => ("general", 6),
        OperationLimit::Register => ("register", 2),
        OperationLimit::Login => ("login", 3),
        OperationLimit::Refresh => ("refresh", 4),
        OperationLimit::PasswordReset => ("password-reset", 4),
        OperationLimit::Search => ("search", 5),
        OperationLimit::Exports => ("exports", 4),
        OperationLimit::Imports => ("imports", 4),
    }
}

async fn rate_limited_app(engine: crate::support::Engine) -> TestApp {
    TestApp::builder()
        .engine(engine)
        .config(|config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = quota(OperationLimit::General).1;
            config.limits.register_per_minute = quota(OperationLimit::Register).1;
            config.limits.login_per_minute = quota(OperationLimit::Login).1;
            config.limits.refresh_per_minute = quota(OperationLimit::Refresh).1;
            config.limits.password_reset_per_hour = quota(OperationLimit::PasswordReset).1;
            config.limits.search_per_minute = quota(OperationLimit::Search).1;
            config.limits.exports_per_hour = quota(OperationLimit::Exports).1;
            config.limits.imports_per_hour = quota(OperationLimit::Imports).1;
            // The address of in-process requests, so that each operation can be tested from another address.
            config.trusted_proxies = vec!["0.0.0.0/32".parse().unwrap()];
        })
        .build()
}

#[test]
fn operations_that_take_a_secret_have_their_own_rate_limit() {
    let mut seen = 0;
    for target in targets() {
        // Services count password checks of authenticated users (`limits::password_verification_is_rate_limited…`).
        if !target.operation.is_secured && target.texts().iter().any(|text| text.schema["format"] == "password") {
            assert_ne!(
                target.declared.limit,
                OperationLimit::General,
                "{target}: password guesses have only the general limit"
            );
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen}");
}

both_engines! {
    async fn every_operation_enforces_its_declared_rate_limit(engine: Engine) {
        let app = rate_limited_app(engine).await;
        let mut kinds = BTreeSet::new();
        for (number, target) in targets().into_iter().enumerate() {
            let own_address = format!("198.51.{}.{}", 100 + number / 200, number % 200);
            let registers_at = format!("203.0.{}.{}", 100 + number / 200, number % 200);
            let body = json!({"email": format!("limited-{number}@example.com"), "password": Actor::PASSWORD});
            let registration = app.anonymous().request(Method::POST, "/v1/auth/register").json(&body);
            let session = registration.header("x-forwarded-for", &registers_at).send().await.expect(201).json();
            let user = Actor::new(&app, Some(session));
            let caller = if target.operation.is_secured { &user } else { &app.anonymous() };
            let (name, quota) = quota(target.declared.limit);
            let path = ResourceIds { user: user.id(), ..ResourceIds::NONEXISTENT }.path(target.operation);
            for sent in 0..=quota {
                // Invalid requests count, too.
                let request = target.with(caller, &path, &json!({"color": sent}));
                let response = request.header("x-forwarded-for", &own_address).send().await.any_status();
                assert_eq!(response.header("ratelimit-policy").split(';').next(), Some(&*format!("\"{name}\"")), "{target}");
                let remaining = quota.saturating_sub(sent + 1);
                assert!(response.header("ratelimit").starts_with(&format!("\"{name}\";r={remaining};t=")), "{target}: {response:?}");
                if sent < quota {
                    assert_ne!(response.status, 429, "{target}");
                    continue;
                }
                assert_eq!((response.status, response.code().as_str()), (429, "RATE_LIMIT_EXCEEDED"), "{target}");
                let wait: u64 = response.header("retry-after").parse().unwrap();
                assert!((1..=3_600).contains(&wait), "{target}: {wait}");
                let body = response.json();
                let body_wait = body["error"]["retry_after"].as_u64().or_else(|| body["retry_after"].as_u64());
                assert_eq!(body_wait, Some(wait), "{target}");
            }
            kinds.insert(name);
        }
        assert_eq!(kinds.len(), 8, "{kinds:?}");
    }

    async fn rate_limit_is_shared_by_versions_and_operations_of_its_kind(engine: Engine) {
        let app = rate_limited_app(engine).await;
        let address = "198.51.100.7";
        let (_, quota) = quota(OperationLimit::Login);
        let logins: Vec<Target> =
            targets().into_iter().filter(|target| target.declared.limit == OperationLimit::Login && !target.operation.is_secured).collect();
        assert!(logins.len() >= 4);
        for (number, target) in logins.iter().cycle().take(logins.len() * 2).enumerate() {
            let request = target.with(&app.anonymous(), &target.operation.path, &json!({}));
            let response = request.header("x-forwarded-for", address).send().await.any_status();
            let status = if number < quota as usize { 422 } else { 429 };
            assert_eq!(response.status, status, "{target}");
        }
        // Other addresses have their own limit, and addresses that the client adds to the header are ignored.
        for (forwarded, status) in [("198.51.100.8", 422), ("198.51.100.9, 198.51.100.7", 429), ("nonsense, 198.51.100.7", 429)] {
            let request = logins[0].with(&app.anonymous(), &logins[0].operation.path, &json!({}));
            assert_eq!(request.header("x-forwarded-for", forwarded).send().await.any_status().status, status, "{forwarded}");
        }
    }

    async fn oversized_url_and_headers_are_rejected_by_every_operation(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let ids = ResourceIds::create(&admin).await;
        let before = Snapshot::of_resources(&app.database);
        for target in targets() {
            let (actor, path) = (target.caller(&app, &admin), ids.path(target.operation));
            let url = format!("{path}?x={}", "x".repeat(8 * 1024 + 1 - path.len() - 3));
            target.request(&actor, &url).send().await.expect_error(414, "URI_TOO_LONG");
            let long = "x".repeat(16 * 1024);
            target.request(&actor, &path).header("x-filler", &long).send().await.expect_error(431, "HEADERS_TOO_LARGE");
            let mut request = target.request(&actor, &path);
            for number in 0..1_000 {
                request = request.append_header(&format!("x-filler-{number}"), "12345");
            }
            request.send().await.expect_error(431, "HEADERS_TOO_LARGE");
            // The limit also applies without authentication.
            app.anonymous().request(target.method(), &url).send().await.expect_error(414, "URI_TOO_LONG");
        }
        assert_eq!(Snapshot::of_resources(&app.database), before);
    }

    async fn oversized_or_deeply_nested_body_is_rejected_by_every_operation(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.body_bytes = 8_192).build();
        let admin = app.admin().await;
        let ids = ResourceIds::create(&admin).await;
        let before = Snapshot::of_resources(&app.database);
        let mut tried = 0;
        for target in targets().into_iter().filter(|target| target.body().is_some()) {
            let (actor, path) = (target.caller(&app, &admin), ids.path(target.operation));
            let media_type = &target.operation.request_media_types[0];
            let send = async |body: String| {
                let request = actor.request(target.method(), &path).header("content-type", media_type);
                request.bytes(body).send().await
            };
            let large = format!("{:8193}", target.example().to_string());
            send(large).await.expect_error(413, "PAYLOAD_TOO_LARGE");
            for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
                let deep = open.repeat(33) + "1" + &close.repeat(33);
                send(deep).await.expect_error(400, "JSON_TOO_DEEP");
                send(open.repeat(1_000)).await.expect_error(400, "JSON_TOO_DEEP");
            }
            for object in target.objects() {
                // The error response for many unknown fields has a bounded size.
                let fields: serde_json::Map<String, Value> = (0..500).map(|n| (format!("f{n}"), Value::Null)).collect();
                let body = if object.at.is_empty() { Value::Object(fields) } else { json!({"items": [fields]}) };
                let response = send(body.to_string()).await.expect(422);
                assert!(response.body.len() < 400_000, "{target}: {}", response.body.len());
            }
            tried += 1;
        }
        assert!(tried >= 20, "{tried}");
        assert_eq!(Snapshot::of_resources(&app.database), before);
    }

    async fn page_size_is_capped_in_every_list(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let ids = ResourceIds::create(&admin).await;
        let items: Vec<Value> = (0..150).map(|number| json!({"name": format!("Item {number}")})).collect();
        let path = format!("/v2/bucketlists/{}/items/batch", ids.list);
        admin.post(&path, &json!({"items": items})).await.expect(201);
        let mut tried = 0;
        for target in targets().into_iter().filter(|target| target.names("query").contains(&"per_page")) {
            let q = if target.operation.id == "search" { "&q=item" } else { "" };
            for per_page in ["101", "1000", "2147483647"] {
                let path = format!("{}?per_page={per_page}{q}", ids.path(target.operation));
                let page = admin.get(&path).await.expect(200).json();
                assert_eq!(page["meta"]["per_page"], 100, "{target}");
                assert!(page["data"].as_array().unwrap().len() <= 100, "{target}");
            }
            let path = format!("{}?per_page=2147483648{q}", ids.path(target.operation));
            admin.get(&path).await.expect_error(422, "VALIDATION_FAILED");
            tried += 1;
        }
        assert!(tried >= 6, "{tried}");
    }
}
