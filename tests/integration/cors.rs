//! CORS: only pages of the configured origins may call the API.

use std::collections::BTreeSet;

use ::contract::{v1, v2};
use poem::http::Method;

use crate::support::{Actor, Engine, TestApp, TestResponse, UncheckedResponse, json};

const APP: &str = "https://app.example.com";
const LOCAL: &str = "http://localhost:5173";
/// Origins that are not configured; some differ in one detail.
const OTHERS: [&str; 9] = [
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://APP.example.com",
    "https://app.example.com/",
    "null",
    "*",
];

async fn app(engine: Engine) -> TestApp {
    TestApp::builder()
        .engine(engine)
        .config(|config| config.cors_origins = vec![APP.to_owned(), LOCAL.to_owned()])
        .build()
}

async fn get(actor: &Actor<'_>, path: &str, origin: &str) -> UncheckedResponse {
    actor.request(Method::GET, path).header("origin", origin).send().await
}

fn list(text: &str) -> BTreeSet<String> {
    text.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

/// Asserts that a page of this origin may read the response.
#[track_caller]
fn assert_allowed(response: &TestResponse, origin: &str) {
    assert_eq!(response.header("access-control-allow-origin"), origin);
    assert_eq!(response.header("cross-origin-resource-policy"), "cross-origin");
    assert!(list(response.header("vary")).contains("origin"), "{response:?}");
    assert!(
        !response.headers.contains_key("access-control-allow-credentials"),
        "no cookies, no credentials: {response:?}"
    );
}

/// Asserts that no page of another origin may read the response.
#[track_caller]
fn assert_not_allowed(response: &TestResponse) {
    assert!(!response.headers.keys().any(|name| name.starts_with("access-control-")), "{response:?}");
    assert_eq!(response.header("cross-origin-resource-policy"), "same-origin");
}

both_engines! {
    async fn cors_is_off_by_default(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for origin in [APP, "null", "http://test.example"] {
            let response = get(&user, "/v2/bucketlists", origin).await.expect(200);
            assert_not_allowed(&response);
            assert!(!list(response.header("vary")).contains("origin"), "{response:?}");
            let preflight = user.request(Method::OPTIONS, "/v2/bucketlists").header("origin", origin);
            let response = preflight.header("access-control-request-method", "POST").send().await.expect(204);
            assert_not_allowed(&response);
            assert_eq!(response.header("allow"), "GET, HEAD, OPTIONS, POST");
        }
    }

    async fn only_a_configured_origin_is_allowed(engine: Engine) {
        let app = app(engine).await;
        let user = app.user().await;
        for origin in [APP, LOCAL] {
            assert_allowed(&get(&user, "/v2/users/me", origin).await.expect(200), origin);
        }
        for origin in OTHERS {
            let response = get(&user, "/v2/users/me", origin).await.expect(200);
            assert_not_allowed(&response);
            assert!(list(response.header("vary")).contains("origin"), "{origin}");
            let preflight = user.request(Method::OPTIONS, "/v2/users/me").header("origin", origin);
            assert_not_allowed(&preflight.header("access-control-request-method", "GET").send().await.expect(204));
        }
        // A response to a request without an origin must not be cached for one with an origin.
        let response = user.get("/v2/users/me").await.expect(200);
        assert_not_allowed(&response);
        assert_eq!(response.header("vary"), "Accept, Accept-Encoding, Origin");
    }

    async fn preflight_returns_allowed_methods_and_headers(engine: Engine) {
        let app = app(engine).await;
        let anonymous = app.anonymous();
        let mut seen = 0;
        for contract in [v1::contract(), v2::contract()] {
            for operation in contract.operations() {
                let path = operation.path.replace("{bucketlist_id}", "1").replace("{item_id}", "1");
                let path = path.replace("{user_id}", "1");
                let preflight = anonymous.request(Method::OPTIONS, &path).header("origin", APP);
                let response = preflight
                    .header("access-control-request-method", &operation.method)
                    .header("access-control-request-headers", "authorization,content-type")
                    .send()
                    .await
                    .expect(204);
                assert_allowed(&response, APP);
                let methods = list(response.header("access-control-allow-methods"));
                assert!(methods.contains(&operation.method.to_ascii_lowercase()), "{path}: {methods:?}");
                assert_eq!(response.header("access-control-allow-methods"), response.header("allow"));
                assert_eq!(response.header("access-control-max-age"), "7200");
                let headers = list(response.header("access-control-allow-headers"));
                for name in ["authorization", "content-type", "if-match", "idempotency-key", "x-request-id"] {
                    assert!(headers.contains(name), "{name}");
                }
                assert!(response.body.is_empty());
                seen += 1;
            }
        }
        assert!(seen > 30, "{seen}");
    }

    async fn preflight_of_an_unversioned_path_allows_the_methods_of_all_versions(engine: Engine) {
        let app = app(engine).await;
        let anonymous = app.anonymous();
        let ask = async |path: &str| {
            let preflight = anonymous.request(Method::OPTIONS, path).header("origin", APP);
            preflight.header("access-control-request-method", "PATCH").send().await
        };
        for (path, methods) in [
            ("/bucketlists/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
            ("/search", "GET, HEAD, OPTIONS"),
            ("/health/ready", "GET, HEAD, OPTIONS"),
        ] {
            let response = ask(path).await.expect(204);
            assert_allowed(&response, APP);
            assert_eq!(response.header("access-control-allow-methods"), methods, "{path}");
        }
        assert_allowed(&ask("/nowhere").await.expect(404), APP);
    }

    async fn error_responses_have_cors_headers(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.cors_origins = vec![APP.to_owned()];
            config.limits.rate_limit = true;
            config.limits.search_per_minute = 1;
        }).build();
        let user = app.user().await;
        let mut errors = Vec::new();
        errors.push(get(&app.anonymous(), "/v2/bucketlists", APP).await.expect_error(401, "AUTHENTICATION_REQUIRED"));
        errors.push(get(&app.anonymous(), "/v1/bucketlists", APP).await.expect_error(401, "AUTHENTICATION_REQUIRED"));
        errors.push(get(&user, "/v2/bucketlists/999999", APP).await.expect_error(404, "BUCKETLIST_NOT_FOUND"));
        errors.push(get(&user, "/v3/nowhere", APP).await.expect_error(404, "ROUTE_NOT_FOUND"));
        errors.push(get(&user, "/v2/bucketlists?color=blue", APP).await.expect_error(422, "UNKNOWN_PARAMETER"));
        let _ = get(&user, "/v2/search?q=a", APP).await.expect(200);
        errors.push(get(&user, "/v2/search?q=a", APP).await.expect_error(429, "RATE_LIMIT_EXCEEDED"));
        app.execute("ALTER TABLE items RENAME TO things");
        let list = user.create_bucketlist("See the world").await;
        let path = format!("/v2/bucketlists/{list}/items");
        errors.push(get(&user, &path, APP).await.expect_error(500, "INTERNAL_ERROR"));
        app.execute("ALTER TABLE things RENAME TO items");
        for response in errors {
            assert_allowed(&response, APP);
            assert!(exposed_headers(&response).contains("x-request-id"), "{response:?}");
        }
    }

    async fn every_documented_header_is_exposed(engine: Engine) {
        let app = app(engine).await;
        let response = get(&app.user().await, "/v2/bucketlists", APP).await.expect(200);
        // CORS-safelisted response headers (Fetch) need not be exposed; others are of no use to pages.
        let safe = ["cache-control", "content-language", "content-length", "content-type", "expires", "vary"];
        let exposed = exposed_headers(&response);
        for document in [v1::document(), v2::document()] {
            let mut names = BTreeSet::new();
            for (_, item) in document.value()["paths"].as_object().unwrap() {
                for operation in item.as_object().unwrap().values() {
                    let responses = operation["responses"].as_object().into_iter().flat_map(|all| all.values());
                    let headers = responses.filter_map(|response| response["headers"].as_object());
                    names.extend(headers.flat_map(|headers| headers.keys().map(|name| name.to_ascii_lowercase())));
                }
            }
            assert!(names.len() > 6, "{names:?}");
            for name in names.iter().filter(|name| !safe.contains(&name.as_str())) {
                assert!(exposed.contains(name), "{name} is documented, and hidden from pages");
            }
        }
    }

    async fn cached_response_has_the_cors_headers_of_the_request(engine: Engine) {
        let app = app(engine).await;
        let user = app.user().await;
        user.create_bucketlist("See the world").await;
        let path = "/v2/bucketlists";
        let mut hits = 0;
        for _ in 0..2 {
            for origin in [Some(APP), None, Some(LOCAL), Some("https://evil.example")] {
                let response = match origin {
                    Some(origin) => get(&user, path, origin).await.expect(200),
                    None => user.get(path).await.expect(200),
                };
                hits += usize::from(response.headers.get("cache-status").is_some_and(|status| status.ends_with("hit")));
                match origin {
                    Some(origin @ (APP | LOCAL)) => assert_allowed(&response, origin),
                    _ => assert_not_allowed(&response),
                }
            }
        }
        assert!(engine == Engine::Postgres || hits == 7, "{hits}");
        // 304 has them as well.
        let etag = user.get(path).await.expect(200).header("etag").to_owned();
        let again = user.request(Method::GET, path).header("origin", LOCAL).header("if-none-match", &etag);
        assert_allowed(&again.send().await.expect(304), LOCAL);
    }

    async fn pages_documents_and_streams_have_cors_headers(engine: Engine) {
        let app = app(engine).await;
        let user = app.user().await;
        for path in ["/openapi/v2.json", "/version", "/health/live", "/docs"] {
            assert_allowed(&get(&app.anonymous(), path, APP).await.expect(200), APP);
        }
        let stream = user.request(Method::GET, "/v2/bucketlists").header("origin", APP).header("accept", "text/csv");
        assert_allowed(&stream.send().await.expect(200), APP);
        let created = user.request(Method::POST, "/v2/bucketlists").header("origin", APP);
        let response = created.json(&json!({"name": "From a page"})).send().await.expect(201);
        assert_allowed(&response, APP);
        assert!(exposed_headers(&response).contains("location"));
    }

    async fn documents_and_collections_are_readable_from_any_origin(engine: Engine) {
        for app in [TestApp::new(engine), app(engine).await] {
            let anonymous = app.anonymous();
            for path in [
                "/openapi/v1.json", "/openapi/v2.yaml", "/openapi/v2-3.1.json", "/postman/collection.json",
                "/postman/environment.json", "/postman/collection.har", "/postman/v2.http",
                "/postman/environments/local.json", "/.well-known/jwks.json", "/.well-known/api-catalog", "/llms.txt",
                "/guides/quick-start.md", "/guides/changelog.md", "/reference/v2/createItem.md",
            ] {
                let response = get(&anonymous, path, "https://other.example").await.expect(200);
                assert_eq!(response.header("access-control-allow-origin"), "*", "{path}");
                assert_eq!(response.header("cross-origin-resource-policy"), "cross-origin", "{path}");
                let again = anonymous.request(Method::GET, path).header("origin", "https://other.example");
                let again = again.header("if-none-match", response.header("etag")).send().await.expect(304);
                assert_eq!(again.header("access-control-allow-origin"), "*", "{path}");
                let preflight = anonymous.request(Method::OPTIONS, path).header("origin", "https://other.example");
                let preflight = preflight.header("access-control-request-method", "GET");
                let preflight = preflight.header("access-control-request-headers", "x-trace").send().await.expect(204);
                assert_eq!(preflight.header("access-control-allow-origin"), "*", "{path}");
                assert_eq!(preflight.header("access-control-allow-headers"), "*", "{path}");
                assert!(list(preflight.header("access-control-allow-methods")).contains("get"), "{path}");
            }
            for path in ["/", "/docs", "/version", "/health/live", "/nowhere", "/problems"] {
                assert_not_allowed(&get(&anonymous, path, "https://other.example").await.any_status());
            }
        }
    }

    async fn options_without_an_origin_is_not_a_preflight(engine: Engine) {
        let app = app(engine).await;
        let response = app.anonymous().request(Method::OPTIONS, "/v1/bucketlists").send().await.expect(204);
        assert_eq!(response.header("allow"), "GET, HEAD, OPTIONS, POST");
        assert_not_allowed(&response);
        // Without Access-Control-Request-Method, the request is not a preflight.
        let plain = app.anonymous().request(Method::OPTIONS, "/v1/bucketlists").header("origin", APP);
        let response = plain.send().await.expect(204);
        assert_allowed(&response, APP);
        assert!(!response.headers.contains_key("access-control-allow-methods"), "{response:?}");
    }
}

fn exposed_headers(response: &TestResponse) -> BTreeSet<String> {
    list(response.header("access-control-expose-headers"))
}
