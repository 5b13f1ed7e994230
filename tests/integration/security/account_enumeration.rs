//! Account enumeration: responses for known and unknown accounts need the same number of password hashes and SQL
//! statements and have the same bytes. Tests do not measure time; `make timing` does.

use crate::support::{Actor, TestApp, TestResponse, Value, json};

/// Sends a request and returns the number of password hashes and SQL statements it needed, with the response.
async fn cost(app: &TestApp, path: &str, body: &Value) -> (u64, u64, TestResponse) {
    let (hashes, statements) = (app.app.hasher.hash_count(), app.app.db.statements());
    let response = app.anonymous().post(path, body).await.any_status();
    (app.app.hasher.hash_count() - hashes, app.app.db.statements() - statements, response)
}

/// Sends the body for each address or token and asserts that work and response are the same.
async fn expect_same_work(app: &TestApp, path: &str, status: u16, body: impl Fn(&str) -> Value, emails: &[&str]) {
    let (hashes, statements, first) = cost(app, path, &body(emails[0])).await;
    assert_eq!(first.status, status, "{first:?}");
    assert!(hashes + statements > 0, "the request did no work");
    for email in emails {
        let (same_hashes, same_statements, response) = cost(app, path, &body(email)).await;
        assert_eq!((same_hashes, same_statements), (hashes, statements), "{path} for {email}");
        assert_eq!(response.comparable(), first.comparable(), "{path} for {email}");
    }
}

/// Creates an active and a disabled account; returns their email addresses and some without an account.
async fn addresses(app: &TestApp) -> Vec<String> {
    let (known, disabled) = (app.user().await, app.user().await);
    let path = format!("/v1/users/{}", disabled.id());
    app.admin().await.patch(&path, &json!({"disabled": true})).await.expect(200);
    let unknown = ["nobody@example.com", "nobody.either@sub.example.com", "'or'1'='1@example.com", "é@example.com"];
    let mut all = vec![known.email(), known.email().to_uppercase(), disabled.email()];
    all.extend(unknown.map(str::to_owned));
    all
}

both_engines! {
    async fn failed_login_does_the_same_work_for_every_account(engine: Engine) {
        let app = TestApp::new(engine);
        let emails = addresses(&app).await;
        let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
        for path in ["/v1/auth/login", "/v2/auth/login"] {
            for password in ["harbour-lantern-43", "x", &"é".repeat(128)] {
                let body = |email: &str| json!({"email": email, "password": password});
                expect_same_work(&app, path, 401, body, &emails).await;
            }
            // A password that fails validation is not hashed.
            let (hashes, ..) = cost(&app, path, &json!({"email": emails[0], "password": ""})).await;
            assert_eq!(hashes, 0);
        }
        let valid = json!({"email": emails[0], "password": Actor::PASSWORD});
        let (hashes, _, response) = cost(&app, "/v1/auth/login", &valid).await;
        assert_eq!((hashes, response.status), (1, 200));
    }

    async fn password_reset_request_does_the_same_work_for_every_account(engine: Engine) {
        let app = TestApp::new(engine);
        let emails = addresses(&app).await;
        let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
        for path in ["/v1/auth/password-reset", "/v2/auth/password-reset"] {
            expect_same_work(&app, path, 202, |email| json!({"email": email}), &emails).await;
        }
    }

    async fn invalid_tokens_of_any_form_do_the_same_work(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let tokens = ["x", "kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs", &user.refresh_token()[1..], "' OR '1'='1"];
        for version in ["v1", "v2"] {
            let path = format!("/{version}/auth/password-reset/confirm");
            let body = |token: &str| json!({"token": token, "new_password": "meadow-compass-17"});
            expect_same_work(&app, &path, 422, body, &tokens).await;
            let path = format!("/{version}/auth/refresh");
            expect_same_work(&app, &path, 401, |token| json!({"refresh_token": token}), &tokens).await;
        }
    }
}
