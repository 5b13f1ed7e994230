//! Batch creation of items is atomic.

use std::time::Duration;

use futures_util::future::join_all;
use poem::http::Method;

use crate::support::{Actor, TestApp, Value, json};

fn batch_of(list: i64) -> String {
    format!("/v2/bucketlists/{list}/items/batch")
}

/// Returns item bodies with distinct names.
fn numbered_items(count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({"name": format!("Item {number}")})).collect()
}

/// Returns `items_total`, `items_done` and the number of listed items of a bucketlist.
async fn counts(user: &Actor<'_>, list: i64) -> (i64, i64, usize) {
    let path = format!("/v2/bucketlists/{list}");
    let row = user.get(&path).await.expect(200).json();
    let rows = user.request(Method::GET, &format!("{path}/items")).header("accept", "application/x-ndjson");
    let rows = String::from_utf8(rows.send().await.expect(200).body).unwrap();
    (row["items_total"].as_i64().unwrap(), row["items_done"].as_i64().unwrap(), rows.lines().count())
}

async fn count_hits(user: &Actor<'_>, q: &str) -> usize {
    let page = user.get(&format!("/v2/search?per_page=100&q={q}")).await.expect(200).json();
    page["data"].as_array().unwrap().len()
}

/// Asserts that the bucketlist is empty and that search finds no item.
async fn expect_empty(user: &Actor<'_>, list: i64) {
    assert_eq!(counts(user, list).await, (0, 0, 0));
    assert_eq!(count_hits(user, "item").await, 0);
}

both_engines! {
    async fn batch_creates_items_in_order(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let sent = json!({"items": [
            {"name": " Zermatt ", "description": "On\nfoot", "due_on": "2028-02-29"},
            {"name": "Aarau", "done": true},
            {"name": "Zermatt"},
            {"name": "Zermatt", "description": null, "done": false, "due_on": null},
        ]});
        let created = user.post(&batch_of(list), &sent).await.expect(201);
        let items = format!("/v2/bucketlists/{list}/items");
        assert_eq!(created.header("location"), items);
        let body = created.json();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["data"]);
        let data = body["data"].as_array().unwrap().clone();
        let names: Vec<&str> = data.iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Zermatt", "Aarau", "Zermatt", "Zermatt"], "equal items are created separately");
        let ids: Vec<i64> = data.iter().map(|item| item["id"].as_i64().unwrap()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        let now = json!("2027-01-15T08:00:00.000000Z");
        for (item, done) in data.iter().zip([false, true, false, false]) {
            assert_eq!((&item["done"], &item["created_at"], &item["bucketlist_id"]), (&json!(done), &now, &json!(list)));
            assert_eq!(item["done_at"], if done { now.clone() } else { json!(null) });
            let path = item["_links"]["self"]["href"].as_str().unwrap();
            assert_eq!(user.get(path).await.expect(200).json(), *item);
        }
        assert_eq!((&data[0]["description"], &data[0]["due_on"]), (&json!("On\nfoot"), &json!("2028-02-29")));
        let page = user.get(&format!("{items}?include=total")).await.expect(200).json();
        assert_eq!((&page["data"], &page["meta"]["total"]), (&body["data"], &json!(4)));
        assert_eq!(counts(&user, list).await, (4, 1, 4));
        // New items are added after the existing ones.
        app.advance_clock(Duration::from_secs(1));
        user.post(&batch_of(list), &json!({"items": [{"name": "Last", "done": true}]})).await.expect(201);
        assert_eq!(counts(&user, list).await, (5, 2, 5));
        let names = user.get(&format!("{items}?sort=-created_at&per_page=1")).await.expect(200).json();
        assert_eq!(names["data"][0]["name"], "Last");
    }

    async fn batch_accepts_1_to_1000_items(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        for count in [0, 1001] {
            let response = user.post(&batch_of(list), &json!({"items": numbered_items(count)})).await;
            let details = response.expect_error(422, "VALIDATION_FAILED").details();
            assert_eq!(details.len(), 1);
            assert_eq!(details[0].0, "/items", "{details:?}");
        }
        expect_empty(&user, list).await;
        // The violations of every item are listed.
        for (name, code) in [("", "TOO_SHORT"), ("   ", "TOO_SHORT"), ("a\u{7}", "INVALID_CHARACTERS")] {
            let items = vec![json!({"name": name}); 1000];
            let details = user.post(&batch_of(list), &json!({"items": items})).await.expect_error(422, "VALIDATION_FAILED").details();
            assert_eq!(details.len(), 1000, "{name:?}");
            assert!(details.iter().any(|(path, actual)| path == "/items/999/name" && actual == code), "{name:?}");
        }
        expect_empty(&user, list).await;
        user.post(&batch_of(list), &json!({"items": numbered_items(1)})).await.expect(201);
        assert_eq!(counts(&user, list).await, (1, 0, 1));
        let created = user.post(&batch_of(list), &json!({"items": numbered_items(1000)})).await.expect(201).json();
        let names = created["data"].as_array().unwrap().iter().map(|item| item["name"].clone());
        assert!(names.eq(numbered_items(1000).into_iter().map(|item| item["name"].clone())), "items are in the order of the request");
        assert_eq!(counts(&user, list).await, (1001, 0, 1001));
        assert_eq!(count_hits(&user, "item+999").await, 1);
    }

    async fn invalid_row_is_reported_and_nothing_is_created(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        for (index, value, pointer, code) in [
            (17, json!({"name": ""}), "/items/17/name", "TOO_SHORT"),
            (0, json!({"name": "x".repeat(201)}), "/items/0/name", "TOO_LONG"),
            (99, json!({"name": "a\u{0}b"}), "/items/99/name", "INVALID_CHARACTERS"),
            (1, json!({}), "/items/1/name", "REQUIRED"),
            (5, json!({"name": "x", "due_on": "2027-02-29"}), "/items/5/due_on", "INVALID_FORMAT"),
            (6, json!({"name": "x", "done": null}), "/items/6/done", "WRONG_TYPE"),
            (7, json!({"name": "x", "description": "y".repeat(4001)}), "/items/7/description", "TOO_LONG"),
            (8, json!("x"), "/items/8", "WRONG_TYPE"),
            (9, json!(null), "/items/9", "WRONG_TYPE"),
        ] {
            let mut items = numbered_items(100);
            items[index] = value;
            let response = user.post(&batch_of(list), &json!({"items": items})).await;
            let details = response.expect_error(422, "VALIDATION_FAILED").details();
            assert_eq!(details, [(pointer.to_owned(), code.to_owned())]);
        }
        let mut items = numbered_items(20);
        items[3] = json!({"name": "x", "id": 7});
        let response = user.post(&batch_of(list), &json!({"items": items})).await.expect_error(422, "UNKNOWN_FIELD");
        assert_eq!(response.details(), [("/items/3/id".to_owned(), "UNKNOWN_FIELD".to_owned())]);
        // Violations of several items are listed together.
        items[19] = json!({"name": 1});
        let response = user.post(&batch_of(list), &json!({"items": items})).await.expect_error(422, "VALIDATION_FAILED");
        let paths: Vec<String> = response.details().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["/items/3/id", "/items/19/name"]);
        for (body, path) in [
            (json!({}), "/items"),
            (json!([]), ""),
            (json!({"items": {}}), "/items"),
            (json!({"items": null}), "/items"),
            (json!({"items": [{"name": "x"}], "atomic": false}), "/atomic"),
        ] {
            let details = user.post(&batch_of(list), &body).await.expect(422).details();
            assert_eq!(details[0].0, path, "{body}");
        }
        expect_empty(&user, list).await;
    }

    async fn failure_of_a_late_row_rolls_back_the_batch(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        app.execute("CREATE UNIQUE INDEX items_poisoned ON items (name) WHERE name = 'Item poisoned'");
        let mut items = numbered_items(400);
        items[10] = json!({"name": "Item poisoned"});
        items[399] = json!({"name": "Item poisoned"});
        user.post(&batch_of(list), &json!({"items": items})).await.expect(500);
        expect_empty(&user, list).await;
        items[399] = json!({"name": "Item cured", "done": true});
        user.post(&batch_of(list), &json!({"items": items})).await.expect(201);
        assert_eq!(counts(&user, list).await, (400, 1, 400));
        assert_eq!((count_hits(&user, "poisoned").await, count_hits(&user, "cured").await), (1, 1));
    }

    async fn batch_requires_an_own_bucketlist(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        let (list, foreign) = (user.create_bucketlist("a").await, other.create_bucketlist("b").await);
        let body = json!({"items": numbered_items(3)});
        for path in [batch_of(foreign), batch_of(999_999)] {
            user.post(&path, &body).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        }
        user.delete(&format!("/v2/bucketlists/{list}")).await.expect(204);
        user.post(&batch_of(list), &body).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        expect_empty(&other, foreign).await;
        user.get(&batch_of(list)).await.expect_error(405, "METHOD_NOT_ALLOWED");
    }

    async fn batch_has_the_general_body_limit(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let row = json!({"name": "Item", "description": "x".repeat(4000)});
        let body = json!({"items": vec![row.clone(); 1000]});
        assert!(body.to_string().len() > 1 << 20);
        user.post(&batch_of(list), &body).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        expect_empty(&user, list).await;
        user.post(&batch_of(list), &json!({"items": vec![row; 250]})).await.expect(201);
        assert_eq!(counts(&user, list).await, (250, 0, 250));
    }

    async fn error_response_size_is_bounded(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let body = json!({"items": vec![json!({"name": 1, "done": 2, "due_on": 3, "color": 4}); 1000]});
        let response = user.post(&batch_of(list), &body).await.expect_error(422, "VALIDATION_FAILED");
        assert_eq!(response.details().len(), 1000);
        expect_empty(&user, list).await;
    }

    async fn concurrent_batches_are_isolated(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let send = async |number: usize| {
            let items: Vec<Value> = (0..50).map(|row| json!({"name": format!("{number}.{row}"), "done": row < 10})).collect();
            user.post(&batch_of(list), &json!({"items": items})).await.expect(201)
        };
        let responses = join_all((0..8).map(send)).await;
        assert_eq!(counts(&user, list).await, (400, 80, 400));
        for (number, response) in responses.iter().enumerate() {
            let body = response.json();
            let names: Vec<&str> = body["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
            let expected: Vec<String> = (0..50).map(|row| format!("{number}.{row}")).collect();
            assert_eq!(names, expected);
        }
    }

    async fn batch_uses_few_queries(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let mut statement_counts = Vec::new();
        for count in [10, 200, 1000] {
            let body = json!({"items": numbered_items(count)});
            // The token status is read again from time to time; the smallest count does not include it.
            let mut smallest = u64::MAX;
            for _ in 0..4 {
                let before = app.app.db.statements();
                user.post(&batch_of(list), &body).await.expect(201);
                smallest = smallest.min(app.app.db.statements() - before);
            }
            statement_counts.push(smallest);
        }
        // The number of rows in one statement is limited.
        assert_eq!(statement_counts[0], statement_counts[1], "{engine:?}: {statement_counts:?}");
        assert!(statement_counts[0] < 10 && statement_counts[2] < statement_counts[0] + 10, "{engine:?}: {statement_counts:?}");
    }
}
