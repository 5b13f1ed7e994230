//! Rate limits: which requests share a counter, and that no client can lock out another one.

use std::time::Duration;

use ::contract::{Operation, operation::OperationLimit, v1, v2};
use bucketlist::config::Config;
use poem::http::Method;

use crate::support::{Actor, Engine, TestApp, TestResponse, UncheckedResponse, Value, json};

const HOME: &str = "198.51.100.1";

/// Returns an app with low limits that trusts `X-Forwarded-For`.
async fn limited_app(engine: Engine, change: impl FnOnce(&mut Config)) -> TestApp {
    let configure = |config: &mut Config| {
        config.limits.rate_limit = true;
        config.limits.login_per_minute = 3;
        config.limits.password_reset_per_hour = 2;
        config.trusted_proxies = vec!["0.0.0.0/32".parse().unwrap()];
        change(config);
    };
    TestApp::builder().engine(engine).config(configure).build()
}

async fn send(app: &TestApp, method: Method, path: &str, body: &Value, address: &str) -> UncheckedResponse {
    app.anonymous().request(method, path).header("x-forwarded-for", address).json(body).send().await
}

async fn register<'a>(app: &'a TestApp, email: &str) -> Actor<'a> {
    let body = json!({"email": email, "password": Actor::PASSWORD});
    let session = send(app, Method::POST, "/v1/auth/register", &body, HOME).await.expect(201).json();
    Actor::new(app, Some(session))
}

async fn login(app: &TestApp, email: &str, password: &str, address: &str) -> UncheckedResponse {
    let body = json!({"email": email, "password": password});
    send(app, Method::POST, "/v2/auth/login", &body, address).await
}

/// Returns a distinct client address for each number.
fn attacker_address(number: usize) -> String {
    format!("203.0.113.{number}")
}

/// Asserts that a response is the rejection of this limit.
fn expect_rate_limited(response: UncheckedResponse, limit: &str) -> TestResponse {
    let response = response.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert!(response.header("ratelimit-policy").starts_with(&format!("\"{limit}\";q=")), "{response:?}");
    assert!(response.header("ratelimit").starts_with(&format!("\"{limit}\";r=0;t=")), "{response:?}");
    assert_eq!(response.json()["retry_after"].to_string(), response.header("retry-after"));
    response
}

async fn throttled_events(app: &TestApp) -> Vec<Value> {
    let admin = app.admin().await;
    let events = admin.get("/v2/admin/audit?action=login.rate_limited&sort=created_at").await.expect(200).json();
    events["data"].as_array().unwrap().clone()
}

both_engines! {
    async fn distributed_password_guessing_is_rate_limited_without_locking_out_the_owner(engine: Engine) {
        let app = limited_app(engine, |_| {}).await;
        let owner = register(&app, "owner@example.com").await;
        for number in 1..=3 {
            login(&app, "Owner@Example.com", "not-the-password", &attacker_address(number)).await.expect(401);
        }
        // Unknown addresses are rate-limited, even for the correct password.
        for number in 4..=6 {
            let response = expect_rate_limited(login(&app, "owner@example.com", Actor::PASSWORD, &attacker_address(number)).await, "login-account");
            assert_eq!(response.header("retry-after"), "20");
        }
        // The address of earlier logins has a separate counter.
        for _ in 0..3 {
            login(&app, "owner@example.com", Actor::PASSWORD, HOME).await.expect(200);
        }
        expect_rate_limited(login(&app, "owner@example.com", Actor::PASSWORD, HOME).await, "login");
        // A neighboring address does not share it.
        expect_rate_limited(login(&app, "owner@example.com", Actor::PASSWORD, "198.51.100.2").await, "login-account");

        app.advance_clock(Duration::from_secs(20));
        login(&app, "owner@example.com", Actor::PASSWORD, &attacker_address(7)).await.expect(200);
        expect_rate_limited(login(&app, "owner@example.com", Actor::PASSWORD, &attacker_address(8)).await, "login-account");
        // An address is known after a successful login.
        login(&app, "owner@example.com", Actor::PASSWORD, &attacker_address(7)).await.expect(200);
        // Other accounts are unaffected.
        login(&app, "other@example.com", Actor::PASSWORD, &attacker_address(9)).await.expect(401);

        let events = throttled_events(&app).await;
        let seen: Vec<Value> = events.iter().map(|event| json!([event["target_id"], event["detail"]["limit"]])).collect();
        // At most one event per minute and subject.
        assert_eq!(seen, [json!([owner.id(), "login-account"]), json!([null, "login"])]);
        assert_eq!((&events[0]["address"], &events[0]["actor_id"]), (&json!(attacker_address(4)), &json!(null)));
    }

    async fn rate_limited_response_does_not_reveal_whether_an_account_exists(engine: Engine) {
        let app = limited_app(engine, |_| {}).await;
        register(&app, "owner@example.com").await;
        let mut seen = Vec::new();
        for (network, email) in [("203.0.113", "owner@example.com"), ("192.0.2", "nobody@example.com")] {
            let mut responses = Vec::new();
            for number in 1..=5 {
                let before = app.app.db.statements();
                let response = login(&app, email, "not-the-password", &format!("{network}.{number}")).await.any_status();
                let names = ["retry-after", "ratelimit", "ratelimit-policy"];
                let headers = names.map(|name| response.headers.get(name).cloned());
                let mut body = response.json();
                body["request_id"].take();
                responses.push((response.status, headers, body, app.app.db.statements() - before));
            }
            for number in 1..=3 {
                let address = format!("{network}.{number}");
                let body = json!({"email": email});
                let response = send(&app, Method::POST, "/v2/auth/password-reset", &body, &address).await.any_status();
                let headers = ["retry-after", "ratelimit", "ratelimit-policy"].map(|name| response.headers.get(name).cloned());
                responses.push((response.status, headers, json!(null), 0));
            }
            seen.push(responses);
        }
        assert_eq!(seen[0], seen[1]);
        let statuses: Vec<u16> = seen[0].iter().map(|(status, ..)| *status).collect();
        assert_eq!(statuses, [401, 401, 401, 429, 429, 202, 202, 429]);
    }

    async fn login_attempts_are_limited_per_address(engine: Engine) {
        let app = limited_app(engine, |_| {}).await;
        for number in 0..3 {
            login(&app, &format!("user-{number}@example.com"), "not-the-password", "2001:db8::1").await.expect(401);
        }
        // Addresses in the same /64 share a rate limit.
        for _ in 0..3 {
            let response = login(&app, "user-3@example.com", "not-the-password", "2001:db8::2").await;
            assert_eq!(expect_rate_limited(response, "login").header("retry-after"), "20");
        }
        login(&app, "user-3@example.com", "not-the-password", "2001:db8:0:1::1").await.expect(401);
        app.advance_clock(Duration::from_secs(60));
        for _ in 0..3 {
            login(&app, "user-4@example.com", "not-the-password", "2001:db8::3").await.expect(401);
        }
        expect_rate_limited(login(&app, "user-5@example.com", "not-the-password", "2001:db8::3").await, "login");
        let events = throttled_events(&app).await;
        let addresses: Vec<&Value> = events.iter().map(|event| &event["address"]).collect();
        assert_eq!(addresses, ["2001:db8::2", "2001:db8::3"]);
    }

    async fn password_reset_works_while_login_is_rate_limited(engine: Engine) {
        let app = limited_app(engine, |_| {}).await;
        register(&app, "owner@example.com").await;
        for number in 1..=3 {
            login(&app, "owner@example.com", "not-the-password", &attacker_address(number)).await.expect(401);
        }
        let away = attacker_address(50);
        expect_rate_limited(login(&app, "owner@example.com", Actor::PASSWORD, &away).await, "login-account");
        let body = json!({"email": "owner@example.com"});
        send(&app, Method::POST, "/v2/auth/password-reset", &body, &away).await.expect(202);
        app.run_jobs().await;
        let mail = app.mailer.take().pop().unwrap();
        let token = mail.text.lines().find(|line| line.starts_with("    ")).unwrap().trim().to_owned();
        let body = json!({"token": token, "new_password": "lantern-harbour-43"});
        // The address has used one of its three logins.
        send(&app, Method::POST, "/v2/auth/password-reset/confirm", &body, &away).await.expect(204);
        login(&app, "owner@example.com", "lantern-harbour-43", &away).await.expect(200);
    }

    async fn password_verification_is_rate_limited_for_authenticated_users(engine: Engine) {
        let app = limited_app(engine, |_| {}).await;
        let owner = register(&app, "owner@example.com").await;
        let other = register(&app, "other@example.com").await;
        let send_password = async |actor: &Actor<'_>, method: Method, path: &str, body: Value, number: usize| {
            actor.request(method, path).header("x-forwarded-for", &attacker_address(number)).json(&body).send().await
        };
        let wrong_password = json!({"password": "not-the-password"});
        let change = json!({"current_password": "not-the-password", "new_password": "lantern-harbour-43"});
        let email = json!({"email": "new@example.com", "current_password": "not-the-password"});
        send_password(&owner, Method::PUT, "/v2/auth/password", change.clone(), 1).await.expect_error(422, "WRONG_PASSWORD");
        send_password(&owner, Method::DELETE, "/v1/users/me", wrong_password.clone(), 2).await.expect_error(422, "WRONG_PASSWORD");
        send_password(&owner, Method::PATCH, "/v2/users/me", email.clone(), 3).await.expect_error(422, "WRONG_PASSWORD");
        for (method, path, body) in [
            (Method::PUT, "/v1/auth/password", change),
            (Method::DELETE, "/v2/users/me", wrong_password.clone()),
            (Method::PATCH, "/v1/users/me", email),
        ] {
            let response = send_password(&owner, method, path, body, 4).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
            assert_eq!(response.header("ratelimit-policy"), "\"login-account\";q=3;w=60");
        }
        // A change without a password is not counted.
        send_password(&owner, Method::PATCH, "/v2/users/me", json!({"name": "Owner"}), 4).await.expect(200);
        send_password(&other, Method::DELETE, "/v2/users/me", wrong_password, 4).await.expect_error(422, "WRONG_PASSWORD");
    }

    async fn every_operation_enforces_its_declared_limit(engine: Engine) {
        let app = limited_app(engine, |config| {
            config.limits.login_per_minute = 100;
            config.limits.password_reset_per_hour = 100;
        })
        .await;
        let expected = |declared: &Operation| match declared.limit {
            OperationLimit::General => "\"general\";q=600;w=60",
            OperationLimit::Register => "\"register\";q=5;w=60",
            OperationLimit::Login => "\"login\";q=100;w=60",
            OperationLimit::Refresh => "\"refresh\";q=60;w=60",
            OperationLimit::PasswordReset => "\"password-reset\";q=100;w=3600",
            OperationLimit::Search => "\"search\";q=30;w=60",
            OperationLimit::Exports => "\"exports\";q=10;w=3600",
            OperationLimit::Imports => "\"imports\";q=30;w=3600",
        };
        let mut specific = 0;
        for (contract, declared) in [
            (v1::contract(), v1::document::operation as fn(&str) -> Option<&'static Operation>),
            (v2::contract(), v2::document::operation),
        ] {
            for operation in contract.operations() {
                let declared = declared(&operation.id).unwrap();
                let path = operation.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
                let path = path.collect::<Vec<_>>().join("/");
                let request = app.anonymous().request(operation.method.parse().unwrap(), &path).json(&json!({}));
                let response = request.send().await.any_status();
                assert_eq!(response.header("ratelimit-policy"), expected(declared), "{}", operation.id);
                specific += usize::from(declared.limit != OperationLimit::General);
            }
        }
        assert!(specific >= 13, "{specific}");
    }
}
