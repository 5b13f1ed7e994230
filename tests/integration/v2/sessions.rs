//! Listing and ending the sessions of an account.

use std::{collections::BTreeSet, time::Duration};

use poem::http::Method;

use crate::support::{Actor, TestApp, Value, json};

async fn login<'a>(app: &'a TestApp, actor: &Actor<'_>, device: Option<&str>) -> Actor<'a> {
    let body = json!({"email": actor.email(), "password": Actor::PASSWORD});
    let request = app.anonymous().request(Method::POST, "/v2/auth/login").json(&body);
    let request = device.into_iter().fold(request, |request, device| request.header("user-agent", device));
    Actor::new(app, Some(request.send().await.expect(200).json()))
}

async fn sessions(actor: &Actor<'_>) -> Vec<Value> {
    actor.get("/v2/auth/sessions").await.expect(200).json()["data"].as_array().unwrap().clone()
}

/// Returns the ID of the actor's current session.
async fn current(actor: &Actor<'_>) -> i64 {
    let all = sessions(actor).await;
    let current: Vec<&Value> = all.iter().filter(|session| session["current"] == true).collect();
    assert_eq!(current.len(), 1, "{all:?}");
    current[0]["id"].as_i64().unwrap()
}

async fn end_session(actor: &Actor<'_>, session: i64) -> crate::support::UncheckedResponse {
    actor.delete(&format!("/v2/auth/sessions/{session}")).await
}

/// Asserts that both tokens of the session are rejected.
async fn assert_ended(app: &TestApp, actor: &Actor<'_>) {
    actor.get("/v2/users/me").await.expect_error(401, "INVALID_TOKEN");
    actor.get("/v1/bucketlists").await.expect_error(401, "INVALID_TOKEN");
    let body = json!({"refresh_token": actor.refresh_token()});
    app.anonymous().post("/v2/auth/refresh", &body).await.expect_error(401, "INVALID_REFRESH_TOKEN");
}

both_engines! {
    async fn open_sessions_are_listed_newest_first(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        app.advance_clock(Duration::from_secs(1));
        let phone = login(&app, &user, Some("Phone/1.0")).await;
        app.advance_clock(Duration::from_secs(1));
        let laptop = login(&app, &user, Some(&"L".repeat(300))).await;
        login(&app, &other, Some("Theirs")).await;
        app.advance_clock(Duration::from_secs(60));
        let body = json!({"refresh_token": phone.refresh_token()});
        app.anonymous().post("/v2/auth/refresh", &body).await.expect(200);

        let long = "L".repeat(200);
        let devices = [json!(long), json!("Phone/1.0"), json!(null)];
        for (index, actor) in [&laptop, &phone, &user].into_iter().enumerate() {
            let all = sessions(actor).await;
            let seen: Vec<&Value> = all.iter().map(|session| &session["device"]).collect();
            assert_eq!(seen, devices.iter().collect::<Vec<_>>());
            let current: Vec<bool> = all.iter().map(|session| session["current"] == true).collect();
            assert_eq!(current, (0..3).map(|number| number == index).collect::<Vec<_>>());
        }
        let all = sessions(&user).await;
        assert_eq!(all[0]["created_at"], "2027-01-15T08:00:02.000000Z");
        assert_eq!(all[0]["last_seen_at"], all[0]["created_at"]);
        assert_eq!(all[0]["expires_at"], "2027-02-14T08:00:02.000000Z");
        assert_eq!(all[1]["created_at"], "2027-01-15T08:00:01.000000Z");
        assert_eq!(all[1]["last_seen_at"], "2027-01-15T08:01:02.000000Z", "a refresh updates it");
        assert_eq!(all[1]["expires_at"], "2027-02-14T08:01:02.000000Z");
        let delete = &all[1]["_links"]["delete"];
        assert_eq!((&delete["href"], &delete["method"]), (
            &json!(format!("/v2/auth/sessions/{}", all[1]["id"])),
            &json!("DELETE"),
        ));
        assert_eq!(sessions(&other).await.len(), 2);
        app.anonymous().get("/v2/auth/sessions").await.expect_error(401, "AUTHENTICATION_REQUIRED");
    }

    async fn pages_contain_each_session_once(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        // All sessions have the same timestamp; their IDs decide the order.
        for number in 0..6 {
            login(&app, &user, Some(&format!("Device {number}"))).await;
        }
        let (mut path, mut seen) = (json!("/v2/auth/sessions?per_page=3"), Vec::new());
        let mut pages = 0;
        while let Some(next) = path.as_str() {
            let page = user.get(next).await.expect(200).json();
            seen.extend(page["data"].as_array().unwrap().iter().map(|session| session["id"].as_i64().unwrap()));
            pages += 1;
            assert_eq!(page["meta"]["per_page"], 3);
            assert_eq!(page["meta"]["has_more"], pages < 3);
            if pages == 1 {
                // A session created during pagination would be on the first page.
                login(&app, &user, None).await;
                let theirs = other.get(page["links"]["next"].as_str().unwrap()).await;
                theirs.expect_error(400, "INVALID_CURSOR");
            }
            path = page["links"]["next"].clone();
        }
        assert_eq!((seen.len(), pages), (7, 3));
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 7);
        assert!(seen.is_sorted_by(|one, two| one > two), "the order is not newest first: {seen:?}");
        user.get("/v2/auth/sessions?cursor=abc").await.expect_error(400, "INVALID_CURSOR");
        user.get("/v2/auth/sessions?per_page=0").await.expect_error(422, "VALIDATION_FAILED");
        user.get("/v2/auth/sessions?page=2").await.expect_error(422, "UNKNOWN_PARAMETER");
    }

    async fn ended_sessions_are_not_listed(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let logged_out = login(&app, &user, Some("Left")).await;
        logged_out.request(Method::POST, "/v2/auth/logout").send().await.expect(204);
        assert_eq!(sessions(&user).await.len(), 1);
        app.advance_clock(Duration::from_secs(30 * 24 * 3600));
        // The first session has expired.
        let new = login(&app, &user, Some("New")).await;
        let all = sessions(&new).await;
        assert_eq!((all.len(), &all[0]["device"]), (1, &json!("New")));
    }

    async fn ended_session_is_rejected_immediately(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.user().await, app.user().await);
        let (lost, active) = (login(&app, &user, Some("Lost")).await, login(&app, &user, Some("Kept")).await);
        // The cached token status must be invalidated.
        lost.get("/v1/bucketlists").await.expect(200);
        let body = json!({"refresh_token": lost.refresh_token()});
        let refreshed = app.anonymous().post("/v2/auth/refresh", &body).await.expect(200).json();
        let refreshed = Actor::new(&app, Some(refreshed));
        refreshed.get("/v1/bucketlists").await.expect(200);
        let id = current(&lost).await;

        end_session(&other_user, id).await.expect_error(404, "SESSION_NOT_FOUND");
        end_session(&user, id + 1_000).await.expect_error(404, "SESSION_NOT_FOUND");
        lost.get("/v2/users/me").await.expect(200);
        let done = end_session(&user, id).await.expect(204);
        assert!(done.body.is_empty());
        assert_ended(&app, &lost).await;
        assert_ended(&app, &refreshed).await;
        end_session(&user, id).await.expect_error(404, "SESSION_NOT_FOUND");
        end_session(&lost, id).await.expect_error(401, "INVALID_TOKEN");
        for actor in [&user, &active, &other_user] {
            actor.get("/v2/users/me").await.expect(200);
        }
        assert_eq!(sessions(&user).await.len(), 2);
    }

    async fn session_can_end_itself(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let other = login(&app, &user, None).await;
        end_session(&user, current(&user).await).await.expect(204);
        assert_ended(&app, &user).await;
        assert_eq!(sessions(&other).await.len(), 1);
    }

    async fn all_sessions_can_be_ended_at_once(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.user().await, app.user().await);
        let others = [login(&app, &user, Some("One")).await, login(&app, &user, Some("Two")).await];
        for actor in &others {
            actor.get("/v1/bucketlists").await.expect(200);
        }
        others[0].delete("/v2/auth/sessions").await.expect(204);
        for actor in others.iter().chain([&user]) {
            assert_ended(&app, actor).await;
        }
        other_user.get("/v2/users/me").await.expect(200);
        let new_session = login(&app, &user, Some("Back")).await;
        let all = sessions(&new_session).await;
        assert_eq!((all.len(), &all[0]["device"]), (1, &json!("Back")));
    }
}
