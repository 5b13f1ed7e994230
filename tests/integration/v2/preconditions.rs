//! If-Match: a change is made to the state its author has seen, or not at all (RFC 9110, section 13.1.1).

use futures_util::future::join;
use poem::http::Method;

use crate::support::{Actor, RequestBuilder, TestApp, UncheckedResponse, Value, json};

/// A change of something that has a tag.
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

    /// Makes it, if this is the state.
    async fn make(&self, actor: &Actor<'_>, if_match: Option<&str>) -> UncheckedResponse {
        let request = self.request(actor);
        let request = if_match.into_iter().fold(request, |request, tags| request.header("if-match", tags));
        request.send().await
    }

    fn is_deletion(&self) -> bool {
        self.method == Method::DELETE
    }
}

/// Every kind of change, each of a thing of its own; each changes something.
async fn changes(app: &TestApp, admin: &Actor<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (number, method) in [Method::PUT, Method::PATCH, Method::DELETE].into_iter().enumerate() {
        let body = |body: Value| if method == Method::DELETE { Value::Null } else { body };
        let id = admin.create_bucketlist(&format!("List {number}")).await;
        let list = format!("/v2/bucketlists/{id}");
        let item = format!("/v2/bucketlists/{id}/items/{}", admin.create_item(id, "Cape Horn").await);
        // The item first: it is gone with its list.
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

/// The tag, quoted, and the body.
async fn state(actor: &Actor<'_>, path: &str) -> (String, Value) {
    let response = actor.get(path).await.expect(200);
    (response.header("etag").to_owned(), response.json())
}

both_engines! {
    async fn whoever_asks_that_there_be_nothing_overwrites_nothing(engine: Engine) {
        let app = TestApp::new(engine).await;
        let admin = app.admin().await;
        for change in changes(&app, &admin).await {
            let before = state(&admin, &change.path).await;
            let request = change.request(&admin).header("if-none-match", "*");
            request.send().await.expect_error(412, "PRECONDITION_FAILED");
            assert_eq!(state(&admin, &change.path).await, before);
        }
        // Where there is nothing, there is nothing to change either.
        let nothing = admin.request(Method::DELETE, "/v2/bucketlists/999999").header("if-none-match", "*");
        nothing.send().await.expect_error(404, "BUCKETLIST_NOT_FOUND");
    }

    async fn a_change_is_made_to_the_state_it_names_and_to_no_other(engine: Engine) {
        let app = TestApp::new(engine).await;
        let admin = app.admin().await;
        for change in changes(&app, &admin).await {
            let what = format!("{} {}", change.method, change.path);
            let (tag, body) = state(&admin, &change.path).await;
            let other = format!("{}0\"", tag.trim_end_matches('"'));
            for stale in [&other, "\"\"", &format!("W/{tag}"), &format!("W/{tag}, {other}"), "\"*\""] {
                let refused = change.make(&admin, Some(stale)).await.expect_error(412, "PRECONDITION_FAILED");
                assert_eq!(refused.header("content-type"), "application/problem+json", "{what}");
                assert_eq!(state(&admin, &change.path).await, (tag.clone(), body.clone()), "{what} {stale}");
            }
            let listed = format!("{other}, W/\"old\" ,{tag}");
            let made = change.make(&admin, Some(&listed)).await.any();
            if change.is_deletion() {
                assert_eq!(made.status, 204, "{what}");
                admin.get(&change.path).await.expect(404);
                // Without anything to change there is no state either: it is missing.
                change.make(&admin, Some(&tag)).await.expect(404);
                change.make(&admin, Some("*")).await.expect(404);
                continue;
            }
            assert_eq!(made.status, 200, "{what}");
            assert_ne!(made.header("etag"), tag, "{what}");
            assert_eq!(state(&admin, &change.path).await.0, made.header("etag"), "{what}");
            change.make(&admin, Some(&tag)).await.expect_error(412, "PRECONDITION_FAILED");
            change.make(&admin, Some(made.header("etag"))).await.expect(200);
            change.make(&admin, Some("*")).await.expect(200);
            change.make(&admin, None).await.expect(200);
        }
    }

    async fn what_is_no_list_of_tags_changes_nothing(engine: Engine) {
        let app = TestApp::new(engine).await;
        let admin = app.admin().await;
        let many = vec!["\"a\""; 101].join(",");
        let long = [format!("\"{}\"", "a".repeat(10_000)), "x".repeat(10_000), many];
        for change in changes(&app, &admin).await {
            let before = state(&admin, &change.path).await;
            let short = ["abc", "\"a", "*, \"a\"", "*, *", "W/", "W/abc", "", ",", "\"a\" \"b\"", "'a'"];
            for tags in short.into_iter().chain(long.iter().map(String::as_str)) {
                let refused = change.make(&admin, Some(tags)).await.expect_error(400, "INVALID_HEADER");
                assert_eq!(refused.json()["errors"][0]["header"], "If-Match");
            }
            assert_eq!(state(&admin, &change.path).await, before, "{} {}", change.method, change.path);
        }
    }

    async fn where_it_is_required_a_change_names_the_state_it_means(engine: Engine) {
        let app = TestApp::configured(engine, |config| config.responses.requires_if_match = true).await;
        let admin = app.admin().await;
        for change in changes(&app, &admin).await {
            let (tag, body) = state(&admin, &change.path).await;
            change.make(&admin, None).await.expect_error(428, "PRECONDITION_REQUIRED");
            assert_eq!(state(&admin, &change.path).await, (tag.clone(), body));
            change.make(&admin, Some("\"stale\"")).await.expect_error(412, "PRECONDITION_FAILED");
            let made = change.make(&admin, Some(&tag)).await.any();
            assert_eq!(made.status, if change.is_deletion() { 204 } else { 200 }, "{} {}", change.method, change.path);
        }
        // What makes something new, and v1, need none.
        let made = admin.post("/v2/bucketlists", &json!({"name": "New"})).await.expect(201);
        let v1 = made.header("location").replace("/v2/", "/v1/");
        admin.put(&v1, &json!({"name": "Newer"})).await.expect(200);
        admin.delete(&v1).await.expect(204);
    }

    async fn an_account_is_deleted_in_the_state_it_was_seen_in(engine: Engine) {
        let app = TestApp::configured(engine, |config| config.responses.requires_if_match = true).await;
        let user = app.user().await;
        let body = json!({"password": Actor::PASSWORD});
        let deletion = Change::new(Method::DELETE, "/v2/users/me", body);
        let (stale, _) = state(&user, "/v2/users/me").await;
        user.patch("/v1/users/me", &json!({"name": "Ada"})).await.expect(200);
        deletion.make(&user, None).await.expect_error(428, "PRECONDITION_REQUIRED");
        deletion.make(&user, Some("abc")).await.expect_error(400, "INVALID_HEADER");
        deletion.make(&user, Some(&stale)).await.expect_error(412, "PRECONDITION_FAILED");
        let (tag, me) = state(&user, "/v2/users/me").await;
        assert_eq!(me["name"], "Ada");
        deletion.make(&user, Some(&tag)).await.expect(204);
        user.get("/v2/users/me").await.expect(401);
    }

    async fn what_is_not_ones_own_is_missing_whatever_is_demanded_of_it(engine: Engine) {
        let app = TestApp::new(engine).await;
        let (admin, stranger) = (app.admin().await, app.user().await);
        for change in changes(&app, &admin).await {
            if !change.path.contains("/bucketlists/") {
                continue;
            }
            let before = state(&admin, &change.path).await;
            for tags in [before.0.as_str(), "\"stale\"", "*"] {
                change.make(&stranger, Some(tags)).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
            }
            assert_eq!(state(&admin, &change.path).await, before);
        }
    }

    async fn a_change_through_v1_makes_the_tag_stale(engine: Engine) {
        let app = TestApp::new(engine).await;
        let user = app.user().await;
        let id = user.create_bucketlist("See the world").await;
        let (path, v1) = (format!("/v2/bucketlists/{id}"), format!("/v1/bucketlists/{id}"));
        for step in 0..3 {
            let seen = state(&user, &path).await.0;
            match step {
                0 => drop(user.put(&v1, &json!({"name": "See it all"})).await.expect(200)),
                1 => drop(user.create_item(id, "Cape Horn").await),
                _ => drop(user.put(&v1, &json!({"name": "See it all"})).await.expect(200)),
            }
            let change = Change::new(Method::PATCH, &path, json!({"name": "Mine"}));
            change.make(&user, Some(&seen)).await.expect_error(412, "PRECONDITION_FAILED");
            assert_eq!(user.get(&v1).await.expect(200).json()["name"], "See it all");
        }
    }

    async fn of_two_writers_who_saw_the_same_one_wins(engine: Engine) {
        let app = TestApp::new(engine).await;
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
                let (one, two) = join(one.make(&user, Some(&tag)), two.make(&user, Some(&tag))).await;
                let (won, lost) = if one.0.status == 200 { (one, two) } else { (two, one) };
                lost.expect_error(412, "PRECONDITION_FAILED");
                let won = won.expect(200);
                assert_eq!(state(&user, path).await, (won.header("etag").to_owned(), won.json()));
                let v1 = user.get(&path.replace("/v2/", "/v1/")).await.expect(200).json();
                assert_eq!(v1["name"], won.json()["name"], "{path} {round}");
            }
        }
    }

    async fn of_a_change_and_a_deletion_one_wins(engine: Engine) {
        let app = TestApp::new(engine).await;
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
                join(change.make(&user, Some(&tag)), deletion.make(&user, Some(&tag))).await
            } else {
                let (deleted, changed) = join(deletion.make(&user, Some(&tag)), change.make(&user, Some(&tag))).await;
                (changed, deleted)
            };
            match deleted.0.status {
                // Nothing is left that could be in another state.
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

    async fn of_two_deletions_one_finds_something(engine: Engine) {
        let app = TestApp::new(engine).await;
        let user = app.user().await;
        let id = user.create_bucketlist("See the world").await;
        for round in 0..20 {
            let path = format!("/v2/bucketlists/{id}/items/{}", user.create_item(id, &format!("{round}")).await);
            let (tag, _) = state(&user, &path).await;
            let deletion = Change::new(Method::DELETE, &path, Value::Null);
            let (one, two) = join(deletion.make(&user, Some(&tag)), deletion.make(&user, Some(&tag))).await;
            let mut statuses = [one.0.status, two.0.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 404]);
        }
        let list = user.get(&format!("/v1/bucketlists/{id}")).await.expect(200).json();
        assert_eq!(list["items_total"], 0, "each was counted once");
    }
}
