//! Deprecated operations are marked in the document, send deprecation headers, and return 410 after the sunset.

use std::time::Duration;

use poem::http::Method;

use crate::support::{Actor, TestApp, TestResponse, Value, json};

/// The deprecated operations of v1 and their successors.
const DEPRECATED: [(&str, &str); 3] = [
    ("listBucketlists", "/v2/bucketlists"),
    ("listItems", "/v2/bucketlists/{bucketlist_id}/items"),
    ("listUsers", "/v2/admin/users"),
];

/// The time between the start of a test, 2027-01-15T08:00:00Z, and the sunset, 2027-11-20T00:00:00Z.
const UNTIL_SUNSET: Duration = Duration::from_secs(309 * 86_400 - 8 * 3600);

/// `Deprecation` header of the operations: 2026-11-20T00:00:00Z.
const DEPRECATED_SINCE: &str = "@1795132800";

fn assert_deprecation_headers(response: &TestResponse, successor: &str) {
    assert_eq!(response.header("deprecation"), DEPRECATED_SINCE, "{response:?}");
    assert_eq!(response.header("sunset"), "Sat, 20 Nov 2027 00:00:00 GMT");
    let links: Vec<&str> = response.header("link").split(", ").collect();
    assert!(links.contains(&format!("<{successor}>; rel=\"successor-version\"").as_str()), "{links:?}");
}

fn assert_no_deprecation_headers(response: &TestResponse) {
    for name in ["deprecation", "sunset"] {
        assert!(!response.headers.contains_key(name), "{response:?}");
    }
    assert!(!response.headers.get("link").is_some_and(|link| link.contains("successor-version")), "{response:?}");
}

async fn login<'a>(app: &'a TestApp, actor: &Actor<'_>) -> Actor<'a> {
    let body = json!({"email": actor.email(), "password": Actor::PASSWORD});
    Actor::new(app, Some(app.anonymous().post("/v1/auth/login", &body).await.expect(200).json()))
}

/// Returns the paths of the deprecated operations and of their successors.
fn deprecated_paths(bucketlist_id: i64) -> [(String, String); 3] {
    [
        ("/v1/bucketlists".to_owned(), "/v2/bucketlists".to_owned()),
        (format!("/v1/bucketlists/{bucketlist_id}/items"), format!("/v2/bucketlists/{bucketlist_id}/items")),
        ("/v1/users".to_owned(), "/v2/admin/users".to_owned()),
    ]
}

both_engines! {
    async fn document_marks_the_operation_deprecated(engine: Engine) {
        let app = TestApp::new(engine);
        let document = app.anonymous().get("/openapi/v1.json").await.expect(200).json();
        let mut seen = Vec::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values().filter(|value| value["operationId"].is_string()) {
                let id = operation["operationId"].as_str().unwrap();
                let Some((_, successor)) = DEPRECATED.iter().find(|(deprecated, _)| *deprecated == id) else {
                    assert_ne!(operation["deprecated"], true, "{id}");
                    continue;
                };
                assert_eq!(operation["deprecated"], true, "{id}");
                let description = operation["description"].as_str().unwrap();
                for word in ["2026-11-20", "2027-11-20", "410", &format!("`{successor}`")] {
                    assert!(description.contains(word), "{id}: {description}");
                }
                let headers = &operation["responses"]["200"]["headers"];
                for name in ["Deprecation", "Sunset", "Link"] {
                    assert!(headers[name].is_object(), "{id}: {headers}");
                }
                assert!(operation["responses"]["410"].is_object(), "{id}");
                seen.push(id);
            }
        }
        assert_eq!(seen.len(), DEPRECATED.len(), "{seen:?}");
        assert!(contract::v2::document::operations().all(|operation| operation.deprecation.is_none()));
        assert!(!contract::v2::document::document().to_json().contains("\"deprecated\": true"));
    }

    async fn every_response_has_deprecation_headers(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let list = admin.create_bucketlist("See the world").await;
        for (path, successor) in deprecated_paths(list) {
            // The second response of a cacheable operation is served from the cache.
            for _ in 0..2 {
                assert_deprecation_headers(&admin.get(&path).await.expect(200), &successor);
            }
            assert_deprecation_headers(&admin.get(&format!("{path}?page=1&per_page=5")).await.expect(200), &successor);
            assert_deprecation_headers(&admin.request(Method::HEAD, &path).send().await.expect(200), &successor);
            assert_deprecation_headers(&admin.get(&path[3..]).await.expect(200), &successor);
            assert_deprecation_headers(&app.anonymous().get(&path).await.expect(401), &successor);
            assert_deprecation_headers(&admin.get(&format!("{path}?page=0")).await.expect(422), &successor);
            assert_deprecation_headers(&admin.get(&format!("{path}?color=red")).await.expect(422), &successor);
            let unacceptable = admin.request(Method::GET, &path).header("accept", "text/html").send().await;
            assert_deprecation_headers(&unacceptable.expect(406), &successor);
        }
        let missing = admin.get("/v1/bucketlists/987654/items").await.expect(404);
        assert_deprecation_headers(&missing, "/v2/bucketlists/987654/items");
        assert_deprecation_headers(&app.user().await.get("/v1/users").await.expect(403), "/v2/admin/users");
        // An invalid ID is not copied into a link.
        for id in ["abc", "%3E%3B%20rel", "1%2F..%2F2"] {
            let response = admin.get(&format!("/v1/bucketlists/{id}/items")).await.any_status();
            assert!(response.status >= 400 && response.header("link").matches("rel=").count() == 1, "{response:?}");
        }
    }

    async fn rate_limited_response_has_deprecation_headers(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = 2;
        }).build();
        let user = app.user().await;
        for _ in 0..2 {
            assert_deprecation_headers(&user.get("/v1/bucketlists").await.any_status(), "/v2/bucketlists");
        }
        let rejected = user.get("/v1/bucketlists").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        assert_deprecation_headers(&rejected, "/v2/bucketlists");
    }

    async fn other_operations_are_not_deprecated(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let list = admin.create_bucketlist("See the world").await;
        let item = admin.create_item(list, "Cape Horn").await;
        for path in [
            format!("/v1/bucketlists/{list}"),
            format!("/v1/bucketlists/{list}/items/{item}"),
            "/v1/users/me".to_owned(),
            format!("/v1/users/{}", admin.id()),
            "/v2/bucketlists".to_owned(),
            format!("/v2/bucketlists/{list}/items"),
            "/v2/admin/users".to_owned(),
            "/health/live".to_owned(),
        ] {
            assert_no_deprecation_headers(&admin.get(&path).await.expect(200));
        }
        let created = admin.post("/v1/bucketlists", &json!({"name": "Learn"})).await.expect(201);
        assert_no_deprecation_headers(&created);
        for path in ["/v1/bucketlists", "/v1/nonsense"] {
            assert_no_deprecation_headers(&admin.request(Method::DELETE, path).send().await.any_status());
        }
    }

    async fn removed_operation_returns_410_after_sunset(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let list = admin.create_bucketlist("See the world").await;
        app.advance_clock(UNTIL_SUNSET - Duration::from_secs(1));
        let admin = login(&app, &admin).await;
        for (path, successor) in deprecated_paths(list) {
            assert_deprecation_headers(&admin.get(&path).await.expect(200), &successor);
        }
        app.advance_clock(Duration::from_secs(1));
        for (path, successor) in deprecated_paths(list) {
            for target in [path.clone(), format!("{path}?page=0"), path[3..].to_owned()] {
                for actor in [&admin, &app.anonymous()] {
                    let removed = actor.get(&target).await.expect_error(410, "GONE");
                    assert_deprecation_headers(&removed, &successor);
                    let message = removed.json()["error"]["message"].as_str().unwrap().to_owned();
                    assert!(message.contains(&successor), "{message}");
                }
            }
            admin.request(Method::HEAD, &path).send().await.expect(410);
            let page: Value = admin.get(&successor).await.expect(200).json();
            assert!(page["data"].is_array());
        }
        admin.get(&format!("/v1/bucketlists/{list}")).await.expect(200);
        admin.post("/v1/bucketlists", &json!({"name": "Learn"})).await.expect(201);
        admin.create_item(list, "Cape Horn").await;
    }

    async fn removal_can_be_disabled(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.gone_after_sunset = false).build();
        let admin = app.admin().await;
        let list = admin.create_bucketlist("See the world").await;
        app.advance_clock(UNTIL_SUNSET + Duration::from_secs(86_400));
        let admin = login(&app, &admin).await;
        for (path, successor) in deprecated_paths(list) {
            assert_deprecation_headers(&admin.get(&path).await.expect(200), &successor);
        }
    }
}
