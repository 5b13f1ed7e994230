//! ETags and If-None-Match: 304 for a client that has the current representation (RFC 9110, section 13.1.2).

use poem::http::Method;

use crate::support::{Actor, TestApp, TestResponse, UncheckedResponse, Value, json};

/// Returns the strong ETag of a response, without quotes.
fn opaque(response: &TestResponse) -> String {
    let etag = response.header("etag");
    let opaque = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let opaque = opaque.unwrap_or_else(|| panic!("no strong ETag: {etag}"));
    assert!(!opaque.is_empty() && opaque.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{etag}");
    opaque.to_owned()
}

async fn etag(actor: &Actor<'_>, path: &str) -> String {
    opaque(&actor.get(path).await.expect(200))
}

async fn get_if_none_match(actor: &Actor<'_>, path: &str, known: &str) -> UncheckedResponse {
    actor.request(Method::GET, path).header("if-none-match", known).send().await
}

/// PATCH with the media type of the path.
async fn patch(actor: &Actor<'_>, path: &str, body: &Value) -> TestResponse {
    let request = actor.request(Method::PATCH, path);
    let request = if path.contains("/users/") { request.json(body) } else { request.merge_patch(body) };
    request.send().await.expect(200)
}

/// Returns the path of every kind of resource with an ETag: a bucketlist, an item, the account, and administrator resources.
async fn paths_with_etags(admin: &Actor<'_>) -> Vec<String> {
    let list = admin.create_bucketlist("See the world").await;
    let item = admin.create_item(list, "Cape Horn").await;
    let list = format!("/v2/bucketlists/{list}");
    vec![
        format!("{list}/items/{item}"),
        format!("{list}/items"),
        format!("{list}/items?sort=-name&done=false&include=total"),
        format!("{list}?include=items"),
        list,
        "/v2/bucketlists".to_owned(),
        "/v2/bucketlists?include=items,total".to_owned(),
        "/v2/users/me".to_owned(),
        format!("/v2/admin/users/{}", admin.id()),
        "/v2/admin/users".to_owned(),
        "/v2/search?q=see".to_owned(),
        "/v2/auth/sessions".to_owned(),
        format!("/v2/exports/{}", admin.create_export("json").await),
        format!("/v2/admin/incidents/{}", admin.capture_incident().await),
        "/v2/admin/incidents".to_owned(),
        "/v2/admin/incident-groups".to_owned(),
    ]
}

both_engines! {
    async fn write_returns_the_etag_of_the_next_read(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, other) = (app.admin().await, app.user().await);
        let list = admin.post("/v2/bucketlists", &json!({"name": "See the world"})).await.expect(201);
        let list_path = list.header("location").to_owned();
        let item = admin.post(&format!("{list_path}/items"), &json!({"name": "Cape Horn"})).await.expect(201);
        let item_path = item.header("location").to_owned();
        // The bucketlist has the number of its items.
        assert_ne!(etag(&admin, &list_path).await, opaque(&list));
        assert_eq!(etag(&admin, &item_path).await, opaque(&item));

        for (path, replacement, changes) in [
            (list_path, Some(json!({"name": "See it all"})), json!({"description": "All of it."})),
            (item_path, Some(json!({"name": "Round Cape Horn"})), json!({"done": true})),
            ("/v2/users/me".to_owned(), None, json!({"name": "Ada"})),
            (format!("/v2/admin/users/{}", other.id()), None, json!({"disabled": true})),
        ] {
            let mut etags = vec![etag(&admin, &path).await];
            if let Some(body) = replacement {
                let response = admin.put(&path, &body).await.expect(200);
                assert_eq!(etag(&admin, &path).await, opaque(&response), "{path}");
                etags.push(opaque(&response));
            }
            let response = patch(&admin, &path, &changes).await;
            assert_eq!(etag(&admin, &path).await, opaque(&response), "{path}");
            etags.push(opaque(&response));
            let count = etags.len();
            etags.sort();
            etags.dedup();
            assert_eq!(etags.len(), count, "every state has a different ETag: {path}");
        }
    }

    async fn matching_if_none_match_returns_304(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for path in paths_with_etags(&admin).await {
            let full = admin.get(&path).await.expect(200);
            assert_eq!(full.header("cache-control"), "private, no-cache");
            let opaque = opaque(&full);
            for (known, expected) in [
                (format!("\"{opaque}\""), format!("\"{opaque}\"")),
                ("*".to_owned(), format!("\"{opaque}\"")),
                (format!("W/\"{opaque}\""), format!("\"{opaque}\"")),
                (format!("\"other\", W/\"old\",\"{opaque}\""), format!("\"{opaque}\"")),
                (format!("\"{opaque}-gzip\""), format!("\"{opaque}-gzip\"")),
                (format!("\"a,b\", W/\"{opaque}-zstd\""), format!("\"{opaque}-zstd\"")),
            ] {
                let same = get_if_none_match(&admin, &path, &known).await.expect(304);
                assert!(same.body.is_empty(), "{path} {known}");
                assert_eq!(same.header("etag"), expected, "{path} {known}");
                assert_eq!(same.header("cache-control"), "private, no-cache");
                assert_eq!(same.header("vary"), full.header("vary"));
                assert!(!same.headers.contains_key("content-type"), "{same:?}");
                assert!(!same.headers.contains_key("content-length"), "{same:?}");
                let head = admin.request(Method::HEAD, &path).header("if-none-match", &known).send().await.expect(304);
                assert_eq!(head.header("etag"), expected, "{path} {known}");
            }
            for known in ["\"other\"", "\"\"", "\"*\"", &format!("\"{}\"", &opaque[1..]), &format!("\"{opaque}-x\"")] {
                let response = get_if_none_match(&admin, &path, known).await.expect(200);
                assert_eq!(response.body, full.body, "{path} {known}");
                assert_eq!(response.header("etag"), full.header("etag"), "{path} {known}");
            }
        }
    }

    async fn compressed_response_has_its_own_etag(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "Long", "description": "North by north-west. ".repeat(47)});
        let created = user.post("/v2/bucketlists", &body).await.expect(201);
        let path = created.header("location");
        let plain = opaque(&created);
        for encoding in ["gzip", "br", "zstd"] {
            let read = |known: String| {
                let request = user.request(Method::GET, path).header("accept-encoding", encoding);
                if known.is_empty() { request.send() } else { request.header("if-none-match", &known).send() }
            };
            let compressed = read(String::new()).await.expect(200);
            assert_eq!(compressed.header("content-encoding"), encoding);
            assert_eq!(compressed.header("etag"), format!("\"{plain}-{encoding}\""));
            assert_eq!(compressed.header("vary"), "Accept, Accept-Encoding");
            // A cache that varies by encoding also needs it on the other representations.
            assert_eq!(user.get(path).await.expect(200).header("vary"), "Accept, Accept-Encoding");
            let same = read(compressed.header("etag").to_owned()).await.expect(304);
            assert_eq!(same.header("etag"), compressed.header("etag"));
            // The suffixed ETag identifies the same state: If-Match accepts it.
            let renamed = user.request(Method::PATCH, path).merge_patch(&json!({"name": encoding}));
            let stale = renamed.header("if-match", &format!("\"{plain}x-{encoding}\"")).send().await;
            stale.expect_error(412, "PRECONDITION_FAILED");
        }
        let change = user.request(Method::PATCH, path).merge_patch(&json!({"name": "Renamed"}));
        change.header("if-match", &format!("\"{plain}-br\"")).send().await.expect(200);
    }

    async fn malformed_if_none_match_returns_400(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for path in paths_with_etags(&admin).await {
            for round in ["new", "cached"] {
                for known in ["abc", "\"a", "*, \"a\"", "W/", "'a'", "w/\"a\"", "\"a\" \"b\"", ",", &"x".repeat(10_000)] {
                    let rejected = get_if_none_match(&admin, &path, known).await.expect_error(400, "INVALID_HEADER");
                    let errors = &rejected.json()["errors"];
                    assert_eq!(errors[0]["header"], "If-None-Match", "{path} {round}");
                    assert_eq!(errors.as_array().unwrap().len(), 1);
                }
                let long = format!("\"{}\"", "a".repeat(10_000));
                get_if_none_match(&admin, &path, &long).await.expect_error(400, "INVALID_HEADER");
                admin.get(&path).await.expect(200);
            }
        }
    }

    async fn etag_of_a_list_with_items_is_accepted_by_writes_to_the_list(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let path = format!("/v2/bucketlists/{}", user.create_bucketlist("See the world").await);
        let nested = etag(&user, &format!("{path}?include=items")).await;
        let patch = async |name: &str| {
            let request = user.request(Method::PATCH, &path).merge_patch(&json!({"name": name}));
            request.header("if-match", &format!("\"{nested}\"")).send().await
        };
        patch("See the seas").await.expect(200);
        patch("See the Alps").await.expect_error(412, "PRECONDITION_FAILED");
    }

    async fn etag_changes_only_with_the_state(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.admin().await, app.user().await);
        let (id, beside) = (user.create_bucketlist("See the world").await, user.create_bucketlist("Learn").await);
        let list = format!("/v2/bucketlists/{id}");
        let (nested, all) = (format!("{list}?include=items"), "/v2/bucketlists".to_owned());
        let paths = [&list, &nested, &all, &format!("{list}/items")];
        let etags = async || {
            let mut etags = Vec::new();
            for path in paths {
                etags.push(etag(&user, path).await);
            }
            etags
        };
        // Which of the four resources each step changes.
        let mut before = etags().await;
        let mut expect = async |what: &str, changed: [bool; 4]| {
            let now = etags().await;
            let differs: Vec<bool> = now.iter().zip(&before).map(|(now, before)| now != before).collect();
            assert_eq!(differs, changed, "{what}");
            before = now;
        };
        expect("no change", [false; 4]).await;
        let item = user.create_item(id, "Cape Horn").await;
        let item = format!("{list}/items/{item}");
        expect("item created", [true; 4]).await;
        patch(&user, &item, &json!({"name": "Round Cape Horn"})).await;
        expect("item renamed: the bucketlist is unchanged", [false, true, false, true]).await;
        patch(&user, &item, &json!({"done": true})).await;
        expect("item completed", [true; 4]).await;
        user.delete(&item).await.expect(204);
        expect("item deleted", [true; 4]).await;
        user.create_item(beside, "Spanish").await;
        expect("item created in another bucketlist", [false, false, true, false]).await;
        patch(&user, &list, &json!({"description": "All of it."})).await;
        expect("description updated", [true, true, true, false]).await;
        let theirs = other.create_bucketlist("See the world").await;
        other.create_item(theirs, "Cape Horn").await;
        user.put(&format!("/v2/bucketlists/{theirs}"), &json!({"name": "x"})).await.expect(404);
        user.patch("/v2/users/me", &json!({"name": "Ada"})).await.expect(200);
        let (path, stale) = (&list, "\"stale\"");
        let rejected = user.request(Method::PUT, path).json(&json!({"name": "x"})).header("if-match", stale).send().await;
        rejected.expect(412);
        expect("resources of other users, and a rejected write", [false; 4]).await;
    }
}
