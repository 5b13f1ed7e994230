//! The response cache: equal to computed responses, separate for each user, and coherent with writes.

use std::sync::Arc;

use bucketlist::{
    app::{App, Dependencies},
    domain::SystemRandom,
    http::CacheCounts,
};
use futures_util::future::join_all;
use poem::{Endpoint, Request, http::Method};

use crate::support::{Actor, Database, Engine, TestApp, TestResponse, Value, json};

/// The signing secret of test apps.
const SECRET: &str = "the-secret-that-test-apps-sign-with";

fn counts(app: &TestApp) -> CacheCounts {
    app.app.cache.as_ref().unwrap().counts()
}

/// Another server on the same database, with the same clock and secret.
fn second_server(app: &TestApp, cache_bytes: u64) -> App {
    let parts = Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: app.mailer.clone() };
    let mut config = app.config.clone();
    config.responses.cache_bytes = cache_bytes;
    App::new(&config, &SECRET.into(), parts).unwrap()
}

/// Sends a GET request to that server.
async fn get_from(app: &App, actor: &Actor<'_>, path: &str) -> TestResponse {
    let authorization = format!("Bearer {}", actor.token());
    let request = Request::builder().uri(path.parse().unwrap()).header("authorization", authorization).finish();
    TestResponse::read(Method::GET, path.to_owned(), app.endpoint.call(request).await.unwrap()).await
}

fn is_hit(response: &TestResponse) -> bool {
    response.headers.get("cache-status").is_some_and(|status| status == "bucketlist; hit")
}

/// Returns the parts of a response that must not depend on the cache.
fn content(response: &TestResponse) -> (u16, Vec<u8>, Option<&String>, Option<&String>) {
    let body = if response.status == 200 { response.body.clone() } else { response.code().into_bytes() };
    (response.status, body, response.headers.get("etag"), response.headers.get("content-type"))
}

/// Returns the paths of all cached responses for a bucketlist with an item.
fn reads(list: i64, item: i64) -> Vec<String> {
    vec![
        "/v1/bucketlists".to_owned(),
        "/v1/bucketlists?q=e&per_page=50".to_owned(),
        format!("/v1/bucketlists/{list}"),
        format!("/v1/bucketlists/{list}/items"),
        format!("/v1/bucketlists/{list}/items/{item}"),
        "/v2/bucketlists".to_owned(),
        "/v2/bucketlists?sort=-updated_at&include=items,total&per_page=100".to_owned(),
        format!("/v2/bucketlists/{list}"),
        format!("/v2/bucketlists/{list}?include=items"),
        format!("/v2/bucketlists/{list}/items"),
        format!("/v2/bucketlists/{list}/items?done=true&sort=name"),
        format!("/v2/bucketlists/{list}/items/{item}"),
    ]
}

/// Returns every write to a bucketlist with an item: method, path, body.
fn writes(list: i64, item: i64) -> Vec<(Method, String, Value)> {
    let mut writes = Vec::new();
    for version in ["v1", "v2"] {
        let lists = format!("/{version}/bucketlists");
        let (list, items) = (format!("{lists}/{list}"), format!("{lists}/{list}/items"));
        let item = format!("{items}/{item}");
        writes.push((Method::POST, lists, json!({"name": format!("One more by {version}")})));
        writes.push((Method::PUT, list.clone(), json!({"name": format!("Replaced by {version}")})));
        writes.push((Method::POST, items.clone(), json!({"name": "Tierra del Fuego", "done": true})));
        writes.push((Method::PUT, item.clone(), json!({"name": "Round Cape Horn", "done": true})));
        if version == "v2" {
            writes.push((Method::PATCH, list.clone(), json!({"description": "Everything."})));
            writes.push((Method::PATCH, item.clone(), json!({"done": true})));
            writes.push((Method::POST, format!("{items}/batch"), json!({"items": [{"name": "a"}, {"name": "b"}]})));
        }
        writes.push((Method::DELETE, item, Value::Null));
        writes.push((Method::DELETE, list, Value::Null));
    }
    writes
}

async fn write(actor: &Actor<'_>, (method, path, body): &(Method, String, Value)) -> TestResponse {
    let request = actor.request(method.clone(), path);
    let request = match *method {
        Method::PATCH => request.merge_patch(body),
        Method::DELETE => request,
        _ => request.json(body),
    };
    let response = request.send().await.any_status();
    assert!(response.is_success(), "{response:?}");
    response
}

/// `statements`: number of SQL statements of a request that is served from the cache.
async fn assert_served_from_cache(app: TestApp, statements: u64) {
    let user = app.user().await;
    let list = user.create_bucketlist("See the world").await;
    let item = user.create_item(list, "Cape Horn").await;
    for path in reads(list, item) {
        let before = counts(&app);
        let first = user.get(&path).await.expect(200);
        assert_eq!(first.header("cache-status"), "bucketlist; fwd=miss; stored");
        let known = first.headers.get("etag").map(String::as_str);
        let (mut least, mut hits) = (u64::MAX, 0);
        for _ in 0..4 {
            let sent = app.app.db.statements();
            let next = user.get(&path).await.expect(200);
            assert_eq!(content(&next), content(&first));
            hits += u64::from(is_hit(&next));
            let same = user.request(Method::GET, &path).header("if-none-match", known.unwrap_or("\"none\""));
            let same = same.send().await.expect(if known.is_some() { 304 } else { 200 });
            hits += u64::from(is_hit(&same));
            least = least.min(app.app.db.statements() - sent);
        }
        let after = counts(&app);
        assert_eq!((after.hits - before.hits, after.hits + after.misses), (hits, before.hits + before.misses + 9));
        assert!(hits >= 6, "only {hits} of 8 came from memory: {path}");
        assert_eq!(least, 2 * statements, "{path}");
    }
}

both_engines! {
    async fn repeated_request_is_served_from_the_cache(engine: Engine) {
        // With other writers, each request reads the token status and the revision in one statement.
        assert_served_from_cache(TestApp::new(engine), u64::from(engine == Engine::Postgres)).await;
    }

    async fn cached_response_needs_no_query_with_an_exclusive_database(engine: Engine) {
        assert_served_from_cache(TestApp::builder().engine(engine).config(|config| config.is_exclusive = true).build(), 0).await;
    }

    async fn write_invalidates_cached_responses(engine: Engine) {
        let app = TestApp::new(engine);
        let truth = second_server(&app, 0);
        for number in 0..writes(0, 0).len() {
            let user = app.user().await;
            let list = user.create_bucketlist("See the world").await;
            let item = user.create_item(list, "Cape Horn").await;
            let change = &writes(list, item)[number];
            let mut before = Vec::new();
            for path in reads(list, item) {
                user.get(&path).await.expect(200);
                before.push(user.get(&path).await.expect(200));
            }
            assert!(before.iter().filter(|response| is_hit(response)).count() > 8, "too few responses were cached");
            write(&user, change).await;
            let mut differ = 0;
            for (path, before) in reads(list, item).iter().zip(&before) {
                let fresh = get_from(&truth, &user, path).await;
                // Once computed, and once cached.
                for _ in 0..2 {
                    let response = user.get(path).await.any_status();
                    assert_eq!(content(&response), content(&fresh), "{} {}, then {path}", change.0, change.1);
                }
                differ += usize::from(content(before) != content(&fresh));
            }
            assert!(differ > 0, "{} {} changed nothing that is read", change.0, change.1);
        }
    }

    async fn cache_is_separate_for_each_user(engine: Engine) {
        let app = TestApp::new(engine);
        let (one, two) = (app.user().await, app.user().await);
        let list = one.create_bucketlist("See the world").await;
        let item = one.create_item(list, "Cape Horn").await;
        two.create_bucketlist("Theirs").await;
        let truth = second_server(&app, 0);
        for path in reads(list, item) {
            for _ in 0..2 {
                one.get(&path).await.expect(200);
            }
            for actor in [&two, &one, &two] {
                let response = actor.get(&path).await.any_status();
                assert_eq!(content(&response), content(&get_from(&truth, actor, &path).await), "{path}");
            }
            if path.contains(&format!("/{list}")) {
                two.get(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
            }
            app.anonymous().get(&path).await.expect_error(401, "AUTHENTICATION_REQUIRED");
            let forged = app.anonymous().request(Method::GET, &path).header("authorization", "Bearer x");
            forged.send().await.expect_error(401, "INVALID_TOKEN");
        }
    }

    async fn invalid_token_is_rejected_despite_a_cached_response(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let password = json!({"password": Actor::PASSWORD});
        for (what, status) in [
            ("logout", 401),
            ("password", 401),
            ("end", 401),
            ("end all", 401),
            ("disable", 403),
            ("delete", 401),
            ("delete me", 401),
        ] {
            let user = app.user().await;
            let list = user.create_bucketlist("See the world").await;
            let item = user.create_item(list, "Cape Horn").await;
            let body = json!({"email": user.email(), "password": Actor::PASSWORD});
            let other = Actor::new(&app, Some(app.anonymous().post("/v2/auth/login", &body).await.expect(200).json()));
            for path in reads(list, item) {
                user.get(&path).await.expect(200);
                user.get(&path).await.expect(200);
            }
            let account = format!("/v2/admin/users/{}", user.id());
            match what {
                "logout" => user.request(Method::POST, "/v2/auth/logout").send().await.expect(204),
                "password" => {
                    let body = json!({"current_password": Actor::PASSWORD, "new_password": "another-harbour-43"});
                    other.put("/v2/auth/password", &body).await.expect(204)
                }
                "end" => {
                    let sessions = user.get("/v2/auth/sessions").await.expect(200).json();
                    let current = sessions["data"].as_array().unwrap().iter().find(|one| one["current"] == true);
                    other.delete(&format!("/v2/auth/sessions/{}", current.unwrap()["id"])).await.expect(204)
                }
                "end all" => other.delete("/v2/auth/sessions").await.expect(204),
                "disable" => admin.patch(&account, &json!({"disabled": true})).await.expect(200),
                "delete" => admin.delete(&account).await.expect(204),
                _ => other.request(Method::DELETE, "/v2/users/me").json(&password).send().await.expect(204),
            };
            for path in reads(list, item) {
                let rejected = user.get(&path).await.expect(status);
                assert!(!rejected.headers.contains_key("cache-status"), "{what}: {rejected:?}");
            }
        }
    }

    async fn cache_distinguishes_formats_and_methods(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "See the world", "description": "North by north-west. ".repeat(45)});
        let list = user.post("/v1/bucketlists", &body).await.expect(201).json()["id"].clone();
        user.create_item(list.as_i64().unwrap(), "Cape Horn").await;
        for path in ["/v2/bucketlists?per_page=5".to_owned(), format!("/v2/bucketlists/{list}/items?per_page=5")] {
            let mut cached: Vec<TestResponse> = Vec::new();
            for round in 0..3 {
                for (number, accept) in ["application/json", "text/csv", "application/x-ndjson"].into_iter().enumerate() {
                    let request = |method| user.request(method, &path).header("accept", accept);
                    // The response to HEAD is cached with its body.
                    let head = request(Method::HEAD).send().await.expect(200);
                    let response = request(Method::GET).send().await.expect(200);
                    assert!(response.header("content-type").starts_with(accept), "{response:?}");
                    assert!(head.body.is_empty() && !response.body.is_empty());
                    assert_eq!(head.header("content-type"), response.header("content-type"));
                    assert_eq!(head.headers.get("etag"), response.headers.get("etag"));
                    if round == 0 {
                        cached.push(response);
                    } else {
                        assert_eq!(content(&response), content(&cached[number]), "{path} {accept}");
                    }
                }
            }
        }
        // Cached responses are not compressed.
        let path = "/v2/bucketlists";
        let plain = user.get(path).await.expect(200);
        let compressed = user.request(Method::GET, path).header("accept-encoding", "gzip").send().await.expect(200);
        assert_eq!(compressed.header("content-encoding"), "gzip");
        let again = user.get(path).await.expect(200);
        assert_eq!(content(&again), content(&plain));
        assert!(!again.headers.contains_key("content-encoding"));
    }

    async fn cache_can_be_disabled(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.cache_bytes = 0).build();
        assert!(app.app.cache.is_none());
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let item = user.create_item(list, "Cape Horn").await;
        for path in reads(list, item) {
            let first = user.get(&path).await.expect(200);
            let sent = app.app.db.statements();
            let next = user.get(&path).await.expect(200);
            assert_eq!(content(&next), content(&first));
            assert!(!next.headers.contains_key("cache-status"));
            assert!(app.app.db.statements() > sent, "{path}");
            if let Some(tag) = first.headers.get("etag") {
                user.request(Method::GET, &path).header("if-none-match", tag).send().await.expect(304);
            }
        }
    }

    async fn concurrent_requests_see_their_last_write(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let storms = (0..4_u64).map(|number| run_random_requests(&user, number));
        join_all(storms).await;
        // How many of these requests hit the cache depends on scheduling. Without writes, a repeated read must hit.
        let path = "/v2/bucketlists";
        user.get(path).await.expect(200);
        let mut is_cached = false;
        for _ in 0..100 {
            is_cached |= is_hit(&user.get(path).await.expect(200));
        }
        assert!(is_cached, "{:?}", counts(&app));
    }
}

/// Sends two hundred reads and writes of one bucketlist, concurrent with others of the same user, and compares each read
/// with the last write.
async fn run_random_requests(user: &Actor<'_>, number: u64) {
    let mut name = format!("List {number}");
    let list = user.create_bucketlist(&name).await;
    let mut items: Vec<i64> = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number + 1);
    let mut draw = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for step in 0..200 {
        let path = format!("/v{}/bucketlists/{list}", 1 + draw(2));
        match draw(8) {
            0 => {
                name = format!("List {number} at {step}");
                user.put(&path, &json!({"name": name})).await.expect(200);
            }
            1 => {
                name = format!("List {number}, patched at {step}");
                let path = format!("/v2/bucketlists/{list}");
                user.request(Method::PATCH, &path).merge_patch(&json!({"name": name})).send().await.expect(200);
            }
            2 => items.push(user.create_item(list, &format!("Item {step}")).await),
            3 if !items.is_empty() => {
                let item = items.remove(usize::try_from(draw(items.len() as u64)).unwrap());
                user.delete(&format!("{path}/items/{item}")).await.expect(204);
            }
            _ => {}
        }
        let (listed, total) = match draw(4) {
            0 => (user.get(&path).await.expect(200).json(), true),
            1 => {
                let page = user.get("/v2/bucketlists?per_page=10").await.expect(200).json();
                (page["data"].as_array().unwrap().iter().find(|row| row["id"] == list).unwrap().clone(), true)
            }
            2 => {
                let page = user.get("/v1/bucketlists").await.expect(200).json();
                (page["data"].as_array().unwrap().iter().find(|row| row["id"] == list).unwrap().clone(), true)
            }
            _ => (user.get(&format!("/v2/bucketlists/{list}/items?per_page=100")).await.expect(200).json(), false),
        };
        if total {
            assert_eq!((&listed["name"], &listed["items_total"]), (&json!(name), &json!(items.len())), "at {step}");
        } else {
            let ids: Vec<i64> =
                listed["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
            assert_eq!(ids, items, "at {step}");
        }
    }
}

/// Servers that share a database see each other's writes at once.
#[tokio::test]
async fn two_servers_over_one_database_agree() {
    let app = TestApp::builder().database(Database::new(Engine::Postgres)).build();
    let other = second_server(&app, app.config.responses.cache_bytes);
    let user = app.user().await;
    for number in 0..writes(0, 0).len() {
        let list = user.create_bucketlist(&format!("List {number}")).await;
        let item = user.create_item(list, "Cape Horn").await;
        for path in reads(list, item) {
            get_from(&other, &user, &path).await;
            assert!(is_hit(&get_from(&other, &user, &path).await), "{path}");
        }
        // Written on one server, read on the other.
        let change = writes(list, item).swap_remove(number);
        let created = write(&user, &change).await;
        let truth = second_server(&app, 0);
        for path in reads(list, item) {
            let response = get_from(&other, &user, &path).await;
            assert_eq!(content(&response), content(&get_from(&truth, &user, &path).await), "{} {}", change.0, change.1);
        }
        if change.0 == Method::POST && !change.1.contains("/items") {
            user.delete(created.header("location")).await.expect(204);
        }
    }
    // A session that ends on one server is rejected by the other.
    user.request(Method::POST, "/v2/auth/logout").send().await.expect(204);
    assert_eq!(get_from(&other, &user, "/v2/bucketlists").await.status, 401);
}
