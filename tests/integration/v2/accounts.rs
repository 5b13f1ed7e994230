//! Accounts in v2: the rules of v1, with problem responses.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use poem::http::Method;

use crate::{
    accounts::mailed_token,
    support::{Actor, TestApp, Value, json},
};

both_engines! {
    async fn account_errors_are_problem_responses(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user, anonymous) = (app.admin().await, app.user().await, app.anonymous());
        let newcomer = json!({"email": user.email(), "password": Actor::PASSWORD, "name": "Ada"});
        anonymous.post("/v2/auth/register", &newcomer).await.expect_error(409, "EMAIL_TAKEN");

        let deletion = json!({"password": Actor::PASSWORD});
        let last = admin.request(Method::DELETE, "/v2/users/me").json(&deletion).send().await;
        last.expect_error(409, "LAST_ADMIN");
        admin.get("/v2/users/me").await.expect(200);

        admin.patch(&format!("/v2/admin/users/{}", user.id()), &json!({"disabled": true})).await.expect(200);
        let refresh = json!({"refresh_token": user.refresh_token()});
        anonymous.post("/v2/auth/refresh", &refresh).await.expect_error(403, "ACCOUNT_DISABLED");
    }

    async fn repeated_registration_creates_one_account(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, anonymous) = (app.admin().await, app.anonymous());
        let register = async |key: &str, body: &Value| {
            anonymous.request(Method::POST, "/v2/auth/register").header("idempotency-key", key).json(body).send().await
        };
        let account = json!({"email": "ada@example.com", "password": Actor::PASSWORD, "name": "Ada"});
        let first = register("once", &account).await.expect(201);
        assert!(!first.headers.contains_key("idempotency-replayed"));
        let again = register("once", &account).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        let (first, again) = (first.json(), again.json());
        assert_eq!(first["user"], again["user"]);
        // Two sessions of one account, with different tokens.
        assert!(first["access_token"] != again["access_token"] && first["refresh_token"] != again["refresh_token"]);
        let user = Actor::new(&app, Some(again));
        assert_eq!(user.get("/v2/auth/sessions").await.expect(200).json()["data"].as_array().unwrap().len(), 2);

        // Another payload (including another password), another key, and no key.
        for (name, value) in [("name", "Eva"), ("password", "harbour-lantern-43")] {
            let mut other = account.clone();
            other[name] = json!(value);
            let rejected = register("once", &other).await.expect_error(422, "IDEMPOTENCY_KEY_REUSED").json();
            assert_eq!(rejected["errors"][0]["header"], "Idempotency-Key");
        }
        register("twice", &account).await.expect_error(409, "EMAIL_TAKEN");
        anonymous.post("/v2/auth/register", &account).await.expect_error(409, "EMAIL_TAKEN");
        // An address in another case is the same account. Each account has separate keys.
        let mut upper_case = account.clone();
        upper_case["email"] = json!("ADA@example.com");
        register("once", &upper_case).await.expect(201);
        let eva = json!({"email": "eva@example.com", "password": Actor::PASSWORD});
        assert!(!register("once", &eva).await.expect(201).headers.contains_key("idempotency-replayed"));
        // Creations by the account have separate keys.
        let list = user.request(Method::POST, "/v2/bucketlists").header("idempotency-key", "once");
        list.json(&json!({"name": "See the world"})).send().await.expect(201);

        let disable = json!({"disabled": true});
        admin.patch(&format!("/v2/admin/users/{}", user.id()), &disable).await.expect(200);
        register("once", &account).await.expect_error(409, "EMAIL_TAKEN");
        admin.patch(&format!("/v2/admin/users/{}", user.id()), &json!({"disabled": false})).await.expect(200);
        register("once", &account).await.expect(201);
        app.advance_clock(Duration::from_secs(24 * 3600));
        register("once", &account).await.expect_error(409, "EMAIL_TAKEN");
    }

    async fn concurrent_registrations_with_one_idempotency_key_return_one_account(engine: Engine) {
        let app = TestApp::new(engine);
        let anonymous = app.anonymous();
        let account = json!({"email": "ada@example.com", "password": Actor::PASSWORD});
        let register = || {
            let request = anonymous.request(Method::POST, "/v2/auth/register").header("idempotency-key", "once");
            request.json(&account).send()
        };
        let mut ids = BTreeSet::new();
        let mut replayed = 0;
        for response in join_all((0..10).map(|_| register())).await {
            let response = response.expect(201);
            ids.insert(response.json()["user"]["id"].as_i64().unwrap());
            replayed += usize::from(response.headers.contains_key("idempotency-replayed"));
        }
        assert_eq!((ids.len(), replayed), (1, 9));
    }

    async fn reset_token_works_once(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, anonymous) = (app.user().await, app.anonymous());
        let confirm = "/v2/auth/password-reset/confirm";
        let body = json!({"token": mailed_token(&app, &user.email()).await, "new_password": "marble-kettle-77"});
        anonymous.post(confirm, &body).await.expect(204);
        anonymous.post(confirm, &body).await.expect_error(422, "INVALID_RESET_TOKEN");
        let login = json!({"email": user.email(), "password": "marble-kettle-77"});
        anonymous.post("/v2/auth/login", &login).await.expect(200);
        user.get("/v2/users/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn renaming_to_an_existing_name_returns_409(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        user.create_bucketlist("Learn").await;
        let path = format!("/v2/bucketlists/{}", user.create_bucketlist("See the world").await);
        let rename = user.request(poem::http::Method::PATCH, &path).merge_patch(&json!({"name": "Learn"}));
        rename.send().await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        assert_eq!(user.get(&path).await.expect(200).json()["name"], "See the world");
    }
}
