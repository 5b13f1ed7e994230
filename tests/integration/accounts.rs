//! Accounts: registration, login, passwords and password reset, and their log lines.

use std::{sync::atomic::Ordering, time::Duration};

use bucketlist::{
    auth::digest,
    db::{
        DbError,
        repositories::{
            jobs::{self as outbox, JobPayload, PasswordResetMail},
            users,
        },
        schema::{jobs, password_resets, refresh_tokens, sessions, users as users_table},
    },
    domain::{JobPriority, Timestamp, UserId},
    mail::{Mail, Mailer, SmtpMailer},
};
use diesel::prelude::*;
use futures_util::future::join_all;
use poem::http::Method;

use crate::support::{Actor, LogCapture, LogFormat, TestApp, TestResponse, UncheckedResponse, Value, json};

/// A valid password that differs from [`Actor::PASSWORD`].
const NEW_PASSWORD: &str = "meadow-compass-17";

async fn register(app: &TestApp, body: &Value) -> UncheckedResponse {
    app.anonymous().post("/v1/auth/register", body).await
}

async fn login(app: &TestApp, email: &str, password: &str) -> UncheckedResponse {
    app.anonymous().post("/v1/auth/login", &json!({"email": email, "password": password})).await
}

async fn request_reset(app: &TestApp, email: &str) -> UncheckedResponse {
    app.anonymous().post("/v1/auth/password-reset", &json!({"email": email})).await
}

async fn confirm_reset(app: &TestApp, token: &str, new_password: &str) -> UncheckedResponse {
    let body = json!({"token": token, "new_password": new_password});
    app.anonymous().post("/v1/auth/password-reset/confirm", &body).await
}

/// Returns the token in a mail, which is on a separate line.
fn token_in(mail: &Mail) -> String {
    let line = mail.text.lines().find(|line| line.starts_with("    ") && !line.contains('{'));
    line.unwrap_or_else(|| panic!("no token: {}", mail.text)).trim().to_owned()
}

/// Requests a password reset, sends the mail and returns its token.
pub async fn mailed_token(app: &TestApp, email: &str) -> String {
    request_reset(app, email).await.expect(202);
    app.run_jobs().await;
    let mails = app.mailer.take();
    assert_eq!(mails.len(), 1);
    token_in(&mails[0])
}

async fn count_users(app: &TestApp) -> i64 {
    app.app.db.read(|c| users_table::table.count().get_result(c).map_err(DbError::from)).await.unwrap()
}

async fn count_jobs(app: &TestApp) -> i64 {
    app.app.db.read(|c| jobs::table.count().get_result(c).map_err(DbError::from)).await.unwrap()
}

async fn password_hash(app: &TestApp, id: i64) -> String {
    let id = UserId::new(id);
    let user = app.app.db.read(move |c| users::find(c, id).map_err(DbError::from)).await.unwrap();
    user.unwrap().password_hash
}

fn details(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
}

both_engines! {
    async fn registration_creates_an_account_and_a_session(engine: Engine) {
        let app = TestApp::new(engine);
        let body = json!({"email": "Ada.Lovelace@Example.COM", "password": Actor::PASSWORD});
        let response = register(&app, &body).await.expect(201);
        let session = response.json();
        let id = session["user"]["id"].as_i64().unwrap();
        assert_eq!(response.header("location"), "/v1/users/me");
        assert_eq!(response.header("cache-control"), "no-store");
        let names: Vec<&String> = session.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            ["access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "user"]
        );
        assert_eq!(session["token_type"], "Bearer");
        assert_eq!(session["expires_in"], 900);
        assert_eq!(session["refresh_expires_in"], 30 * 24 * 3600);
        let user = json!({
            "id": id,
            "email": "Ada.Lovelace@Example.COM",
            "name": "Ada.Lovelace",
            "role": "user",
            "disabled": false,
            "created_at": "2027-01-15T08:00:00.000000Z",
            "updated_at": "2027-01-15T08:00:00.000000Z",
        });
        assert_eq!(session["user"], user);
        let ada = Actor::new(&app, Some(session));
        assert_eq!(ada.get("/v1/users/me").await.expect(200).json(), user);
        ada.post("/v1/auth/refresh", &json!({"refresh_token": ada.refresh_token()})).await.expect(200);
    }

    async fn name_defaults_to_the_local_part_of_the_email_address(engine: Engine) {
        let app = TestApp::new(engine);
        let long = "a".repeat(64);
        for (email, name, expected) in [
            ("grace@example.com", None, "grace"),
            ("hopper@example.com", Some("  Grace  "), "Grace"),
            (&format!("{long}@example.com"), None, &long),
        ] {
            let mut body = json!({"email": email, "password": Actor::PASSWORD});
            if let Some(name) = name {
                body["name"] = json!(name);
            }
            assert_eq!(register(&app, &body).await.expect(201).json()["user"]["name"], expected, "{email}");
        }
    }

    async fn duplicate_email_address_is_rejected_in_any_spelling(engine: Engine) {
        let app = TestApp::new(engine);
        let body = |email: &str| json!({"email": email, "password": Actor::PASSWORD});
        register(&app, &body("Zoë@Example.com")).await.expect(201);
        for email in ["Zoë@Example.com", "zoë@example.com", "ZOË@EXAMPLE.COM", "Zoe\u{308}@example.com"] {
            let response = register(&app, &body(email)).await.expect_error(409, "EMAIL_TAKEN");
            assert!(!response.headers.contains_key("location"), "{response:?}");
        }
        assert_eq!(count_users(&app).await, 1);
    }

    async fn concurrent_registrations_with_one_address_create_one_account(engine: Engine) {
        let app = TestApp::new(engine);
        let emails = ["race@example.com", "RACE@example.com"].into_iter().cycle().take(8);
        let bodies: Vec<Value> =
            emails.map(|email| json!({"email": email, "password": Actor::PASSWORD})).collect();
        let responses = join_all(bodies.iter().map(|body| register(&app, body))).await;
        let (succeeded, failed): (Vec<TestResponse>, Vec<TestResponse>) =
            responses.into_iter().map(UncheckedResponse::any_status).partition(|response| response.status == 201);
        assert_eq!((succeeded.len(), failed.len()), (1, 7));
        for response in failed {
            UncheckedResponse(response).expect_error(409, "EMAIL_TAKEN");
        }
        assert_eq!(count_users(&app).await, 1);
    }

    async fn registration_errors_name_the_field_and_the_code(engine: Engine) {
        let app = TestApp::new(engine);
        let email = "rule-breaker@example.com";
        let (long, longest_email) = ("x".repeat(129), format!("{}@example.com", "a".repeat(250)));
        let valid = Actor::PASSWORD;
        for (body, field, code) in [
            (json!({"email": email}), "/password", "REQUIRED"),
            (json!({"email": email, "password": null}), "/password", "WRONG_TYPE"),
            (json!({"email": email, "password": 12_345_678}), "/password", "WRONG_TYPE"),
            (json!({"email": email, "password": ""}), "/password", "TOO_SHORT"),
            (json!({"email": email, "password": "7letter"}), "/password", "TOO_SHORT"),
            // 14 bytes, 7 characters.
            (json!({"email": email, "password": "ééééééé"}), "/password", "TOO_SHORT"),
            (json!({"email": email, "password": long}), "/password", "TOO_LONG"),
            (json!({"email": email, "password": "nul\u{0}inside"}), "/password", "INVALID_CHARACTERS"),
            (json!({"email": email, "password": "password123"}), "/password", "TOO_COMMON"),
            (json!({"email": email, "password": "PassWord123"}), "/password", "TOO_COMMON"),
            (json!({"email": email, "password": email}), "/password", "IS_EMAIL"),
            (json!({"email": email, "password": email.to_uppercase()}), "/password", "IS_EMAIL"),
            (json!({"email": email, "password": "Rule-Breaker"}), "/password", "IS_EMAIL"),
            (json!({"password": valid}), "/email", "REQUIRED"),
            (json!({"email": null, "password": valid}), "/email", "WRONG_TYPE"),
            (json!({"email": ["a@b.c"], "password": valid}), "/email", "WRONG_TYPE"),
            (json!({"email": "a@b", "password": valid}), "/email", "INVALID_FORMAT"),
            (json!({"email": "a b@example.com", "password": valid}), "/email", "INVALID_FORMAT"),
            (json!({"email": "a@@example.com", "password": valid}), "/email", "INVALID_FORMAT"),
            (json!({"email": longest_email, "password": valid}), "/email", "TOO_LONG"),
            (json!({"email": "a\u{0}@example.com", "password": valid}), "/email", "INVALID_CHARACTERS"),
            (json!({"email": email, "password": valid, "name": ""}), "/name", "TOO_SHORT"),
            (json!({"email": email, "password": valid, "name": " \u{2003} "}), "/name", "TOO_SHORT"),
            (json!({"email": email, "password": valid, "name": "x".repeat(101)}), "/name", "TOO_LONG"),
            (json!({"email": email, "password": valid, "name": "a\u{7}b"}), "/name", "INVALID_CHARACTERS"),
            (json!({"email": email, "password": valid, "name": null}), "/name", "WRONG_TYPE"),
        ] {
            let response = register(&app, &body).await.expect_error(422, "VALIDATION_FAILED");
            let found = response.details();
            assert!(found.contains(&(field.to_owned(), code.to_owned())), "{body}: {found:?}");
            assert!(found.iter().all(|(pointer, _)| pointer == field), "{body}: {found:?}");
        }
        assert_eq!(count_users(&app).await, 0);
    }

    async fn passwords_may_contain_any_character_and_are_not_normalized(engine: Engine) {
        let app = TestApp::new(engine);
        let longest = "é".repeat(128);
        for (number, password) in
            ["eight-ch", "  spaces around ", "☃ pässwörter 😀", "tab\tand\nline", "їїїїїїїї", longest.as_str()]
                .into_iter()
                .enumerate()
        {
            let email = format!("exact-{number}@example.com");
            register(&app, &json!({"email": email, "password": password})).await.expect(201);
            login(&app, &email, password).await.expect(200);
            let other = if password.trim() == password { format!("{password} ") } else { password.trim().to_owned() };
            if other.chars().count() <= 128 {
                login(&app, &email, &other).await.expect_error(401, "INVALID_CREDENTIALS");
            }
        }
    }

    async fn registration_reports_all_validation_errors_at_once(engine: Engine) {
        let app = TestApp::new(engine);
        for (body, expected) in [
            (
                json!({"email": "no address", "password": "short", "name": "", "role": "admin"}),
                vec![
                    ("/email", "INVALID_FORMAT"),
                    ("/name", "TOO_SHORT"),
                    ("/password", "TOO_SHORT"),
                    ("/role", "UNKNOWN_FIELD"),
                ],
            ),
            (json!({}), vec![("/email", "REQUIRED"), ("/password", "REQUIRED")]),
            // Violations of rules beyond the schema are listed with those of the schema.
            (
                json!({"email": "no address", "password": "password123"}),
                vec![("/email", "INVALID_FORMAT"), ("/password", "TOO_COMMON")],
            ),
            (
                json!({"email": "no-name@example.com", "password": "NO-NAME@example.com", "name": ""}),
                vec![("/name", "TOO_SHORT"), ("/password", "IS_EMAIL")],
            ),
        ] {
            let response = register(&app, &body).await.expect_error(422, "VALIDATION_FAILED");
            let mut found = response.details();
            found.sort();
            assert_eq!(found, details(&expected), "{body}");
        }
    }

    async fn password_change_reports_all_validation_errors_at_once(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.passwords.min_length = 15).build();
        let user = app.user().await;
        let expected = details(&[("/new_password", "TOO_COMMON"), ("/new_password", "TOO_SHORT")]);
        for (path, body) in [
            ("password", json!({"current_password": Actor::PASSWORD, "new_password": "password123"})),
            ("password-reset/confirm", json!({"token": mailed_token(&app, &user.email()).await, "new_password": "password123"})),
        ] {
            for version in ["v1", "v2"] {
                let path = format!("/{version}/auth/{path}");
                let method = if path.ends_with("/password") { Method::PUT } else { Method::POST };
                let response = user.request(method.clone(), &path).json(&body).send().await;
                let mut found = response.expect_error(422, "VALIDATION_FAILED").details();
                found.sort();
                assert_eq!(found, expected, "{path}");
                let mut body = body.clone();
                body["color"] = json!("blue");
                let mut found = user.request(method, &path).json(&body).send().await.expect(422).details();
                found.sort();
                assert_eq!(found, [&details(&[("/color", "UNKNOWN_FIELD")])[..], &expected[..]].concat(), "{path}");
            }
        }
    }

    async fn registration_rejects_unknown_fields(engine: Engine) {
        let app = TestApp::new(engine);
        for (name, value) in [
            ("role", json!("admin")),
            ("disabled", json!(true)),
            ("id", json!(1)),
            ("user_id", json!(1)),
            ("is_admin", json!(true)),
            ("password_hash", json!("$argon2id$")),
            ("created_at", json!("2020-01-01T00:00:00Z")),
            ("Email", json!("other@example.com")),
        ] {
            let mut body = json!({"email": "mass@example.com", "password": Actor::PASSWORD});
            body[name] = value;
            let response = register(&app, &body).await.expect_error(422, "UNKNOWN_FIELD");
            assert_eq!(response.details(), details(&[(&format!("/{name}"), "UNKNOWN_FIELD")]));
        }
        assert_eq!(count_users(&app).await, 0);
    }

    async fn minimum_password_length_is_configurable(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.passwords.min_length = 15).build();
        let body = |password: &str| json!({"email": "long@example.com", "password": password});
        let response = register(&app, &body("fourteen-chars")).await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(response.details(), details(&[("/password", "TOO_SHORT")]));
        let user = Actor::new(&app, Some(register(&app, &body("fifteen-letters")).await.expect(201).json()));
        let change = json!({"current_password": "fifteen-letters", "new_password": "fourteen-chars"});
        let response = user.put("/v1/auth/password", &change).await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(response.details(), details(&[("/new_password", "TOO_SHORT")]));
        let token = mailed_token(&app, "long@example.com").await;
        let response = confirm_reset(&app, &token, "fourteen-chars").await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(response.details(), details(&[("/new_password", "TOO_SHORT")]));
    }

    async fn each_login_creates_a_session(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for email in [user.email(), user.email().to_uppercase()] {
            let response = login(&app, &email, Actor::PASSWORD).await.expect(200);
            assert_eq!(response.header("cache-control"), "no-store");
            let session = response.json();
            assert_eq!(session["user"], user.session.as_ref().unwrap()["user"]);
            assert_ne!(session["refresh_token"], user.refresh_token());
            assert_ne!(session["access_token"], user.token());
            Actor::new(&app, Some(session)).get("/v1/users/me").await.expect(200);
        }
    }

    async fn unknown_account_and_wrong_password_get_the_same_response(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let wrong_password = login(&app, &user.email(), "harbour-lantern-43").await.expect_error(401, "INVALID_CREDENTIALS");
        assert_eq!(wrong_password.header("www-authenticate"), "Bearer realm=\"bucketlist\"");
        assert!(wrong_password.details().is_empty());
        for (email, password) in [
            ("nobody@example.com", Actor::PASSWORD),
            ("'or'1'='1@example.com", Actor::PASSWORD),
            (&user.email(), "x"),
            (&user.email(), "HARBOUR-LANTERN-42"),
        ] {
            let response = login(&app, email, password).await.expect_error(401, "INVALID_CREDENTIALS");
            assert_eq!(response.comparable(), wrong_password.comparable(), "{email}");
        }
    }

    async fn disabled_account_is_reported_only_with_the_correct_password(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        app.admin().await.patch(&format!("/v1/users/{}", user.id()), &json!({"disabled": true})).await.expect(200);
        login(&app, &user.email(), Actor::PASSWORD).await.expect_error(403, "ACCOUNT_DISABLED");
        login(&app, &user.email(), "harbour-lantern-43").await.expect_error(401, "INVALID_CREDENTIALS");
    }

    async fn login_rehashes_a_password_with_outdated_parameters(engine: Engine) {
        let old_app = TestApp::new(engine);
        let (id, email) = {
            let user = old_app.user().await;
            (user.id(), user.email())
        };
        let before = password_hash(&old_app, id).await;
        assert!(before.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{before}");
        login(&old_app, &email, Actor::PASSWORD).await.expect(200);
        assert_eq!(password_hash(&old_app, id).await, before, "a hash with current parameters is not replaced");

        let new_app = TestApp::builder().database(old_app.database).config(|config| config.passwords.passes = 2).build();
        login(&new_app, &email, "harbour-lantern-43").await.expect_error(401, "INVALID_CREDENTIALS");
        assert_eq!(password_hash(&new_app, id).await, before, "a wrong password does not replace the hash");
        login(&new_app, &email, Actor::PASSWORD).await.expect(200);
        let after = password_hash(&new_app, id).await;
        assert!(after.starts_with("$argon2id$v=19$m=8,t=2,p=1$"), "{after}");
        login(&new_app, &email, Actor::PASSWORD).await.expect(200);
        assert_eq!(password_hash(&new_app, id).await, after);
    }

    async fn password_change_ends_all_other_sessions(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.user().await, app.user().await);
        let other = Actor::new(&app, Some(login(&app, &user.email(), Actor::PASSWORD).await.expect(200).json()));
        other.get("/v1/users/me").await.expect(200);

        let change = json!({"current_password": Actor::PASSWORD, "new_password": NEW_PASSWORD});
        user.put("/v1/auth/password", &change).await.expect(204);

        other.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        let refresh = json!({"refresh_token": other.refresh_token()});
        other.post("/v1/auth/refresh", &refresh).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        user.get("/v1/users/me").await.expect(200);
        app.anonymous().post("/v1/auth/refresh", &json!({"refresh_token": user.refresh_token()})).await.expect(200);
        other_user.get("/v1/users/me").await.expect(200);
        login(&app, &user.email(), Actor::PASSWORD).await.expect_error(401, "INVALID_CREDENTIALS");
        login(&app, &user.email(), NEW_PASSWORD).await.expect(200);
    }

    async fn invalid_password_change_has_no_effect(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let other = Actor::new(&app, Some(login(&app, &user.email(), Actor::PASSWORD).await.expect(200).json()));
        let email = user.email();
        for (current, new, code, field, rule) in [
            ("harbour-lantern-43", NEW_PASSWORD, "WRONG_PASSWORD", "/current_password", "WRONG_PASSWORD"),
            ("", NEW_PASSWORD, "VALIDATION_FAILED", "/current_password", "TOO_SHORT"),
            (Actor::PASSWORD, "7letter", "VALIDATION_FAILED", "/new_password", "TOO_SHORT"),
            (Actor::PASSWORD, &"x".repeat(129), "VALIDATION_FAILED", "/new_password", "TOO_LONG"),
            (Actor::PASSWORD, "password123", "VALIDATION_FAILED", "/new_password", "TOO_COMMON"),
            (Actor::PASSWORD, &email, "VALIDATION_FAILED", "/new_password", "IS_EMAIL"),
        ] {
            let body = json!({"current_password": current, "new_password": new});
            let response = user.put("/v1/auth/password", &body).await.expect_error(422, code);
            assert_eq!(response.details(), details(&[(field, rule)]), "{body}");
        }
        app.anonymous()
            .put("/v1/auth/password", &json!({"current_password": Actor::PASSWORD, "new_password": NEW_PASSWORD}))
            .await
            .expect_error(401, "AUTHENTICATION_REQUIRED");
        other.get("/v1/users/me").await.expect(200);
        login(&app, &user.email(), Actor::PASSWORD).await.expect(200);
    }

    async fn password_reset_request_does_not_reveal_whether_the_account_exists(engine: Engine) {
        let app = TestApp::new(engine);
        let (known, disabled) = (app.user().await, app.user().await);
        let path = format!("/v1/users/{}", disabled.id());
        app.admin().await.patch(&path, &json!({"disabled": true})).await.expect(200);
        let first = request_reset(&app, &known.email().to_uppercase()).await.expect(202);
        assert!(first.body.is_empty());
        for email in ["nobody@example.com", "nobody+%25@example.com", &disabled.email()] {
            let response = request_reset(&app, email).await.expect(202);
            assert_eq!(response.comparable(), first.comparable(), "{email}");
        }
        for email in ["nobody", "a@b", "@@@", ""] {
            let response = request_reset(&app, email).await.expect_error(422, "VALIDATION_FAILED");
            assert!(response.details().iter().all(|(field, _)| field == "/email"), "{email}");
        }
        assert!(app.mailer.take().is_empty(), "the mail was sent before the job ran");

        app.run_jobs().await;
        let mails = app.mailer.take();
        let recipients: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(recipients, [known.email()]);
        assert!(mails[0].text.contains("http://test.example/v2/auth/password-reset/confirm"), "{}", mails[0].text);
        assert!(mails[0].text.contains("for 10 minutes"), "{}", mails[0].text);
        assert_eq!(count_jobs(&app).await, 0);
        known.get("/v1/users/me").await.expect(200);
        login(&app, &known.email(), Actor::PASSWORD).await.expect(200);
    }

    async fn reset_token_works_once_and_ends_all_sessions(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.user().await, app.user().await);
        let other = Actor::new(&app, Some(login(&app, &user.email(), Actor::PASSWORD).await.expect(200).json()));
        let token = mailed_token(&app, &user.email()).await;
        let email = user.email();
        for (new, rule) in [("7letter", "TOO_SHORT"), ("password123", "TOO_COMMON"), (email.as_str(), "IS_EMAIL")] {
            let response = confirm_reset(&app, &token, new).await.expect_error(422, "VALIDATION_FAILED");
            assert_eq!(response.details(), details(&[("/new_password", rule)]));
        }
        user.get("/v1/users/me").await.expect(200);

        confirm_reset(&app, &token, NEW_PASSWORD).await.expect(204);

        for actor in [&user, &other] {
            actor.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
            let refresh = json!({"refresh_token": actor.refresh_token()});
            app.anonymous().post("/v1/auth/refresh", &refresh).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        }
        other_user.get("/v1/users/me").await.expect(200);
        login(&app, &user.email(), Actor::PASSWORD).await.expect_error(401, "INVALID_CREDENTIALS");
        login(&app, &user.email(), NEW_PASSWORD).await.expect(200);
        let response = confirm_reset(&app, &token, "another-password-9").await.expect_error(422, "INVALID_RESET_TOKEN");
        assert_eq!(response.details(), details(&[("/token", "INVALID_RESET_TOKEN")]));
        login(&app, &user.email(), NEW_PASSWORD).await.expect(200);
    }

    async fn all_invalid_reset_tokens_get_the_same_response(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let token = mailed_token(&app, &user.email()).await;
        app.advance_clock(Duration::from_secs(599));
        let last = mailed_token(&app, &user.email()).await;
        app.advance_clock(Duration::from_secs(1));
        let expired = confirm_reset(&app, &token, NEW_PASSWORD).await.expect_error(422, "INVALID_RESET_TOKEN");
        for invalid in ["x", &last[1..], &last.to_uppercase(), &format!("{last} "), &user.refresh_token(), "' OR '1'='1"] {
            let response = confirm_reset(&app, invalid, NEW_PASSWORD).await.expect_error(422, "INVALID_RESET_TOKEN");
            assert_eq!(response.comparable(), expired.comparable(), "{invalid}");
        }
        app.advance_clock(Duration::from_secs(598));
        confirm_reset(&app, &last, NEW_PASSWORD).await.expect(204);
    }

    async fn using_a_reset_token_invalidates_the_others(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.user().await, app.user().await);
        let (first, second) = (mailed_token(&app, &user.email()).await, mailed_token(&app, &user.email()).await);
        let other_token = mailed_token(&app, &other_user.email()).await;
        assert_ne!(first, second);
        confirm_reset(&app, &second, NEW_PASSWORD).await.expect(204);
        confirm_reset(&app, &first, "another-password-9").await.expect_error(422, "INVALID_RESET_TOKEN");
        confirm_reset(&app, &other_token, NEW_PASSWORD).await.expect(204);
    }

    async fn changing_password_or_address_invalidates_reset_tokens(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let token = mailed_token(&app, &user.email()).await;
        let change = json!({"current_password": Actor::PASSWORD, "new_password": NEW_PASSWORD});
        user.put("/v1/auth/password", &change).await.expect(204);
        confirm_reset(&app, &token, "another-password-9").await.expect_error(422, "INVALID_RESET_TOKEN");

        let token = mailed_token(&app, &user.email()).await;
        user.patch("/v1/users/me", &json!({"name": "Renamed"})).await.expect(200);
        let change = json!({"email": "moved@example.com", "current_password": NEW_PASSWORD});
        user.patch("/v1/users/me", &change).await.expect(200);
        confirm_reset(&app, &token, "another-password-9").await.expect_error(422, "INVALID_RESET_TOKEN");
        login(&app, "moved@example.com", NEW_PASSWORD).await.expect(200);
    }

    async fn concurrent_confirmations_of_one_reset_token_succeed_once(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let token = mailed_token(&app, &user.email()).await;
        let passwords: Vec<String> = (0..6).map(|number| format!("meadow-compass-{number}")).collect();
        let responses = join_all(passwords.iter().map(|password| confirm_reset(&app, &token, password))).await;
        let mut succeeded = Vec::new();
        for (response, password) in responses.into_iter().zip(&passwords) {
            if response.0.status == 204 {
                succeeded.push(password);
            } else {
                response.expect_error(422, "INVALID_RESET_TOKEN");
            }
        }
        assert_eq!(succeeded.len(), 1);
        login(&app, &user.email(), succeeded[0]).await.expect(200);
    }

    async fn failed_mail_is_retried(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_reset(&app, &user.email()).await.expect(202);
        app.mailer.fails.store(true, Ordering::SeqCst);
        app.run_jobs().await;
        app.mailer.fails.store(false, Ordering::SeqCst);
        app.run_jobs().await;
        assert!(app.mailer.take().is_empty(), "the mail was retried without delay");
        assert_eq!(count_jobs(&app).await, 1);
        app.advance_clock(Duration::from_secs(2));
        app.run_jobs().await;
        let mails = app.mailer.take();
        assert_eq!((mails.len(), count_jobs(&app).await), (1, 0));
        confirm_reset(&app, &token_in(&mails[0]), NEW_PASSWORD).await.expect(204);
    }

    async fn mail_is_abandoned_after_ten_attempts(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_reset(&app, &user.email()).await.expect(202);
        app.mailer.fails.store(true, Ordering::SeqCst);
        for attempt in 1..=10 {
            assert_eq!(count_jobs(&app).await, 1, "attempt {attempt}");
            app.run_jobs().await;
            app.advance_clock(Duration::from_secs(6 * 3_600));
        }
        let read = |c: &mut _| jobs::table.select((jobs::state, jobs::attempts)).load(c).map_err(DbError::from);
        let states: Vec<(String, i32)> = app.app.db.read(read).await.unwrap();
        assert_eq!(states, [("dead".to_owned(), 10)]);
        // A dead letter is not retried.
        app.run_jobs().await;
        assert_eq!(app.app.db.read(read).await.unwrap(), states);
    }

    async fn job_of_a_crashed_worker_is_taken_over(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_reset(&app, &user.email()).await.expect(202);
        // A worker claims the job and crashes.
        let at = Timestamp::from_micros;
        let claimed = app.app.db.write(move |c| {
            let request = outbox::ClaimRequest {
                kinds: [PasswordResetMail::KIND].into(),
                priorities: JobPriority::ALL,
                worker: "test".into(),
                now: at(i64::MAX / 2),
                visible_at: at(START + 120_000_000),
            };
            outbox::claim(c, &request).map_err(DbError::from)
        });
        assert!(claimed.await.unwrap().is_some());
        app.run_jobs().await;
        assert!(app.mailer.take().is_empty(), "the job is hidden until its claim expires");
        app.advance_clock(Duration::from_secs(120));
        app.run_jobs().await;
        assert_eq!(app.mailer.take().len(), 1);
    }

    async fn secrets_are_not_stored_in_plain_text(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_reset(&app, &user.email()).await.expect(202);
        let outbox = || app.app.db.read(|c| {
            jobs::table
                .select((jobs::kind, jobs::payload, jobs::attempts, jobs::last_error))
                .load::<(String, String, i32, Option<String>)>(c)
                .map_err(DbError::from)
        });
        let key = json!({"email_key": user.email()}).to_string();
        assert_eq!(outbox().await.unwrap(), [("password_reset_mail".to_owned(), key.clone(), 0, None)]);
        app.mailer.fails.store(true, Ordering::SeqCst);
        app.run_jobs().await;
        let error = "cannot send mail: the mail server is unavailable".to_owned();
        assert_eq!(outbox().await.unwrap(), [("password_reset_mail".to_owned(), key, 1, Some(error))]);
        app.mailer.fails.store(false, Ordering::SeqCst);
        app.advance_clock(Duration::from_secs(2));
        app.run_jobs().await;
        let token = token_in(&app.mailer.take()[0]);

        let (resets, refreshes): (Vec<Vec<u8>>, Vec<Vec<u8>>) = app.app.db.snapshot(|c| {
            let resets = password_resets::table.select(password_resets::token_hash).load(c)?;
            let refreshes = refresh_tokens::table.select(refresh_tokens::token_hash).load(c)?;
            Ok::<_, DbError>((resets, refreshes))
        }).await.unwrap();
        assert!(resets.contains(&digest(&token)));
        assert!(resets.iter().all(|hash| hash.len() == 32));
        assert_eq!(refreshes, [digest(&user.refresh_token())]);
        let hash = password_hash(&app, user.id()).await;
        assert!(hash.starts_with("$argon2id$") && !hash.contains(Actor::PASSWORD), "{hash}");
    }

    async fn session_stores_a_truncated_user_agent(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"email": user.email(), "password": Actor::PASSWORD});
        let request = app.anonymous().request(poem::http::Method::POST, "/v1/auth/login").json(&body);
        request.header("user-agent", &"x".repeat(300)).send().await.expect(200);
        let names: Vec<Option<String>> = app.app.db.read(|c| {
            sessions::table.order(sessions::id).select(sessions::user_agent).load(c).map_err(DbError::from)
        }).await.unwrap();
        assert_eq!(names, [None, Some("x".repeat(200))]);
    }

    async fn log_contains_no_personal_data(engine: Engine) {
        let log = LogCapture::start(LogFormat::Trace);
        let app = TestApp::new(engine);
        let (email, wrong_password) = ("Margaret.Hamilton@Apollo.example", "guess-wrong-9000");
        let body = json!({"email": email, "password": Actor::PASSWORD, "name": "Margaret H."});
        let first = Actor::new(&app, Some(register(&app, &body).await.expect(201).json()));
        register(&app, &body).await.expect_error(409, "EMAIL_TAKEN");
        register(&app, &json!({"email": email, "password": "tiny-pw", "role": "Margaret H."})).await.expect(422);
        register(&app, &json!({"email": email, "password": "password123"})).await.expect(422);
        let malformed = format!(r#"{{"email": "{email}", "password": "{wrong_password}", "email": 1}}"#);
        let request = app.anonymous().request(poem::http::Method::POST, "/v1/auth/login");
        request.header("content-type", "application/json").bytes(malformed).send().await.expect(400);
        login(&app, email, wrong_password).await.expect(401);
        let second = Actor::new(&app, Some(login(&app, email, Actor::PASSWORD).await.expect(200).json()));
        let third = second.post("/v1/auth/refresh", &json!({"refresh_token": second.refresh_token()})).await;
        let third = Actor::new(&app, Some(third.expect(200).json()));
        let list = third.post("/v1/bucketlists", &json!({"name": "Land on it", "description": "Softly"})).await;
        list.expect(201);
        third.get("/v1/bucketlists?q=Land+on").await.expect(200);
        app.admin().await.get("/v1/users?q=Margaret.Hamilton").await.expect(200);
        let change = json!({"current_password": wrong_password, "new_password": NEW_PASSWORD});
        third.put("/v1/auth/password", &change).await.expect(422);
        app.mailer.fails.store(true, Ordering::SeqCst);
        request_reset(&app, email).await.expect(202);
        request_reset(&app, "nobody.known@apollo.example").await.expect(202);
        app.run_jobs().await;
        app.mailer.fails.store(false, Ordering::SeqCst);
        app.advance_clock(Duration::from_secs(2));
        app.run_jobs().await;
        let reset = token_in(&app.mailer.take()[0]);
        third.post("/v1/auth/logout", &json!({})).await.any_status();
        third.request(poem::http::Method::POST, "/v1/auth/logout").send().await.any_status();
        third.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        app.advance_clock(Duration::from_secs(60));
        let reused = json!({"refresh_token": second.refresh_token()});
        app.anonymous().post("/v1/auth/refresh", &reused).await.expect(401);
        let reused = json!({"refresh_token": first.refresh_token()});
        app.anonymous().post("/v1/auth/refresh", &reused).await.expect(200);
        app.advance_clock(Duration::from_secs(60));
        app.anonymous().post("/v1/auth/refresh", &reused).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        confirm_reset(&app, &reset, NEW_PASSWORD).await.expect(204);
        confirm_reset(&app, &reset, NEW_PASSWORD).await.expect(422);
        app.app.worker.purge_expired().await.unwrap();
        // A server error is logged with its causes, which must not contain row data.
        app.execute("ALTER TABLE sessions RENAME COLUMN last_seen_at TO broken");
        login(&app, email, NEW_PASSWORD).await.expect_error(500, "INTERNAL_ERROR");

        let text = log.text();
        for seen in [
            "register",
            "login",
            "refreshSession",
            "logout",
            "requestPasswordReset",
            "INTERNAL_ERROR",
            "job failed; will retry",
            "refresh token reused",
        ] {
            assert!(text.contains(seen), "the log was not captured: no {seen} in\n{text}");
        }
        let lower = text.to_lowercase();
        let mut secrets: Vec<String> =
            [email, "nobody.known", "margaret", "apollo.example"].map(str::to_owned).into();
        secrets.extend([Actor::PASSWORD, NEW_PASSWORD, wrong_password, "tiny-pw", "password123"].map(str::to_owned));
        secrets.extend(["land on it", "land+on", "softly", "argon2id$"].map(str::to_owned));
        secrets.push(reset);
        for actor in [&first, &second, &third] {
            secrets.extend([actor.refresh_token(), actor.token()]);
            // Neither the token nor its claims and signature are logged.
            secrets.extend(actor.token().split('.').skip(1).map(str::to_owned));
        }
        for secret in secrets {
            let line = lower.lines().find(|line| line.contains(&secret.to_lowercase()));
            assert!(line.is_none(), "{secret} is in the log: {line:?}");
        }
    }
}

/// The time at which a test starts, in microseconds.
const START: i64 = 1_800_000_000_000_000;

/// Responses of the mail server are logged and stored with the job; mail servers quote the recipient in them.
#[tokio::test]
async fn responses_of_the_mail_server_are_not_logged_with_the_recipient() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mail.example\r\n").await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
            let reply = if line.starts_with("RCPT") {
                "550 5.1.1 <ada@example.com>: no mailbox here by that name\r\n"
            } else {
                "250 fine\r\n"
            };
            stream.write_all(reply.as_bytes()).await.unwrap();
            line.clear();
        }
    });
    let mailer = SmtpMailer::new(&url.into(), "BucketList <noreply@example.org>").unwrap();
    let mail = Mail {
        id: "1".to_owned(),
        to: "ada@example.com".to_owned(),
        subject: "Hello".to_owned(),
        text: "a secret".to_owned(),
        html: "<p>a secret</p>".to_owned(),
    };
    let error = mailer.send(&mail).await.unwrap_err().to_string();
    assert!(error.contains("550"), "{error}");
    assert!(!error.contains("ada") && !error.contains("secret"), "{error}");
    server.abort();
}

both_engines! {
    async fn email_addresses_are_trimmed(engine: Engine) {
        let app = TestApp::new(engine);
        let body = json!({"email": " Padded@Example.com\u{2003}", "password": Actor::PASSWORD});
        let session = app.anonymous().post("/v1/auth/register", &body).await.expect(201).json();
        assert_eq!(session["user"]["email"], "Padded@Example.com");
        let body = json!({"email": "padded@example.com ", "password": Actor::PASSWORD});
        app.anonymous().post("/v1/auth/login", &body).await.expect(200);
    }
}
