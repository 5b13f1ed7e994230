//! Sessions: access tokens, refresh tokens, logout, and the purge of expired rows.

use std::{pin::pin, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bucketlist::{
    app::{App, Dependencies},
    auth::AccessTokens,
    db::{
        DbError,
        schema::{refresh_tokens, revoked_tokens, sessions},
    },
    domain::SystemRandom,
};
use diesel::prelude::*;
use futures_util::future::{FutureExt, join, join_all};
use poem::http::Method;

use crate::support::{Actor, Engine, TestApp, TestResponse, UncheckedResponse, Value, json};

/// The signing secret of test apps.
const SECRET: &str = "the-secret-that-test-apps-sign-with";

/// The time at which a test starts, in Unix seconds.
const START: i64 = 1_800_000_000;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn login<'a>(app: &'a TestApp, actor: &Actor<'_>) -> Actor<'a> {
    let body = json!({"email": actor.email(), "password": Actor::PASSWORD});
    Actor::new(app, Some(app.anonymous().post("/v1/auth/login", &body).await.expect(200).json()))
}

async fn refresh(app: &TestApp, refresh_token: &str) -> UncheckedResponse {
    app.anonymous().post("/v1/auth/refresh", &json!({"refresh_token": refresh_token})).await
}

/// Refreshes a session and returns an actor with the new tokens.
async fn refresh_session<'a>(app: &'a TestApp, refresh_token: &str) -> Actor<'a> {
    Actor::new(app, Some(refresh(app, refresh_token).await.expect(200).json()))
}

async fn delete_me(actor: &Actor<'_>) -> UncheckedResponse {
    actor.request(Method::DELETE, "/v1/users/me").json(&json!({"password": Actor::PASSWORD})).send().await
}

async fn logout(actor: &Actor<'_>) -> UncheckedResponse {
    actor.request(Method::POST, "/v1/auth/logout").send().await
}

async fn with_token(app: &TestApp, token: &str) -> UncheckedResponse {
    let request = app.anonymous().request(Method::GET, "/v1/users/me");
    request.header("authorization", &format!("Bearer {token}")).send().await
}

/// Decodes one of the three parts of a token.
fn part(token: &str, number: usize) -> Value {
    let text = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// Returns the number of sessions, refresh tokens and revoked access tokens.
async fn count_rows(app: &TestApp) -> (i64, i64, i64) {
    let counted = app.app.db.snapshot(|c| {
        Ok::<_, DbError>((
            sessions::table.count().get_result(c)?,
            refresh_tokens::table.count().get_result(c)?,
            revoked_tokens::table.count().get_result(c)?,
        ))
    });
    counted.await.unwrap()
}

both_engines! {
    async fn access_token_expires_after_15_minutes(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        app.advance_clock(Duration::from_secs(899));
        user.get("/v1/users/me").await.expect(200);
        app.advance_clock(Duration::from_secs(1));
        user.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        let user = refresh_session(&app, &user.refresh_token()).await;
        user.get("/v1/users/me").await.expect(200);
    }

    async fn token_lifetimes_are_configurable(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.tokens.access_ttl = Duration::from_secs(60);
            config.tokens.refresh_ttl = Duration::from_secs(3600);
        }).build();
        let user = app.user().await;
        let session = user.session.clone().unwrap();
        assert_eq!((&session["expires_in"], &session["refresh_expires_in"]), (&json!(60), &json!(3600)));
        app.advance_clock(Duration::from_secs(60));
        user.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        app.advance_clock(Duration::from_secs(3540));
        refresh(&app, &user.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
    }

    async fn missing_token_returns_401(engine: Engine) {
        let app = TestApp::new(engine);
        let response = app.anonymous().get("/v1/users/me").await.expect_error(401, "AUTHENTICATION_REQUIRED");
        assert_eq!(response.header("www-authenticate"), "Bearer realm=\"bucketlist\"");
    }

    async fn not_before_allows_five_seconds_of_clock_skew(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let tokens = AccessTokens::new(&SECRET.into(), &[], 900);
        let session = part(&user.token(), 1)["sid"].as_i64().unwrap();
        for (ahead, status) in [(5, 200), (6, 401)] {
            let token = tokens.issue(user.id(), session, START + ahead, &SystemRandom).unwrap();
            with_token(&app, &token).await.expect(status);
        }
    }

    async fn public_operations_ignore_an_invalid_token(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"email": user.email(), "password": Actor::PASSWORD});
        for authorization in ["Bearer x", "Basic eDp5", ""] {
            let request = app.anonymous().request(Method::POST, "/v1/auth/login").json(&body);
            request.header("authorization", authorization).send().await.expect(200);
        }
    }

    async fn token_responses_are_neither_cached_nor_compressed(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"refresh_token": user.refresh_token()});
        let request = app.anonymous().request(Method::POST, "/v1/auth/refresh").json(&body);
        let response = request.header("accept-encoding", "gzip, br, zstd").send().await.expect(200);
        assert_eq!(response.header("cache-control"), "no-store");
        assert!(!response.headers.contains_key("content-encoding"), "{response:?}");
    }

    async fn refresh_token_is_rotated(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        app.advance_clock(Duration::from_secs(60));
        user.patch("/v1/users/me", &json!({"name": "Renamed"})).await.expect(200);
        let next = refresh_session(&app, &user.refresh_token()).await;
        let session = next.session.clone().unwrap();
        assert_eq!(session["user"]["name"], "Renamed");
        assert_eq!((&session["expires_in"], &session["refresh_expires_in"]), (&json!(900), &json!(2_592_000)));
        assert_ne!(next.refresh_token(), user.refresh_token());
        assert_ne!(next.token(), user.token());
        assert_eq!(part(&next.token(), 1)["sid"], part(&user.token(), 1)["sid"]);
        next.get("/v1/users/me").await.expect(200);
        user.get("/v1/users/me").await.expect(200);
        refresh_session(&app, &next.refresh_token()).await.get("/v1/users/me").await.expect(200);
        assert_eq!(count_rows(&app).await, (1, 3, 0));
    }

    async fn refresh_token_reused_within_ten_seconds_returns_the_same_successor(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let next = refresh_session(&app, &user.refresh_token()).await;
        app.advance_clock(Duration::from_secs(10));
        let again = refresh_session(&app, &user.refresh_token()).await;
        assert_eq!(again.refresh_token(), next.refresh_token());
        again.get("/v1/users/me").await.expect(200);
        let after = refresh_session(&app, &next.refresh_token()).await;
        after.get("/v1/users/me").await.expect(200);
    }

    async fn refresh_token_reuse_ends_its_session_only(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let other = login(&app, &user).await;
        let next = refresh_session(&app, &user.refresh_token()).await;
        next.get("/v1/users/me").await.expect(200);
        app.advance_clock(Duration::from_micros(10_000_001));
        refresh(&app, &user.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        for actor in [&user, &next] {
            actor.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
            refresh(&app, &actor.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        }
        other.get("/v1/users/me").await.expect(200);
        refresh(&app, &other.refresh_token()).await.expect(200);
    }

    async fn reuse_of_an_older_refresh_token_ends_the_session(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let mut newest = refresh_session(&app, &user.refresh_token()).await;
        for _ in 0..3 {
            app.advance_clock(Duration::from_secs(600));
            newest = refresh_session(&app, &newest.refresh_token()).await;
        }
        refresh(&app, &user.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        newest.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn all_invalid_refresh_tokens_get_the_same_response(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, ended, deleted) = (app.user().await, app.user().await, app.user().await);
        logout(&ended).await.expect(204);
        delete_me(&deleted).await.expect(204);
        let valid = user.refresh_token();
        let first = refresh(&app, "x").await.expect_error(401, "INVALID_REFRESH_TOKEN");
        for (what, token) in [
            ("after the logout", ended.refresh_token()),
            ("of a deleted account", deleted.refresh_token()),
            ("another case", valid.to_uppercase()),
            ("with a trailing space", format!("{valid} ")),
            ("truncated", valid[1..].to_owned()),
            ("SQL", "' OR '1'='1".to_owned()),
        ] {
            let response = refresh(&app, &token).await.any_status();
            assert_eq!(response.comparable(), first.comparable(), "{what}");
        }
        assert_eq!(first.header("www-authenticate"), "Bearer realm=\"bucketlist\"");
        // An access token exceeds the maximum length of a refresh token.
        refresh(&app, &user.token()).await.expect_error(422, "VALIDATION_FAILED");
        refresh(&app, "").await.expect_error(422, "VALIDATION_FAILED");
        refresh(&app, &valid).await.expect(200);
    }

    async fn session_expires_30_days_after_the_last_refresh(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        app.advance_clock(DAY * 30 - Duration::from_micros(1));
        let next = refresh_session(&app, &user.refresh_token()).await;
        app.advance_clock(DAY * 30 - Duration::from_micros(1));
        let last = refresh_session(&app, &next.refresh_token()).await;
        app.advance_clock(DAY * 30);
        refresh(&app, &last.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
    }

    async fn active_session_expires_at_its_maximum_age(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.tokens.session_ttl = DAY * 40).build();
        let user = app.user().await;
        assert_eq!(user.session.as_ref().unwrap()["refresh_expires_in"], 30 * 86_400);
        app.advance_clock(DAY * 29);
        let next = refresh_session(&app, &user.refresh_token()).await;
        assert_eq!(next.session.as_ref().unwrap()["refresh_expires_in"], 11 * 86_400, "limited by the maximum age of the session");
        app.advance_clock(DAY * 11 - Duration::from_micros(1));
        let last = refresh_session(&app, &next.refresh_token()).await;
        assert_eq!(last.session.as_ref().unwrap()["refresh_expires_in"], 1);
        app.advance_clock(Duration::from_micros(1));
        refresh(&app, &last.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        login(&app, &user).await.get("/v1/users/me").await.expect(200);
    }

    async fn shorter_maximum_age_applies_to_open_sessions(engine: Engine) {
        let app = TestApp::new(engine);
        let refresh_token = app.user().await.refresh_token();
        let stricter = TestApp::builder().database(app.database).config(|config| config.tokens.session_ttl = DAY * 10).build();
        stricter.advance_clock(DAY * 10);
        refresh(&stricter, &refresh_token).await.expect_error(401, "INVALID_REFRESH_TOKEN");
    }

    async fn concurrent_refreshes_all_return_a_valid_token(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let token = user.refresh_token();
        let responses = join_all((0..20).map(|_| refresh(&app, &token))).await;
        let actors: Vec<Actor> =
            responses.into_iter().map(|response| Actor::new(&app, Some(response.expect(200).json()))).collect();
        for actor in &actors {
            actor.get("/v1/users/me").await.expect(200);
            assert_eq!(actor.refresh_token(), actors[0].refresh_token());
            assert_eq!(part(&actor.token(), 1)["sid"], part(&user.token(), 1)["sid"]);
        }
        assert_eq!(count_rows(&app).await, (1, 2, 0));
        refresh(&app, &actors[7].refresh_token()).await.expect(200);
    }

    async fn refresh_concurrent_with_logout_leaves_no_valid_token(engine: Engine) {
        let app = TestApp::new(engine);
        for round in 0..10 {
            let user = app.user().await;
            let token = user.refresh_token();
            let (refresh_response, logged_out) = if round % 2 == 0 {
                join(refresh(&app, &token), logout(&user)).await
            } else {
                let (logged_out, refresh_response) = join(logout(&user), refresh(&app, &token)).await;
                (refresh_response, logged_out)
            };
            logged_out.expect(204);
            user.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
            if refresh_response.0.status == 200 {
                let late_session = Actor::new(&app, Some(refresh_response.expect(200).json()));
                late_session.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
                refresh(&app, &late_session.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
            } else {
                refresh_response.expect_error(401, "INVALID_REFRESH_TOKEN");
            }
            refresh(&app, &token).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        }
    }

    async fn logout_takes_effect_immediately(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.user().await, app.user().await);
        let other = login(&app, &user).await;
        user.get("/v1/users/me").await.expect(200);
        let response = logout(&user).await.expect(204);
        assert!(response.body.is_empty());
        let response = user.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        assert_eq!(response.header("www-authenticate"), "Bearer realm=\"bucketlist\", error=\"invalid_token\"");
        refresh(&app, &user.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        logout(&user).await.expect_error(401, "INVALID_TOKEN");
        for actor in [&other, &other_user] {
            actor.get("/v1/users/me").await.expect(200);
            refresh(&app, &actor.refresh_token()).await.expect(200);
        }
        login(&app, &user).await.get("/v1/users/me").await.expect(200);
    }

    async fn logout_revokes_all_access_tokens_of_the_session(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let next = refresh_session(&app, &user.refresh_token()).await;
        logout(&user).await.expect(204);
        for actor in [&user, &next] {
            actor.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
            refresh(&app, &actor.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        }
    }

    async fn token_in_concurrent_use_is_rejected_after_logout(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        // Requests in flight during the logout may cache the token status; later requests must not use it.
        let (_, response) = join(join_all((0..20).map(|_| user.get("/v1/users/me"))), logout(&user)).await;
        response.expect(204);
        for response in join_all((0..20).map(|_| user.get("/v1/users/me"))).await {
            response.expect_error(401, "INVALID_TOKEN");
        }
    }

    async fn purge_deletes_only_expired_rows(engine: Engine) {
        let app = TestApp::new(engine);
        let old = app.user().await;
        logout(&login(&app, &old).await).await.expect(204);
        app.anonymous().post("/v1/auth/password-reset", &json!({"email": old.email()})).await.expect(202);
        app.run_jobs().await;
        let purge = || async { app.app.worker.purge_expired().await.unwrap() };
        assert_eq!(purge().await, 0);
        assert_eq!(count_rows(&app).await, (2, 2, 1));

        app.advance_clock(Duration::from_secs(599));
        assert_eq!(purge().await, 0);
        app.advance_clock(Duration::from_secs(1));
        assert_eq!(purge().await, 1, "the reset token");
        app.advance_clock(Duration::from_secs(299));
        assert_eq!(purge().await, 0);
        app.advance_clock(Duration::from_secs(1));
        assert_eq!(purge().await, 1, "the revoked access token");
        assert_eq!(count_rows(&app).await, (2, 2, 0));

        app.advance_clock(DAY);
        let new = app.user().await;
        app.advance_clock(DAY * 29 - Duration::from_secs(901));
        assert_eq!(purge().await, 0);
        app.advance_clock(Duration::from_secs(1));
        assert_eq!(purge().await, 2, "both sessions of the first user");
        assert_eq!(count_rows(&app).await, (1, 1, 0));
        refresh(&app, &old.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        let new = refresh_session(&app, &new.refresh_token()).await;
        new.get("/v1/users/me").await.expect(200);
        login(&app, &old).await.get("/v1/users/me").await.expect(200);
    }

    async fn tokens_signed_with_a_previous_secret_stay_valid(engine: Engine) {
        let previous = "the-previous-secret-that-is-still-configured";
        let app = TestApp::builder().engine(engine).config(|config| config.tokens.previous_secrets = vec![previous.into()]).build();
        // A server with the previous secret on the same database.
        let parts = Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: app.mailer.clone() };
        let mut config = app.config.clone();
        config.tokens.previous_secrets.clear();
        let previous_app = App::new(&config, &previous.into(), parts).unwrap();
        let body = json!({"email": "ada@example.com", "password": Actor::PASSWORD}).to_string();
        let request = poem::Request::builder()
            .method(Method::POST)
            .uri("/v1/auth/register".parse().unwrap())
            .content_type("application/json")
            .body(body);
        let response = previous_app.endpoint.call(request).await.unwrap();
        let response = TestResponse::read(Method::POST, "/v1/auth/register".to_owned(), response).await;
        let ada = Actor::new(&app, Some(UncheckedResponse(response).expect(201).json()));

        ada.get("/v1/users/me").await.expect(200);
        let next = refresh_session(&app, &ada.refresh_token()).await;
        next.get("/v1/users/me").await.expect(200);
        // New tokens are signed with the new secret.
        assert_ne!(part(&next.token(), 0)["kid"], part(&ada.token(), 0)["kid"]);
        let new_user = app.user().await;
        assert_eq!(part(&new_user.token(), 0)["kid"], part(&next.token(), 0)["kid"]);

        let (old, new) = (ada.token(), next.token());
        let without_previous = TestApp::builder().database(app.database).build();
        with_token(&without_previous, &old).await.expect_error(401, "INVALID_TOKEN");
        with_token(&without_previous, &new).await.expect(200);
    }
}

both_engines! {
    async fn reuse_after_the_successor_was_used_ends_the_session_immediately(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let next = refresh_session(&app, &user.refresh_token()).await;
        let after = refresh_session(&app, &next.refresh_token()).await;
        // The owner has used the successor, so the reuse is rejected even within ten seconds.
        refresh(&app, &user.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
        after.get("/v1/users/me").await.expect_error(401, "INVALID_TOKEN");
        refresh(&app, &after.refresh_token()).await.expect_error(401, "INVALID_REFRESH_TOKEN");
    }
}

/// On SQLite, the server caches the token status, and one thread runs all writes in order.
#[tokio::test]
async fn token_of_a_reused_session_is_rejected_although_the_client_has_disconnected() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    let reused = user.refresh_token();
    let owner = refresh_session(&app, &reused).await;
    app.advance_clock(Duration::from_secs(11));
    owner.get("/v1/users/me").await.expect(200);
    {
        let mut request = pin!(refresh(&app, &reused));
        assert!((&mut request).now_or_never().is_none(), "the unit of work is queued");
    }
    app.app.db.write(|_| Ok::<_, DbError>(())).await.unwrap();
    owner.get("/v1/users/me").await.expect(401);
}
