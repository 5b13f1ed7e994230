//! Cursor pagination: the links visit each row once, and a cursor is valid only for its own query.

use std::{collections::BTreeSet, time::Duration};

use crate::support::{Actor, TestApp, TestResponse, Value, json};

const SORTS: [&str; 6] = ["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"];

/// Names with different cases and accents, and characters that UTF-16 sorts differently from code points.
const NAMES: [&str; 13] =
    ["b", "B", "a", "Ä", "ä", "zebra", "Zebra", "\u{e000}", "🏔 Alps", "漢", "10", "9", "a b & c + d"];

/// Returns the page after asserting that its body and its `Link` header have the same links.
fn page(response: &TestResponse) -> Value {
    let page = response.json();
    let link = |name: &str| page["links"][name].as_str().map(|link| format!("<{link}>; rel=\"{name}\""));
    let links: Vec<String> = ["self", "next"].into_iter().filter_map(link).collect();
    assert_eq!(response.header("link"), links.join(", "));
    assert_eq!(page["meta"]["has_more"], !page["links"]["next"].is_null(), "{page}");
    page
}

fn rows(page: &Value) -> Vec<Value> {
    page["data"].as_array().unwrap().clone()
}

fn id(row: &Value) -> i64 {
    row["id"].as_i64().unwrap()
}

/// Follows the links from `path` to the last page and returns all rows.
async fn read_all_pages(actor: &Actor<'_>, path: &str) -> Vec<Value> {
    let (mut visited, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let page = page(&actor.get(&path).await.expect(200));
        let page_rows = rows(&page);
        assert!(!page_rows.is_empty() || visited.is_empty(), "a linked page is empty");
        let per_page = page["meta"]["per_page"].as_u64().unwrap();
        assert!(
            page_rows.len() as u64 == per_page || page["links"]["next"].is_null(),
            "a page that is not the last has too few rows"
        );
        visited.extend(page_rows);
        assert!(visited.len() < 1000, "the links form a cycle");
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    visited
}

/// Returns the cursor of the next page.
async fn cursor(actor: &Actor<'_>, path: &str) -> String {
    let page = page(&actor.get(path).await.expect(200));
    let next = page["links"]["next"].as_str().unwrap().to_owned();
    next.rsplit_once("cursor=").unwrap().1.to_owned()
}

/// Reads all pages in every documented order and returns the number of rows.
async fn read_every_order(actor: &Actor<'_>, path: &str) -> usize {
    let mut all = rows(&page(&actor.get(&format!("{path}?per_page=100")).await.expect(200)));
    for sort in SORTS {
        let field = sort.trim_start_matches('-');
        let key = |row: &Value| (row[field].as_str().unwrap().to_owned(), id(row));
        all.sort_by_key(key);
        if sort.starts_with('-') {
            all.reverse();
        }
        for per_page in [1, 4, 100] {
            let visited = read_all_pages(actor, &format!("{path}?sort={sort}&per_page={per_page}")).await;
            assert_eq!(visited, all, "{sort}, {per_page} per page");
        }
    }
    let default_order = read_all_pages(actor, &format!("{path}?per_page=4")).await;
    assert_eq!(default_order, read_all_pages(actor, &format!("{path}?per_page=4&sort=created_at")).await);
    all.len()
}

/// Creates a bucketlist with an item for each of [`NAMES`], some with equal timestamps; returns the path of the items.
async fn items(app: &TestApp, user: &Actor<'_>, name: &str) -> String {
    let path = format!("/v2/bucketlists/{}/items", user.create_bucketlist(name).await);
    for names in NAMES.chunks(5).rev() {
        let item = |name: &&str| json!({"name": name, "done": name.is_ascii(), "due_on": "2027-06-01"});
        let batch: Vec<Value> = names.iter().map(item).collect();
        user.post(&format!("{path}/batch"), &json!({"items": batch})).await.expect(201);
        app.advance_clock(Duration::from_millis(1));
    }
    path
}

both_engines! {
    async fn links_visit_every_row_once(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.user().await, app.user().await);
        for (number, name) in NAMES.into_iter().enumerate() {
            user.create_bucketlist(name).await;
            other_user.create_bucketlist(name).await;
            app.advance_clock(Duration::from_micros(number as u64 % 2));
        }
        assert_eq!(read_every_order(&user, "/v2/bucketlists").await, NAMES.len());
        let path = items(&app, &user, "of items").await;
        items(&app, &user, "of other items").await;
        assert_eq!(read_every_order(&user, &path).await, NAMES.len());
        let admin = app.admin().await;
        for _ in 0..7 {
            app.user().await;
        }
        assert_eq!(read_every_order(&admin, "/v2/admin/users").await, 10);
    }

    async fn filters_apply_on_every_page(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let path = items(&app, &user, "of items").await;
        let all = read_all_pages(&user, &path).await;
        let first_timestamp = all[4]["created_at"].as_str().unwrap();
        let later = format!("created_after={first_timestamp}");
        let matches = |filter: &str, row: &Value| match filter {
            "done=true" => row["done"] == true,
            "done=false&due_after=2027-05-31&due_before=2027-06-02" => row["done"] == false,
            "due_before=2027-06-01" => false,
            "q=a%20b%20%26" => row["name"].as_str().unwrap().starts_with("a b"),
            "q=B" => row["name"].as_str().unwrap().to_lowercase().contains('b'),
            _ => row["created_at"].as_str().unwrap() > first_timestamp,
        };
        let filters =
            ["done=true", "done=false&due_after=2027-05-31&due_before=2027-06-02", "due_before=2027-06-01", "q=B", "q=a%20b%20%26", &later];
        for filter in filters {
            let expected: BTreeSet<i64> = all.iter().filter(|row| matches(filter, row)).map(id).collect();
            assert!(expected.len() < all.len(), "{filter} excludes no row");
            for sort in SORTS {
                let visited = read_all_pages(&user, &format!("{path}?{filter}&sort={sort}&per_page=2")).await;
                assert_eq!(visited.len(), expected.len(), "{filter}, {sort}");
                assert_eq!(visited.iter().map(id).collect::<BTreeSet<_>>(), expected, "{filter}, {sort}");
            }
            let counted = page(&user.get(&format!("{path}?{filter}&include=total&per_page=1")).await.expect(200));
            assert_eq!(counted["meta"]["total"], expected.len(), "{filter}");
        }
    }

    async fn total_is_included_on_request(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let path = items(&app, &admin, "of items").await;
        for (path, total) in [("/v2/bucketlists", 1), (path.as_str(), NAMES.len()), ("/v2/admin/users", 1)] {
            let plain = page(&admin.get(path).await.expect(200));
            assert!(plain["meta"]["total"].is_null(), "{path}");
            let counted = page(&admin.get(&format!("{path}?include=total&per_page=3")).await.expect(200));
            assert_eq!(counted["meta"]["total"], total, "{path}");
            if let Some(next) = counted["links"]["next"].as_str() {
                assert_eq!(page(&admin.get(next).await.expect(200))["meta"]["total"], total, "links repeat include=total");
            }
        }
    }

    async fn include_is_read_joined_repeated_and_empty(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        user.create_bucketlist("a").await;
        let joined = page(&user.get("/v2/bucketlists?include=items,total").await.expect(200));
        assert_eq!((&joined["meta"]["total"], joined["data"][0]["items"].is_array()), (&json!(1), true));
        for query in ["include=items&include=total", "include=items&include=&include=total"] {
            let repeated = page(&user.get(&format!("/v2/bucketlists?{query}")).await.expect(200));
            assert_eq!((&repeated["data"], &repeated["meta"]), (&joined["data"], &joined["meta"]), "{query}");
        }
        let plain = page(&user.get("/v2/bucketlists").await.expect(200));
        let empty = page(&user.get("/v2/bucketlists?include=").await.expect(200));
        assert_eq!((&empty["data"], &empty["meta"]), (&plain["data"], &plain["meta"]));
    }

    async fn per_page_must_be_between_1_and_100(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let path = items(&app, &user, "of items").await;
        let names: Vec<Value> = (0..120).map(|number| json!({"name": number.to_string()})).collect();
        user.post(&format!("{path}/batch"), &json!({"items": names})).await.expect(201);
        for (requested, returned) in [("1", 1), ("99", 99), ("100", 100), ("101", 100), ("1000", 100), ("2147483647", 100)] {
            let page = page(&user.get(&format!("{path}?per_page={requested}")).await.expect(200));
            assert_eq!((rows(&page).len(), &page["meta"]["per_page"]), (returned, &json!(returned)), "{requested}");
        }
        assert_eq!(rows(&page(&user.get(&path).await.expect(200))).len(), 20);
        for invalid in ["0", "-1", "2147483648", "many", "1.5"] {
            user.get(&format!("{path}?per_page={invalid}")).await.expect_error(422, "VALIDATION_FAILED");
        }
        user.get(&format!("{path}?sort=id")).await.expect_error(422, "VALIDATION_FAILED");
    }

    async fn cursor_is_valid_only_for_its_query(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other_user) = (app.admin().await, app.user().await);
        let path = items(&app, &user, "of items").await;
        let other = items(&app, &user, "of other items").await;
        let foreign = items(&app, &other_user, "of items").await;
        for sort in ["created_at", "-name"] {
            let query = format!("sort={sort}&done=true");
            let valid = cursor(&user, &format!("{path}?{query}&per_page=2")).await;
            let paths = [
                format!("{path}?sort=updated_at&done=true&cursor={valid}"),
                format!("{path}?sort=name&done=true&cursor={valid}"),
                format!("{path}?sort={sort}&done=false&cursor={valid}"),
                format!("{path}?sort={sort}&cursor={valid}"),
                format!("{path}?{query}&q=a&cursor={valid}"),
                format!("{path}?{query}&due_after=2027-01-01&cursor={valid}"),
                format!("{path}?{query}&created_after=2027-01-01T00:00:00Z&cursor={valid}"),
                format!("{other}?{query}&cursor={valid}"),
                format!("/v2/bucketlists?sort={sort}&cursor={valid}"),
                format!("/v2/admin/users?sort={sort}&cursor={valid}"),
                format!("/v2/auth/sessions?cursor={valid}"),
                format!("/v2/search?q=a&cursor={valid}"),
            ];
            for path in paths {
                user.get(&path).await.expect_error(400, "INVALID_CURSOR");
            }
            let foreign_path = format!("{foreign}?{query}&cursor={valid}");
            other_user.get(&foreign_path).await.expect_error(400, "INVALID_CURSOR");
            // The page size may change between pages.
            for per_page in [1, 5, 100] {
                user.get(&format!("{path}?{query}&per_page={per_page}&cursor={valid}")).await.expect(200);
            }
            for index in [0, 1, valid.len() / 2, valid.len() - 2] {
                let mut bytes = valid.clone().into_bytes();
                bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
                let tampered = String::from_utf8(bytes).unwrap();
                user.get(&format!("{path}?{query}&cursor={tampered}")).await.expect_error(400, "INVALID_CURSOR");
            }
            for invalid in [&valid[1..], &valid[..valid.len() - 1], "x", "0", "AAAA", "%F0%9F%92%A5", "null"] {
                user.get(&format!("{path}?{query}&cursor={invalid}")).await.expect_error(400, "INVALID_CURSOR");
            }
        }
        let lists = cursor(&user, "/v2/bucketlists?per_page=1").await;
        other_user.get(&format!("/v2/bucketlists?cursor={lists}")).await.expect_error(400, "INVALID_CURSOR");
    }

    async fn empty_cursor_returns_the_first_page(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let path = items(&app, &admin, "of items").await;
        for path in [path.as_str(), "/v2/bucketlists", "/v2/admin/users"] {
            let with_empty_cursor = page(&admin.get(&format!("{path}?per_page=2&cursor=")).await.expect(200));
            let first = page(&admin.get(&format!("{path}?per_page=2")).await.expect(200));
            assert_eq!((&with_empty_cursor["data"], &with_empty_cursor["meta"]), (&first["data"], &first["meta"]), "{path}");
        }
    }

    async fn pagination_is_stable_under_concurrent_changes(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for sort in SORTS {
            let path = format!("/v2/bucketlists/{}/items", user.create_bucketlist(sort).await);
            let names: Vec<Value> =
                (0..60).map(|number| json!({"name": format!("{} {}", NAMES[number % 13], number % 7)})).collect();
            let created = user.post(&format!("{path}/batch"), &json!({"items": names})).await.expect(201).json();
            let ids: Vec<i64> = rows(&created).iter().map(id).collect();
            let remaining: BTreeSet<i64> = ids.iter().copied().filter(|id| id % 2 == 0).collect();
            let changes = async {
                for (number, id) in ids.iter().filter(|id| !remaining.contains(id)).enumerate() {
                    user.delete(&format!("{path}/{id}")).await.expect(204);
                    let name = NAMES[number % NAMES.len()];
                    user.post(&path, &json!({"name": name})).await.expect(201);
                    app.advance_clock(Duration::from_micros(number as u64 % 3));
                }
            };
            let start = format!("{path}?sort={sort}&per_page=2");
            let (visited, ()) = tokio::join!(read_all_pages(&user, &start), changes);
            let mut visited: Vec<i64> = visited.iter().map(id).collect();
            let total = visited.len();
            visited.sort_unstable();
            visited.dedup();
            assert_eq!(visited.len(), total, "{sort}: a row was visited twice");
            visited.retain(|id| remaining.contains(id));
            assert!(visited.iter().eq(&remaining), "{sort}: a row was not visited");
        }
    }

    async fn nested_items_belong_to_their_bucketlist_in_every_order(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for name in NAMES {
            let list = user.create_bucketlist(name).await;
            for number in 0..2 {
                user.create_item(list, &format!("{name} {number}")).await;
            }
        }
        user.create_bucketlist("empty").await;
        for sort in SORTS {
            let path = format!("/v2/bucketlists?include=items&sort={sort}");
            let mut statement_counts = BTreeSet::new();
            for per_page in [1, 5, 100] {
                let sent = app.app.db.statements();
                user.get(&format!("{path}&per_page={per_page}")).await.expect(200);
                statement_counts.insert(app.app.db.statements() - sent);
                for list in read_all_pages(&user, &format!("{path}&per_page={per_page}")).await {
                    let name = list["name"].as_str().unwrap();
                    let expected =
                        if name == "empty" { Vec::new() } else { [0, 1].map(|number| format!("{name} {number}")).to_vec() };
                    let names: Vec<&str> =
                        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
                    assert_eq!(names, expected, "{sort}");
                }
            }
            assert_eq!(statement_counts.len(), 1, "the number of statements depends on the page size: {statement_counts:?}");
        }
    }
}
