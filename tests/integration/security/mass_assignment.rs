//! Mass assignment (OWASP API3): clients cannot set fields that the server controls.

use std::collections::BTreeSet;

use super::{
    operations::{targets, with_field},
    snapshot::Snapshot,
};
use crate::{
    support::{TestApp, Value, json},
    v2::operations::ResourceIds,
};

/// Names in no response that an attacker might guess: column names and common names of privileged fields.
const GUESSED: [&str; 24] = [
    "user_id",
    "owner",
    "owner_id",
    "is_admin",
    "isAdmin",
    "admin",
    "roles",
    "scope",
    "permissions",
    "password_hash",
    "email_key",
    "search_text",
    "revision",
    "session_id",
    "token_hash",
    "revoked_at",
    "verified",
    "deleted_at",
    "version",
    "ID",
    "Role",
    "__proto__",
    "constructor",
    "$set",
];

fn forbidden_values(name: &str) -> Vec<Value> {
    match name {
        "role" => vec![json!("admin")],
        _ if name.ends_with("_at") => vec![json!("2020-01-01T00:00:00.000000Z")],
        _ => vec![json!(1), json!(true), json!({"admin": true}), Value::Null],
    }
}

/// Escapes a name for a JSON pointer.
fn escape_pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

both_engines! {
    async fn read_only_fields_are_rejected_in_request_bodies(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let ids = ResourceIds::create(&admin).await;
        // Administrators act on the account of another user.
        let ids = ResourceIds { user: app.user().await.id(), ..ids };
        let before = Snapshot::of_resources(&app.database);
        let (mut tried, mut names_seen) = (0, BTreeSet::new());
        for target in targets() {
            let (actor, path) = (target.caller(&app, &admin), ids.path(target.operation));
            for object in target.objects() {
                let declared = object.schema["properties"].as_object().unwrap();
                let names: BTreeSet<&str> = target.response_fields().into_iter().chain(GUESSED).collect();
                let undeclared: Vec<&str> = names.into_iter().filter(|name| !declared.contains_key(*name)).collect();
                let mut all = target.example();
                for name in &undeclared {
                    let pointer = format!("{}/{}", object.at, escape_pointer(name));
                    for value in forbidden_values(name) {
                        all = with_field(&all, &pointer, value.clone());
                        let body = with_field(&target.example(), &pointer, value);
                        let response = target.with(&actor, &path, &body).send().await.expect_error(422, "UNKNOWN_FIELD");
                        assert_eq!(response.details(), [(pointer.clone(), "UNKNOWN_FIELD".to_owned())], "{target}");
                        tried += 1;
                    }
                    names_seen.insert(*name);
                }
                let response = target.with(&actor, &path, &all).send().await.expect_error(422, "UNKNOWN_FIELD");
                assert_eq!(response.details().len(), undeclared.len(), "{target}");
            }
            assert_eq!(Snapshot::of_resources(&app.database), before, "{target} changed the database");
        }
        assert!(tried > 2_000, "{tried}");
        for name in ["id", "role", "disabled", "created_at", "updated_at", "items_total", "done_at", "bucketlist_id", "_links"] {
            assert!(names_seen.contains(name), "{name}");
        }
    }

    async fn read_only_fields_are_rejected_as_query_parameters(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let ids = ResourceIds { user: app.user().await.id(), ..ResourceIds::create(&admin).await };
        let before = Snapshot::of_resources(&app.database);
        for target in targets() {
            let (actor, path) = (target.caller(&app, &admin), ids.path(target.operation));
            let known = target.names("query");
            for name in target.response_fields().into_iter().chain(GUESSED).filter(|name| !known.contains(name)) {
                let response = target.request(&actor, &format!("{path}?{name}=1")).send().await;
                let details = response.expect(422).details();
                assert!(details.contains(&(name.to_owned(), "UNKNOWN_PARAMETER".to_owned())), "{target}: {details:?}");
            }
            assert_eq!(Snapshot::of_resources(&app.database), before, "{target} changed the database");
        }
    }

    async fn item_cannot_be_moved_to_another_bucketlist(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        let (ids, theirs) = (ResourceIds::create(&user).await, ResourceIds::create(&other).await);
        let path = format!("/v2/bucketlists/{}/items/{}", ids.list, ids.item);
        let before = user.get(&path).await.expect(200).json();
        // Sends the complete resource back with the id of another bucketlist.
        let mut body = before.clone();
        body["bucketlist_id"] = json!(theirs.list);
        let response = user.request(poem::http::Method::PATCH, &path).merge_patch(&body).send().await;
        let response = response.expect_error(422, "UNKNOWN_FIELD");
        assert!(response.details().iter().any(|(at, _)| at == "/bucketlist_id"), "{response:?}");
        assert_eq!(user.get(&path).await.expect(200).json(), before);
    }
}
