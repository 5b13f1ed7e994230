//! Unversioned paths: `Accept-Version` selects the version.

use poem::http::Method;

use crate::support::{Actor, TestApp, TestResponse, UncheckedResponse, json};

/// Sends a request with `Accept-Version`, or without it for `None`.
async fn send(actor: &Actor<'_>, method: Method, path: &str, version: Option<&str>) -> UncheckedResponse {
    let request = actor.request(method, path);
    version.into_iter().fold(request, |request, version| request.header("accept-version", version)).send().await
}

async fn get(actor: &Actor<'_>, path: &str, version: Option<&str>) -> UncheckedResponse {
    send(actor, Method::GET, path, version).await
}

fn assert_negotiated(response: &TestResponse, version: &str) {
    assert_eq!(response.header("content-version"), version, "{response:?}");
    assert_varies(response);
}

fn assert_varies(response: &TestResponse) {
    assert!(response.header("vary").split(", ").any(|name| name == "Accept-Version"), "{response:?}");
}

/// Asserts that the response was not negotiated because its path contains the version.
fn assert_fixed(response: &TestResponse) {
    assert!(!response.headers.contains_key("content-version"), "{response:?}");
    assert!(!response.header("vary").contains("Accept-Version"), "{response:?}");
}

both_engines! {
    async fn accept_version_selects_the_version_of_an_unversioned_path(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let id = user.create_bucketlist("See the world").await;
        let item = user.create_item(id, "Cape Horn").await;
        for path in [
            "/bucketlists".to_owned(),
            "/bucketlists?per_page=1&q=world".to_owned(),
            format!("/bucketlists/{id}"),
            format!("/bucketlists/{id}/items"),
            format!("/bucketlists/{id}/items/{item}"),
            "/users/me".to_owned(),
        ] {
            for (requested, version) in [(None, "1"), (Some("1"), "1"), (Some("2"), "2"), (Some(" 2 "), "2")] {
                // The second response may be served from the cache.
                for _ in 0..2 {
                    let response = get(&user, &path, requested).await.expect(200);
                    assert_negotiated(&response, version);
                    let versioned = user.get(&format!("/v{version}{path}")).await.expect(200);
                    assert_fixed(&versioned);
                    assert_eq!(response.body, versioned.body, "{path} {requested:?}");
                    assert_eq!(response.headers.get("etag"), versioned.headers.get("etag"), "{path} {requested:?}");
                }
            }
            let head = send(&user, Method::HEAD, &path, Some("2")).await.expect(200);
            assert_negotiated(&head, "2");
            let options = send(&user, Method::OPTIONS, &path, Some("1")).await.expect(204);
            let versioned = user.request(Method::OPTIONS, &format!("/v1{path}")).send().await.expect(204);
            assert_eq!(options.header("allow"), versioned.header("allow"));
            assert_negotiated(&options, "1");
        }
    }

    async fn repeated_version_is_rejected(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for (first, second) in [("1", "2"), ("2", "2"), ("1", "")] {
            let request = user.request(Method::GET, "/bucketlists").header("accept-version", first);
            request.append_header("accept-version", second).send().await.expect_error(406, "UNSUPPORTED_VERSION");
        }
    }

    async fn unknown_version_is_rejected_with_the_supported_ones(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for version in ["3", "0", "", " ", "v1", "1.0", "01", "+1", "latest", "1, 2", "*", "é", &"1".repeat(5_000)] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let rejected = send(&user, method, "/bucketlists", Some(version)).await;
                let rejected = rejected.expect_error(406, "UNSUPPORTED_VERSION");
                let problem = rejected.json();
                assert_eq!(problem["detail"], "Accept-Version must be one of: 1, 2.", "{version}");
                assert_eq!(problem["instance"], "/bucketlists");
                assert!(!rejected.headers.contains_key("content-version"));
                assert_varies(&rejected);
            }
        }
    }

    async fn errors_have_the_format_of_the_selected_version(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, anonymous) = (app.user().await, app.anonymous());
        for version in [None, Some("1"), Some("2")] {
            let number = version.unwrap_or("1");
            let responses = [
                get(&user, "/bucketlists/987654", version).await.expect_error(404, "BUCKETLIST_NOT_FOUND"),
                get(&anonymous, "/bucketlists", version).await.expect_error(401, "AUTHENTICATION_REQUIRED"),
                get(&user, "/bucketlists?per_page=0", version).await.expect_error(422, "VALIDATION_FAILED"),
                get(&user, "/bucketlists?color=red", version).await.expect_error(422, "UNKNOWN_PARAMETER"),
                send(&user, Method::PUT, "/bucketlists", version).await.expect_error(405, "METHOD_NOT_ALLOWED"),
            ];
            assert_eq!(responses[4].header("allow"), "GET, HEAD, OPTIONS, POST");
            for response in responses {
                assert_negotiated(&response, number);
                let is_envelope = response.json()["error"].is_object();
                assert_eq!(is_envelope, number == "1", "{response:?}");
            }
        }
    }

    async fn operation_missing_in_the_selected_version_returns_404(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        user.create_bucketlist("See the world").await;
        let found = get(&user, "/search?q=world", Some("2")).await.expect(200);
        assert_negotiated(&found, "2");
        assert_eq!(found.json()["data"].as_array().unwrap().len(), 1);
        for version in [None, Some("1")] {
            let missing = get(&user, "/search?q=world", version).await.expect_error(404, "ROUTE_NOT_FOUND");
            assert_negotiated(&missing, "1");
        }
        for version in [None, Some("1"), Some("2"), Some("3"), Some("")] {
            for path in ["/nonsense", "/bucketlists/1/nonsense", "/v3/bucketlists", "/V1/bucketlists", "//bucketlists"] {
                let missing = get(&user, path, version).await.expect_error(404, "ROUTE_NOT_FOUND");
                assert_fixed(&missing);
                assert_eq!(missing.header("content-type"), "application/problem+json");
            }
        }
    }

    async fn versioned_path_ignores_accept_version(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for version in ["1", "2", "3", "", "garbage"] {
            let one = get(&user, "/v1/bucketlists", Some(version)).await.expect(200);
            assert!(one.json()["meta"]["pages"].is_number());
            let two = get(&user, "/v2/bucketlists", Some(version)).await.expect(200);
            assert!(two.json()["meta"]["has_more"].is_boolean());
            get(&user, "/v1/search?q=a", Some(version)).await.expect_error(404, "ROUTE_NOT_FOUND");
            assert_fixed(&one);
            assert_fixed(&two);
        }
    }

    async fn unversioned_paths_accept_request_bodies(engine: Engine) {
        let app = TestApp::new(engine);
        let anonymous = app.anonymous();
        let account = json!({"email": "ada@example.com", "password": Actor::PASSWORD, "name": "Ada"});
        let request = anonymous.request(Method::POST, "/auth/register").json(&account);
        let session = request.header("accept-version", "2").send().await.expect(201);
        assert_negotiated(&session, "2");
        let user = Actor::new(&app, Some(session.json()));
        let mut created = Vec::new();
        for (number, version) in ["1", "2"].into_iter().enumerate() {
            let body = json!({"name": format!("List {number}")});
            let request = user.request(Method::POST, "/bucketlists").json(&body).header("accept-version", version);
            let response = request.send().await.expect(201);
            assert_negotiated(&response, version);
            assert!(response.header("location").starts_with(&format!("/v{version}/bucketlists/")), "{response:?}");
            let invalid = user.request(Method::POST, "/bucketlists").json(&json!({"name": ""}));
            let rejected = invalid.header("accept-version", version).send().await.expect_error(422, "VALIDATION_FAILED");
            assert_negotiated(&rejected, version);
            created.push(response.header("location")[3..].to_owned());
        }
        let patch = || user.request(Method::PATCH, &created[1]).merge_patch(&json!({"name": "Renamed"}));
        let changed = patch().header("accept-version", "2").send().await.expect(200);
        assert_eq!(changed.json()["name"], "Renamed");
        patch().header("accept-version", "1").send().await.expect_error(405, "METHOD_NOT_ALLOWED");
        send(&user, Method::DELETE, &created[1], None).await.expect(204);
        get(&user, &created[1], Some("2")).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
    }

    async fn unversioned_routes_have_no_version_header(engine: Engine) {
        let app = TestApp::new(engine);
        let anonymous = app.anonymous();
        for path in ["/", "/docs", "/reference", "/health/live", "/health/ready", "/version", "/openapi/v1.json"] {
            let plain = anonymous.get(path).await.expect(200);
            for version in ["1", "2", "3", "", "garbage"] {
                let response = get(&anonymous, path, Some(version)).await.expect(200);
                assert_fixed(&response);
                assert_eq!(response.header("content-type"), plain.header("content-type"), "{path}");
            }
        }
    }
}
