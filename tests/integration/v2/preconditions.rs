//! If-Match: a write applies only to the state that the client has read (RFC 9110, section 13.1.1).

use futures_util::future::join;
use poem::http::Method;

use crate::support::{Actor, RequestBuilder, TestApp, UncheckedResponse, Value, json};

/// A write to a resource with an ETag.
struct Change {
    method: Method,
    path: String,
    body: Value,
}

impl Change {
    fn new(method: Method, path: &str, body: Value) -> Self {
        Self { method, path: path.to_owned(), body }
    }

    fn request<'a>(&self, actor: &Actor<'a>) -> RequestBuilder<'a> {
        let request = actor.request(self.method.clone(), &self.path);
        let takes_json = self.path.contains("/users/") || self.path.contains("/incidents/");
        match (&self.method, takes_json) {
            (&Method::PATCH, false) => request.merge_patch(&self.body),
            _ if self.body.is_null() => request,
            _ => request.json(&self.body),
        }
    }

    /// Sends the write with this `If-Match`.
    async fn send(&self, actor: &Actor<'_>, if_match: Option<&str>) -> UncheckedResponse {
        let request = self.request(actor);
        let request = if_match.into_iter().fold(request, |request, tags| request.header("if-match", tags));
        request.send().await
    }

    fn is_deletion(&self) -> bool {
        self.method == Method::DELETE
    }
}

/// Returns every kind of write, each to another resource; each changes the state.
async fn changes(app: &TestApp, admin: &Actor<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (number, method) in [Method::PUT, Method::PATCH, Method::DELETE].into_iter().enumerate() {
        let body = |body: Value| if method == Method::DELETE { Value::Null } else { body };
        let id = admin.create_bucketlist(&format!("List {number}")).await;
        let list = format!("/v2/bucketlists/{id}");
        let item = format!("/v2/bucketlists/{id}/items/{}", admin.create_item(id, "Cape Horn").await);
        // The item first: deleting the bucketlist deletes it.
        changes.push(Change::new(method.clone(), &item, body(json!({"name": "Round Cape Horn", "done": true}))));
        changes.push(Change::new(method.clone(), &list, body(json!({"name": format!("Renamed {number}")}))));
    }
    let user = format!("/v2/admin/users/{}", app.user().await.id());
    changes.push(Change::new(Method::PATCH, &user, json!({"disabled": true})));
    changes.push(Change::new(Method::DELETE, &user, Value::Null));
    changes.push(Change::new(Method::PATCH, "/v2/users/me", json!({"name": "Ada"})));
    let incident = format!("/v2/admin/incidents/{}", admin.capture_incident().await);
    changes.push(Change::new(Method::PATCH, &incident, json!({"resolved": true})));
    changes.push(Change::new(Method::DELETE, &incident, Value::Null));
    changes
}

/// Returns the ETag, with quotes, and the body.
async fn state(actor: &Actor<'_>, path: &str) -> (String, Value) {
    let response = actor.get(path).await.expect(200);
    (response.header("etag").to_owned(), response.json())
}

both_engines! {
    async fn if_none_match_any_returns_412_for_existing_resources(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for change in changes(&app, &admin).await {
            let before = state(&admin, &change.path).await;
            let request = change.request(&admin).header("if-none-match", "*");
            let rejected = request.send().await.expect_error(412, "PRECONDITION_FAILED");
            assert_eq!(rejected.json()["detail"], "The resource exists and matches If-None-Match.");
            assert_eq!(state(&admin, &change.path).await, before);
        }
        // A missing resource returns 404 in any case.
        let nothing = admin.request(Method::DELETE, "/v2/bucketlists/999999").header("if-none-match", "*");
        nothing.send().await.expect_error(404, "BUCKETLIST_NOT_FOUND");
    }

    async fn if_none_match_with_the_current_state_returns_412(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for change in changes(&app, &admin).await {
            let (tag, body) = state(&admin, &change.path).await;
            for (if_match, if_none_match) in [
                (None, tag.clone()),
                (None, format!("\"x\", W/{tag}")),
                (Some("*"), tag.clone()),
                (Some(tag.as_str()), tag.clone()),
            ] {
                let request = change.request(&admin).header("if-none-match", &if_none_match);
                let request = if let Some(tag) = if_match { request.header("if-match", tag) } else { request };
                request.send().await.expect_error(412, "PRECONDITION_FAILED");
                assert_eq!(state(&admin, &change.path).await, (tag.clone(), body.clone()), "{}", change.path);
            }
            let request = change.request(&admin).header("if-none-match", "\"another\"").header("if-match", &tag);
            let status = if change.is_deletion() { 204 } else { 200 };
            request.send().await.expect(status);
        }
    }

    /// The use of a key and further failures of a group change the ETag without an edit of the resource.
    async fn if_match_ignores_what_changes_without_an_edit(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let created = admin.create_api_client(admin.id(), &["read"]).await;
        let robot = Actor::with_api_key(&app, created["key"].as_str().unwrap());
        let client = format!("/v2/admin/api-clients/{}", created["id"]);
        let incident = format!("/v2/admin/incidents/{}", admin.capture_incident().await);
        for (path, edit, deleted) in [
            (&incident, json!({"resolved": true}), 204),
            // The last one, because its deletion revokes the key.
            (&client, json!({"name": "Renamed"}), 204),
        ] {
            let use_key = async || {
                app.advance_clock(std::time::Duration::from_secs(61));
                robot.get("/v2/users/me").await.expect(200);
            };
            let (before, _) = state(&admin, path).await;
            use_key().await;
            admin.capture_incident().await;
            let (after, _) = state(&admin, path).await;
            assert_ne!(before, after, "{path}");
            let not_modified = |tag: &str| admin.request(Method::GET, path).header("if-none-match", tag).send();
            not_modified(&before).await.expect(200);
            not_modified(&after).await.expect(304);
            let edited = Change::new(Method::PATCH, path, edit).send(&admin, Some(&before)).await.expect(200);
            // An edit is a new state.
            let deletion = Change::new(Method::DELETE, path, Value::Null);
            deletion.send(&admin, Some(&before)).await.expect_error(412, "PRECONDITION_FAILED");
            use_key().await;
            deletion.send(&admin, Some(edited.header("etag"))).await.expect(deleted);
        }
    }

    async fn if_match_with_another_state_returns_412(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for change in changes(&app, &admin).await {
            let name = format!("{} {}", change.method, change.path);
            let (tag, body) = state(&admin, &change.path).await;
            // Only the part before a dot is compared.
            let other = format!("\"0{}", tag.trim_start_matches('"'));
            for stale in [&other, "\"\"", &format!("W/{other}"), &format!("W/{other}, \"old\""), "\"*\"", "W/\"*\""] {
                let rejected = change.send(&admin, Some(stale)).await.expect_error(412, "PRECONDITION_FAILED");
                assert_eq!(rejected.header("content-type"), "application/problem+json", "{name}");
                assert_eq!(state(&admin, &change.path).await, (tag.clone(), body.clone()), "{name} {stale}");
            }
            let listed = format!("{other}, W/\"old\" ,{tag}");
            let response = change.send(&admin, Some(&listed)).await.any_status();
            if change.is_deletion() {
                assert_eq!(response.status, 204, "{name}");
                admin.get(&change.path).await.expect(404);
                // A deleted resource returns 404, not 412.
                change.send(&admin, Some(&tag)).await.expect(404);
                change.send(&admin, Some("*")).await.expect(404);
                continue;
            }
            assert_eq!(response.status, 200, "{name}");
            assert_ne!(response.header("etag"), tag, "{name}");
            assert_eq!(state(&admin, &change.path).await.0, response.header("etag"), "{name}");
            change.send(&admin, Some(&tag)).await.expect_error(412, "PRECONDITION_FAILED");
            change.send(&admin, Some(response.header("etag"))).await.expect(200);
            change.send(&admin, Some("*")).await.expect(200);
            change.send(&admin, None).await.expect(200);
        }
    }

    // nginx weakens the ETag of a response that it compresses; Apache adds a suffix.
    async fn etag_of_a_compressing_proxy_is_accepted(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let encoded: [fn(&str) -> String; 3] =
            [|tag| format!("W/\"{tag}\""), |tag| format!("\"{tag}-gzip\""), |tag| format!("W/\"{tag}-br\"")];
        for (change, encoded) in changes(&app, &admin).await.iter().zip(encoded.iter().cycle()) {
            let (tag, _) = state(&admin, &change.path).await;
            let tag = encoded(tag.trim_matches('"'));
            let response = change.send(&admin, Some(&tag)).await.any_status();
            assert!(response.is_success(), "{} {} {tag}", change.method, change.path);
            // The state has changed since.
            let code = if change.is_deletion() { 404 } else { 412 };
            change.send(&admin, Some(&tag)).await.expect(code);
        }
    }

    async fn malformed_if_match_returns_400(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let many = vec!["\"a\""; 101].join(",");
        let long = [format!("\"{}\"", "a".repeat(10_000)), "x".repeat(10_000), many];
        for change in changes(&app, &admin).await {
            let before = state(&admin, &change.path).await;
            let short = ["abc", "\"a", "*, \"a\"", "*, *", "W/", "W/abc", "", ",", "\"a\" \"b\"", "'a'"];
            for tags in short.into_iter().chain(long.iter().map(String::as_str)) {
                let rejected = change.send(&admin, Some(tags)).await.expect_error(400, "INVALID_HEADER");
                assert_eq!(rejected.json()["errors"][0]["header"], "If-Match");
            }
            assert_eq!(state(&admin, &change.path).await, before, "{} {}", change.method, change.path);
        }
    }

    async fn missing_if_match_returns_428_where_required(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.requires_if_match = true).build();
        let admin = app.admin().await;
        for change in changes(&app, &admin).await {
            let (tag, body) = state(&admin, &change.path).await;
            change.send(&admin, None).await.expect_error(428, "PRECONDITION_REQUIRED");
            assert_eq!(state(&admin, &change.path).await, (tag.clone(), body));
            change.send(&admin, Some("\"stale\"")).await.expect_error(412, "PRECONDITION_FAILED");
            let response = change.send(&admin, Some(&tag)).await.any_status();
            assert_eq!(response.status, if change.is_deletion() { 204 } else { 200 }, "{} {}", change.method, change.path);
        }
        // Creation and v1 require no If-Match.
        let response = admin.post("/v2/bucketlists", &json!({"name": "New"})).await.expect(201);
        let v1 = response.header("location").replace("/v2/", "/v1/");
        admin.put(&v1, &json!({"name": "Newer"})).await.expect(200);
        admin.delete(&v1).await.expect(204);
    }

    async fn account_deletion_honors_if_match(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.requires_if_match = true).build();
        let user = app.user().await;
        let body = json!({"password": Actor::PASSWORD});
        let deletion = Change::new(Method::DELETE, "/v2/users/me", body);
        let (stale, _) = state(&user, "/v2/users/me").await;
        user.patch("/v1/users/me", &json!({"name": "Ada"})).await.expect(200);
        deletion.send(&user, None).await.expect_error(428, "PRECONDITION_REQUIRED");
        deletion.send(&user, Some("abc")).await.expect_error(400, "INVALID_HEADER");
        deletion.send(&user, Some(&stale)).await.expect_error(412, "PRECONDITION_FAILED");
        let (tag, me) = state(&user, "/v2/users/me").await;
        assert_eq!(me["name"], "Ada");
        deletion.send(&user, Some(&tag)).await.expect(204);
        user.get("/v2/users/me").await.expect(401);
    }

    async fn resource_of_another_user_returns_404_with_any_if_match(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, other_user) = (app.admin().await, app.user().await);
        for change in changes(&app, &admin).await {
            if !change.path.contains("/bucketlists/") {
                continue;
            }
            let before = state(&admin, &change.path).await;
            for tags in [before.0.as_str(), "\"stale\"", "*"] {
                change.send(&other_user, Some(tags)).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
            }
            assert_eq!(state(&admin, &change.path).await, before);
        }
    }

    async fn change_through_v1_changes_the_etag(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let id = user.create_bucketlist("See the world").await;
        let (path, v1) = (format!("/v2/bucketlists/{id}"), format!("/v1/bucketlists/{id}"));
        for step in 0..3 {
            let seen = state(&user, &path).await.0;
            match step {
                0 => drop(user.put(&v1, &json!({"name": "See it all"})).await.expect(200)),
                1 => drop(user.create_item(id, "Cape Horn").await),
                _ => drop(user.put(&v1, &json!({"name": "See it all", "description": "Again"})).await.expect(200)),
            }
            let change = Change::new(Method::PATCH, &path, json!({"name": "Mine"}));
            change.send(&user, Some(&seen)).await.expect_error(412, "PRECONDITION_FAILED");
            assert_eq!(user.get(&v1).await.expect(200).json()["name"], "See it all");
        }
    }

    async fn one_of_two_concurrent_updates_returns_412(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let id = user.create_bucketlist("See the world").await;
        let list = format!("/v2/bucketlists/{id}");
        let item = format!("{list}/items/{}", user.create_item(id, "Cape Horn").await);
        for path in [&list, &item] {
            for round in 0..20 {
                let (tag, _) = state(&user, path).await;
                let methods = [Method::PATCH, Method::PUT];
                let one = Change::new(methods[round % 2].clone(), path, json!({"name": format!("One {round}")}));
                let two = Change::new(methods[round / 2 % 2].clone(), path, json!({"name": format!("Two {round}")}));
                let (one, two) = join(one.send(&user, Some(&tag)), two.send(&user, Some(&tag))).await;
                let (won, lost) = if one.0.status == 200 { (one, two) } else { (two, one) };
                lost.expect_error(412, "PRECONDITION_FAILED");
                let won = won.expect(200);
                assert_eq!(state(&user, path).await, (won.header("etag").to_owned(), won.json()));
                let v1 = user.get(&path.replace("/v2/", "/v1/")).await.expect(200).json();
                assert_eq!(v1["name"], won.json()["name"], "{path} {round}");
            }
        }
    }

    async fn one_of_concurrent_update_and_deletion_fails(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for round in 0..20 {
            let id = user.create_bucketlist(&format!("List {round}")).await;
            let list = format!("/v2/bucketlists/{id}");
            let path = match round % 2 {
                0 => list,
                _ => format!("{list}/items/{}", user.create_item(id, "Cape Horn").await),
            };
            let (tag, _) = state(&user, &path).await;
            let change = Change::new(Method::PATCH, &path, json!({"name": format!("Renamed {round}")}));
            let deletion = Change::new(Method::DELETE, &path, Value::Null);
            let (changed, deleted) = if round % 4 < 2 {
                join(change.send(&user, Some(&tag)), deletion.send(&user, Some(&tag))).await
            } else {
                let (deleted, changed) = join(deletion.send(&user, Some(&tag)), change.send(&user, Some(&tag))).await;
                (changed, deleted)
            };
            match deleted.0.status {
                // The resource is deleted: 404, not 412.
                204 => {
                    changed.expect(404);
                    user.get(&path).await.expect(404);
                }
                _ => {
                    deleted.expect_error(412, "PRECONDITION_FAILED");
                    let changed = changed.expect(200);
                    assert_eq!(state(&user, &path).await.0, changed.header("etag"));
                }
            }
        }
    }

    async fn one_of_two_concurrent_deletions_returns_404(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let id = user.create_bucketlist("See the world").await;
        for round in 0..20 {
            let path = format!("/v2/bucketlists/{id}/items/{}", user.create_item(id, &format!("{round}")).await);
            let (tag, _) = state(&user, &path).await;
            let deletion = Change::new(Method::DELETE, &path, Value::Null);
            let (one, two) = join(deletion.send(&user, Some(&tag)), deletion.send(&user, Some(&tag))).await;
            let mut statuses = [one.0.status, two.0.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 404]);
        }
        let list = user.get(&format!("/v1/bucketlists/{id}")).await.expect(200).json();
        assert_eq!(list["items_total"], 0, "each deletion is counted once");
    }
}
