//! Users: the account of the caller, and all accounts for administrators.

use std::time::Duration;

use bucketlist::db::{
    DbError,
    schema::{bucketlists, items, jobs, password_resets, refresh_tokens, revoked_tokens, sessions, users},
};
use diesel::prelude::*;
use futures_util::future::join;
use poem::http::Method;

use crate::support::{Actor, TestApp, TestResponse, UncheckedResponse, Value, json};

async fn login(app: &TestApp, email: &str) -> UncheckedResponse {
    app.anonymous().post("/v1/auth/login", &json!({"email": email, "password": Actor::PASSWORD})).await
}

async fn refresh(app: &TestApp, actor: &Actor<'_>) -> UncheckedResponse {
    app.anonymous().post("/v1/auth/refresh", &json!({"refresh_token": actor.refresh_token()})).await
}

/// Registers an account with this email address and name.
async fn register<'a>(app: &'a TestApp, email: &str, name: &str) -> Actor<'a> {
    let body = json!({"email": email, "password": Actor::PASSWORD, "name": name});
    Actor::new(app, Some(app.anonymous().post("/v1/auth/register", &body).await.expect(201).json()))
}

async fn delete_me(actor: &Actor<'_>, password: &str) -> UncheckedResponse {
    actor.request(Method::DELETE, "/v1/users/me").json(&json!({"password": password})).send().await
}

/// Creates a user with rows in every table that stores user data.
async fn create_user_with_data(app: &TestApp) -> Actor<'_> {
    let user = app.user().await;
    for name in ["One", "Two"] {
        let list = user.create_bucketlist(name).await;
        user.create_item(list, "First").await;
        user.create_item(list, "Second").await;
    }
    refresh(app, &user).await.expect(200);
    login(app, &user.email()).await.expect(200);
    app.anonymous().post("/v1/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
    app.run_jobs().await;
    user
}

/// Returns the number of rows in each table.
async fn count_rows(app: &TestApp) -> Vec<(&'static str, i64)> {
    let counted = app.app.db.snapshot(|c| {
        Ok::<_, DbError>(vec![
            ("users", users::table.count().get_result(c)?),
            ("sessions", sessions::table.count().get_result(c)?),
            ("refresh_tokens", refresh_tokens::table.count().get_result(c)?),
            ("revoked_tokens", revoked_tokens::table.count().get_result(c)?),
            ("password_resets", password_resets::table.count().get_result(c)?),
            ("bucketlists", bucketlists::table.count().get_result(c)?),
            ("items", items::table.count().get_result(c)?),
            ("jobs", jobs::table.count().get_result(c)?),
        ])
    });
    counted.await.unwrap()
}

async fn count_active_admins(app: &TestApp) -> i64 {
    let counted = app.app.db.read(|c| {
        let admins = users::table.filter(users::role.eq("admin")).filter(users::disabled.eq(false));
        admins.count().get_result(c).map_err(DbError::from)
    });
    counted.await.unwrap()
}

fn path(actor: &Actor<'_>) -> String {
    format!("/v1/users/{}", actor.id())
}

/// Sends an admin request for the account of another user; `null` means no body.
async fn request_for(actor: &Actor<'_>, method: &Method, target: &Actor<'_>, body: &Value) -> UncheckedResponse {
    let request = actor.request(method.clone(), &path(target));
    if body.is_null() { request.send().await } else { request.json(body).send().await }
}

fn details(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
}

fn emails(response: &TestResponse) -> Vec<String> {
    let rows = response.json()["data"].as_array().unwrap().clone();
    rows.iter().map(|row| row["email"].as_str().unwrap().to_owned()).collect()
}

both_engines! {
    async fn account_fields_can_be_updated_individually(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let mut expected = user.session.clone().unwrap()["user"].clone();
        assert_eq!(user.get("/v1/users/me").await.expect(200).json(), expected);

        app.advance_clock(Duration::from_secs(1));
        let response = user.patch("/v1/users/me", &json!({"name": "  Cafe\u{301} "})).await.expect(200);
        expected["name"] = json!("Café");
        expected["updated_at"] = json!("2027-01-15T08:00:01.000000Z");
        assert_eq!(response.json(), expected);

        app.advance_clock(Duration::from_secs(1));
        let change = json!({"email": "Moved@Example.com", "current_password": Actor::PASSWORD});
        let response = user.patch("/v1/users/me", &change).await.expect(200);
        expected["email"] = json!("Moved@Example.com");
        expected["updated_at"] = json!("2027-01-15T08:00:02.000000Z");
        assert_eq!(response.json(), expected);
        assert_eq!(user.get("/v1/users/me").await.expect(200).json(), expected);
    }

    async fn empty_update_is_accepted(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let before = user.get("/v1/users/me").await.expect(200).json();
        app.advance_clock(Duration::from_secs(1));
        for body in [json!({}), json!({"current_password": Actor::PASSWORD})] {
            assert_eq!(user.patch("/v1/users/me", &body).await.expect(200).json(), before);
        }
    }

    async fn email_address_can_be_changed(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let old = user.email();
        let change = |email: &str| json!({"email": email, "current_password": Actor::PASSWORD});
        // The address of the account in another case is not taken.
        user.patch("/v1/users/me", &change(&old.to_uppercase())).await.expect(200);
        user.patch("/v1/users/me", &change("moved@example.com")).await.expect(200);
        login(&app, &old).await.expect_error(401, "INVALID_CREDENTIALS");
        login(&app, "MOVED@example.com").await.expect(200);
        let other = register(&app, &old, "Next tenant").await;
        for email in ["moved@example.com", "Moved@Example.COM"] {
            let response = other.patch("/v1/users/me", &change(email)).await.expect_error(409, "EMAIL_TAKEN");
            assert!(response.details().is_empty());
        }
        // The update is atomic.
        let both = json!({"email": "moved@example.com", "current_password": Actor::PASSWORD, "name": "Other"});
        other.patch("/v1/users/me", &both).await.expect_error(409, "EMAIL_TAKEN");
        assert_eq!(other.get("/v1/users/me").await.expect(200).json()["name"], "Next tenant");
    }

    async fn invalid_update_has_no_effect(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let before = user.get("/v1/users/me").await.expect(200).json();
        let password = Actor::PASSWORD;
        app.advance_clock(Duration::from_secs(1));
        for (body, code, expected) in [
            (json!({"email": "new@example.com"}), "VALIDATION_FAILED", vec![("/current_password", "REQUIRED")]),
            (
                json!({"name": "New", "email": "new@example.com"}),
                "VALIDATION_FAILED",
                vec![("/current_password", "REQUIRED")],
            ),
            (
                json!({"name": "New", "email": "new@example.com", "current_password": "harbour-lantern-43"}),
                "WRONG_PASSWORD",
                vec![("/current_password", "WRONG_PASSWORD")],
            ),
            (
                json!({"email": "a@b", "current_password": password}),
                "VALIDATION_FAILED",
                vec![("/email", "INVALID_FORMAT")],
            ),
            (json!({"name": null}), "VALIDATION_FAILED", vec![("/name", "WRONG_TYPE")]),
            (json!({"email": null, "current_password": password}), "VALIDATION_FAILED", vec![("/email", "WRONG_TYPE")]),
            (json!({"current_password": null}), "VALIDATION_FAILED", vec![("/current_password", "WRONG_TYPE")]),
            (json!({"name": ""}), "VALIDATION_FAILED", vec![("/name", "TOO_SHORT")]),
            (json!({"name": "x".repeat(101)}), "VALIDATION_FAILED", vec![("/name", "TOO_LONG")]),
            (
                json!({"name": 1, "email": "x"}),
                "VALIDATION_FAILED",
                vec![("/email", "INVALID_FORMAT"), ("/email", "TOO_SHORT"), ("/name", "WRONG_TYPE")],
            ),
            (json!({"role": "admin"}), "UNKNOWN_FIELD", vec![("/role", "UNKNOWN_FIELD")]),
            (json!({"disabled": false}), "UNKNOWN_FIELD", vec![("/disabled", "UNKNOWN_FIELD")]),
            (
                json!({"id": 1, "password": "x"}),
                "UNKNOWN_FIELD",
                vec![("/id", "UNKNOWN_FIELD"), ("/password", "UNKNOWN_FIELD")],
            ),
        ] {
            let response = user.patch("/v1/users/me", &body).await.expect_error(422, code);
            let mut found = response.details();
            found.sort();
            assert_eq!(found, details(&expected), "{body}");
        }
        user.patch("/v1/users/me", &json!([])).await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(user.get("/v1/users/me").await.expect(200).json(), before);
    }

    async fn account_deletion_requires_the_password(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let response = delete_me(&user, "harbour-lantern-43").await.expect_error(422, "WRONG_PASSWORD");
        assert_eq!(response.details(), details(&[("/password", "WRONG_PASSWORD")]));
        user.delete("/v1/users/me").await.expect_error(400, "MALFORMED_JSON");
        let request = user.request(Method::DELETE, "/v1/users/me").json(&json!({}));
        assert_eq!(request.send().await.expect(422).details(), details(&[("/password", "REQUIRED")]));
        delete_me(&app.anonymous(), Actor::PASSWORD).await.expect_error(401, "AUTHENTICATION_REQUIRED");
        user.get("/v1/users/me").await.expect(200);
    }

    async fn account_deletion_deletes_only_its_own_data(engine: Engine) {
        let app = TestApp::new(engine);
        let unrelated_user = create_user_with_data(&app).await;
        let before = count_rows(&app).await;
        assert_eq!(before, [
            ("users", 1),
            ("sessions", 2),
            ("refresh_tokens", 3),
            ("revoked_tokens", 0),
            ("password_resets", 1),
            ("bucketlists", 2),
            ("items", 4),
            ("jobs", 0),
        ]);
        let user = create_user_with_data(&app).await;
        let other = Actor::new(&app, Some(login(&app, &user.email()).await.expect(200).json()));

        delete_me(&user, Actor::PASSWORD).await.expect(204);

        assert_eq!(count_rows(&app).await, before);
        for actor in [&user, &other] {
            actor.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
            actor.get("/v1/bucketlists").await.expect_error(401, "INVALID_TOKEN");
            refresh(&app, actor).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        }
        login(&app, &user.email()).await.expect_error(401, "INVALID_CREDENTIALS");
        unrelated_user.get("/v1/users/me").await.expect(200);
        // The address is available for another account.
        let next = register(&app, &user.email(), "New user").await;
        assert!(next.id() > user.id(), "IDs are not reused");
        user.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        assert_eq!(next.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0);
    }

    async fn requests_concurrent_with_account_deletion_return_no_5xx(engine: Engine) {
        let app = TestApp::new(engine);
        for _ in 0..5 {
            let user = app.user().await;
            user.get("/v1/users/me").await.expect(200);
            let working = async {
                let mut responses = Vec::new();
                for number in 0..40 {
                    responses.push(user.post("/v1/bucketlists", &json!({"name": format!("List {number}")})).await);
                    responses.push(user.get("/v1/users/me").await);
                    responses.push(refresh(&app, &user).await);
                    responses.push(user.patch("/v1/users/me", &json!({"name": format!("Name {number}")})).await);
                }
                responses
            };
            let (deleted, responses) = join(delete_me(&user, Actor::PASSWORD), working).await;
            deleted.expect(204);
            for response in responses.into_iter().map(UncheckedResponse::any_status).filter(|response| !response.is_success()) {
                assert_eq!(response.status, 401, "{response:?}");
                assert!(matches!(response.code().as_str(), "INVALID_TOKEN" | "INVALID_REFRESH_TOKEN"), "{response:?}");
            }
            user.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        }
        assert_eq!(count_rows(&app).await.into_iter().map(|(_, rows)| rows).sum::<i64>(), 0);
    }

    async fn concurrent_changes_of_one_account_do_not_deadlock(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for round in 0..5 {
            let user = app.user().await;
            app.anonymous().post("/v1/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
            app.run_jobs().await;
            let mail = app.mailer.take().remove(0).text;
            let token = mail.lines().find(|line| line.starts_with("    ") && !line.contains('{')).unwrap().trim();
            let confirmation = json!({"token": token, "new_password": "meadow-compass-17"});
            let change = json!({"current_password": Actor::PASSWORD, "new_password": "meadow-compass-18"});
            let address_change = json!({"current_password": Actor::PASSWORD, "email": format!("moved-{round}@example.com")});
            let (disabling, enabling) = (json!({"disabled": true}), json!({"disabled": false}));
            let user_path = path(&user);
            // Each request acquires several locks; a different order would sometimes deadlock.
            let (anonymous, email) = (app.anonymous(), user.email());
            let responses = tokio::join!(
                anonymous.post("/v1/auth/password-reset/confirm", &confirmation),
                user.put("/v1/auth/password", &change),
                user.patch("/v1/users/me", &address_change),
                admin.patch(&user_path, &disabling),
                refresh(&app, &user),
                admin.patch(&user_path, &enabling),
                login(&app, &email),
                user.request(Method::POST, "/v1/auth/logout").send(),
                admin.delete(&user_path),
            );
            let (a, b, c, d, e, f, g, h, i) = responses;
            for response in [a, b, c, d, e, f, g, h, i] {
                assert!(response.0.status < 500, "{response:?}");
            }
        }
        admin.get("/v1/users/me").await.expect(200);
    }

    async fn admin_lists_users_oldest_first(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let mut all_emails = vec![admin.email()];
        for _ in 0..6 {
            all_emails.push(app.user().await.email());
        }
        let mut path = "/v1/users?per_page=3".to_owned();
        let mut seen = Vec::new();
        for page in 1..=3 {
            let response = admin.get(&path).await.expect(200);
            let body = response.json();
            assert_eq!(body["meta"], json!({"page": page, "per_page": 3, "total": 7, "pages": 3}));
            assert_eq!(body["links"]["self"], format!("/v1/users?page={page}&per_page=3"));
            seen.extend(emails(&response));
            path = body["links"]["next"].as_str().unwrap_or_default().to_owned();
        }
        assert_eq!(path, "");
        assert_eq!(seen, all_emails);
        let response = admin.get("/v1/users").await.expect(200);
        assert_eq!(emails(&response), all_emails);
        assert_eq!(response.json()["data"][0], admin.get("/v1/users/me").await.expect(200).json());
        assert_eq!(admin.get("/v1/users?per_page=1000").await.expect(200).json()["meta"]["per_page"], 100);
        let beyond = admin.get("/v1/users?page=9&per_page=3").await.expect(200).json();
        assert_eq!((&beyond["data"], &beyond["meta"]["total"]), (&json!([]), &json!(7)));
        for (query, field) in [("page=0", "page"), ("per_page=0", "per_page"), ("page=x", "page")] {
            let response = admin.get(&format!("/v1/users?{query}")).await.expect_error(422, "VALIDATION_FAILED");
            assert_eq!(response.details()[0].0, field, "{query}");
        }
        admin.get("/v1/users?role=admin").await.expect_error(422, "UNKNOWN_PARAMETER");
    }

    async fn admin_searches_users_by_email_and_name(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let (ada, grace, percent) = ("Ada@Lovelace.example", "grace@hopper.example", "under_score@100.example");
        register(&app, ada, "Countess").await;
        register(&app, grace, "Rear Admiral").await;
        register(&app, percent, "100% sure").await;
        for (q, expected) in [
            ("ada%40LOVE", vec![ada]),
            ("countess", vec![ada]),
            ("ADMIRAL", vec![grace]),
            ("opper.exam", vec![grace]),
            ("+rear++", vec![grace]),
            ("lovelace.example%0Acountess", vec![]),
            ("%25", vec![percent]),
            ("_", vec![percent]),
            ("%5C", vec![]),
            ("%27", vec![]),
            ("nobody", vec![]),
        ] {
            let response = admin.get(&format!("/v1/users?q={q}")).await.any_status();
            if response.status == 422 {
                assert_eq!(q, "lovelace.example%0Acountess", "only control characters are rejected");
                continue;
            }
            let response = UncheckedResponse(response).expect(200);
            assert_eq!(emails(&response), expected, "{q}");
            assert_eq!(response.json()["meta"]["total"], expected.len(), "{q}");
        }
        let response = admin.get("/v1/users?q=EXAMPLE&per_page=2&page=2").await.expect(200).json();
        assert_eq!(response["meta"]["total"], 4, "{response}");
        assert_eq!(response["links"]["prev"], "/v1/users?page=1&per_page=2&q=EXAMPLE");
        assert_eq!(admin.get("/v1/users?q=").await.expect(200).json()["meta"]["total"], 4);
    }

    async fn admin_can_read_update_and_delete_a_user(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let mut expected = user.session.clone().unwrap()["user"].clone();
        assert_eq!(admin.get(&path(&user)).await.expect(200).json(), expected);

        app.advance_clock(Duration::from_secs(1));
        assert_eq!(admin.patch(&path(&user), &json!({})).await.expect(200).json(), expected);
        expected["updated_at"] = json!("2027-01-15T08:00:01.000000Z");
        expected["role"] = json!("admin");
        expected["disabled"] = json!(true);
        let change = json!({"role": "admin", "disabled": true});
        assert_eq!(admin.patch(&path(&user), &change).await.expect(200).json(), expected);
        assert_eq!(admin.get(&path(&user)).await.expect(200).json(), expected);

        admin.delete(&path(&user)).await.expect(204);
        admin.get(&path(&user)).await.expect_error(404, "USER_NOT_FOUND");
        admin.delete(&path(&user)).await.expect_error(404, "USER_NOT_FOUND");
    }

    async fn admin_can_change_only_role_and_disabled(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let before = admin.get(&path(&user)).await.expect(200).json();
        for (body, code, expected) in [
            (json!({"role": "root"}), "VALIDATION_FAILED", vec![("/role", "NOT_ALLOWED")]),
            (json!({"role": "Admin"}), "VALIDATION_FAILED", vec![("/role", "NOT_ALLOWED")]),
            (json!({"role": null}), "VALIDATION_FAILED", vec![("/role", "WRONG_TYPE")]),
            (json!({"disabled": "true"}), "VALIDATION_FAILED", vec![("/disabled", "WRONG_TYPE")]),
            (json!({"disabled": null}), "VALIDATION_FAILED", vec![("/disabled", "WRONG_TYPE")]),
            (json!({"email": "x@example.com"}), "UNKNOWN_FIELD", vec![("/email", "UNKNOWN_FIELD")]),
            (json!({"name": "Other", "role": "admin"}), "UNKNOWN_FIELD", vec![("/name", "UNKNOWN_FIELD")]),
            (json!({"password": "harbour-lantern-43"}), "UNKNOWN_FIELD", vec![("/password", "UNKNOWN_FIELD")]),
        ] {
            let response = admin.patch(&path(&user), &body).await.expect_error(422, code);
            let found = response.details();
            assert!(found.contains(&details(&expected)[0]), "{body}: {found:?}");
            assert!(found.iter().all(|(field, _)| field == expected[0].0), "{body}: {found:?}");
        }
        assert_eq!(admin.get(&path(&user)).await.expect(200).json(), before);
    }

    async fn unknown_user_returns_404(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for id in ["4711", "9223372036854775807"] {
            let path = format!("/v1/users/{id}");
            admin.get(&path).await.expect_error(404, "USER_NOT_FOUND");
            for body in [json!({}), json!({"role": "user"}), json!({"disabled": true})] {
                admin.patch(&path, &body).await.expect_error(404, "USER_NOT_FOUND");
            }
            admin.delete(&path).await.expect_error(404, "USER_NOT_FOUND");
        }
        for id in ["0", "-1", "x", "1.5", "9223372036854775808"] {
            let response = admin.get(&format!("/v1/users/{id}")).await.any_status();
            assert!(matches!(response.status, 404 | 422), "{id}: {response:?}");
        }
    }

    async fn admin_deletion_of_a_user_deletes_all_their_data(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let before = count_rows(&app).await;
        let user = create_user_with_data(&app).await;
        user.get("/v1/users/me").await.expect(200);
        admin.delete(&path(&user)).await.expect(204);
        assert_eq!(count_rows(&app).await, before);
        user.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        refresh(&app, &user).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        login(&app, &user.email()).await.expect_error(401, "INVALID_CREDENTIALS");
    }

    async fn role_change_takes_effect_on_the_next_request(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        user.get("/v1/users").await.expect_error(403, "FORBIDDEN");
        admin.patch(&path(&user), &json!({"role": "admin"})).await.expect(200);
        user.get("/v1/users").await.expect(200);
        user.patch(&path(&admin), &json!({"role": "user"})).await.expect(200);
        admin.get("/v1/users").await.expect_error(403, "FORBIDDEN");
        admin.get("/v1/users/me").await.expect(200);
        let next = Actor::new(&app, Some(refresh(&app, &user).await.expect(200).json()));
        assert_eq!(next.session.as_ref().unwrap()["user"]["role"], "admin");
        next.get("/v1/users").await.expect(200);
    }

    async fn disabled_user_is_locked_out_until_enabled(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let list = user.create_bucketlist("Retained").await;
        let other = Actor::new(&app, Some(login(&app, &user.email()).await.expect(200).json()));

        assert_eq!(admin.patch(&path(&user), &json!({"disabled": true})).await.expect(200).json()["disabled"], true);
        for actor in [&user, &other] {
            let response = actor.get("/v1/users/me").await.expect_error(403, "ACCOUNT_DISABLED");
            assert!(!response.headers.contains_key("www-authenticate"), "{response:?}");
            actor.post("/v1/bucketlists", &json!({"name": "More"})).await.expect_error(403, "ACCOUNT_DISABLED");
            refresh(&app, actor).await.expect_error(403, "ACCOUNT_DISABLED");
            delete_me(actor, Actor::PASSWORD).await.expect_error(403, "ACCOUNT_DISABLED");
        }
        login(&app, &user.email()).await.expect_error(403, "ACCOUNT_DISABLED");

        admin.patch(&path(&user), &json!({"disabled": false})).await.expect(200);
        for actor in [&user, &other] {
            actor.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
            refresh(&app, actor).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        }
        let new_session = Actor::new(&app, Some(login(&app, &user.email()).await.expect(200).json()));
        new_session.get(&format!("/v1/bucketlists/{list}")).await.expect(200);
    }

    async fn last_active_admin_cannot_be_removed(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        // A disabled administrator and an ordinary user do not count.
        let second = app.admin().await;
        app.user().await;
        admin.patch(&path(&second), &json!({"disabled": true})).await.expect(200);
        let before = admin.get(&path(&admin)).await.expect(200).json();
        for body in [
            json!({"role": "user"}),
            json!({"disabled": true}),
            json!({"role": "user", "disabled": false}),
            json!({"role": "admin", "disabled": true}),
        ] {
            let response = admin.patch(&path(&admin), &body).await.expect_error(409, "LAST_ADMIN");
            assert!(response.details().is_empty(), "{body}");
        }
        admin.delete(&path(&admin)).await.expect_error(409, "LAST_ADMIN");
        delete_me(&admin, Actor::PASSWORD).await.expect_error(409, "LAST_ADMIN");
        delete_me(&admin, "harbour-lantern-43").await.expect_error(422, "WRONG_PASSWORD");
        assert_eq!(admin.get(&path(&admin)).await.expect(200).json(), before, "the account changed");
        admin.patch(&path(&admin), &json!({"role": "admin", "disabled": false})).await.expect(200);
        // An administrator who is not active can be demoted.
        admin.patch(&path(&second), &json!({"role": "user"})).await.expect(200);
        admin.patch(&path(&second), &json!({"role": "admin", "disabled": false})).await.expect(200);
        // With two active administrators, one can be deleted.
        delete_me(&admin, Actor::PASSWORD).await.expect(204);
        assert_eq!(count_active_admins(&app).await, 1);
    }

    async fn concurrent_mutual_removal_leaves_one_admin(engine: Engine) {
        let app = TestApp::new(engine);
        let mut removals: Vec<(Method, Value)> = vec![(Method::DELETE, Value::Null)];
        removals.extend([json!({"role": "user"}), json!({"disabled": true})].map(|body| (Method::PATCH, body)));
        for round in 0..9 {
            let (one, two) = (app.admin().await, app.admin().await);
            let (method, body) = &removals[round % removals.len()];
            let (first, second) = join(request_for(&one, method, &two, body), request_for(&two, method, &one, body)).await;
            let succeeded = [&first, &second].into_iter().filter(|response| response.0.is_success()).count();
            assert_eq!(succeeded, 1, "round {round}: {first:?} {second:?}");
            for failed in [first, second].into_iter().filter(|response| !response.0.is_success()) {
                let response = failed.any_status();
                assert!(
                    matches!(
                        (response.status, response.code().as_str()),
                        (409, "LAST_ADMIN") | (403, "FORBIDDEN" | "ACCOUNT_DISABLED") | (401, "INVALID_TOKEN")
                    ),
                    "{response:?}"
                );
            }
            assert_eq!(count_active_admins(&app).await, 1);
            app.execute("UPDATE users SET role = 'user', disabled = FALSE");
        }
    }

    async fn concurrent_self_removal_leaves_one_admin(engine: Engine) {
        let app = TestApp::new(engine);
        let (one, two) = (app.admin().await, app.admin().await);
        let (first, second) = join(delete_me(&one, Actor::PASSWORD), delete_me(&two, Actor::PASSWORD)).await;
        let mut statuses = [first.0.status, second.0.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        assert_eq!(count_active_admins(&app).await, 1);
    }

    async fn admin_operations_require_the_admin_role(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let before = count_rows(&app).await;
        for (method, path, body) in [
            (Method::GET, "/v1/users".to_owned(), None),
            (Method::GET, "/v1/users?page=0".to_owned(), None),
            (Method::GET, path(&admin), None),
            // The response is the same for the own account and for a missing one.
            (Method::GET, path(&user), None),
            (Method::GET, "/v1/users/4711".to_owned(), None),
            (Method::PATCH, path(&user), Some(json!({"role": "admin"}))),
            (Method::PATCH, path(&user), Some(json!({"role": 1, "x": 2}))),
            (Method::PATCH, path(&admin), Some(json!({"disabled": true}))),
            (Method::DELETE, path(&admin), None),
            (Method::DELETE, path(&user), None),
        ] {
            for (actor, status, code) in
                [(&user, 403, "FORBIDDEN"), (&app.anonymous(), 401, "AUTHENTICATION_REQUIRED")]
            {
                let mut request = actor.request(method.clone(), &path);
                if let Some(body) = &body {
                    request = request.json(body);
                }
                request.send().await.expect_error(status, code);
            }
        }
        assert_eq!(count_rows(&app).await, before);
        assert_eq!(user.get("/v1/users/me").await.expect(200).json()["role"], "user");
        admin.get("/v1/users").await.expect(200);
    }
}

both_engines! {
    async fn user_search_is_case_insensitive_in_every_script(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let found = async |q: &str| {
            let page = admin.get(&format!("/v1/users?q={q}")).await.expect(200).json();
            page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        user.patch("/v1/users/me", &json!({"name": "ZÜRICH Ödön"})).await.expect(200);
        assert_eq!(found("z%C3%BCrich").await, [user.id()]);
        assert_eq!(found("%C3%96D%C3%96N").await, [user.id()]);
        let body = json!({"email": "Moved@Example.com", "current_password": Actor::PASSWORD});
        user.patch("/v1/users/me", &body).await.expect(200);
        assert_eq!(found("moved@example").await, [user.id()], "the new address is found");
        assert_eq!(found("z%C3%BCrich").await, [user.id()], "the name is still found");
    }
}

both_engines! {
    async fn unchanged_email_address_requires_no_password(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"email": user.email(), "name": "Renamed"});
        let me = user.patch("/v1/users/me", &body).await.expect(200).json();
        assert_eq!((&me["email"], &me["name"]), (&json!(user.email()), &json!("Renamed")));
        // An address in another case is a change.
        let body = json!({"email": user.email().to_uppercase()});
        user.patch("/v1/users/me", &body).await.expect_error(422, "VALIDATION_FAILED");
    }
}
