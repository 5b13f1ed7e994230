//! Bucketlists.

use std::time::Duration;

use crate::support::{Actor, Engine, TestApp, Value, json};

/// Returns the names of the rows of a page.
fn names(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// Returns the names of the bucketlists that match a search.
async fn search(user: &Actor<'_>, q: &str) -> Vec<String> {
    let mut query = String::from("/v1/bucketlists?q=");
    for byte in q.bytes() {
        query.push_str(&format!("%{byte:02X}"));
    }
    names(&user.get(&query).await.expect(200).json())
}

/// Returns the number of SQL statements of a repeated request: the smallest of several counts, because the token status is
/// read again from time to time.
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
    async fn bucketlist_can_be_created_read_replaced_and_deleted(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "  See the world ", "description": "Places\nto stand in."});
        let created = user.post("/v1/bucketlists", &body).await.expect(201);
        let list = created.json();
        assert_eq!(list["name"], "See the world");
        assert_eq!(list["description"], "Places\nto stand in.");
        assert_eq!((&list["items_total"], &list["items_done"]), (&json!(0), &json!(0)));
        assert_eq!(list["created_at"], "2027-01-15T08:00:00.000000Z");
        let path = format!("/v1/bucketlists/{}", list["id"]);
        assert_eq!(created.header("location"), path);
        assert_eq!(user.get(&path).await.expect(200).json(), list);

        app.advance_clock(Duration::from_micros(1_500_001));
        let replaced = user.put(&path, &json!({"name": "See it all"})).await.expect(200).json();
        assert_eq!(replaced["name"], "See it all");
        assert_eq!(replaced["description"], json!(null), "PUT sets absent fields to null");
        assert_eq!(replaced["created_at"], list["created_at"]);
        assert_eq!(replaced["updated_at"], "2027-01-15T08:00:01.500001Z");

        user.delete(&path).await.expect(204);
        user.get(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        user.delete(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
    }

    async fn empty_collection_has_one_empty_page(engine: Engine) {
        let app = TestApp::new(engine);
        let page = app.user().await.get("/v1/bucketlists").await.expect(200).json();
        let this = "/v1/bucketlists?page=1&per_page=20";
        let links = json!({"self": this, "first": this, "prev": null, "next": null, "last": this});
        assert_eq!(
            page,
            json!({"data": [], "meta": {"page": 1, "per_page": 20, "total": 0, "pages": 0}, "links": links})
        );
    }

    async fn links_visit_every_row_once_in_both_directions(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        let mut created = Vec::new();
        for number in 0..23 {
            created.push(format!("List {number:02}"));
            user.create_bucketlist(&created[number]).await;
            other.create_bucketlist(&format!("Not theirs {number}")).await;
        }
        let (mut next, mut seen, mut pages) = (json!("/v1/bucketlists?per_page=5"), Vec::new(), Vec::new());
        while let Some(path) = next.as_str() {
            let page = user.get(path).await.expect(200).json();
            seen.extend(names(&page));
            assert_eq!(page["meta"], json!({"page": pages.len() + 1, "per_page": 5, "total": 23, "pages": 5}));
            assert_eq!(user.get(page["links"]["self"].as_str().unwrap()).await.expect(200).json(), page);
            next = page["links"]["next"].clone();
            pages.push(page);
        }
        assert_eq!(seen, created, "the rows are not listed once, oldest first");
        assert_eq!(pages.len(), 5);

        let mut previous = user.get(pages[0]["links"]["last"].as_str().unwrap()).await.expect(200).json();
        for page in pages.iter().rev() {
            assert_eq!(&previous, page);
            match previous["links"]["prev"].as_str() {
                Some(path) => previous = user.get(path).await.expect(200).json(),
                None => assert_eq!(previous["meta"]["page"], 1),
            }
        }
    }

    async fn page_past_the_end_is_empty_and_links_to_the_last_page(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for name in ["a", "b", "c"] {
            user.create_bucketlist(name).await;
        }
        for number in [3, 99, i32::MAX] {
            let path = format!("/v1/bucketlists?page={number}&per_page=2");
            let page = user.get(&path).await.expect(200).json();
            assert_eq!(page["data"], json!([]));
            assert_eq!(page["meta"], json!({"page": number, "per_page": 2, "total": 3, "pages": 2}));
            assert_eq!(page["links"]["next"], json!(null));
            assert_eq!(page["links"]["prev"], "/v1/bucketlists?page=2&per_page=2");
        }
        // A full page can be the last one.
        let page = user.get("/v1/bucketlists?per_page=3").await.expect(200).json();
        assert_eq!((&page["meta"]["total"], &page["links"]["next"]), (&json!(3), &json!(null)));
    }

    async fn per_page_is_capped_at_100(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for number in 0..101 {
            user.create_bucketlist(&format!("{number}")).await;
        }
        for per_page in ["100", "101", "1000", "2147483647"] {
            let page = user.get(&format!("/v1/bucketlists?per_page={per_page}")).await.expect(200).json();
            assert_eq!(page["meta"], json!({"page": 1, "per_page": 100, "total": 101, "pages": 2}), "{per_page}");
            assert_eq!(page["data"].as_array().unwrap().len(), 100);
            assert_eq!(page["links"]["next"], "/v1/bucketlists?page=2&per_page=100");
        }
    }

    async fn search_matches_name_and_description_case_insensitively(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        for (name, description) in [
            ("Weekend in Zürich", None),
            ("100% done", Some("snake_case")),
            ("A back\\slash", Some("See ÅRHUS, then rest.")),
            ("Plain", Some("Αθήνα και ΟΔΟΣ")),
            ("Ends", Some("with_end")),
            ("dune", None),
        ] {
            user.post("/v1/bucketlists", &json!({"name": name, "description": description})).await.expect(201);
        }
        other.create_bucketlist("ZÜRICH too, but not theirs").await;
        let all = ["Weekend in Zürich", "100% done", "A back\\slash", "Plain", "Ends", "dune"];
        for (q, expected) in [
            ("zürich", &["Weekend in Zürich"][..]),
            ("ZÜRICH", &["Weekend in Zürich"]),
            ("Zu\u{308}rich", &["Weekend in Zürich"]),
            ("ZU\u{308}RI", &["Weekend in Zürich"]),
            ("  zürich ", &["Weekend in Zürich"]),
            ("århus", &["A back\\slash"]),
            ("ΑΘΉΝΑ", &["Plain"]),
            ("οδος", &["Plain"]),
            ("ΟΔΟΣ", &["Plain"]),
            ("οδός", &[]),
            ("%", &["100% done"]),
            ("0% D", &["100% done"]),
            ("_", &["100% done", "Ends"]),
            ("\\", &["A back\\slash"]),
            ("\\%", &[]),
            ("d_ne", &[]),
            ("d%e", &[]),
            ("D", &["Weekend in Zürich", "100% done", "Ends", "dune"]),
            ("'", &[]),
            ("", &all),
            ("   ", &all),
        ] {
            assert_eq!(search(&user, q).await, expected, "{q:?}");
        }
    }

    async fn search_total_counts_matches_and_links_keep_the_query(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for number in 0..7 {
            user.create_bucketlist(&format!("50% & more {number}")).await;
            user.create_bucketlist(&format!("other {number}")).await;
        }
        let mut path = json!("/v1/bucketlists?per_page=3&q=50%25+%26+MORE");
        let (mut seen, mut pages) = (Vec::new(), 0);
        while let Some(next) = path.as_str() {
            let page = user.get(next).await.expect(200).json();
            assert_eq!((&page["meta"]["total"], &page["meta"]["pages"]), (&json!(7), &json!(3)));
            seen.extend(names(&page));
            pages += 1;
            path = page["links"]["next"].clone();
        }
        assert_eq!((seen.len(), pages), (7, 3));
        assert!(seen.iter().all(|name| name.starts_with("50% & more")), "{seen:?}");
    }

    async fn search_follows_replaced_text(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let id = user.create_bucketlist("Before").await;
        let body = json!({"name": "After", "description": "Afterwards"});
        user.put(&format!("/v1/bucketlists/{id}"), &body).await.expect(200);
        assert_eq!(search(&user, "before").await, [""; 0]);
        assert_eq!(search(&user, "AFTERW").await, ["After"]);
    }

    async fn name_is_trimmed_normalized_and_measured_in_characters(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let family = "👩‍👩‍👧"; // 5 characters, 18 bytes
        for (sent, stored) in [
            ("\u{a0} Zu\u{308}rich \u{3000}", "Zürich".to_owned()),
            (&"🌍".repeat(100), "🌍".repeat(100)),
            (&"İ".repeat(100), "İ".repeat(100)),
            (&family.repeat(20), family.repeat(20)),
            (&"u\u{308}".repeat(100), "ü".repeat(100)),
            ("'; DROP TABLE bucketlists; --", "'; DROP TABLE bucketlists; --".to_owned()),
            ("<script>alert(1)</script>", "<script>alert(1)</script>".to_owned()),
            ("\u{202e}right to left", "\u{202e}right to left".to_owned()),
            (" ❤\u{fe0f} ", "❤\u{fe0f}".to_owned()),
        ] {
            let created = user.post("/v1/bucketlists", &json!({"name": sent})).await.expect(201).json();
            assert_eq!(created["name"], json!(stored));
            let path = format!("/v1/bucketlists/{}", created["id"]);
            assert_eq!(user.get(&path).await.expect(200).json(), created);
        }
        for (sent, code) in [
            ("", "TOO_SHORT"),
            (" \u{a0}\u{3000}", "TOO_SHORT"),
            // No visible character.
            ("\u{200b}", "TOO_SHORT"),
            ("\u{2060}\u{feff}", "TOO_SHORT"),
            ("\u{3164}", "TOO_SHORT"),
            ("\u{ad}", "TOO_SHORT"),
            (" \u{200d} ", "TOO_SHORT"),
            ("\u{2800}\u{e0020}", "TOO_SHORT"),
            (&*"🌍".repeat(101), "TOO_LONG"),
            (&format!("{}a", family.repeat(20)), "TOO_LONG"),
            ("two\nlines", "INVALID_CHARACTERS"),
            ("tab\there", "INVALID_CHARACTERS"),
            ("\u{85}", "INVALID_CHARACTERS"),
            ("a\u{0}b", "INVALID_CHARACTERS"),
        ] {
            let response = user.post("/v1/bucketlists", &json!({"name": sent})).await;
            let details = response.expect_error(422, "VALIDATION_FAILED").details();
            assert!(details.contains(&("/name".to_owned(), code.to_owned())), "{sent:?}: {details:?}");
        }
    }

    async fn description_may_be_multiline_or_null(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for (number, (body, stored)) in [
            (json!({}), json!(null)),
            (json!({"description": null}), json!(null)),
            (json!({"description": " a\n\tb\r\n "}), json!("a\n\tb")),
            (json!({"description": "🌍".repeat(1000)}), json!("🌍".repeat(1000))),
        ]
        .into_iter()
        .enumerate()
        {
            let mut body = body;
            body["name"] = json!(format!("List {number}"));
            let created = user.post("/v1/bucketlists", &body).await.expect(201).json();
            assert_eq!(created["description"], stored);
        }
        for (description, code) in [
            (json!("🌍".repeat(1001)), "TOO_LONG"),
            (json!("a\u{b}"), "INVALID_CHARACTERS"),
            (json!("a\u{0}"), "INVALID_CHARACTERS"),
            (json!(7), "WRONG_TYPE"),
        ] {
            let response = user.post("/v1/bucketlists", &json!({"name": "x", "description": description})).await;
            let expected = [("/description".to_owned(), code.to_owned())];
            assert_eq!(response.expect_error(422, "VALIDATION_FAILED").details(), expected);
        }
    }

    async fn duplicate_name_of_one_owner_returns_409(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        let zurich = user.create_bucketlist("Zürich").await;
        let other_list = other.create_bucketlist("Zürich").await;
        for same in ["Zürich", " Zu\u{308}rich "] {
            let response = user.post("/v1/bucketlists", &json!({"name": same})).await;
            response.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        }
        let basel = user.create_bucketlist("Basel").await;
        let path = format!("/v1/bucketlists/{basel}");
        let body = json!({"name": "Zürich"});
        user.put(&path, &body).await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        assert_eq!(user.get(&path).await.expect(200).json()["name"], "Basel", "the name changed");

        let own = format!("/v1/bucketlists/{zurich}");
        user.put(&own, &json!({"name": "Zürich", "description": "again"})).await.expect(200);
        user.delete(&own).await.expect(204);
        user.put(&path, &body).await.expect(200);
        assert_eq!(other.get(&format!("/v1/bucketlists/{other_list}")).await.expect(200).json()["name"], "Zürich");
    }

    async fn deleting_a_bucketlist_deletes_only_its_items(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (deleted, retained) = (user.create_bucketlist("deleted").await, user.create_bucketlist("retained").await);
        let item = user.create_item(deleted, "deleted item").await;
        let other = user.create_item(retained, "retained item").await;
        user.delete(&format!("/v1/bucketlists/{deleted}")).await.expect(204);
        let path = format!("/v1/bucketlists/{deleted}/items");
        user.get(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        user.get(&format!("{path}/{item}")).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        user.get(&format!("/v1/bucketlists/{retained}/items/{item}")).await.expect_error(404, "ITEM_NOT_FOUND");
        user.get(&format!("/v1/bucketlists/{retained}/items/{other}")).await.expect(200);
        let id = user.create_bucketlist("deleted").await;
        assert!(id > retained, "IDs are not reused");
        assert_eq!(user.get(&format!("/v1/bucketlists/{id}")).await.expect(200).json()["items_total"], 0);
    }

    async fn bucketlist_is_created_with_few_statements(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        // The smallest of several counts, as in `count_statements`.
        let mut smallest = u64::MAX;
        for name in ["First", "Second", "Third", "Fourth"] {
            let sent = app.app.db.statements();
            user.create_bucketlist(name).await;
            smallest = smallest.min(app.app.db.statements() - sent);
        }
        let expected = match engine {
            // BEGIN, SAVEPOINT, the bucketlist, its search document, RELEASE, COMMIT.
            Engine::Sqlite => 6,
            // The token status, and one statement for everything that changes.
            Engine::Postgres => 2,
        };
        assert_eq!(smallest, expected);
        user.post("/v1/bucketlists", &json!({"name": "Second"})).await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        let found = user.get("/v2/search?q=second").await.expect(200).json();
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found}");
    }

    async fn reads_use_a_constant_number_of_queries(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.cache_bytes = 0).build();
        let user = app.user().await;
        let first = user.create_bucketlist("List 0").await;
        // With SQLite, the server caches the token status; with PostgreSQL, each request reads it.
        let token_status = u64::from(engine == Engine::Postgres);
        let one = format!("/v1/bucketlists/{first}");
        for lists in [1, 30] {
            for number in 1..lists {
                user.create_bucketlist(&format!("List {number}")).await;
            }
            assert_eq!(count_statements(&app, &user, &one).await, token_status + 1);
            for path in ["/v1/bucketlists", "/v1/bucketlists?per_page=100", "/v1/bucketlists?page=9"] {
                assert_eq!(count_statements(&app, &user, path).await, token_status + 1, "{path}");
            }
            // BEGIN, the rows, COMMIT; a full page also needs a count.
            let search = "/v1/bucketlists?q=LIST";
            let count_statement = u64::from(lists > 20);
            assert_eq!(count_statements(&app, &user, search).await, token_status + 3 + count_statement);
        }
    }
}
