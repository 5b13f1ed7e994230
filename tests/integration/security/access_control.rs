//! Access control (OWASP API1, API3, API5): every operation is called by users who do not own the resource.

use poem::http::Method;

use super::{
    operations::{Target, targets},
    snapshot::Snapshot,
};
use crate::{
    support::{Actor, TestApp, UncheckedResponse, json},
    v2::operations::ResourceIds,
};

/// A word that occurs only in the resources of one user.
const WORD: &str = "Quetzalcoatlus";

/// Returns every combination of own and foreign ids in the path of an operation that has at least one foreign id, with
/// the first parameter that is foreign.
fn mixed_ids(target: &Target, own: ResourceIds, theirs: ResourceIds) -> Vec<(ResourceIds, &'static str)> {
    let names = target.names("path");
    let mut mixed = Vec::new();
    for choice in 1..1_u32 << names.len() {
        let mut ids = own;
        let mut first = None;
        for (index, name) in names.iter().enumerate() {
            if choice & 1 << index == 0 {
                continue;
            }
            first = first.or(Some(*name));
            match *name {
                "bucketlist_id" => ids.list = theirs.list,
                "item_id" => ids.item = theirs.item,
                "session_id" => ids.session = theirs.session,
                "user_id" => ids.user = theirs.user,
                "export_id" => ids.export = theirs.export,
                other => panic!("{target}: unknown path parameter {other}"),
            }
        }
        mixed.push((ids, first.unwrap()));
    }
    mixed
}

/// Returns the error code for a path parameter: `BUCKETLIST_NOT_FOUND` for `bucketlist_id`.
fn not_found_code(parameter: &str) -> String {
    format!("{}_NOT_FOUND", parameter.trim_end_matches("_id").to_uppercase())
}

/// Returns every media type of the operation's responses, and `*/*`.
fn accept_values(target: &Target) -> Vec<&'static str> {
    let mut types: Vec<&str> = target.operation.response_media_types.iter().map(String::as_str).collect();
    types.push("*/*");
    types
}

async fn send(target: &Target, actor: &Actor<'_>, target_path: &str, accept: &str) -> UncheckedResponse {
    target.request(actor, target_path).header("accept", accept).send().await
}

/// Returns the query strings to test an operation with: none, and all examples of the document.
fn queries(target: &Target) -> Vec<String> {
    let examples = target.example_query();
    if examples.is_empty() { vec![String::new()] } else { vec![String::new(), format!("?{examples}")] }
}

/// Creates a user with a resource of every kind, each containing [`WORD`].
async fn owner(app: &TestApp) -> (Actor<'_>, ResourceIds) {
    let owner = app.user().await;
    let list = owner.post("/v1/bucketlists", &json!({"name": WORD, "description": WORD})).await.expect(201).json();
    let list = list["id"].as_i64().unwrap();
    let item = json!({"name": WORD, "description": WORD, "due_on": "2027-02-01"});
    let item = owner.post(&format!("/v1/bucketlists/{list}/items"), &item).await.expect(201).json();
    owner.patch("/v1/users/me", &json!({"name": WORD})).await.expect(200);
    let ids = ResourceIds::create(&owner).await;
    let ids = ResourceIds { list, item: item["id"].as_i64().unwrap(), ..ids };
    (owner, ids)
}

both_engines! {
    async fn users_cannot_read_or_change_each_others_resources(engine: Engine) {
        let app = TestApp::new(engine);
        let (owner, theirs) = owner(&app).await;
        let before = Snapshot::of_user(&app.database, owner.id());
        assert!(before.size() >= 7, "{before:?}");
        let (mut rejected, mut responses) = (0, 0);
        for target in targets().into_iter().filter(|target| !target.is_for_admins()) {
            // A new user for each operation: some operations end sessions or delete accounts.
            let attacker = app.user().await;
            let own = ResourceIds::create(&attacker).await;
            // Administrators have no access to the bucketlists of others either.
            let admin = app.admin().await;
            let admins = ResourceIds::create(&admin).await;
            for (actor, own) in [(&attacker, own), (&admin, admins)] {
                for (ids, parameter) in mixed_ids(&target, own, theirs) {
                    let nonexistent = mixed_ids(&target, own, ResourceIds::NONEXISTENT);
                    let (nonexistent, _) = nonexistent.iter().find(|(_, first)| *first == parameter).unwrap();
                    for query in queries(&target) {
                        for accept in accept_values(&target) {
                            let path = |ids: ResourceIds| format!("{}{query}", ids.path(target.operation));
                            let response = send(&target, actor, &path(ids), accept).await;
                            let response = response.expect_error(404, &not_found_code(parameter));
                            // A foreign resource cannot be distinguished from a missing one.
                            let none = send(&target, actor, &path(*nonexistent), accept).await.any_status();
                            let without_path = |text: &str, ids: ResourceIds| text.replace(&ids.path(target.operation), "");
                            let ((_, headers, body), (_, none_headers, none_body)) = (response.comparable(), none.comparable());
                            assert_eq!(without_path(&body, ids), without_path(&none_body, *nonexistent), "{target}");
                            let names = |headers: std::collections::BTreeMap<String, String>| headers.into_keys().collect::<Vec<_>>();
                            assert_eq!(names(headers), names(none_headers), "{target}");
                            rejected += 1;
                        }
                    }
                }
            }
            if target.names("path").is_empty() {
                let word = if target.names("query").contains(&"q") { format!("?q={WORD}") } else { String::new() };
                for query in queries(&target).into_iter().chain([word]) {
                    for accept in accept_values(&target) {
                        let actor = if target.operation.is_secured { app.user().await } else { app.anonymous() };
                        let path = format!("{}{query}", target.operation.path);
                        // Links repeat the query.
                        let text = String::from_utf8(send(&target, &actor, &path, accept).await.any_status().body).unwrap();
                        let text = text.replace(&format!("q={WORD}"), "");
                        assert!(!text.contains(WORD) && !text.contains(&owner.email()), "{target}: {text}");
                        responses += 1;
                    }
                }
            }
            assert_eq!(Snapshot::of_user(&app.database, owner.id()), before, "{target}");
        }
        assert!(rejected > 100 && responses > 50, "{rejected} {responses}");
        // The owner still finds the resources.
        for path in ["/v1/bucketlists".to_owned(), "/v2/bucketlists".to_owned(), format!("/v2/search?q={WORD}")] {
            let text = String::from_utf8(owner.get(&path).await.expect(200).body).unwrap();
            assert!(text.replace(&format!("q={WORD}"), "").contains(WORD), "{path}");
        }
    }

    async fn admin_operations_return_403_for_users_and_401_without_token(engine: Engine) {
        let app = TestApp::new(engine);
        let (owner, theirs) = owner(&app).await;
        let attacker = app.user().await;
        let own = ResourceIds::create(&attacker).await;
        let before = Snapshot::of_resources(&app.database);
        let mut tried = 0;
        for target in targets().into_iter().filter(Target::is_for_admins) {
            for ids in [own, theirs, ResourceIds::NONEXISTENT] {
                for query in queries(&target).into_iter().chain(["?color=1".to_owned()]) {
                    for accept in accept_values(&target) {
                        let path = format!("{}{query}", ids.path(target.operation));
                        let response = send(&target, &attacker, &path, accept).await.expect_error(403, "FORBIDDEN");
                        let text = String::from_utf8(response.body).unwrap();
                        assert!(!text.contains(WORD) && !text.contains(&owner.email()), "{target}: {text}");
                        let response = send(&target, &app.anonymous(), &path, accept).await;
                        response.expect_error(401, "AUTHENTICATION_REQUIRED");
                        tried += 1;
                    }
                }
            }
            // The role is checked before the body.
            for body in ["{", "{\"role\":\"admin\"}", ""] {
                let request = attacker.request(target.method(), &own.path(target.operation));
                let request = request.header("content-type", "application/json").bytes(body);
                request.send().await.expect_error(403, "FORBIDDEN");
            }
        }
        assert!(tried > 50, "{tried}");
        assert_eq!(Snapshot::of_resources(&app.database), before);
    }

    async fn secured_operations_require_a_token(engine: Engine) {
        let app = TestApp::new(engine);
        let (_, theirs) = owner(&app).await;
        let before = Snapshot::of_resources(&app.database);
        for target in targets().into_iter().filter(|target| target.operation.is_secured) {
            for accept in accept_values(&target) {
                let path = theirs.path(target.operation);
                let response = send(&target, &app.anonymous(), &path, accept).await;
                response.expect_error(401, "AUTHENTICATION_REQUIRED");
                if target.method() == Method::GET {
                    assert_eq!(app.anonymous().request(Method::HEAD, &path).send().await.any_status().status, 401);
                }
            }
        }
        assert_eq!(Snapshot::of_resources(&app.database), before);
    }
}
