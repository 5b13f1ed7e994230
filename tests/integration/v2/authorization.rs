//! Authentication, methods and request bodies of every operation. The tests are generated from the document, so that new
//! operations are covered automatically.

use std::collections::BTreeMap;

use ::contract::{v1, v2};
use openapi_model::Operation;
use poem::http::Method;

use super::operations::{ResourceIds, read_resources, send, status_and_allow};
use crate::{
    protocol::{invalid_bodies, malformed_bodies},
    support::{TestApp, json, method, request_schema},
};

const MERGE_PATCH: &str = "application/merge-patch+json";

/// The HTTP methods and an unknown one.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"];

both_engines! {
    async fn missing_token_returns_401_with_www_authenticate(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let ids = ResourceIds::create(&user).await;
        let before = read_resources(&user, ids).await;
        let anonymous = app.anonymous();
        let secured: Vec<_> = v2::contract().operations().filter(|operation| operation.is_secured).collect();
        let public = v2::contract().operations().count() - secured.len();
        assert_eq!(public, 5, "register, login, refresh and the two operations of the password reset");
        for operation in secured {
            for path in [ids.path(operation), ResourceIds::NONEXISTENT.path(operation), format!("{}?color=1", ids.path(operation))] {
                let response = send(&anonymous, operation, &path, "*/*").await;
                let response = response.expect_error(401, "AUTHENTICATION_REQUIRED");
                assert_eq!(response.header("www-authenticate"), "Bearer realm=\"bucketlist\"");
                for (authorization, code) in [
                    ("Bearer x.y.z", "INVALID_TOKEN"),
                    (&*format!("Bearer {}x", user.token()), "INVALID_TOKEN"),
                    ("Basic dXNlcjpwYXNz", "INVALID_TOKEN"),
                ] {
                    let request = anonymous.request(method(operation), &path).header("authorization", authorization);
                    let response = request.send().await.expect_error(401, code);
                    assert!(response.header("www-authenticate").starts_with("Bearer realm="), "{response:?}");
                }
            }
        }
        assert_eq!(read_resources(&user, ids).await, before);
    }

    async fn unsupported_method_returns_405_with_allow(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let ids = ResourceIds::create(&admin).await;
        let before = read_resources(&admin, ids).await;
        let mut supported: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for operation in v2::contract().operations() {
            supported.entry(ids.path(operation)).or_default().push(&operation.method);
        }
        for (path, methods) in &mut supported {
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            methods.push("OPTIONS");
            methods.sort_unstable();
            let allow = methods.join(", ");
            for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
                let response = status_and_allow(&app, &admin, method, path).await;
                assert_eq!(response, (405, Some(allow.clone())), "{method} {path}");
                if method != "HEAD" {
                    let response = admin.request(method.parse().unwrap(), path).send().await;
                    let problem = response.expect_error(405, "METHOD_NOT_ALLOWED").json();
                    assert!(problem["detail"].as_str().unwrap().contains(&allow), "{problem}");
                }
            }
            for actor in [&admin, &app.anonymous()] {
                let response = actor.request(Method::OPTIONS, path).send().await.expect(204);
                assert_eq!((response.header("allow"), &*response.body), (&*allow, &b""[..]), "{path}");
            }
        }
        assert_eq!(read_resources(&admin, ids).await, before);
    }

    async fn error_codes_match_in_both_versions(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, anonymous) = (app.admin().await, app.anonymous());
        let ids = ResourceIds::create(&admin).await;
        let before = read_resources(&admin, ids).await;
        let mut tried = 0;
        for v1_operation in v1::contract().operations().filter(|operation| operation.body().is_some()) {
            let Some(v2_operation) = v2::contract().operations().find(|v2_operation| v2_operation.id == v1_operation.id) else {
                panic!("{} has no successor", v1_operation.id)
            };
            assert_eq!(v1_operation.request_media_types, v2_operation.request_media_types);
            let actor = if v1_operation.is_secured { &admin } else { &anonymous };
            let schema = request_schema(v1_operation);
            for invalid in malformed_bodies(&schema["example"].to_string()).into_iter().chain(invalid_bodies(schema)) {
                let send = async |operation: &Operation| {
                    let mut request = actor.request(method(operation), &ids.path(operation)).bytes(invalid.body.clone());
                    if let Some(content_type) = invalid.content_type {
                        request = request.header("content-type", content_type);
                    }
                    request.send().await.expect_error(invalid.status, invalid.code)
                };
                assert_eq!(send(v2_operation).await.details(), send(v1_operation).await.details(), "{}", v1_operation.id);
                tried += 1;
            }
        }
        assert!(tried > 1_000, "{tried}");
        assert_eq!(read_resources(&admin, ids).await, before);
    }

    async fn malformed_merge_patch_is_rejected_like_any_body(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let ids = ResourceIds::create(&user).await;
        let before = read_resources(&user, ids).await;
        // Accounts have other fields.
        let patches = v2::contract()
            .operations()
            .filter(|operation| operation.method == "PATCH" && operation.path.starts_with("/v2/bucketlists"));
        let mut tried = 0;
        for operation in patches {
            let path = ids.path(operation);
            for invalid in malformed_bodies(&request_schema(operation)["example"].to_string()) {
                let content_type = invalid.content_type.map(|it| if it == "application/json" { MERGE_PATCH } else { it });
                let mut request = user.request(Method::PATCH, &path).bytes(invalid.body.clone());
                if let Some(content_type) = content_type {
                    request = request.header("content-type", content_type);
                }
                let response = request.send().await.expect_error(invalid.status, invalid.code);
                let expected: Vec<_> = invalid.detail.into_iter().map(|(at, code)| (at, code.to_owned())).collect();
                assert_eq!(response.details(), expected);
                tried += 1;
            }
            for (patch, expected) in [
                (json!({"name": 1, "color": 2}), vec![("/color", "UNKNOWN_FIELD"), ("/name", "WRONG_TYPE")]),
                (json!({"name": "x\0"}), vec![("/name", "INVALID_CHARACTERS")]),
                (json!({"id": 7}), vec![("/id", "UNKNOWN_FIELD")]),
                (json!({"description": "x".repeat(4001)}), vec![("/description", "TOO_LONG")]),
                (json!({"description": {"a": null}}), vec![("/description", "WRONG_TYPE")]),
            ] {
                let response = user.request(Method::PATCH, &path).merge_patch(&patch).send().await.expect(422);
                let mut details = response.details();
                details.sort();
                let expected = expected.into_iter().map(|(at, code)| (at.to_owned(), code.to_owned()));
                assert_eq!(details, expected.collect::<Vec<_>>(), "{patch}");
            }
        }
        assert!(tried > 100, "{tried}");
        assert_eq!(read_resources(&user, ids).await, before);
    }
}
