//! Pages by cursor: following the links gives each row once, and a cursor is good for its own list only.

use std::{collections::BTreeSet, time::Duration};

use crate::support::{Actor, TestApp, TestResponse, Value, json};

const SORTS: [&str; 6] = ["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"];

/// Cases, accents, and what UTF-16 would sort otherwise than code points.
const NAMES: [&str; 13] =
    ["b", "B", "a", "Ä", "ä", "zebra", "Zebra", "\u{e000}", "🏔 Alps", "漢", "10", "9", "a b & c + d"];

/// A page, its links being the same in its body and its header.
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

/// Follows the links from `path` to the end.
async fn walk(actor: &Actor<'_>, path: &str) -> Vec<Value> {
    let (mut met, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let page = page(&actor.get(&path).await.expect(200));
        let found = rows(&page);
        assert!(!found.is_empty() || met.is_empty(), "a page that was promised is empty");
        let per_page = page["meta"]["per_page"].as_u64().unwrap();
        assert!(found.len() as u64 == per_page || page["links"]["next"].is_null(), "a page is short, and not the last");
        met.extend(found);
        assert!(met.len() < 1000, "it goes round and round");
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    met
}

/// The cursor of the page after this one.
async fn cursor(actor: &Actor<'_>, path: &str) -> String {
    let page = page(&actor.get(path).await.expect(200));
    let next = page["links"]["next"].as_str().unwrap().to_owned();
    next.rsplit_once("cursor=").unwrap().1.to_owned()
}

/// Walks in every order that is documented; returns how many rows there are.
async fn walk_everywhere(actor: &Actor<'_>, path: &str) -> usize {
    let mut all = rows(&page(&actor.get(&format!("{path}?per_page=100")).await.expect(200)));
    for sort in SORTS {
        let field = sort.trim_start_matches('-');
        let key = |row: &Value| (row[field].as_str().unwrap().to_owned(), id(row));
        all.sort_by_key(key);
        if sort.starts_with('-') {
            all.reverse();
        }
        for per_page in [1, 4, 100] {
            let met = walk(actor, &format!("{path}?sort={sort}&per_page={per_page}")).await;
            assert_eq!(met, all, "{sort}, {per_page} to a page");
        }
    }
    let unless_said = walk(actor, &format!("{path}?per_page=4")).await;
    assert_eq!(unless_said, walk(actor, &format!("{path}?per_page=4&sort=created_at")).await);
    all.len()
}

/// A list with items of [`NAMES`], some of one instant; returns the path of the items.
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
        let (user, neighbour) = (app.user().await, app.user().await);
        for (number, name) in NAMES.into_iter().enumerate() {
            user.create_bucketlist(name).await;
            neighbour.create_bucketlist(name).await;
            app.advance_clock(Duration::from_micros(number as u64 % 2));
        }
        assert_eq!(walk_everywhere(&user, "/v2/bucketlists").await, NAMES.len());
        let path = items(&app, &user, "of items").await;
        items(&app, &user, "of other items").await;
        assert_eq!(walk_everywhere(&user, &path).await, NAMES.len());
        let admin = app.admin().await;
        for _ in 0..7 {
            app.user().await;
        }
        assert_eq!(walk_everywhere(&admin, "/v2/admin/users").await, 10);
    }

    async fn filters_apply_on_every_page(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let path = items(&app, &user, "of items").await;
        let all = walk(&user, &path).await;
        let begun = all[4]["created_at"].as_str().unwrap();
        let later = format!("created_after={begun}");
        let fits = |filter: &str, row: &Value| match filter {
            "done=true" => row["done"] == true,
            "done=false&due_after=2027-05-31&due_before=2027-06-02" => row["done"] == false,
            "due_before=2027-06-01" => false,
            "q=a%20b%20%26" => row["name"].as_str().unwrap().starts_with("a b"),
            "q=B" => row["name"].as_str().unwrap().to_lowercase().contains('b'),
            _ => row["created_at"].as_str().unwrap() > begun,
        };
        let filters =
            ["done=true", "done=false&due_after=2027-05-31&due_before=2027-06-02", "due_before=2027-06-01", "q=B", "q=a%20b%20%26", &later];
        for filter in filters {
            let expected: BTreeSet<i64> = all.iter().filter(|row| fits(filter, row)).map(id).collect();
            assert!(expected.len() < all.len(), "{filter} decides nothing");
            for sort in SORTS {
                let met = walk(&user, &format!("{path}?{filter}&sort={sort}&per_page=2")).await;
                assert_eq!(met.len(), expected.len(), "{filter}, {sort}");
                assert_eq!(met.iter().map(id).collect::<BTreeSet<_>>(), expected, "{filter}, {sort}");
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
                assert_eq!(page(&admin.get(next).await.expect(200))["meta"]["total"], total, "the links ask for it, too");
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
        for (asked, given) in [("1", 1), ("99", 99), ("100", 100), ("101", 100), ("1000", 100), ("2147483647", 100)] {
            let page = page(&user.get(&format!("{path}?per_page={asked}")).await.expect(200));
            assert_eq!((rows(&page).len(), &page["meta"]["per_page"]), (given, &json!(given)), "{asked}");
        }
        assert_eq!(rows(&page(&user.get(&path).await.expect(200))).len(), 20);
        for refused in ["0", "-1", "2147483648", "many", "1.5"] {
            user.get(&format!("{path}?per_page={refused}")).await.expect_error(422, "VALIDATION_FAILED");
        }
        user.get(&format!("{path}?sort=id")).await.expect_error(422, "VALIDATION_FAILED");
    }

    async fn cursor_is_valid_only_for_its_query(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, neighbour) = (app.admin().await, app.user().await);
        let path = items(&app, &user, "of items").await;
        let other = items(&app, &user, "of other items").await;
        let theirs = items(&app, &neighbour, "of items").await;
        for sort in ["created_at", "-name"] {
            let asked = format!("sort={sort}&done=true");
            let good = cursor(&user, &format!("{path}?{asked}&per_page=2")).await;
            let refused = [
                format!("{path}?sort=updated_at&done=true&cursor={good}"),
                format!("{path}?sort=name&done=true&cursor={good}"),
                format!("{path}?sort={sort}&done=false&cursor={good}"),
                format!("{path}?sort={sort}&cursor={good}"),
                format!("{path}?{asked}&q=a&cursor={good}"),
                format!("{path}?{asked}&due_after=2027-01-01&cursor={good}"),
                format!("{path}?{asked}&created_after=2027-01-01T00:00:00Z&cursor={good}"),
                format!("{other}?{asked}&cursor={good}"),
                format!("/v2/bucketlists?sort={sort}&cursor={good}"),
                format!("/v2/admin/users?sort={sort}&cursor={good}"),
                format!("/v2/auth/sessions?cursor={good}"),
                format!("/v2/search?q=a&cursor={good}"),
            ];
            for path in refused {
                user.get(&path).await.expect_error(400, "INVALID_CURSOR");
            }
            let mine = format!("{theirs}?{asked}&cursor={good}");
            neighbour.get(&mine).await.expect_error(400, "INVALID_CURSOR");
            // How many rows a page has is no part of it.
            for per_page in [1, 5, 100] {
                user.get(&format!("{path}?{asked}&per_page={per_page}&cursor={good}")).await.expect(200);
            }
            for place in [0, 1, good.len() / 2, good.len() - 2] {
                let mut bytes = good.clone().into_bytes();
                bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
                let tampered = String::from_utf8(bytes).unwrap();
                user.get(&format!("{path}?{asked}&cursor={tampered}")).await.expect_error(400, "INVALID_CURSOR");
            }
            for bad in [&good[1..], &good[..good.len() - 1], "x", "0", "AAAA", "%F0%9F%92%A5", "null"] {
                user.get(&format!("{path}?{asked}&cursor={bad}")).await.expect_error(400, "INVALID_CURSOR");
            }
        }
        let lists = cursor(&user, "/v2/bucketlists?per_page=1").await;
        neighbour.get(&format!("/v2/bucketlists?cursor={lists}")).await.expect_error(400, "INVALID_CURSOR");
    }

    async fn empty_cursor_returns_the_first_page(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let path = items(&app, &admin, "of items").await;
        for path in [path.as_str(), "/v2/bucketlists", "/v2/admin/users"] {
            let begun = page(&admin.get(&format!("{path}?per_page=2&cursor=")).await.expect(200));
            let first = page(&admin.get(&format!("{path}?per_page=2")).await.expect(200));
            assert_eq!((&begun["data"], &begun["meta"]), (&first["data"], &first["meta"]), "{path}");
        }
    }

    async fn pagination_is_stable_under_concurrent_changes(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for sort in SORTS {
            let path = format!("/v2/bucketlists/{}/items", user.create_bucketlist(sort).await);
            let names: Vec<Value> =
                (0..60).map(|number| json!({"name": format!("{} {}", NAMES[number % 13], number % 7)})).collect();
            let made = user.post(&format!("{path}/batch"), &json!({"items": names})).await.expect(201).json();
            let ids: Vec<i64> = rows(&made).iter().map(id).collect();
            let stay: BTreeSet<i64> = ids.iter().copied().filter(|id| id % 2 == 0).collect();
            let churn = async {
                for (number, id) in ids.iter().filter(|id| !stay.contains(id)).enumerate() {
                    user.delete(&format!("{path}/{id}")).await.expect(204);
                    let name = NAMES[number % NAMES.len()];
                    user.post(&path, &json!({"name": name})).await.expect(201);
                    app.advance_clock(Duration::from_micros(number as u64 % 3));
                }
            };
            let start = format!("{path}?sort={sort}&per_page=2");
            let (met, ()) = tokio::join!(walk(&user, &start), churn);
            let mut met: Vec<i64> = met.iter().map(id).collect();
            let total = met.len();
            met.sort_unstable();
            met.dedup();
            assert_eq!(met.len(), total, "{sort}: a row was met twice");
            met.retain(|id| stay.contains(id));
            assert!(met.iter().eq(&stay), "{sort}: a row was not met");
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
            let mut needed = BTreeSet::new();
            for per_page in [1, 5, 100] {
                let sent = app.app.db.statements();
                user.get(&format!("{path}&per_page={per_page}")).await.expect(200);
                needed.insert(app.app.db.statements() - sent);
                for list in walk(&user, &format!("{path}&per_page={per_page}")).await {
                    let name = list["name"].as_str().unwrap();
                    let expected =
                        if name == "empty" { Vec::new() } else { [0, 1].map(|number| format!("{name} {number}")).to_vec() };
                    let names: Vec<&str> =
                        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
                    assert_eq!(names, expected, "{sort}");
                }
            }
            assert_eq!(needed.len(), 1, "however many lists: {needed:?}");
        }
    }
}
