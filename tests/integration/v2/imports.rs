//! Imports: an exported file creates its bucketlists and items, all or none.

use std::time::Duration;

use poem::http::Method;

use crate::support::{Actor, TestApp, UncheckedResponse, Value, json};

const IMPORTS: &str = "/v2/imports";

/// Exports the data of an actor as JSON; returns the body of the file.
async fn export(user: &Actor<'_>) -> Vec<u8> {
    let id = user.create_export("json").await;
    user.get(&format!("/v2/exports/{id}/content")).await.expect(200).body
}

async fn import_file(user: &Actor<'_>, query: &str, file: &[u8]) -> UncheckedResponse {
    let request = user.request(Method::POST, &format!("{IMPORTS}{query}")).header("content-type", "application/json");
    request.bytes(file.to_vec()).send().await
}

/// Returns the records of a file, without their IDs.
fn records(file: &[u8]) -> Vec<Value> {
    let file: Value = serde_json::from_slice(file).unwrap();
    let mut records = file["records"].as_array().unwrap().clone();
    for record in &mut records {
        let fields = record.as_object_mut().unwrap();
        assert!(fields.remove("id").is_some() && fields.remove("bucketlist_id").is_some());
    }
    records
}

fn list(id: i64, name: &str) -> Value {
    json!({"type": "bucketlist", "bucketlist_id": id, "name": name})
}

fn item(list: i64, name: &str) -> Value {
    json!({"type": "item", "bucketlist_id": list, "name": name})
}

/// Returns the names of the bucketlists with their numbers of items and of completed items.
async fn lists(user: &Actor<'_>) -> Vec<(String, i64, i64)> {
    let page = user.get("/v2/bucketlists?per_page=100&sort=name").await.expect(200).json();
    let row = |row: &Value| {
        let count = |field: &str| row[field].as_i64().unwrap();
        (row["name"].as_str().unwrap().to_owned(), count("items_total"), count("items_done"))
    };
    page["data"].as_array().unwrap().iter().map(row).collect()
}

async fn hits(user: &Actor<'_>, q: &str) -> usize {
    let page = user.get(&format!("/v2/search?per_page=100&q={q}")).await.expect(200).json();
    page["data"].as_array().unwrap().len()
}

both_engines! {
    async fn imported_export_is_equal_to_the_original(engine: Engine) {
        let app = TestApp::new(engine);
        let (source, target) = (app.user().await, app.user().await);
        // The accounts have different IDs for the same things.
        let unrelated = target.create_bucketlist("Unrelated").await;
        for (number, items) in [3, 0, 120].into_iter().enumerate() {
            app.advance_clock(Duration::from_secs(60));
            let body = json!({"name": format!("List {number}"), "description": "Zürich\n漢字"});
            let list = source.post("/v2/bucketlists", &body).await.expect(201).json()["id"].as_i64().unwrap();
            for item in 0..items {
                let body = json!({"name": format!("Ítem {item}"), "due_on": "2028-02-29", "done": item % 3 == 0});
                let path = format!("/v2/bucketlists/{list}/items");
                let id = source.post(&path, &body).await.expect(201).json()["id"].as_i64().unwrap();
                app.advance_clock(Duration::from_millis(7));
                if item % 4 == 0 {
                    let path = format!("{path}/{id}");
                    source.request(Method::PATCH, &path).merge_patch(&json!({"done": true})).send().await.expect(200);
                }
            }
        }
        let original = export(&source).await;
        app.advance_clock(Duration::from_secs(300));
        target.delete(&format!("/v2/bucketlists/{unrelated}")).await.expect(204);
        let imported = import_file(&target, "", &original).await.expect(201);
        assert_eq!(imported.header("location"), "/v2/bucketlists");
        let result = imported.json();
        assert_eq!((&result["bucketlists_created"], &result["items_created"]), (&json!(3), &json!(123)));
        assert_eq!(records(&export(&target).await), records(&original));
        assert_eq!(lists(&target).await, lists(&source).await);
        assert_eq!(hits(&target, "item").await, hits(&source, "item").await);
        // The bucketlists of the response are those that were created.
        for list in result["bucketlists"].as_array().unwrap() {
            assert_eq!(list["outcome"], "created");
            let found = target.get(&format!("/v2/bucketlists/{}", list["bucketlist_id"])).await.expect(200).json();
            assert_eq!((&found["name"], &found["items_total"]), (&list["name"], &list["items_created"]));
            source.get(&format!("/v2/bucketlists/{}", list["source_id"])).await.expect(200);
        }
    }

    async fn every_violation_is_reported_and_nothing_is_created(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        // A bucketlist of another user, or of the caller, is not part of the request.
        let (own, foreign) = (user.create_bucketlist("Own").await, other.create_bucketlist("Foreign").await);
        let before = export(&user).await;
        let valid = [list(1_000, "Valid"), item(1_000, "Valid")];
        let mut rows = Vec::from(valid.clone());
        rows.extend([
            item(own, "Of an existing bucketlist"),
            item(foreign, "Of another user"),
            list(1_000, "Same ID"),
            list(1_001, &"x".repeat(101)),
            json!({"type": "bucketlist", "bucketlist_id": 1_002, "name": "a", "description": "y".repeat(1_001)}),
            json!({"type": "bucketlist", "bucketlist_id": 1_003, "name": "b", "done": false, "due_on": "2028-01-01"}),
            json!({"type": "item", "bucketlist_id": 1_000, "name": "c", "done_at": "2026-01-01T00:00:00Z"}),
            json!({"type": "bucketlist", "id": 1, "bucketlist_id": 1_004, "name": "d"}),
        ]);
        let expected = [
            ("/records/2/bucketlist_id", "UNKNOWN_BUCKETLIST"),
            ("/records/3/bucketlist_id", "UNKNOWN_BUCKETLIST"),
            ("/records/4/bucketlist_id", "NOT_UNIQUE"),
            ("/records/5/name", "TOO_LONG"),
            ("/records/6/description", "TOO_LONG"),
            ("/records/7/done", "NOT_ALLOWED"),
            ("/records/7/due_on", "NOT_ALLOWED"),
            ("/records/8/done_at", "NOT_ALLOWED"),
            ("/records/9/id", "NOT_ALLOWED"),
        ];
        let expected = expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
        let rejected = user.post(IMPORTS, &json!({"records": rows})).await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(rejected.details(), expected);
        // With a violation of the schema, the other violations are reported too.
        rows.push(json!({"type": "item", "bucketlist_id": 1_000, "name": "", "color": "red"}));
        let rejected = user.post(IMPORTS, &json!({"records": rows})).await.expect_error(422, "VALIDATION_FAILED");
        let details = rejected.details();
        for found in &expected {
            assert!(details.contains(found), "{found:?}: {details:?}");
        }
        for found in [("/records/10/name", "TOO_SHORT"), ("/records/10/color", "UNKNOWN_FIELD")] {
            assert!(details.contains(&(found.0.to_owned(), found.1.to_owned())), "{found:?}: {details:?}");
        }
        for (index, record, pointer, code) in [
            (0, json!({"type": "list", "bucketlist_id": 1, "name": "x"}), "/records/0/type", "NOT_ALLOWED"),
            (1, json!({"type": "item", "bucketlist_id": 0, "name": "x"}), "/records/1/bucketlist_id", "TOO_SMALL"),
            (2, json!({"type": "item", "name": "x"}), "/records/2/bucketlist_id", "REQUIRED"),
            (1, json!({"type": "item", "bucketlist_id": 1_000, "name": "x", "created_at": "yesterday"}), "/records/1/created_at", "INVALID_FORMAT"),
            (2, json!("x"), "/records/2", "WRONG_TYPE"),
        ] {
            let mut rows = Vec::from(valid.clone());
            rows.insert(index, record);
            let rejected = user.post(IMPORTS, &json!({"records": rows})).await.expect_error(422, "VALIDATION_FAILED");
            assert_eq!(rejected.details(), [(pointer.to_owned(), code.to_owned())]);
        }
        // The number of violations in a response is bounded.
        let rows = vec![item(7, "Without a bucketlist"); 1_500];
        let rejected = user.post(IMPORTS, &json!({"records": rows})).await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(rejected.details().len(), 1_000);
        assert_eq!(records(&export(&user).await), records(&before));
        assert_eq!(hits(&user, "valid").await, 0);
    }

    async fn taken_names_are_rejected_renamed_or_skipped(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for name in ["Travel", "Travel (2)", "Other"] {
            user.create_bucketlist(name).await;
        }
        // Two bucketlists of the request have the name of an existing one, two others share a name.
        let rows = json!({"records": [
            list(1, "Travel"), item(1, "a"), list(2, "New"), item(2, "b"), list(3, "New"), item(3, "c"), item(3, "d"),
            list(4, "Travel"), list(5, "Travel (3)"),
        ]});
        let rejected = user.post(IMPORTS, &rows).await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        let pointers = ["/records/0/name", "/records/4/name", "/records/7/name"];
        assert_eq!(rejected.details(), pointers.map(|at| (at.to_owned(), "BUCKETLIST_NAME_TAKEN".to_owned())));
        assert_eq!(lists(&user).await.len(), 3);

        let renamed = user.post(&format!("{IMPORTS}?on_conflict=rename"), &rows).await.expect(201).json();
        let outcomes = |result: &Value| -> Vec<(String, String, i64)> {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let rows = result["bucketlists"].as_array().unwrap().iter();
            rows.map(|row| (text(&row["outcome"]), text(&row["name"]), row["items_created"].as_i64().unwrap())).collect()
        };
        let row = |outcome: &str, name: &str, items: i64| (outcome.to_owned(), name.to_owned(), items);
        assert_eq!(outcomes(&renamed), [
            row("renamed", "Travel (4)", 1), row("created", "New", 1), row("renamed", "New (2)", 2),
            row("renamed", "Travel (5)", 0), row("created", "Travel (3)", 0),
        ]);
        assert_eq!((&renamed["bucketlists_created"], &renamed["items_created"]), (&json!(5), &json!(4)));

        let rows = json!({"records": [list(1, "Travel"), item(1, "lost"), list(2, "Newer"), item(2, "e"), list(3, "Newer")]});
        let skipped = user.post(&format!("{IMPORTS}?on_conflict=skip"), &rows).await.expect(201).json();
        assert_eq!(outcomes(&skipped), [row("skipped", "Travel", 0), row("created", "Newer", 1), row("skipped", "Newer", 0)]);
        assert_eq!((&skipped["bucketlists"][0]["bucketlist_id"], &skipped["items_created"]), (&Value::Null, &json!(1)));
        assert_eq!(hits(&user, "lost").await, 0);

        // The same file can be imported again and again.
        for number in 2..14 {
            let rows = json!({"records": [list(1, "Other")]});
            let renamed = user.post(&format!("{IMPORTS}?on_conflict=rename"), &rows).await.expect(201).json();
            assert_eq!(outcomes(&renamed), [row("renamed", &format!("Other ({number})"), 0)]);
        }
        let rejected = user.post(&format!("{IMPORTS}?on_conflict=merge"), &rows).await;
        assert_eq!(rejected.expect_error(422, "VALIDATION_FAILED").details(), [("on_conflict".to_owned(), "NOT_ALLOWED".to_owned())]);
    }

    async fn import_with_an_idempotency_key_is_executed_once(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let send = async |path: &str, rows: &Value| {
            user.request(Method::POST, path).header("idempotency-key", "import-1").json(rows).send().await
        };
        let rows = json!({"records": [list(1, "Travel"), item(1, "Cape Horn")]});
        let first = send(IMPORTS, &rows).await.expect(201);
        app.advance_clock(Duration::from_secs(60));
        let repeated = send(IMPORTS, &rows).await.expect(201);
        assert_eq!(repeated.header("idempotency-replayed"), "true");
        assert_eq!(repeated.json(), first.json());
        assert_eq!(lists(&user).await, [("Travel".to_owned(), 1, 0)]);
        send(&format!("{IMPORTS}?on_conflict=skip"), &rows).await.expect_error(422, "IDEMPOTENCY_KEY_REUSED");
    }

    async fn import_accepts_1_to_5000_records(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let file = |count: i64| -> Value {
            let items = (1..count).map(|number| {
                let mut item = item(1, &format!("Item {number}"));
                item["done"] = json!(number % 2 == 0);
                item
            });
            let records: Vec<Value> = [list(1, "Large")].into_iter().chain(items).collect();
            json!({"records": records})
        };
        for (body, code) in [(json!({"records": []}), "TOO_FEW"), (file(5_001), "TOO_MANY")] {
            let rejected = user.post(IMPORTS, &body).await.expect_error(422, "VALIDATION_FAILED");
            assert_eq!(rejected.details(), [("/records".to_owned(), code.to_owned())]);
        }
        assert_eq!(lists(&user).await, []);
        // A cached list is not stale after the import.
        let body = file(5_000);
        let result = user.post(IMPORTS, &body).await.expect(201).json();
        assert_eq!(result["items_created"], 4_999);
        assert_eq!(lists(&user).await, [("Large".to_owned(), 4_999, 2_499)]);
        assert_eq!(hits(&user, "item+4999").await, 1);
        // The largest number of bucketlists, each with a taken name.
        let lists: Vec<Value> = (1..=5_000).map(|number| list(number, &format!("List {number}"))).collect();
        let body = json!({"records": lists});
        user.post(IMPORTS, &body).await.expect(201);
        let result = user.post(&format!("{IMPORTS}?on_conflict=rename"), &body).await.expect(201).json();
        assert_eq!(result["bucketlists"][4_999]["name"], "List 5000 (2)");
        let rejected = user.post(IMPORTS, &body).await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        assert_eq!(rejected.details().len(), 1_000);
    }

    async fn times_and_state_follow_the_file(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (created, updated, done) = ("2020-01-01T00:00:00.000001Z", "2021-01-01T00:00:00.000000Z", "2020-06-01T00:00:00.000000Z");
        let mut rows = vec![list(1, "Times")];
        for (created_at, updated_at, done_at) in
            [(Some(created), Some(updated), Some(done)), (Some(created), Some(updated), None), (Some("2999-01-01T00:00:00Z"), None, Some("2999-01-01T00:00:00Z")), (Some(updated), Some(created), None), (None, None, None)]
        {
            let mut row = item(1, "x");
            row["done"] = json!(true);
            for (field, value) in [("created_at", created_at), ("updated_at", updated_at), ("done_at", done_at)] {
                row[field] = json!(value);
            }
            rows.push(row);
        }
        rows.push(item(1, "open"));
        let result = user.post(IMPORTS, &json!({"records": rows})).await.expect(201).json();
        let path = format!("/v2/bucketlists/{}/items", result["bucketlists"][0]["bucketlist_id"]);
        let rows = user.request(Method::GET, &path).header("accept", "application/x-ndjson").send().await.expect(200).body;
        let rows: Vec<Value> = String::from_utf8(rows).unwrap().lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        let mut times: Vec<(&str, &str, Option<&str>)> = rows
            .iter()
            .map(|row| (row["created_at"].as_str().unwrap(), row["updated_at"].as_str().unwrap(), row["done_at"].as_str()))
            .collect();
        times.sort_unstable();
        let now = "2027-01-15T08:00:00.000000Z";
        assert_eq!(times, [
            (created, updated, Some(done)), (created, updated, Some(updated)), (updated, updated, Some(updated)),
            (now, now, None), (now, now, Some(now)), (now, now, Some(now)),
        ]);
    }
}
