//! `Idempotency-Key`: a repeated request creates nothing new.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use futures_util::future::join_all;
use poem::http::Method;
use sha2::{Digest, Sha256};

use crate::support::{Actor, Engine, TestApp, TestResponse, UncheckedResponse, Value, json};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn create(actor: &Actor<'_>, path: &str, key: &str, body: &Value) -> UncheckedResponse {
    actor.request(Method::POST, path).header("idempotency-key", key).json(body).send().await
}

/// Returns the paths and bodies of the three create operations, for the existing bucketlist `list`.
fn creations(list: i64) -> [(String, Value); 3] {
    let items = format!("/v2/bucketlists/{list}/items");
    let item = json!({"name": "Cape Horn", "description": null, "done": true, "due_on": "2027-06-01"});
    [
        ("/v2/bucketlists".to_owned(), json!({"name": "Learn", "description": "Slowly."})),
        (items.clone(), item.clone()),
        (format!("{items}/batch"), json!({"items": [item, {"name": "Tierra del Fuego"}]})),
    ]
}

/// Returns the parts of a response that a replay repeats.
fn replayed_parts(response: &TestResponse) -> (u16, Vec<u8>, Vec<(String, String)>) {
    let volatile = ["x-request-id", "x-response-time", "idempotency-replayed"];
    let headers = response.headers.iter().filter(|(name, _)| !volatile.contains(&name.as_str()));
    (response.status, response.body.clone(), headers.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn is_replayed(response: &TestResponse) -> bool {
    match response.headers.get("idempotency-replayed") {
        Some(value) => value == "true" || panic!("{value}"),
        None => false,
    }
}

/// Returns the number of bucketlists and the number of items in `list`.
async fn rows(actor: &Actor<'_>, list: i64) -> (i64, i64) {
    let lists = actor.get("/v2/bucketlists?include=total").await.expect(200).json();
    let items = actor.get(&format!("/v2/bucketlists/{list}/items?include=total")).await.expect(200).json();
    (lists["meta"]["total"].as_i64().unwrap(), items["meta"]["total"].as_i64().unwrap())
}

async fn login<'a>(app: &'a TestApp, actor: &Actor<'_>) -> Actor<'a> {
    let body = json!({"email": actor.email(), "password": Actor::PASSWORD});
    Actor::new(app, Some(app.anonymous().post("/v2/auth/login", &body).await.expect(200).json()))
}

both_engines! {
    async fn repeated_request_with_one_idempotency_key_returns_the_first_response(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        for (number, (path, body)) in creations(list).into_iter().enumerate() {
            let key = format!("key-{number}");
            let first = create(&user, &path, &key, &body).await.expect(201);
            assert!(!is_replayed(&first));
            let before = rows(&user, list).await;
            for _ in 0..3 {
                app.advance_clock(Duration::from_secs(60));
                let next = create(&user, &path, &key, &body).await.expect(201);
                assert!(is_replayed(&next), "{path}");
                assert_eq!(replayed_parts(&next), replayed_parts(&first), "{path}");
            }
            // The same content with another serialization.
            let reserialized = format!(" {}\n", body.to_string().replace("\":", "\" : ").replace("Learn", " \\u004cearn "));
            let request = user.request(Method::POST, &path).header("content-type", "application/json").bytes(reserialized);
            let next = request.header("idempotency-key", &key).send().await.expect(201);
            assert_eq!(replayed_parts(&next), replayed_parts(&first), "{path}");
            assert_eq!(rows(&user, list).await, before, "{path}");
        }
        assert_eq!(rows(&user, list).await, (2, 3));
    }

    async fn concurrent_requests_with_one_idempotency_key_create_one_resource(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        for (path, body) in creations(list) {
            let before = rows(&user, list).await;
            let key = format!("key of {path}").replace(' ', "-");
            let responses = join_all((0..50).map(|_| create(&user, &path, &key, &body))).await;
            let (mut executed, mut bodies) = (0, Vec::new());
            for response in responses {
                if response.0.status == 409 {
                    let busy = response.expect_error(409, "IDEMPOTENCY_KEY_IN_FLIGHT");
                    assert_eq!(busy.header("retry-after"), "1");
                    continue;
                }
                let response = response.expect(201);
                executed += usize::from(!is_replayed(&response));
                bodies.push(response.body);
            }
            assert_eq!(executed, 1, "{path}");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}");
            let after = rows(&user, list).await;
            let created = if path.ends_with("/batch") { 2 } else { 1 };
            assert_eq!(after.0 + after.1 - before.0 - before.1, created, "{path}");
        }
    }

    async fn idempotency_key_reuse_for_another_request_returns_422(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (list, other) = (user.create_bucketlist("See the world").await, user.create_bucketlist("Other").await);
        let all = creations(list);
        for (number, (path, body)) in all.iter().enumerate() {
            let key = format!("key-{number}");
            let first = create(&user, path, &key, body).await.expect(201);
            let before = (rows(&user, list).await, rows(&user, other).await);
            let mut others: Vec<(String, Value)> = all.iter().filter(|(other, _)| other != path).cloned().collect();
            let mut changed = body.clone();
            match changed.get_mut("items") {
                Some(items) => drop(items.as_array_mut().unwrap().pop()),
                None => changed["name"] = json!("Another name"),
            }
            others.push((path.clone(), changed));
            if path.contains("/items") {
                others.push((path.replace(&format!("/{list}/"), &format!("/{other}/")), body.clone()));
            }
            for (path, body) in &others {
                let rejected = create(&user, path, &key, body).await.expect_error(422, "IDEMPOTENCY_KEY_REUSED");
                assert_eq!(rejected.json()["errors"][0]["header"], "Idempotency-Key");
            }
            assert_eq!((rows(&user, list).await, rows(&user, other).await), before);
            let next = create(&user, path, &key, body).await.expect(201);
            assert_eq!(replayed_parts(&next), replayed_parts(&first));
        }
    }

    async fn idempotency_keys_are_scoped_to_the_caller(engine: Engine) {
        let app = TestApp::new(engine);
        let (one, two) = (app.user().await, app.user().await);
        let body = json!({"name": "See the world"});
        let first = create(&one, "/v2/bucketlists", "the-key", &body).await.expect(201);
        let second = create(&two, "/v2/bucketlists", "the-key", &body).await.expect(201);
        assert!(!is_replayed(&second));
        assert_ne!(first.header("location"), second.header("location"));
        create(&two, "/v2/bucketlists", "the-key", &json!({"name": "x"})).await.expect(422);
        let next = create(&one, "/v2/bucketlists", "the-key", &body).await.expect(201);
        assert_eq!(replayed_parts(&next), replayed_parts(&first));
        app.anonymous().post("/v2/bucketlists", &body).await.expect(401);
    }

    async fn quoted_and_unquoted_keys_are_equal(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "See the world"});
        let first = create(&user, "/v2/bucketlists", "8e03978e-40d5", &body).await.expect(201);
        for same in ["\"8e03978e-40d5\"", "8e03978e-40d5"] {
            let next = create(&user, "/v2/bucketlists", same, &body).await.expect(201);
            assert_eq!(replayed_parts(&next), replayed_parts(&first), "{same}");
        }
        // Keys are case-sensitive.
        create(&user, "/v2/bucketlists", "8E03978E-40D5", &body).await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
    }

    async fn invalid_idempotency_key_returns_400(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let before = rows(&user, list).await;
        let (long, quoted) = ("k".repeat(256), format!("\"{}\"", "k".repeat(256)));
        for (path, body) in creations(list) {
            for key in ["", " ", "\"\"", "\"open", "\"a\" b", "a b", "a,b", "a;b", "a\"b", "é", &long, &quoted] {
                let rejected = create(&user, &path, key, &body).await.expect_error(400, "INVALID_HEADER");
                assert_eq!(rejected.json()["errors"][0]["header"], "Idempotency-Key", "{key}");
            }
        }
        assert_eq!(rows(&user, list).await, before);
        let (path, body) = &creations(list)[1];
        create(&user, path, &long[1..], body).await.expect(201);
        create(&user, path, "\"with space, \\\"quotes\\\"; and more\"", body).await.expect(201);
    }

    async fn failed_request_releases_its_key(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let lists = "/v2/bucketlists";
        let missing = format!("{lists}/{}/items", list + 1_000);
        let (same, empty, far) = (json!({"name": "See the world"}), json!({"name": ""}), json!({"name": "Far"}));
        create(&user, lists, "one", &same).await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        create(&user, lists, "one", &empty).await.expect_error(422, "VALIDATION_FAILED");
        create(&user, &missing, "one", &far).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        let batch = json!({"items": [far, empty]});
        let rejected = create(&user, &format!("{lists}/{list}/items/batch"), "one", &batch).await;
        rejected.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(rows(&user, list).await, (1, 0));
        // The same request succeeds after the conflict is resolved.
        user.put(&format!("{lists}/{list}"), &json!({"name": "See it all"})).await.expect(200);
        let created = create(&user, lists, "one", &same).await.expect(201);
        assert!(!is_replayed(&created));
        create(&user, lists, "one", &far).await.expect_error(422, "IDEMPOTENCY_KEY_REUSED");
    }

    async fn replay_returns_the_first_response_after_the_resource_changed(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        for (number, (path, body)) in creations(list).into_iter().enumerate() {
            let key = format!("key-{number}");
            let first = create(&user, &path, &key, &body).await.expect(201);
            let resource_path = match first.json()["data"][0]["id"].as_i64() {
                Some(item) => format!("/v2/bucketlists/{list}/items/{item}"),
                None => first.header("location").to_owned(),
            };
            user.put(&resource_path, &json!({"name": "Changed"})).await.expect(200);
            let next = create(&user, &path, &key, &body).await.expect(201);
            assert_eq!(replayed_parts(&next), replayed_parts(&first), "{path}");
            assert_eq!(user.get(&resource_path).await.expect(200).json()["name"], "Changed");
            user.delete(&resource_path).await.expect(204);
            let next = create(&user, &path, &key, &body).await.expect(201);
            assert_eq!(replayed_parts(&next), replayed_parts(&first), "{path}");
            user.get(&resource_path).await.expect(404);
        }
    }

    async fn idempotency_key_expires_after_one_day(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let (path, body) = &creations(list)[1];
        let first = create(&user, path, "the-key", body).await.expect(201);
        app.advance_clock(DAY - Duration::from_micros(1));
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 0);
        let user = login(&app, &user).await;
        let next = create(&user, path, "the-key", body).await.expect(201);
        assert_eq!(replayed_parts(&next), replayed_parts(&first));
        app.advance_clock(Duration::from_micros(1));
        let second = create(&user, path, "the-key", body).await.expect(201);
        assert!(!is_replayed(&second));
        assert_ne!(second.json()["id"], first.json()["id"]);
        // The key now belongs to the second request, until it is purged.
        let next = create(&user, path, "the-key", body).await.expect(201);
        assert_eq!(replayed_parts(&next), replayed_parts(&second));
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 0);
        app.advance_clock(DAY);
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 1);
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 0);
        assert_eq!(rows(&login(&app, &user).await, list).await, (1, 2));
    }

    async fn requests_without_a_key_are_not_deduplicated(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        for (path, body) in &creations(list)[1..] {
            let (one, two) = (user.post(path, body).await.expect(201), user.post(path, body).await.expect(201));
            assert_ne!(one.body, two.body);
            assert!(!is_replayed(&two));
        }
        assert_eq!(rows(&user, list).await, (1, 6));
    }
}

/// With several servers, a request can arrive while another server executes the first one.
#[tokio::test]
async fn request_during_the_first_execution_returns_409() {
    let app = TestApp::new(Engine::Postgres);
    let user = app.user().await;
    let list = user.create_bucketlist("See the world").await;
    let digest = Sha256::digest(format!("{} the-key", user.id()));
    let lock = i64::from_be_bytes(digest[..8].try_into().unwrap());
    let mut other_server = app.database.migrator();
    other_server.connection().batch_execute(&format!("SELECT pg_advisory_lock({lock})")).unwrap();
    let export = ("/v2/exports".to_owned(), json!({}));
    for (path, body) in creations(list).into_iter().chain([export]) {
        let busy = create(&user, &path, "the-key", &body).await.expect_error(409, "IDEMPOTENCY_KEY_IN_FLIGHT");
        assert_eq!((busy.header("retry-after"), &busy.json()["retry_after"]), ("1", &json!(1)));
    }
    assert_eq!(rows(&user, list).await, (1, 0));
    create(&user, "/v2/bucketlists", "another-key", &json!({"name": "Round the Horn"})).await.expect(201);
    drop(other_server);
    let [(path, body), ..] = creations(list);
    let created = create(&user, &path, "the-key", &body).await.expect(201);
    assert!(!is_replayed(&created));
}
