//! Content negotiation of lists: a page of JSON, or all rows as CSV or NDJSON.

use std::collections::BTreeMap;

use ::contract::v2;
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, endpoint,
    http::{Method, header::CONTENT_ENCODING},
    middleware::Compression,
};

use crate::support::{Actor, TestApp, TestResponse, Value, json};

const JSON: &str = "application/json";
const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

async fn get(actor: &Actor<'_>, path: &str, accept: &str) -> TestResponse {
    actor.request(Method::GET, path).header("accept", accept).send().await.expect(200)
}

/// Returns the rows of all pages, starting with `path`.
async fn all_pages(actor: &Actor<'_>, path: &str) -> Vec<Value> {
    let (mut next, mut rows) = (json!(path), Vec::new());
    while let Some(path) = next.as_str() {
        let page = actor.get(path).await.expect(200).json();
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        next = page["links"]["next"].clone();
    }
    rows
}

/// Returns the header row and the records.
fn csv(response: &TestResponse) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(&*response.body);
    let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = texts(reader.headers().unwrap());
    (header, reader.records().map(|record| texts(&record.unwrap())).collect())
}

fn ndjson(response: &TestResponse) -> Vec<Value> {
    let text = std::str::from_utf8(&response.body).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the CSV records of rows with these columns, if no cell is a formula.
fn records(columns: &[String], rows: &[Value]) -> Vec<Vec<String>> {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    rows.iter().map(|row| columns.iter().map(|column| cell(&row[column])).collect()).collect()
}

/// Returns the columns of the CSV example in the document.
fn documented_columns(path: &str) -> Vec<String> {
    let document = v2::document().value();
    let content = &document["paths"][path]["get"]["responses"]["200"]["content"];
    let example = content[CSV]["example"].as_str().or_else(|| content[CSV]["schema"]["example"].as_str()).unwrap();
    example.lines().next().unwrap().split(',').map(str::to_owned).collect()
}

/// Asserts that a list has the same rows in each format and returns them.
async fn assert_same_rows(actor: &Actor<'_>, path: &str, query: &str) -> Vec<Value> {
    let join = |more: &str| {
        let parameters: Vec<&str> = [query, more].into_iter().filter(|part| !part.is_empty()).collect();
        format!("{path}?{}", parameters.join("&"))
    };
    let rows = all_pages(actor, &join("per_page=100")).await;
    let (columns, found) = csv(&get(actor, &join(""), CSV).await);
    assert_eq!(found, records(&columns, &rows), "{path}?{query}");
    assert_eq!(ndjson(&get(actor, &join(""), NDJSON).await), rows, "{path}?{query}");
    rows
}

/// Creates items in batches of a thousand.
async fn create_items(actor: &Actor<'_>, list: i64, items: &[Value]) {
    for items in items.chunks(1000) {
        actor.post(&format!("/v2/bucketlists/{list}/items/batch"), &json!({"items": items})).await.expect(201);
    }
}

/// Decompresses a response: poem decompresses request bodies, so it is sent as one.
async fn decompressed(response: TestResponse) -> Vec<u8> {
    let echo = endpoint::make(|request: Request| async move { Response::builder().body(request.into_body()) });
    let request = Request::builder().header(CONTENT_ENCODING, response.header("content-encoding")).body(response.body);
    let response = echo.with(Compression::new()).call(request).await.unwrap().into_response();
    response.into_body().into_vec().await.unwrap()
}

both_engines! {
    async fn csv_starts_with_a_byte_order_mark_on_request(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let items = format!("/v2/bucketlists/{}/items", admin.create_bucketlist("Zürich").await);
        let created = admin.post("/v2/exports", &json!({"format": "csv"})).await.expect(202);
        app.run_jobs().await;
        let export = format!("{}/content", created.header("location"));
        for path in ["/v2/bucketlists", &items, "/v2/admin/users", "/v2/admin/audit", &export] {
            let plain = get(&admin, path, "text/csv; bom=false").await;
            let marked = get(&admin, path, "application/json;q=0.5, text/csv; bom=true").await;
            assert_eq!(marked.header("content-type"), plain.header("content-type"));
            // An export is recorded in the audit trail, which thus has another row.
            let is_same = path.ends_with("audit") || marked.body[3..] == *plain.body;
            assert!(marked.body.starts_with(b"\xEF\xBB\xBF") && is_same, "{path}");
            assert!(!plain.body.starts_with(b"\xEF"), "{path}");
        }
        // Only CSV has one.
        let json = get(&admin, "/v2/bucketlists", "application/json, text/csv; bom=true; q=0.5").await;
        assert_eq!(json.json()["data"][0]["name"], "Zürich");
        let error = admin.request(Method::GET, "/v2/bucketlists/0/items").header("accept", "text/csv; bom=true").send().await;
        assert_eq!(error.any_status().body[0], b'{');
    }

    async fn list_is_json_unless_another_format_is_preferred(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let items = format!("/v2/bucketlists/{}/items", admin.create_bucketlist("a").await);
        for path in ["/v2/bucketlists", &items, "/v2/admin/users"] {
            admin.get(path).await.expect(200).json();
            for (accept, expected) in [
                ("*/*", Some(JSON)),
                ("", Some(JSON)),
                ("nonsense", Some(JSON)),
                (";;,,", Some(JSON)),
                ("application/*", Some(JSON)),
                ("text/csv, application/json", Some(JSON)),
                ("application/x-ndjson, text/csv, */*", Some(JSON)),
                ("text/html, application/xml;q=0.9, */*;q=0.8", Some(JSON)),
                ("text/csv;q=0.5, application/json;q=0.4", Some(CSV)),
                ("application/json;q=0.4, text/csv;q=0.5", Some(CSV)),
                ("text/*", Some(CSV)),
                ("TEXT/CSV", Some(CSV)),
                ("text/csv; header=present; charset=utf-8", Some(CSV)),
                ("application/json;q=0, text/csv", Some(CSV)),
                ("application/x-ndjson", Some(NDJSON)),
                ("application/x-ndjson;q=0.002, */*;q=0.001", Some(NDJSON)),
                ("application/json;q=0, application/*", Some(NDJSON)),
                ("text/csv;q=17, application/x-ndjson;q=0.1", Some(NDJSON)),
                ("text/csv;q=-1", Some(CSV)),
                ("text/csv;q=NaN, application/x-ndjson;q=1e9", Some(CSV)),
                ("text/csv;q=0", None),
                ("*/*;q=0", None),
                ("image/png, text/html", None),
                ("application/json;q=0, text/csv;q=0.0, application/x-ndjson;q=0.000", None),
            ] {
                let response = admin.request(Method::GET, path).header("accept", accept).send().await;
                match expected {
                    Some(expected) => {
                        let response = response.expect(200);
                        let media_type = response.header("content-type").split(';').next().unwrap();
                        assert_eq!(media_type, expected, "{path}: {accept}");
                        assert!(response.header("vary").contains("Accept,"), "{response:?}");
                    }
                    None => {
                        let detail = response.expect_error(406, "NOT_ACCEPTABLE").json()["detail"].to_string();
                        assert!([JSON, CSV, NDJSON].iter().all(|offered| detail.contains(offered)), "{detail}");
                    }
                }
            }
        }
        // Other resources have one format.
        for path in ["/v2/users/me", "/v2/auth/sessions", "/v2/search?q=a"] {
            let request = admin.request(Method::GET, path).header("accept", CSV);
            let problem = request.send().await.expect_error(406, "NOT_ACCEPTABLE").json();
            assert!(problem["detail"].as_str().unwrap().contains(JSON), "{problem}");
        }
    }

    async fn every_format_has_the_same_rows(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        app.user().await;
        let list = admin.create_bucketlist("See the world").await;
        admin.post("/v2/bucketlists", &json!({"name": "Second", "description": "a,b"})).await.expect(201);
        create_items(&admin, list, &[json!({"name": "x", "done": true, "due_on": "2028-02-29"}), json!({"name": "y"})]).await;
        let items = "/bucketlists/{bucketlist_id}/items";
        for (template, file) in [("/bucketlists", "bucketlists"), (items, "items"), ("/admin/users", "users")] {
            let path = format!("/v2{}", template.replace("{bucketlist_id}", &list.to_string()));
            assert_eq!(assert_same_rows(&admin, &path, "").await.len(), 2);
            let table = get(&admin, &path, CSV).await;
            assert_eq!(table.header("content-type"), "text/csv; charset=utf-8; header=present");
            assert_eq!(table.header("content-disposition"), format!("attachment; filename=\"{file}.csv\""));
            assert_eq!(csv(&table).0, documented_columns(template));
            let text = String::from_utf8(table.body.clone()).unwrap();
            assert_eq!(text.matches("\r\n").count(), 3, "each record is one line: {text}");
            let lines = get(&admin, &path, NDJSON).await;
            assert_eq!(lines.header("content-type"), NDJSON);
            assert_eq!(lines.header("content-disposition"), format!("attachment; filename=\"{file}.ndjson\""));
            for accept in [CSV, NDJSON] {
                let full = get(&admin, &path, accept).await;
                let head = admin.request(Method::HEAD, &path).header("accept", accept).send().await.expect(200);
                assert!(head.body.is_empty());
                let stable = |response: &TestResponse| -> BTreeMap<String, String> {
                    let changing = ["x-request-id", "x-response-time", "cache-status", "content-length"];
                    let mut headers = response.headers.clone();
                    headers.retain(|name, _| !changing.contains(&name.as_str()));
                    headers
                };
                assert_eq!(stable(&head), stable(&full), "{path}");
            }
        }
    }

    async fn long_list_is_streamed_completely(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("Long").await;
        let rows: Vec<Value> = (0..1203)
            .map(|number| json!({"name": format!("Item {}", number % 400), "done": number % 3 == 0}))
            .collect();
        create_items(&user, list, &rows).await;
        let path = format!("/v2/bucketlists/{list}/items");
        let all = assert_same_rows(&user, &path, "").await;
        let names: Vec<&Value> = all.iter().map(|row| &row["name"]).collect();
        assert_eq!(names, rows.iter().map(|row| &row["name"]).collect::<Vec<_>>(), "every row once, in order");
        // Many rows with equal sort values: the batches must neither skip nor repeat any.
        for (query, count) in [
            ("sort=name", 1203),
            ("sort=-name", 1203),
            ("sort=-created_at", 1203),
            ("sort=updated_at&include=total", 1203),
            ("done=true", 401),
            ("done=true&sort=-name&q=item", 401),
            ("q=ITEM+399", 3),
            ("q=nothing", 0),
            ("created_after=2027-01-15T08:00:00Z", 0),
            ("due_before=2030-01-01", 0),
        ] {
            assert_eq!(assert_same_rows(&user, &path, query).await.len(), count, "{query}");
        }
        let empty = get(&user, &format!("{path}?q=nothing"), CSV).await;
        assert_eq!(csv(&empty).0, documented_columns("/bucketlists/{bucketlist_id}/items"));
        assert_eq!(get(&user, &format!("{path}?q=nothing"), NDJSON).await.body, b"");

        // A stream starts after a cursor.
        let page = user.get(&format!("{path}?sort=-name&per_page=40")).await.expect(200).json();
        let cursor = page["links"]["next"].as_str().unwrap().split_once("cursor=").unwrap().1.to_owned();
        let query = format!("sort=-name&cursor={cursor}");
        assert_eq!(assert_same_rows(&user, &path, &query).await.len(), 1163);
        for accept in [CSV, NDJSON] {
            let request = user.request(Method::GET, &format!("{path}?cursor={cursor}")).header("accept", accept);
            let rejected = request.send().await.expect_error(400, "INVALID_CURSOR").json();
            assert_eq!(rejected["errors"][0]["parameter"], "cursor");
        }

        // With `per_page`, every format is paginated and has links.
        let (mut next, mut ids) = (format!("{path}?per_page=70"), Vec::new());
        let mut pages = 0;
        loop {
            let table = get(&user, &next, CSV).await;
            let page = user.get(&next).await.expect(200);
            let data = page.json()["data"].as_array().unwrap().clone();
            let (columns, found) = csv(&table);
            assert_eq!(found, records(&columns, &data));
            assert_eq!(ndjson(&get(&user, &next, NDJSON).await), data);
            assert_eq!(table.header("link"), page.header("link"));
            ids.extend(data.iter().map(|row| row["id"].clone()));
            pages += 1;
            match table.header("link").split_once("rel=\"self\", <") {
                Some((_, rest)) => next = rest.split_once(">; rel=\"next\"").unwrap().0.to_owned(),
                None => break,
            }
        }
        assert_eq!((pages, ids), (18, all.iter().map(|row| row["id"].clone()).collect()));

        for accept in [CSV, NDJSON] {
            let plain = get(&user, &path, accept).await;
            for encoding in ["gzip", "br", "zstd"] {
                let request = user.request(Method::GET, &path).header("accept", accept);
                let response = request.header("accept-encoding", encoding).send().await.expect(200);
                assert_eq!(response.header("content-encoding"), encoding);
                assert_eq!(response.header("content-type"), plain.header("content-type"));
                assert!(response.body.len() < plain.body.len() / 3, "{encoding}: {}", response.body.len());
                assert!(decompressed(response).await == plain.body, "{accept} as {encoding}");
            }
        }
    }

    async fn nested_items_are_streamed_with_their_lists(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        // More than one batch.
        for number in 0..120 {
            let list = user.create_bucketlist(&format!("List {number}")).await;
            let items: Vec<Value> = (0..number % 3).map(|item| json!({"name": format!("{number}.{item}")})).collect();
            create_items(&user, list, &items).await;
        }
        for query in ["include=items", "include=items&sort=-name", "include=items,total&sort=updated_at&q=list+1"] {
            let rows = assert_same_rows(&user, "/v2/bucketlists", query).await;
            assert!(rows.iter().all(|row| row["items"].as_array().unwrap().len() as u64 == row["items_total"]), "{query}");
            assert!(rows.iter().any(|row| row["items_total"] == 2));
        }
        assert!(assert_same_rows(&user, "/v2/bucketlists", "").await.iter().all(|row| row["items"].is_null()));
    }

    async fn streaming_does_not_count_rows(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.cache_bytes = 0).build();
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        create_items(&user, list, &vec![json!({"name": "x"}); 1100]).await;
        let mut needed = Vec::new();
        for query in ["q=x", "q=x&include=total"] {
            // The token status is read again from time to time; the smallest count does not include it.
            let mut least = u64::MAX;
            for _ in 0..4 {
                let before = app.app.db.statements();
                get(&user, &format!("/v2/bucketlists/{list}/items?{query}"), CSV).await;
                least = least.min(app.app.db.statements() - before);
            }
            needed.push(least);
        }
        assert_eq!(needed[0], needed[1], "{engine:?}");
    }

    async fn csv_cells_cannot_be_formulas(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("=HYPERLINK(\"http://evil.example\")").await;
        // Stored text, and whether the cell gets an apostrophe.
        let texts = [
            ("=1+1", true),
            ("+1", true),
            ("-1", true),
            ("@SUM(A1)", true),
            ("=cmd|' /C calc'!A0", true),
            ("'=1", true),
            ("\"=1", true),
            ("＝1", true),
            ("1-1", false),
            ("'n Roll", false),
            ("say \"hi\", all", false),
            ("a;b\\c|d", false),
            ("👩‍👩‍👧 Zürich 東京", false),
            ("\u{202e}backwards", false),
            ("NULL", false),
            ("1e5", false),
        ];
        let rows = texts.map(|(text, _)| json!({"name": text, "description": format!("{text}\r\n\tand, \"then\"\n")}));
        create_items(&user, list, &rows).await;
        let path = format!("/v2/bucketlists/{list}/items");
        let stored = all_pages(&user, &path).await;
        let (columns, found) = csv(&get(&user, &path, CSV).await);
        let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
        assert_eq!((found.len(), stored.len()), (texts.len(), texts.len()));
        for (((text, defused), record), row) in texts.iter().zip(&found).zip(&stored) {
            assert_eq!(row["name"], *text);
            let expected = if *defused { format!("'{text}") } else { (*text).to_owned() };
            assert_eq!(record[at("name")], expected);
            assert_eq!(record[at("description")], format!("{expected}\r\n\tand, \"then\""));
            assert_eq!(record[at("id")], row["id"].to_string());
        }
        assert_eq!(ndjson(&get(&user, &path, NDJSON).await), stored, "NDJSON contains the stored text");
        let (columns, lists) = csv(&get(&user, "/v2/bucketlists", CSV).await);
        let name = columns.iter().position(|column| column == "name").unwrap();
        assert_eq!(lists[0][name], "'=HYPERLINK(\"http://evil.example\")");

        let body = json!({"email": "formula@example.com", "password": Actor::PASSWORD, "name": "@me"});
        app.anonymous().post("/v2/auth/register", &body).await.expect(201);
        let admin = app.admin().await;
        let (columns, users) = csv(&get(&admin, "/v2/admin/users?q=formula", CSV).await);
        let name = columns.iter().position(|column| column == "name").unwrap();
        assert_eq!((users.len(), users[0][name].as_str()), (1, "'@me"));
    }

    async fn row_inserted_while_streaming_does_not_break_the_stream(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let rows: Vec<Value> = (0..1100).map(|number| json!({"name": format!("Item {number:04}")})).collect();
        create_items(&user, list, &rows).await;
        let path = format!("/v2/bucketlists/{list}/items");
        let request = Request::builder().uri_str(format!("{path}?sort=name")).header("accept", NDJSON);
        let request = request.header("authorization", format!("Bearer {}", user.token())).finish();
        // Only the first batch is fetched before the client reads.
        let response = app.call(request).await;
        let ids: Vec<i64> = all_pages(&user, &path).await.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        for index in [3, 700, 1099] {
            user.delete(&format!("{path}/{}", ids[index])).await.expect(204);
        }
        create_items(&user, list, &[json!({"name": "Item 0000 a"}), json!({"name": "Item 0900 a"})]).await;
        let text = response.into_body().into_string().await.unwrap();
        let names: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
            .collect();
        assert!(names.is_sorted(), "{engine:?}");
        let surviving = (0..1100).filter(|number| ![3, 700, 1099].contains(number));
        for name in surviving.map(|number| format!("Item {number:04}")) {
            assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name}");
        }
    }
}
