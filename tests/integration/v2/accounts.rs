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

    async fn unicode_and_punycode_domains_are_one_account(engine: Engine) {
        let app = TestApp::new(engine);
        let anonymous = app.anonymous();
        let account = |email: &str| json!({"email": email, "password": Actor::PASSWORD, "name": "Ada"});
        let (unicode, punycode) = ("ada@bücher.example", "Ada@xn--bcher-kva.example");
        let session = anonymous.post("/v2/auth/register", &account(unicode)).await.expect(201).json();
        assert_eq!(session["user"]["email"], unicode, "the address is shown as it was written");
        for email in [punycode, "ADA@BÜCHER.example", "ada@bu\u{308}cher.example"] {
            anonymous.post("/v2/auth/register", &account(email)).await.expect_error(409, "EMAIL_TAKEN");
            let login = json!({"email": email, "password": Actor::PASSWORD});
            let login = anonymous.post("/v2/auth/login", &login).await.expect(200).json();
            assert_eq!(login["user"]["id"], session["user"]["id"], "{email}");
            anonymous.post("/v2/auth/password-reset", &json!({"email": email})).await.expect(202);
            app.run_jobs().await;
            let recipients: Vec<String> = app.mailer.take().into_iter().map(|mail| mail.to).collect();
            assert_eq!(recipients, ["ada@xn--bcher-kva.example"]);
        }
        let invalid = anonymous.post("/v2/auth/register", &account("ada@xn--a.example")).await;
        assert_eq!(invalid.expect_error(422, "VALIDATION_FAILED").details(), [("/email".to_owned(), "INVALID_FORMAT".to_owned())]);
    }

    async fn name_without_a_visible_character_is_rejected(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = format!("/v2/bucketlists/{}", user.create_bucketlist("Learn").await);
        let items = format!("{list}/items");
        for name in ["\u{200b}", "\u{2060}\u{feff}", "\u{3164}", "\u{ad}", " \u{200d} "] {
            let account = json!({"email": "ada@example.com", "password": Actor::PASSWORD, "name": name});
            let body = json!({"name": name});
            for response in [
                app.anonymous().post("/v2/auth/register", &account).await,
                user.post("/v2/bucketlists", &body).await,
                user.post(&items, &body).await,
                user.put(&list, &body).await,
                user.patch("/v2/users/me", &body).await,
            ] {
                let details = response.expect_error(422, "VALIDATION_FAILED").details();
                assert!(details.contains(&("/name".to_owned(), "TOO_SHORT".to_owned())), "{name:?}: {details:?}");
            }
        }
    }

    async fn account_can_be_deleted_without_a_delete_body(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let path = "/v2/users/me/delete";
        let deletion = json!({"password": Actor::PASSWORD});
        let wrong = json!({"password": "harbour-lantern-43"});
        user.post(path, &wrong).await.expect_error(422, "WRONG_PASSWORD");
        app.anonymous().post(path, &deletion).await.expect_error(401, "AUTHENTICATION_REQUIRED");
        let outdated = user.request(Method::POST, path).header("if-match", "\"outdated\"").json(&deletion);
        outdated.send().await.expect_error(412, "PRECONDITION_FAILED");
        user.get("/v2/users/me").await.expect(200);
        user.post(path, &deletion).await.expect(204);
        user.get("/v2/users/me").await.expect_error(401, "INVALID_TOKEN");
        let login = json!({"email": user.email(), "password": Actor::PASSWORD});
        app.anonymous().post("/v2/auth/login", &login).await.expect_error(401, "INVALID_CREDENTIALS");
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
