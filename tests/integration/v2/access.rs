//! Who may do what: generated from the document, so that a new operation is covered the day it appears.

use std::collections::BTreeMap;

use ::contract::{v1, v2};
use document::Operation;
use poem::http::Method;

use super::documented::{Ids, method, request_schema, send, shown, status_and_allow};
use crate::{
    contract,
    protocol::{invalid, unreadable},
    support::{TestApp, json},
};

const MERGE_PATCH: &str = "application/merge-patch+json";

/// The methods of HTTP, and one that is not.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"];

fn names(operation: &Operation, parameter: &str) -> bool {
    operation.path.contains(&format!("{{{parameter}}}"))
}

both_engines! {
    async fn what_is_somebody_elses_is_not_there(engine: Engine) {
        let app = TestApp::on(engine).await;
        let (user, other) = (app.user().await, app.user().await);
        let (own, theirs) = (Ids::of(&user).await, Ids::of(&other).await);
        let before = (shown(&user, own).await, shown(&other, theirs).await);
        let mut tried = 0;
        for operation in v2::contract().operations() {
            let with_item = names(operation, "item_id");
            let mut cases = Vec::new();
            if names(operation, "bucketlist_id") {
                for ids in [theirs, Ids { item: own.item, ..theirs }, Ids::NONE] {
                    cases.push((ids, "BUCKETLIST_NOT_FOUND"));
                }
            }
            if with_item {
                for item in [theirs.item, Ids::NONE.item] {
                    cases.push((Ids { item, ..own }, "ITEM_NOT_FOUND"));
                }
            }
            if names(operation, "session_id") {
                cases.extend([(theirs, "SESSION_NOT_FOUND"), (Ids::NONE, "SESSION_NOT_FOUND")]);
            }
            for (ids, code) in cases {
                let path = ids.path(operation);
                let queries: &[&str] = if operation.id == "getBucketlist" { &["", "?include=items"] } else { &[""] };
                for query in queries {
                    for accept in &operation.produces {
                        let reply = send(&user, operation, &format!("{path}{query}"), accept).await;
                        reply.expect_error(404, code);
                        tried += 1;
                    }
                    if operation.produces.is_empty() {
                        send(&user, operation, &format!("{path}{query}"), "*/*").await.expect_error(404, code);
                        tried += 1;
                    }
                }
                if operation.method == "GET" {
                    assert_eq!(status_and_allow(&app, &user, "HEAD", &path).await.0, 404, "{path}");
                }
            }
        }
        assert!(tried > 50, "{tried}");
        assert_eq!((shown(&user, own).await, shown(&other, theirs).await), before, "nothing was written");
    }

    async fn no_list_shows_what_is_somebody_elses(engine: Engine) {
        let app = TestApp::on(engine).await;
        let (user, other) = (app.user().await, app.user().await);
        let secret = "Quetzalcoatlus";
        let list = other.bucketlist(secret).await;
        other.item(list, secret).await;
        Ids::of(&user).await;
        for operation in v2::contract().operations().filter(|operation| operation.method == "GET" && operation.secured) {
            if operation.path.contains('{') || operation.path.starts_with("/v2/admin") {
                continue;
            }
            let query = if operation.id == "search" { format!("?q={secret}") } else { String::new() };
            for accept in &operation.produces {
                let reply = send(&user, operation, &format!("{}{query}", operation.path), accept).await.expect(200);
                // Links say again what was asked.
                let text = String::from_utf8(reply.body).unwrap().replace(&format!("q={secret}"), "");
                assert!(!text.contains(secret) && !text.contains(&other.email()), "{}: {text}", operation.id);
            }
        }
        let found = other.get(&format!("/v2/search?q={secret}")).await.expect(200).json();
        assert_eq!(found["data"].as_array().unwrap().len(), 2);
    }

    async fn only_administrators_get_beyond_the_door_of_the_administration(engine: Engine) {
        let app = TestApp::on(engine).await;
        let user = app.user().await;
        let ids = Ids::of(&user).await;
        let operations: Vec<_> =
            v2::contract().operations().filter(|operation| operation.path.starts_with("/v2/admin/")).collect();
        assert!(operations.len() >= 4);
        for operation in operations {
            for ids in [ids, Ids::NONE] {
                let path = ids.path(operation);
                send(&user, operation, &path, "*/*").await.expect_error(403, "FORBIDDEN");
                send(&user, operation, &format!("{path}?colour=1"), "*/*").await.expect_error(403, "FORBIDDEN");
            }
        }
        assert_eq!(user.get("/v2/users/me").await.expect(200).json()["role"], "user");
    }

    async fn who_has_no_token_is_told_how_to_authenticate(engine: Engine) {
        let app = TestApp::on(engine).await;
        let user = app.user().await;
        let ids = Ids::of(&user).await;
        let before = shown(&user, ids).await;
        let anonymous = app.anonymous();
        let secured: Vec<_> = v2::contract().operations().filter(|operation| operation.secured).collect();
        let public = v2::contract().operations().count() - secured.len();
        assert_eq!(public, 5, "register, login, refresh and the two of the password reset");
        for operation in secured {
            for path in [ids.path(operation), Ids::NONE.path(operation), format!("{}?colour=1", ids.path(operation))] {
                let reply = send(&anonymous, operation, &path, "*/*").await;
                let reply = reply.expect_error(401, "AUTHENTICATION_REQUIRED");
                assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"bucketlist\"");
                for (authorization, code) in [
                    ("Bearer x.y.z", "INVALID_TOKEN"),
                    (&*format!("Bearer {}x", user.token()), "INVALID_TOKEN"),
                    ("Basic dXNlcjpwYXNz", "INVALID_TOKEN"),
                ] {
                    let request = anonymous.request(method(operation), &path).header("authorization", authorization);
                    let reply = request.send().await.expect_error(401, code);
                    assert!(reply.header("www-authenticate").starts_with("Bearer realm="), "{reply:?}");
                }
            }
        }
        assert_eq!(shown(&user, ids).await, before);
    }

    async fn a_method_that_is_not_offered_is_405_with_those_that_are(engine: Engine) {
        let app = TestApp::on(engine).await;
        let admin = app.admin().await;
        let ids = Ids::of(&admin).await;
        let before = shown(&admin, ids).await;
        let mut offered: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for operation in v2::contract().operations() {
            offered.entry(ids.path(operation)).or_default().push(&operation.method);
        }
        for (path, methods) in &mut offered {
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            methods.push("OPTIONS");
            methods.sort_unstable();
            let allow = methods.join(", ");
            for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
                let answer = status_and_allow(&app, &admin, method, path).await;
                assert_eq!(answer, (405, Some(allow.clone())), "{method} {path}");
                if method != "HEAD" {
                    let reply = admin.request(method.parse().unwrap(), path).send().await;
                    let problem = reply.expect_error(405, "METHOD_NOT_ALLOWED").json();
                    assert!(problem["detail"].as_str().unwrap().contains(&allow), "{problem}");
                }
            }
            for who in [&admin, &app.anonymous()] {
                let reply = who.request(Method::OPTIONS, path).send().await.expect(204);
                assert_eq!((reply.header("allow"), &*reply.body), (&*allow, &b""[..]), "{path}");
            }
        }
        assert_eq!(shown(&admin, ids).await, before);
    }

    async fn the_same_mistake_has_the_same_code_in_both_versions(engine: Engine) {
        let app = TestApp::on(engine).await;
        let (admin, anonymous) = (app.admin().await, app.anonymous());
        let ids = Ids::of(&admin).await;
        let before = shown(&admin, ids).await;
        let mut tried = 0;
        for older in v1::contract().operations().filter(|operation| operation.body().is_some()) {
            let Some(newer) = v2::contract().operations().find(|newer| newer.id == older.id) else {
                panic!("{} has no successor", older.id)
            };
            assert_eq!(older.consumes, newer.consumes);
            let who = if older.secured { &admin } else { &anonymous };
            let schema = contract::request_schema(older);
            for bad in unreadable(&schema["example"].to_string()).into_iter().chain(invalid(schema)) {
                let send = async |operation: &Operation| {
                    let mut request = who.request(method(operation), &ids.path(operation)).bytes(bad.body.clone());
                    if let Some(content_type) = bad.content_type {
                        request = request.header("content-type", content_type);
                    }
                    request.send().await.expect_error(bad.status, bad.code)
                };
                assert_eq!(send(newer).await.details(), send(older).await.details(), "{}", older.id);
                tried += 1;
            }
        }
        assert!(tried > 1_000, "{tried}");
        assert_eq!(shown(&admin, ids).await, before);
    }

    async fn a_patch_that_cannot_be_read_is_refused_as_any_other_body(engine: Engine) {
        let app = TestApp::on(engine).await;
        let user = app.user().await;
        let ids = Ids::of(&user).await;
        let before = shown(&user, ids).await;
        let patches = v2::contract().operations().filter(|operation| operation.consumes[..] == [MERGE_PATCH.to_owned()]);
        let mut tried = 0;
        for operation in patches {
            let path = ids.path(operation);
            for bad in unreadable(&request_schema(operation)["example"].to_string()) {
                // What is no JSON by its type is no patch, either; and the other way round.
                let content_type = match bad.content_type {
                    Some("application/json") => Some(MERGE_PATCH),
                    Some(MERGE_PATCH) => Some("application/json"),
                    other => other,
                };
                let mut request = user.request(Method::PATCH, &path).bytes(bad.body.clone());
                if let Some(content_type) = content_type {
                    request = request.header("content-type", content_type);
                }
                let reply = request.send().await.expect_error(bad.status, bad.code);
                let expected: Vec<_> = bad.detail.into_iter().map(|(at, code)| (at, code.to_owned())).collect();
                assert_eq!(reply.details(), expected);
                tried += 1;
            }
            for (patch, expected) in [
                (json!({"name": 1, "colour": 2}), vec![("/colour", "UNKNOWN_FIELD"), ("/name", "WRONG_TYPE")]),
                (json!({"name": "x\0"}), vec![("/name", "INVALID_CHARACTERS")]),
                (json!({"id": 7}), vec![("/id", "UNKNOWN_FIELD")]),
                (json!({"description": "x".repeat(4001)}), vec![("/description", "TOO_LONG")]),
                (json!({"description": {"a": null}}), vec![("/description", "WRONG_TYPE")]),
            ] {
                let reply = user.request(Method::PATCH, &path).merge_patch(&patch).send().await.expect(422);
                let mut details = reply.details();
                details.sort();
                let expected = expected.into_iter().map(|(at, code)| (at.to_owned(), code.to_owned()));
                assert_eq!(details, expected.collect::<Vec<_>>(), "{patch}");
            }
        }
        assert!(tried > 100, "{tried}");
        assert_eq!(shown(&user, ids).await, before);
    }
}
