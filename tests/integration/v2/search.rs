//! Search in v2: matches, snippets, pagination, and query syntax that is not interpreted.

use std::collections::HashSet;

use crate::support::{Actor, TestApp, Value, json};

/// Returns the path of a search with every byte of `q` percent-encoded.
fn path(q: &str) -> String {
    q.bytes().fold(String::from("/v2/search?q="), |path, byte| path + &format!("%{byte:02X}"))
}

async fn search(user: &Actor<'_>, q: &str) -> Vec<Value> {
    let page = user.get(&path(q)).await.expect(200).json();
    assert_eq!(page["meta"]["has_more"], false, "{q}");
    page["data"].as_array().unwrap().clone()
}

/// Returns the names of the hits, best match first.
async fn names(user: &Actor<'_>, q: &str) -> Vec<String> {
    search(user, q).await.iter().map(|hit| hit["name"].as_str().unwrap().to_owned()).collect()
}

async fn create_bucketlist(user: &Actor<'_>, name: &str, items: &[&str]) -> i64 {
    let list = user.post("/v2/bucketlists", &json!({"name": name})).await.expect(201).json()["id"].as_i64().unwrap();
    if !items.is_empty() {
        let items: Vec<Value> = items.iter().map(|name| json!({"name": name})).collect();
        let path = format!("/v2/bucketlists/{list}/items/batch");
        user.post(&path, &json!({"items": items})).await.expect(201);
    }
    list
}

both_engines! {
    async fn search_returns_bucketlists_and_items(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = create_bucketlist(&user, "Zürich in spring", &[]).await;
        let items = format!("/v2/bucketlists/{list}/items");
        let body = json!({"name": "Swim", "description": "In the lake of Zurich", "done": true});
        let item = user.post(&items, &body).await.expect(201).json();
        let page = user.get("/v2/search?q=zurich").await.expect(200).json();
        let time = "2027-01-15T08:00:00.000000Z";
        let list = user.get(&format!("/v2/bucketlists/{list}")).await.expect(200).json();
        assert_eq!(
            page["data"],
            json!([
                {
                    "type": "bucketlist", "id": list["id"], "bucketlist_id": list["id"], "name": "Zürich in spring",
                    "snippet": "<mark>Zürich</mark> in spring", "done": null, "created_at": time, "updated_at": time,
                    "_links": list["_links"],
                },
                {
                    "type": "item", "id": item["id"], "bucketlist_id": list["id"], "name": "Swim",
                    "snippet": "In the lake of <mark>Zurich</mark>", "done": true, "created_at": time,
                    "updated_at": time, "_links": item["_links"],
                },
            ])
        );
        assert_eq!(page["meta"], json!({"per_page": 20, "has_more": false, "total": null}));
        assert_eq!(page["links"], json!({"self": "/v2/search?per_page=20&q=zurich", "next": null}));
    }

    async fn search_matches_word_prefixes_in_every_script(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        create_bucketlist(&user, "Lists", &["Zürich", "Hike around Zermatt", "東京タワーに登る", "Surf 🏄🏽 well", "Увидеть Байкал"]).await;
        for (q, expected) in [
            ("zurich", &["Zürich"][..]),
            ("ZÜRICH", &["Zürich"]),
            ("Zu\u{308}r", &["Zürich"]),
            ("zur", &["Zürich"]),
            ("zermatt hike", &["Hike around Zermatt"]),
            ("Z H", &["Hike around Zermatt"]),
            ("京タワー", &["東京タワーに登る"]),
            ("🏄", &["Surf 🏄🏽 well"]),
            ("байк", &["Увидеть Байкал"]),
            ("ermatt", &[]),
            ("zurich zermatt", &[]),
            ("🌋", &[]),
        ] {
            assert_eq!(names(&user, q).await, expected, "{q}");
        }
    }

    async fn snippet_is_escaped_html(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        create_bucketlist(&user, "<script>alert('x')</script> & \"quotes\"", &["<mark>fake</mark> alert"]).await;
        let snippets: Vec<Value> = search(&user, "alert").await.iter().map(|hit| hit["snippet"].clone()).collect();
        let list = "&lt;script&gt;<mark>alert</mark>(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quotes&quot;";
        let item = "&lt;mark&gt;fake&lt;/mark&gt; <mark>alert</mark>";
        assert_eq!(snippets.len(), 2);
        assert!(snippets.contains(&json!(list)) && snippets.contains(&json!(item)), "{snippets:?}");
        // The name is returned as stored; it is not HTML.
        assert!(names(&user, "script").await.contains(&"<script>alert('x')</script> & \"quotes\"".to_owned()));
        let long = format!("{} needle {}", "hay ".repeat(400), "straw ".repeat(300));
        user.post("/v2/bucketlists", &json!({"name": "Stack", "description": "x".repeat(900)})).await.expect(201);
        let list = create_bucketlist(&user, "Barn", &[]).await;
        let body = json!({"name": "Look", "description": long});
        user.post(&format!("/v2/bucketlists/{list}/items"), &body).await.expect(201);
        let snippet = search(&user, "needle").await[0]["snippet"].as_str().unwrap().to_owned();
        assert!(snippet.contains("<mark>needle</mark>") && snippet.chars().count() < 250, "{snippet}");
        assert!(snippet.starts_with('…') && snippet.ends_with('…'), "{snippet}");
    }

    async fn snippet_length_is_bounded(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = create_bucketlist(&user, "Barn", &[]).await;
        let items = format!("/v2/bucketlists/{list}/items");
        // One visible character can consist of thousands of code points, and escapes are longer than the escaped character.
        let with_marks = |letter: char, marks: usize| format!("{letter}{}", "\u{30d}".repeat(marks));
        let quotes: String = (0..148).map(|_| format!("{} ", with_marks('"', 25))).collect();
        for description in [with_marks('x', 3999), format!("x {quotes}"), "x\"".repeat(2000), "x ".repeat(2000), format!("{} x", with_marks('a', 3900)), format!("x {}", "👩\u{200d}".repeat(1900))] {
            assert!(description.chars().count() <= 4000);
            user.post(&items, &json!({"name": "Needle", "description": description})).await.expect(201);
        }
        let hits = search(&user, "x").await;
        assert_eq!(hits.len(), 6);
        for hit in hits {
            assert!(hit["snippet"].as_str().unwrap().contains("<mark>x"), "{hit}");
        }
        assert_eq!(search(&user, "👩").await.len(), 1);
    }

    async fn deleted_renamed_and_foreign_documents_are_not_found(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        create_bucketlist(&other, "Rome", &["Rome too"]).await;
        assert_eq!(names(&user, "rome").await, [""; 0]);
        let list = create_bucketlist(&user, "Rome", &["Romeo", "Romance"]).await;
        let path = format!("/v2/bucketlists/{list}");
        assert_eq!(names(&user, "rom").await.len(), 3, "items created singly and in a batch are found");
        assert_eq!(names(&other, "rom").await, ["Rome", "Rome too"]);

        user.put(&path, &json!({"name": "Paris"})).await.expect(200);
        assert_eq!((names(&user, "rome").await, names(&user, "paris").await), (vec!["Romeo".into()], vec!["Paris".into()]));
        let items = user.get(&format!("{path}/items?sort=name")).await.expect(200).json();
        let [first, second] = [0, 1].map(|at| items["data"][at]["_links"]["self"]["href"].as_str().unwrap().to_owned());
        let patch = user.request(poem::http::Method::PATCH, &first).merge_patch(&json!({"name": "Prose"}));
        patch.send().await.expect(200);
        assert_eq!((names(&user, "romance").await.len(), names(&user, "prose").await.len()), (0, 1));
        user.delete(&second).await.expect(204);
        assert_eq!(names(&user, "romeo").await, [""; 0]);
        user.delete(&path).await.expect(204);
        for deleted in ["paris", "prose", "p", "r"] {
            assert_eq!(names(&user, deleted).await, [""; 0], "the items were deleted with the bucketlist");
        }
        let body = json!({"password": Actor::PASSWORD});
        other.request(poem::http::Method::DELETE, "/v2/users/me").json(&body).send().await.expect(204);
        // A new user finds no data of the deleted account.
        let next = app.user().await;
        assert_eq!(names(&next, "rome").await, [""; 0]);
    }

    async fn pages_contain_each_match_once(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let items: Vec<String> = (0..52).map(|number| format!("Peak {number}")).collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        create_bucketlist(&user, "Peaks", &items).await;
        create_bucketlist(&user, "Valleys", &["Valley"]).await;
        let mut seen = HashSet::new();
        let (mut next, mut pages) = (json!("/v2/search?q=peak&per_page=10"), 0);
        while let Some(path) = next.as_str() {
            let page = user.get(path).await.expect(200).json();
            assert_eq!(user.get(page["links"]["self"].as_str().unwrap()).await.expect(200).json(), page);
            for hit in page["data"].as_array().unwrap() {
                assert!(seen.insert((hit["type"].to_string(), hit["id"].as_i64())), "duplicate hit: {hit}");
            }
            next = page["links"]["next"].clone();
            assert_eq!(page["meta"]["has_more"], next.is_string());
            assert_eq!(page["meta"]["per_page"], 10);
            pages += 1;
        }
        assert_eq!((seen.len(), pages), (53, 6));
        let first = user.get("/v2/search?q=peak&per_page=10").await.expect(200).json();
        let cursor = first["links"]["next"].as_str().unwrap().split_once("&cursor=").unwrap().1.to_owned();
        // Only the page size may change between pages.
        assert_eq!(search_page(&user, &format!("q=peak&per_page=100&cursor={cursor}")).await, 43);
        assert_eq!(search_page(&user, "q=peak&cursor=").await, 20);
        let other = app.user().await;
        let tampered = format!("q=peak&cursor={}A{}", &cursor[..3], &cursor[4..]);
        for (actor, query) in [
            (&user, &*format!("q=valley&cursor={cursor}")),
            (&user, &*format!("q=PEAK+&cursor={cursor}x")),
            (&other, &*format!("q=peak&cursor={cursor}")),
            (&user, "q=peak&cursor=10"),
            (&user, &tampered),
        ] {
            actor.get(&format!("/v2/search?{query}")).await.expect_error(400, "INVALID_CURSOR");
        }
        let list = format!("/v2/bucketlists?cursor={cursor}");
        user.get(&list).await.expect_error(400, "INVALID_CURSOR");
        let rows = user.get("/v2/bucketlists?per_page=1").await.expect(200).json();
        let foreign = rows["links"]["next"].as_str().unwrap().split_once("cursor=").unwrap().1.to_owned();
        user.get(&format!("/v2/search?q=peak&cursor={foreign}")).await.expect_error(400, "INVALID_CURSOR");
    }

    async fn results_are_capped_at_1000(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = create_bucketlist(&user, "Peaks", &[]).await;
        for part in [600, 500] {
            let items = json!({"items": vec![json!({"name": "Peak"}); part]});
            user.post(&format!("/v2/bucketlists/{list}/items/batch"), &items).await.expect(201);
        }
        let mut seen = HashSet::new();
        let mut next = json!("/v2/search?q=peak&per_page=90");
        while let Some(path) = next.as_str() {
            let page = user.get(path).await.expect(200).json();
            let hits = page["data"].as_array().unwrap();
            assert!(!hits.is_empty(), "a linked page is empty");
            for hit in hits {
                assert!(seen.insert((hit["type"].to_string(), hit["id"].as_i64())), "duplicate hit: {hit}");
            }
            next = page["links"]["next"].clone();
        }
        assert_eq!(seen.len(), 1000);
    }

    async fn query_syntax_is_not_interpreted(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        create_bucketlist(&user, "apple OR banana", &["apple", "banana", "near cherry", "col x"]).await;
        create_bucketlist(&other, "apple banana near col x or select", &["apple"]).await;
        let all = ["apple", "apple OR banana"];
        for (q, expected) in [
            ("\"", &[][..]),
            ("\"apple", &all),
            ("*", &[]),
            ("apple*", &all),
            ("appl*e", &[]),
            ("NEAR(", &["near cherry"]),
            ("NEAR(apple banana)", &[]),
            ("'; --", &[]),
            ("'; DROP TABLE items; --", &[]),
            ("apple OR cherry", &[]),
            ("apple AND banana", &[]),
            ("banana or apple", &["apple OR banana"]),
            ("apple NOT banana", &[]),
            ("col:x", &["col x"]),
            ("name:apple", &[]),
            ("^apple", &all),
            ("-apple", &all),
            ("!apple", &all),
            ("apple & !banana", &["apple OR banana"]),
            ("apple:*", &all),
            ("apple <-> banana", &["apple OR banana"]),
            ("apple | cherry", &[]),
            ("(", &[]),
            (")", &[]),
            ("((apple", &all),
            ("{apple}", &all),
            ("apple\\", &all),
            ("%", &[]),
            ("_", &[]),
            ("$1", &[]),
            ("?", &[]),
            ("💥", &[]),
            ("\u{202e}apple", &all),
            ("\u{feff}", &[]),
            ("", &[]),
            ("   ", &[]),
            ("\u{3000}", &[]),
        ] {
            let mut found = names(&user, q).await;
            found.sort();
            assert_eq!(found, expected, "{q:?}");
        }
        assert_eq!(names(&user, "cherry").await, ["near cherry"], "no document was changed");
        for (q, expected) in [("x".repeat(200), 0), ("é".repeat(200), 0), ("a ".repeat(100), 2), ("🌍".repeat(200), 0)] {
            assert_eq!(names(&user, &q).await.len(), expected, "{q}");
        }
        for q in ["x".repeat(201), "🌍".repeat(201)] {
            let response = user.get(&path(&q)).await.expect_error(422, "VALIDATION_FAILED");
            assert_eq!(response.details(), [("q".to_owned(), "TOO_LONG".to_owned())]);
        }
        let long = format!("/v2/search?q={}", "x".repeat(10_000));
        user.get(&long).await.expect_error(414, "URI_TOO_LONG");
        let shorter = format!("/v2/search?q={}", "x".repeat(8_000));
        user.get(&shorter).await.expect_error(422, "VALIDATION_FAILED");
        for (query, parameter, code) in [
            ("", "q", "REQUIRED"),
            ("q=a&q=b", "q", "REPEATED"),
            ("q=%00", "q", "INVALID_CHARACTERS"),
            ("q=%ff", "q", "INVALID_CHARACTERS"),
            ("q=a%0Ab", "q", "INVALID_CHARACTERS"),
            ("q=a&per_page=0", "per_page", "TOO_SMALL"),
        ] {
            let response = user.get(&format!("/v2/search?{query}")).await.expect_error(422, "VALIDATION_FAILED");
            assert_eq!(response.details(), [(parameter.to_owned(), code.to_owned())], "{query}");
        }
        let request = user.request(poem::http::Method::GET, "/v2/search?q=a").header("accept", "text/csv");
        request.send().await.expect_error(406, "NOT_ACCEPTABLE");
    }
}

/// Returns the number of rows in a page.
async fn search_page(user: &Actor<'_>, query: &str) -> usize {
    user.get(&format!("/v2/search?{query}")).await.expect(200).json()["data"].as_array().unwrap().len()
}
