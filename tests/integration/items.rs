//! Items of bucketlists.

use std::time::Duration;

use crate::support::{Actor, Engine, TestApp, Value, json};

fn items_of(list: i64) -> String {
    format!("/v1/bucketlists/{list}/items")
}

/// Returns `items_total` and `items_done` of a bucketlist.
async fn read_counters(user: &Actor<'_>, list: i64) -> (i64, i64) {
    let list = user.get(&format!("/v1/bucketlists/{list}")).await.expect(200).json();
    (list["items_total"].as_i64().unwrap(), list["items_done"].as_i64().unwrap())
}

/// Reads all pages of the items of a bucketlist.
async fn read_all_items(user: &Actor<'_>, list: i64) -> Vec<Value> {
    let (mut next, mut rows) = (json!(format!("{}?per_page=7", items_of(list))), Vec::new());
    while let Some(path) = next.as_str() {
        let page = user.get(path).await.expect(200).json();
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        next = page["links"]["next"].clone();
    }
    rows
}

/// Returns the number of SQL statements of a repeated request: the smallest of several counts, as in `bucketlists`.
async fn count_statements(app: &TestApp, user: &Actor<'_>, path: &str) -> u64 {
    let mut smallest = u64::MAX;
    for _ in 0..4 {
        let before = app.app.db.statements();
        user.get(path).await.expect(200);
        smallest = smallest.min(app.app.db.statements() - before);
    }
    smallest
}

both_engines! {
    async fn item_can_be_created_read_replaced_and_deleted(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let body = json!({"name": " Camino ", "description": "On\nfoot", "due_on": "2028-02-29"});
        let created = user.post(&items_of(list), &body).await.expect(201);
        let item = created.json();
        let time = "2027-01-15T08:00:00.000000Z";
        let expected = json!({
            "id": item["id"], "bucketlist_id": list, "name": "Camino", "description": "On\nfoot", "done": false,
            "done_at": null, "due_on": "2028-02-29", "created_at": time, "updated_at": time,
        });
        assert_eq!(item, expected);
        let path = format!("{}/{}", items_of(list), item["id"]);
        assert_eq!(created.header("location"), path);
        assert_eq!(user.get(&path).await.expect(200).json(), item);
        assert_eq!(read_all_items(&user, list).await, [item]);

        app.advance_clock(Duration::from_secs(1));
        let replaced = user.put(&path, &json!({"name": "Walk it"})).await.expect(200).json();
        assert_eq!(replaced["name"], "Walk it");
        assert_eq!(replaced["updated_at"], "2027-01-15T08:00:01.000000Z");
        assert_eq!(replaced["created_at"], time);
        for field in ["description", "due_on", "done_at"] {
            assert_eq!(replaced[field], json!(null), "{field}: PUT sets absent fields to null");
        }
        assert_eq!(replaced["done"], false);

        user.delete(&path).await.expect(204);
        user.get(&path).await.expect_error(404, "ITEM_NOT_FOUND");
        user.put(&path, &json!({"name": "x"})).await.expect_error(404, "ITEM_NOT_FOUND");
        user.delete(&path).await.expect_error(404, "ITEM_NOT_FOUND");
        assert_eq!(read_counters(&user, list).await, (0, 0));
    }

    async fn done_at_is_set_when_an_item_is_completed(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let item = user.create_item(list, "x").await;
        let path = format!("{}/{item}", items_of(list));
        let at = |seconds: u64| json!(format!("2027-01-15T08:00:{seconds:02}.000000Z"));
        let null = json!(null);
        // A request that changes nothing does not change the time of the update.
        for (second, (done, done_at, done_in_list, updated_at)) in (1_u64..).zip([
            (json!(true), at(1), 1, at(1)),
            (json!(true), at(1), 1, at(1)),
            (json!(false), null.clone(), 0, at(3)),
            (json!(true), at(4), 1, at(4)),
            (json!("left out"), null.clone(), 0, at(5)),
            (json!(false), null, 0, at(5)),
        ]) {
            app.advance_clock(Duration::from_secs(1));
            let mut body = json!({"name": "x"});
            if done.is_boolean() {
                body["done"] = done.clone();
            }
            let replaced = user.put(&path, &body).await.expect(200).json();
            assert_eq!((&replaced["done"], &replaced["done_at"]), (&json!(done == true), &done_at), "second {second}");
            assert_eq!(replaced["updated_at"], updated_at, "second {second}");
            assert_eq!(user.get(&path).await.expect(200).json(), replaced);
            assert_eq!(read_counters(&user, list).await, (1, done_in_list));
        }
        let created = user.post(&items_of(list), &json!({"name": "y", "done": true})).await.expect(201).json();
        assert_eq!((&created["done"], &created["done_at"]), (&json!(true), &at(6)));
        assert_eq!(read_counters(&user, list).await, (2, 1));
    }

    async fn due_date_must_be_a_calendar_date(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        for date in ["2027-01-15", "2028-02-29", "2000-02-29", "1582-10-10", "0001-01-01", "9999-12-31"] {
            let body = json!({"name": "x", "due_on": date});
            let created = user.post(&items_of(list), &body).await.expect(201).json();
            assert_eq!(created["due_on"], date);
            let path = format!("{}/{}", items_of(list), created["id"]);
            assert_eq!(user.get(&path).await.expect(200).json()["due_on"], date);
        }
        for (value, code) in [
            (json!("2027-02-29"), "INVALID_FORMAT"),
            (json!("1900-02-29"), "INVALID_FORMAT"),
            (json!("0000-00-00"), "INVALID_FORMAT"),
            (json!("0000-01-01"), "INVALID_FORMAT"),
            (json!("2027-1-1"), "INVALID_FORMAT"),
            (json!("2027-04-31"), "INVALID_FORMAT"),
            (json!("2027-13-01"), "INVALID_FORMAT"),
            (json!("10000-01-01"), "INVALID_FORMAT"),
            (json!("+2027-01-01"), "INVALID_FORMAT"),
            (json!("-001-01-01"), "INVALID_FORMAT"),
            (json!("2027-01-01T00:00:00Z"), "INVALID_FORMAT"),
            (json!("20270101"), "INVALID_FORMAT"),
            (json!("tomorrow"), "INVALID_FORMAT"),
            (json!("infinity"), "INVALID_FORMAT"),
            (json!("٢٠٢٧-٠١-٠١"), "INVALID_FORMAT"),
            (json!(""), "INVALID_FORMAT"),
            (json!(20_270_101), "WRONG_TYPE"),
            (json!(false), "WRONG_TYPE"),
        ] {
            let response = user.post(&items_of(list), &json!({"name": "x", "due_on": value})).await;
            let expected = [("/due_on".to_owned(), code.to_owned())];
            assert_eq!(response.expect_error(422, "VALIDATION_FAILED").details(), expected, "{value}");
        }
        assert_eq!(read_counters(&user, list).await, (6, 0));
    }

    async fn item_counters_follow_every_change(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let lists = [user.create_bucketlist("a").await, user.create_bucketlist("b").await];
        // A fixed generator: the steps are the same in each run.
        let mut state: u64 = 20_270_115;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for step in 0..120 {
            let list = lists[usize::try_from(random(2)).unwrap()];
            let rows = read_all_items(&user, list).await;
            let done = random(2) == 0;
            let chosen = rows.get(usize::try_from(random(12)).unwrap());
            match (random(3), chosen) {
                (0, Some(item)) => {
                    user.delete(&format!("{}/{}", items_of(list), item["id"])).await.expect(204);
                }
                (1, Some(item)) => {
                    let body = json!({"name": "changed", "done": done});
                    user.put(&format!("{}/{}", items_of(list), item["id"]), &body).await.expect(200);
                }
                _ => {
                    user.post(&items_of(list), &json!({"name": "new", "done": done})).await.expect(201);
                }
            }
            if step % 10 == 9 {
                for list in lists {
                    let rows = read_all_items(&user, list).await;
                    let done = rows.iter().filter(|item| item["done"] == true).count();
                    let (rows, done) = (i64::try_from(rows.len()).unwrap(), i64::try_from(done).unwrap());
                    assert_eq!(read_counters(&user, list).await, (rows, done), "after step {step}");
                }
            }
        }
    }

    async fn item_is_accessible_only_through_its_bucketlist_and_owner(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        let (here, there) = (user.create_bucketlist("here").await, user.create_bucketlist("there").await);
        let foreign = other.create_bucketlist("theirs").await;
        let item = user.create_item(here, "x").await;
        let body = json!({"name": "y", "done": true});
        for (actor, list, code) in [
            (&user, there, "ITEM_NOT_FOUND"),
            (&user, foreign, "BUCKETLIST_NOT_FOUND"),
            (&user, 999_999, "BUCKETLIST_NOT_FOUND"),
            (&other, here, "BUCKETLIST_NOT_FOUND"),
            (&other, foreign, "ITEM_NOT_FOUND"),
        ] {
            let path = format!("{}/{item}", items_of(list));
            actor.get(&path).await.expect_error(404, code);
            actor.put(&path, &body).await.expect_error(404, code);
            actor.delete(&path).await.expect_error(404, code);
        }
        for (actor, list) in [(&user, foreign), (&other, here), (&user, 999_999)] {
            actor.get(&items_of(list)).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
            actor.post(&items_of(list), &body).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        }
        assert_eq!(user.get(&format!("{}/{item}", items_of(here))).await.expect(200).json()["name"], "x");
        assert_eq!(read_counters(&user, here).await, (1, 0));
        assert_eq!(read_counters(&user, there).await, (0, 0));
        assert_eq!(read_counters(&other, foreign).await, (0, 0));
    }

    async fn items_are_paginated_oldest_first(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (list, other) = (user.create_bucketlist("a").await, user.create_bucketlist("b").await);
        let mut created = Vec::new();
        for number in 0..16 {
            created.push(json!(user.create_item(list, &format!("Item {number}")).await));
            user.create_item(other, "elsewhere").await;
        }
        let seen: Vec<Value> = read_all_items(&user, list).await.iter().map(|item| item["id"].clone()).collect();
        assert_eq!(seen, created);
        let path = items_of(list);
        let after_last = user.get(&format!("{path}?page=9&per_page=7")).await.expect(200).json();
        assert_eq!(after_last["data"], json!([]));
        assert_eq!(after_last["meta"], json!({"page": 9, "per_page": 7, "total": 16, "pages": 3}));
        assert_eq!(after_last["links"]["prev"], json!(format!("{path}?page=3&per_page=7")));
        let capped = user.get(&format!("{path}?per_page=1000")).await.expect(200).json();
        assert_eq!(capped["meta"], json!({"page": 1, "per_page": 100, "total": 16, "pages": 1}));
        let names = user.get(&format!("{path}?q=ITEM+1&per_page=3&page=2")).await.expect(200).json();
        assert_eq!(names["meta"], json!({"page": 2, "per_page": 3, "total": 7, "pages": 3}));
        assert_eq!(names["links"]["next"], json!(format!("{path}?page=3&per_page=3&q=ITEM+1")));
    }

    async fn search_is_limited_to_one_bucketlist(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (list, other) = (user.create_bucketlist("a").await, user.create_bucketlist("b").await);
        for (name, description) in
            [("ZÜRICH", json!(null)), ("50%", json!("Straße\nnach Zürich")), ("a_b", json!("\\"))]
        {
            user.post(&items_of(list), &json!({"name": name, "description": description})).await.expect(201);
        }
        user.create_item(other, "Zürich").await;
        for (q, expected) in [
            ("z%C3%BCrich", &["ZÜRICH", "50%"][..]),
            ("STRA%C3%9FE", &["50%"]),
            ("%25", &["50%"]),
            ("_", &["a_b"]),
            ("%5C", &["a_b"]),
            ("nothing", &[]),
            ("+", &["ZÜRICH", "50%", "a_b"]),
        ] {
            let page = user.get(&format!("{}?q={q}", items_of(list))).await.expect(200).json();
            let names: Vec<&str> =
                page["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
            assert_eq!(names, expected, "{q}");
            assert_eq!(page["meta"]["total"], expected.len());
        }
    }

    async fn item_text_length_is_limited_in_characters(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let body = json!({"name": "🌍".repeat(200), "description": "🌍".repeat(4000)});
        let created = user.post(&items_of(list), &body).await.expect(201).json();
        assert_eq!((&created["name"], &created["description"]), (&body["name"], &body["description"]));
        let body = json!({"name": "🌍".repeat(201), "description": "🌍".repeat(4001), "done": "yes", "color": 1});
        let response = user.post(&items_of(list), &body).await.expect_error(422, "VALIDATION_FAILED");
        let mut details = response.details();
        details.sort();
        let expected = [
            ("/color", "UNKNOWN_FIELD"),
            ("/description", "TOO_LONG"),
            ("/done", "WRONG_TYPE"),
            ("/name", "TOO_LONG"),
        ];
        assert_eq!(details, expected.map(|(field, code)| (field.to_owned(), code.to_owned())), "all violations are listed");
        // Two items may have the same name.
        assert_ne!(user.create_item(list, "x").await, user.create_item(list, "x").await);
    }

    async fn item_is_created_with_few_statements(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        // The smallest of several counts, as in `count_statements`.
        let mut smallest = u64::MAX;
        for _ in 0..4 {
            let sent = app.app.db.statements();
            user.create_item(list, "Item").await;
            smallest = smallest.min(app.app.db.statements() - sent);
        }
        let expected = match engine {
            // BEGIN, SAVEPOINT, the counts, the item, its search document, RELEASE, COMMIT.
            Engine::Sqlite => 7,
            // The token status, and one statement for everything that changes.
            Engine::Postgres => 2,
        };
        assert_eq!(smallest, expected);
        assert_eq!(read_counters(&user, list).await, (4, 0));
        user.post(&items_of(list + 1), &json!({"name": "Item"})).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        let other = app.user().await;
        other.post(&items_of(list), &json!({"name": "Item"})).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        assert_eq!(read_counters(&user, list).await, (4, 0));
    }

    async fn item_reads_use_a_constant_number_of_queries(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.cache_bytes = 0).build();
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let item = user.create_item(list, "Item 0").await;
        let token_status = u64::from(engine == Engine::Postgres);
        let path = items_of(list);
        for items in [1, 30] {
            for number in 1..items {
                user.create_item(list, &format!("Item {number}")).await;
            }
            assert_eq!(count_statements(&app, &user, &format!("{path}/{item}")).await, token_status + 1);
            // The bucketlist with its counters and the items.
            assert_eq!(count_statements(&app, &user, &path).await, token_status + 1);
            let v2 = path.replace("/v1/", "/v2/");
            for query in ["", "?include=total", "?done=false&include=total"] {
                assert_eq!(count_statements(&app, &user, &format!("{v2}{query}")).await, token_status + 1, "{query}");
            }
            // BEGIN, the bucketlist, the items, COMMIT; a full page also needs a count.
            let count_statement = u64::from(items > 20);
            assert_eq!(count_statements(&app, &user, &format!("{path}?q=ITEM")).await, token_status + 4 + count_statement);
        }
    }
}
