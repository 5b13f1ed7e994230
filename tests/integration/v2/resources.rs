//! Bucketlists, items and accounts in v2 have links and always contain every field.

use std::time::Duration;

use poem::http::Method;

use crate::support::{Actor, TestApp, Value, json};

const CREATED: &str = "2027-01-15T08:00:00.000000Z";

fn link(method: &str, href: &str) -> Value {
    json!({"href": href, "method": method})
}

/// Follows a link with its method and a suitable body.
async fn follow(actor: &Actor<'_>, name: &str, link: &Value) {
    let (href, method) = (link["href"].as_str().unwrap(), link["method"].as_str().unwrap());
    let request = actor.request(method.parse().unwrap(), href);
    let is_account = href.starts_with("/v2/users") || href.starts_with("/v2/admin");
    let (response, expected) = match method {
        "GET" => (request.send().await, 200),
        "POST" if href == "/v2/users/me/delete" => {
            (request.json(&json!({"password": Actor::PASSWORD})).send().await, 204)
        }
        "DELETE" => (request.send().await, 204),
        "POST" => (request.json(&json!({"name": name})).send().await, 201),
        "PUT" => (request.json(&json!({"name": name})).send().await, 200),
        "PATCH" if is_account => (request.json(&json!({})).send().await, 200),
        "PATCH" => (request.merge_patch(&json!({"name": name})).send().await, 200),
        _ => panic!("unexpected method in {link}"),
    };
    response.expect(expected);
}

/// Follows every link of a resource, the one that deletes it last.
async fn follow_all(actor: &Actor<'_>, resource: &Value) {
    let links = resource["_links"].as_object().unwrap();
    assert!(links.len() > 1, "{resource}");
    let (last, first): (Vec<_>, Vec<_>) = links.iter().partition(|(name, _)| *name == "delete");
    for (name, link) in first.into_iter().chain(last) {
        follow(actor, name, link).await;
    }
    if let Some(this) = links.get("self").filter(|_| links.contains_key("delete")) {
        let response = actor.get(this["href"].as_str().unwrap()).await.any_status();
        assert!(matches!(response.status, 404 | 401), "deleted: {response:?}");
    }
}

/// Returns all `_links` in a response, in order.
fn link_objects(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| if name == "_links" { vec![value.clone()] } else { link_objects(value) })
            .collect(),
        Value::Array(values) => values.iter().flat_map(link_objects).collect(),
        _ => Vec::new(),
    }
}

/// Checks that `links` are those of `all` that the caller may follow. The requests have an unknown parameter, so that they change
/// nothing; the caller is authorised first.
async fn check_links(caller: &Actor<'_>, all: &Value, links: &Value) {
    for (name, link) in all.as_object().unwrap() {
        let (href, method) = (link["href"].as_str().unwrap(), link["method"].as_str().unwrap());
        let request = caller.request(method.parse().unwrap(), &format!("{href}?color=1"));
        let request = if method == "GET" { request } else { request.json(&json!({})) };
        let status = request.send().await.any_status().status;
        assert!(matches!(status, 403 | 422), "{method} {href}: {status}");
        assert_eq!(links.get(name), Some(link).filter(|_| status == 422), "{name}: {method} {href}");
    }
    assert!(links.as_object().unwrap().keys().all(|name| all.get(name).is_some()), "{links}");
}

/// Returns the first row of a list.
async fn first(actor: &Actor<'_>, path: &str) -> Value {
    actor.get(path).await.expect(200).json()["data"][0].clone()
}

both_engines! {
    async fn bucketlist_can_be_created_read_replaced_updated_and_deleted(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "  See the world ", "description": "Places\nto stand in."});
        let created = user.post("/v2/bucketlists", &body).await.expect(201);
        let mut list = created.json();
        let path = format!("/v2/bucketlists/{}", list["id"]);
        let expected = json!({
            "id": list["id"], "name": "See the world", "description": "Places\nto stand in.", "items_total": 0,
            "items_done": 0, "created_at": CREATED, "updated_at": CREATED, "items": null,
            "_links": {
                "self": link("GET", &path), "collection": link("GET", "/v2/bucketlists"),
                "items": link("GET", &format!("{path}/items")), "add_item": link("POST", &format!("{path}/items")),
                "update": link("PATCH", &path), "replace": link("PUT", &path), "delete": link("DELETE", &path),
            },
        });
        assert_eq!(list, expected);
        assert_eq!(created.header("location"), path);
        let found = user.get(created.header("location")).await.expect(200);
        assert_eq!((found.json(), found.header("etag")), (list.clone(), created.header("etag")));
        assert_eq!(first(&user, "/v2/bucketlists").await, list);

        app.advance_clock(Duration::from_secs(1));
        let replaced = user.put(&path, &json!({"name": "See it all"})).await.expect(200);
        list["name"] = json!("See it all");
        list["description"] = json!(null);
        list["updated_at"] = json!("2027-01-15T08:00:01.000000Z");
        assert_eq!(replaced.json(), list, "PUT sets absent fields to null");
        assert_ne!(replaced.header("etag"), created.header("etag"));

        app.advance_clock(Duration::from_secs(1));
        for version in ["v1", "v2"] {
            let path = path.replace("v2", version);
            let same = user.put(&path, &json!({"name": " See it all "})).await.expect(200);
            assert_eq!(same.json()["updated_at"], list["updated_at"], "{version}");
        }
        let same = user.put(&path, &json!({"name": "See it all", "description": null})).await.expect(200);
        assert_eq!((same.json(), same.header("etag")), (list.clone(), replaced.header("etag")));
        let patch = user.request(Method::PATCH, &path).merge_patch(&json!({"description": " New "}));
        list["description"] = json!("New");
        list["updated_at"] = json!("2027-01-15T08:00:02.000000Z");
        assert_eq!(patch.send().await.expect(200).json(), list);
        let item = user.create_item(list["id"].as_i64().unwrap(), "x").await;
        list["items_total"] = json!(1);
        assert_eq!(user.get(&path).await.expect(200).json(), list);
        list["items"] = json!([first(&user, &format!("{path}/items")).await]);
        assert_eq!(user.get(&format!("{path}?include=items")).await.expect(200).json(), list);
        assert_eq!(first(&user, "/v2/bucketlists?include=items").await, list);

        user.delete(&path).await.expect(204);
        for path in [path.clone(), format!("{path}/items"), format!("{path}/items/{item}")] {
            user.get(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        }
        user.put(&path, &json!({"name": "x"})).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        let patch = user.request(Method::PATCH, &path).merge_patch(&json!({}));
        patch.send().await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        user.delete(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
    }

    async fn nested_items_are_capped_at_100(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (long, short) = (user.create_bucketlist("long").await, user.create_bucketlist("short").await);
        for (list, count) in [(long, 103), (short, 2)] {
            let items: Vec<Value> = (0..count).map(|number| json!({"name": format!("Item {number}")})).collect();
            user.post(&format!("/v2/bucketlists/{list}/items/batch"), &json!({"items": items})).await.expect(201);
        }
        let mut page = user.get("/v2/bucketlists?include=items&sort=-created_at").await.expect(200).json();
        page["data"].as_array_mut().unwrap().reverse();
        let oldest_first = user.get("/v2/bucketlists?include=items").await.expect(200).json();
        assert_eq!(page["data"], oldest_first["data"], "nested items do not depend on the order");
        for (row, (list, total, nested)) in page["data"].as_array().unwrap().iter().zip([(long, 103, 100), (short, 2, 2)]) {
            assert_eq!((&row["id"], &row["items_total"]), (&json!(list), &json!(total)));
            let items = user.get(&format!("/v2/bucketlists/{list}/items?per_page=100")).await.expect(200).json();
            assert_eq!((&row["items"], items["data"].as_array().unwrap().len()), (&items["data"], nested));
            assert_eq!(user.get(&format!("/v2/bucketlists/{list}?include=items")).await.expect(200).json(), *row);
        }
    }

    async fn item_can_be_created_read_replaced_updated_and_deleted(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let items = format!("/v2/bucketlists/{list}/items");
        let created = user.post(&items, &json!({"name": " Camino ", "due_on": "2028-02-29"})).await.expect(201);
        let mut item = created.json();
        let path = format!("{items}/{}", item["id"]);
        let expected = json!({
            "id": item["id"], "bucketlist_id": list, "name": "Camino", "description": null, "done": false,
            "done_at": null, "due_on": "2028-02-29", "created_at": CREATED, "updated_at": CREATED,
            "_links": {
                "self": link("GET", &path), "collection": link("GET", &items),
                "bucketlist": link("GET", &format!("/v2/bucketlists/{list}")),
                "update": link("PATCH", &path), "replace": link("PUT", &path), "delete": link("DELETE", &path),
            },
        });
        assert_eq!(item, expected);
        assert_eq!(created.header("location"), path);
        let found = user.get(created.header("location")).await.expect(200);
        assert_eq!((found.json(), found.header("etag")), (item.clone(), created.header("etag")));
        assert_eq!(first(&user, &items).await, item);

        app.advance_clock(Duration::from_secs(1));
        let patch = |body| user.request(Method::PATCH, &path).merge_patch(&body).send();
        let time = |second: i32| json!(format!("2027-01-15T08:00:0{second}.000000Z"));
        item["done"] = json!(true);
        item["done_at"] = time(1);
        item["updated_at"] = time(1);
        assert_eq!(patch(json!({"done": true})).await.expect(200).json(), item);
        let counts = user.get(&format!("/v2/bucketlists/{list}")).await.expect(200).json();
        assert_eq!((&counts["items_total"], &counts["items_done"]), (&json!(1), &json!(1)));

        app.advance_clock(Duration::from_secs(1));
        item["due_on"] = json!(null);
        item["updated_at"] = time(2);
        assert_eq!(patch(json!({"due_on": null, "done": true})).await.expect(200).json(), item, "done_at does not change");

        app.advance_clock(Duration::from_secs(1));
        let replaced = user.put(&path, &json!({"name": "Walk it", "description": "Slowly"})).await.expect(200).json();
        item["name"] = json!("Walk it");
        item["description"] = json!("Slowly");
        item["done"] = json!(false);
        item["done_at"] = json!(null);
        item["updated_at"] = time(3);
        assert_eq!(replaced, item);
        app.advance_clock(Duration::from_secs(1));
        for version in ["v1", "v2"] {
            let same = json!({"name": "Walk it", "description": "Slowly", "done": false, "due_on": null});
            let same = user.put(&path.replace("v2", version), &same).await.expect(200);
            assert_eq!(same.json()["updated_at"], item["updated_at"], "{version}");
        }
        assert_eq!(user.get(&path).await.expect(200).json(), item);

        user.delete(&path).await.expect(204);
        user.get(&path).await.expect_error(404, "ITEM_NOT_FOUND");
        user.put(&path, &json!({"name": "x"})).await.expect_error(404, "ITEM_NOT_FOUND");
        patch(json!({"name": "x"})).await.expect_error(404, "ITEM_NOT_FOUND");
        user.delete(&path).await.expect_error(404, "ITEM_NOT_FOUND");
        let counts = user.get(&format!("/v2/bucketlists/{list}")).await.expect(200).json();
        assert_eq!((&counts["items_total"], &counts["items_done"]), (&json!(0), &json!(0)));
    }

    async fn account_can_be_created_read_updated_and_deleted_by_its_owner(engine: Engine) {
        let app = TestApp::new(engine);
        let body = json!({"email": "ann@example.com", "password": Actor::PASSWORD, "name": "Ann"});
        let created = app.anonymous().post("/v2/auth/register", &body).await.expect(201);
        let user = Actor::new(&app, Some(created.json()));
        let mut me = user.get(created.header("location")).await.expect(200).json();
        assert_eq!(me, created.json()["user"]);
        let path = "/v2/users/me";
        let expected = json!({
            "id": user.id(), "email": "ann@example.com", "name": "Ann", "role": "user", "disabled": false,
            "deprecation_notices_enabled": true, "created_at": CREATED, "updated_at": CREATED,
            "_links": {
                "self": link("GET", path), "bucketlists": link("GET", "/v2/bucketlists"),
                "sessions": link("GET", "/v2/auth/sessions"), "update": link("PATCH", path),
                "delete": link("POST", &format!("{path}/delete")),
            },
        });
        assert_eq!(me, expected);
        app.advance_clock(Duration::from_secs(1));
        me["name"] = json!("Anne");
        me["updated_at"] = json!("2027-01-15T08:00:01.000000Z");
        assert_eq!(user.patch(path, &json!({"name": "Anne"})).await.expect(200).json(), me);
        let new = json!({"email": "anne@example.com"});
        let response = user.patch(path, &new).await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(response.details(), [("/current_password".to_owned(), "REQUIRED".to_owned())]);
        assert_eq!(user.get(path).await.expect(200).json(), me);

        let delete = |password: &str| user.request(Method::DELETE, path).json(&json!({"password": password})).send();
        delete("harbour-lantern-43").await.expect_error(422, "WRONG_PASSWORD");
        delete(Actor::PASSWORD).await.expect(204);
        user.get(path).await.expect_error(401, "INVALID_TOKEN");
        let credentials = json!({"email": "ann@example.com", "password": Actor::PASSWORD});
        app.anonymous().post("/v2/auth/login", &credentials).await.expect_error(401, "INVALID_CREDENTIALS");
    }

    async fn admin_can_read_update_and_delete_users(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let path = format!("/v2/admin/users/{}", user.id());
        let mut account = admin.get(&path).await.expect(200).json();
        let links = json!({
            "self": link("GET", &path), "collection": link("GET", "/v2/admin/users"), "update": link("PATCH", &path),
            "delete": link("DELETE", &path),
        });
        assert_eq!(account["_links"], links);
        assert_eq!((&account["email"], &account["role"]), (&json!(user.email()), &json!("user")));
        let rows = admin.get("/v2/admin/users").await.expect(200).json();
        assert_eq!((rows["data"].as_array().unwrap().len(), &rows["data"][1]), (2, &account));

        app.advance_clock(Duration::from_secs(1));
        let changed = admin.patch(&path, &json!({"disabled": true})).await.expect(200).json();
        account["disabled"] = json!(true);
        account["updated_at"] = json!("2027-01-15T08:00:01.000000Z");
        assert_eq!(changed, account);
        let credentials = json!({"email": user.email(), "password": Actor::PASSWORD});
        app.anonymous().post("/v2/auth/login", &credentials).await.expect_error(403, "ACCOUNT_DISABLED");
        let own = format!("/v2/admin/users/{}", admin.id());
        admin.patch(&own, &json!({"role": "user"})).await.expect_error(409, "LAST_ADMIN");
        admin.delete(&own).await.expect_error(409, "LAST_ADMIN");
        admin.delete(&path).await.expect(204);
        for response in [admin.get(&path).await, admin.patch(&path, &json!({})).await, admin.delete(&path).await] {
            response.expect_error(404, "USER_NOT_FOUND");
        }
    }

    async fn every_link_resolves_to_its_resource(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let lists = "/v2/bucketlists";
        // The links of a resource work in every response that contains it; the last one deletes it.
        for number in 0..4 {
            let body = json!({"name": format!("Zugspitze {number}")});
            let created = user.post(lists, &body).await.expect(201).json();
            let path = created["_links"]["self"]["href"].as_str().unwrap();
            let list = match number {
                0 => created.clone(),
                1 => user.get(path).await.expect(200).json(),
                2 => first(&user, lists).await,
                _ => first(&user, "/v2/search?q=zugspitze").await,
            };
            let items = list["_links"]["items"]["href"].as_str().unwrap();
            for number in 0..5 {
                let created = user.post(items, &body).await.expect(201).json();
                let batch = json!({"items": [body]});
                let item = match number {
                    0 => created.clone(),
                    1 => user.get(created["_links"]["self"]["href"].as_str().unwrap()).await.expect(200).json(),
                    2 => first(&user, items).await,
                    3 => user.get(&format!("{path}?include=items")).await.expect(200).json()["items"][0].clone(),
                    _ => user.post(&format!("{items}/batch"), &batch).await.expect(201).json()["data"][0].clone(),
                };
                follow_all(&user, &item).await;
            }
            follow_all(&user, &list).await;
        }
        let item = user.create_item(user.create_bucketlist("Search").await, "Matterhorn").await;
        let hit = first(&user, "/v2/search?q=matterhorn").await;
        assert_eq!(hit["id"], item);
        follow_all(&user, &hit).await;
    }

    async fn links_are_the_operations_that_the_caller_may_call(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        for account in [&admin, &user] {
            let list = account.create_bucketlist("Zugspitze").await;
            account.create_item(list, "Zugspitze by train").await;
        }
        admin.capture_incident().await;
        let mut tried = 0;
        for (account, all_scopes) in [
            (&user, &[&["read"][..], &["write"], &["read", "write"]][..]),
            (&admin, &[&["read"], &["read", "write"], &["read", "admin"], &["read", "write", "admin"]]),
        ] {
            let mut clients = Vec::new();
            for scopes in all_scopes {
                let key = admin.create_api_client(account.id(), scopes).await["key"].as_str().unwrap().to_owned();
                clients.push(Actor::with_api_key(&app, &key));
            }
            let export = format!("/v2/exports/{}", account.create_export("json").await);
            // A job that is not completed yet.
            admin.enqueue_job().await;
            let list = account.get("/v2/bucketlists").await.expect(200).json()["data"][0]["id"].clone();
            for path in [
                "/v2/users/me", "/v2/bucketlists", "/v2/bucketlists?include=items", &format!("/v2/bucketlists/{list}"),
                &format!("/v2/bucketlists/{list}?include=items"), &format!("/v2/bucketlists/{list}/items"),
                "/v2/search?q=zugspitze", "/v2/auth/sessions", &export, "/v2/admin/users", "/v2/admin/audit",
                "/v2/admin/incidents", "/v2/admin/incident-groups", "/v2/admin/api-clients", "/v2/admin/jobs",
                "/v2/admin/exports",
            ] {
                let complete = account.get(path).await.any_status();
                if complete.status == 403 {
                    continue;
                }
                let all = link_objects(&complete.json());
                assert!(!all.is_empty(), "{path}");
                // The session again last: it does not get a cached response for a client with fewer permissions.
                for caller in clients.iter().chain([account]) {
                    let response = caller.get(path).await.any_status();
                    if response.status == 403 {
                        continue;
                    }
                    let some = link_objects(&response.json());
                    assert_eq!(some.len(), all.len(), "{path}");
                    for (all, some) in all.iter().zip(&some) {
                        check_links(caller, all, some).await;
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 60, "{tried}");
        // A client that may only write gets the links with its own response.
        let key = admin.create_api_client(user.id(), &["write"]).await["key"].as_str().unwrap().to_owned();
        let created = Actor::with_api_key(&app, &key).post("/v2/bucketlists", &json!({"name": "K2"})).await.expect(201);
        let created = created.json();
        let names: Vec<&String> = created["_links"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["add_item", "update", "replace", "delete"]);
    }

    async fn streamed_rows_have_the_links_of_the_caller(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        user.create_bucketlist("Zugspitze").await;
        let key = admin.create_api_client(user.id(), &["read"]).await["key"].as_str().unwrap().to_owned();
        for (caller, count) in [(&user, 7), (&Actor::with_api_key(&app, &key), 3)] {
            let request = caller.request(Method::GET, "/v2/bucketlists").header("accept", "application/x-ndjson");
            let row: Value = serde_json::from_slice(&request.send().await.expect(200).body).unwrap();
            assert_eq!(row["_links"].as_object().unwrap().len(), count, "{row}");
        }
    }

    async fn account_and_session_links_depend_on_the_caller(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let credentials = json!({"email": user.email(), "password": Actor::PASSWORD});
        let session = app.anonymous().post("/v2/auth/login", &credentials).await.expect(200).json();
        let refresh = json!({"refresh_token": session["refresh_token"]});
        let refreshed = app.anonymous().post("/v2/auth/refresh", &refresh).await.expect(200).json();
        let me = user.get("/v2/users/me").await.expect(200).json();
        let changed = user.patch("/v2/users/me", &json!({"name": "Me"})).await.expect(200).json();
        // Users without the admin role get no links to admin operations.
        for account in [&me, &changed, &session["user"], &refreshed["user"]] {
            assert!(!account["_links"].to_string().contains("admin"), "{account}");
            assert_eq!(account["_links"], me["_links"]);
        }
        let own = admin.get("/v2/users/me").await.expect(200).json();
        assert_eq!(own["_links"], me["_links"]);

        let sessions = user.get("/v2/auth/sessions").await.expect(200).json();
        let sessions = sessions["data"].as_array().unwrap();
        assert_eq!(sessions.len(), 2);
        let other = sessions.iter().find(|session| session["current"] == false).unwrap();
        follow_all(&user, other).await;
        assert_eq!(user.get("/v2/auth/sessions").await.expect(200).json()["data"].as_array().unwrap().len(), 1);
        follow_all(&user, &me).await;

        let victim = app.user().await;
        let account = admin.get(&format!("/v2/admin/users/{}", victim.id())).await.expect(200).json();
        follow_all(&admin, &account).await;
    }
}
