//! Pages and other files outside of the versions: unknown paths, redirects, icons and compression.

use poem::http::Method;

use crate::support::{Engine, TestApp, TestResponse, json};

/// The `Accept` of a browser that opens a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn with_public_url(url: &str) -> TestApp {
    let change = |config: &mut bucketlist::config::Config| {
        (config.public_url, config.is_public_url_set) = (url.to_owned(), true);
    };
    TestApp::builder().engine(Engine::Sqlite).config(change).build()
}

#[tokio::test]
async fn browser_receives_a_page_for_an_unknown_path() {
    let app = TestApp::new(Engine::Sqlite);
    for path in
        ["/nowhere", "/docs/nowhere", "/problems/not-a-code", "/console/nowhere", "/%3Cscript%3E", "/openapi/v9.json"]
    {
        let get = app.anonymous().request(Method::GET, path).header("accept", BROWSER).send().await.expect(404);
        assert_eq!(get.header("content-type"), "text/html; charset=utf-8", "{path}");
        let html = String::from_utf8(get.body.clone()).unwrap();
        assert!(html.contains("<h1>Page not found</h1>") && html.contains("href=\"/docs\""), "{path}");
        assert!(!html.contains("nowhere") && html.matches("script").count() == 2, "the page repeats the path {path}");
        let head = app.anonymous().request(Method::HEAD, path).header("accept", BROWSER).send().await.expect(404);
        assert_eq!((head.header("content-length"), head.body.len()), (get.header("content-length"), 0));
    }
}

#[tokio::test]
async fn program_receives_problem_details_for_an_unknown_path() {
    let app = TestApp::new(Engine::Sqlite);
    for accept in ["*/*", "application/json", "application/problem+json, text/html;q=0.5", "text/html;q=0", "image/png"]
    {
        let response = app.anonymous().request(Method::GET, "/nowhere").header("accept", accept).send().await;
        response.expect_error(404, "ROUTE_NOT_FOUND");
    }
    // Writes, and everything below a version, are requests of programs.
    for (method, path) in [("POST", "/nowhere"), ("DELETE", "/nowhere"), ("GET", "/v2/nowhere"), ("GET", "/v1/nowhere")]
    {
        let request = app.anonymous().request(method.parse().unwrap(), path).header("accept", BROWSER);
        request.send().await.expect_error(404, "ROUTE_NOT_FOUND");
    }
}

#[tokio::test]
async fn other_spellings_of_a_page_are_redirected() {
    let app = TestApp::new(Engine::Sqlite);
    for (path, location) in [
        ("/docs/", "/docs"),
        ("/docs//", "/docs"),
        ("/docs/?contract=v1", "/docs?contract=v1"),
        ("/console/", "/console"),
        ("/console/usage/", "/console/usage"),
        ("/problems/", "/problems"),
        ("/problems/not-acceptable/", "/problems/not-acceptable"),
        ("/problems/NOT_ACCEPTABLE", "/problems/not-acceptable"),
        ("/problems/TOO_LONG", "/problems/too-long"),
        ("/openapi/v2.json/", "/openapi/v2.json"),
    ] {
        let response = app.anonymous().get(path).await.expect(308);
        assert_eq!(response.header("location"), location, "{path}");
        app.anonymous().get(location).await.expect(200);
    }
    for path in ["//docs/", "//evil.example/", "/docs/%2f", "/DOCS", "/v2/bucketlists/", "/Problems/not-acceptable"] {
        let response = app.anonymous().get(path).await.any_status();
        assert!(!response.headers.contains_key("location") && response.status >= 400, "{path}: {response:?}");
    }
    app.anonymous().delete("/docs/").await.expect_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn former_path_of_the_reference_is_redirected() {
    let app = TestApp::new(Engine::Sqlite);
    for (path, location) in [
        ("/redoc", "/reference"),
        ("/redoc/", "/reference"),
        ("/changelog", "/guides/changelog"),
        ("/changelog/", "/guides/changelog"),
        ("/redoc?contract=v1", "/reference/v1"),
        ("/redoc?contract=v2", "/reference/v2"),
        ("/redoc?contract=../docs", "/reference"),
        ("/redoc?contract=v9&x", "/reference?x"),
        ("/redoc?x=1", "/reference?x=1"),
        ("/redoc?x=1&contract=v2&y=2", "/reference/v2?x=1&y=2"),
    ] {
        let response = app.anonymous().get(path).await.expect(308);
        assert_eq!(response.header("location"), location, "{path}");
        app.anonymous().get(location).await.expect(200);
    }
    app.anonymous().request(Method::HEAD, "/redoc").send().await.expect(308);
    app.anonymous().delete("/redoc").await.expect_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn operation_is_redirected_to_its_place_in_the_reference() {
    let app = TestApp::new(Engine::Sqlite);
    for (path, location) in [
        ("/reference/v2/createItem", "/reference/v2/items#createItem"),
        ("/reference/v2/createItem/", "/reference/v2/items#createItem"),
        ("/reference/v2/CREATEITEM?x=1", "/reference/v2/items#createItem"),
        ("/reference/v1/listUsers", "/reference/v1/users#listUsers"),
    ] {
        let response = app.anonymous().get(path).await.expect(308);
        assert_eq!(response.header("location"), location, "{path}");
        app.anonymous().get(location.split('#').next().unwrap()).await.expect(200);
    }
    app.anonymous().get("/reference/v2/noSuchOperation").await.expect_error(404, "ROUTE_NOT_FOUND");
    let nested = with_public_url("https://example.com/api");
    let response = nested.anonymous().get("/reference/v2/createItem").await.expect(308);
    assert_eq!(response.header("location"), "/api/reference/v2/items#createItem");
}

#[tokio::test]
async fn client_that_prefers_markdown_receives_the_guide_as_markdown() {
    let app = TestApp::new(Engine::Sqlite);
    for (accept, expected) in [
        ("text/markdown", "text/markdown; charset=utf-8"),
        ("text/markdown, text/html;q=0.5", "text/markdown; charset=utf-8"),
        (BROWSER, "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
    ] {
        let response = app.anonymous().request(Method::GET, "/guides/errors").header("accept", accept).send().await;
        let response = response.expect(200);
        assert_eq!(response.header("content-type"), expected, "{accept}");
        assert!(response.header("vary").contains("Accept"), "{response:?}");
    }
}

#[tokio::test]
async fn commands_contain_the_address_of_the_server_without_a_script() {
    let app = TestApp::builder().engine(Engine::Sqlite).config(|config| config.is_public_url_set = false).build();
    let text = async |app: &TestApp, path: &str, host: &str| {
        let response = app.anonymous().request(Method::GET, path).header("host", host).send().await.expect(200);
        let etag = response.header("etag").to_owned();
        (String::from_utf8(response.body).unwrap(), etag)
    };
    for path in ["/", "/reference/v2/items", "/guides/quick-start", "/guides/quick-start.md"] {
        let (first, etag) = text(&app, path, "api.example.com:8443").await;
        assert!(first.contains("http://api.example.com:8443") && !first.contains("the-host-of-this-page"), "{path}");
        // Another host is another page.
        let (second, other_etag) = text(&app, path, "[::1]").await;
        assert!(second.contains("http://[::1]") && !second.contains("api.example.com") && etag != other_etag, "{path}");
        // More hosts than are stored, and a host that is not one.
        for index in 0..6 {
            assert!(
                text(&app, path, &format!("h{index}.example")).await.0.contains(&format!("http://h{index}.example"))
            );
        }
        let (hostile, _) = text(&app, path, "user@evil.example").await;
        assert!(!hostile.contains("evil.example"), "{path}");
        let request = app.anonymous().request(Method::GET, path).header("host", "api.example.com:8443");
        request.header("if-none-match", &etag).send().await.expect(304);
    }
    // The public URL has precedence.
    let app = with_public_url("https://example.com/api");
    for path in ["/", "/reference/v2/items", "/guides/quick-start.md"] {
        let (page, _) = text(&app, path, "evil.example").await;
        assert!(page.contains("https://example.com/api") && !page.contains("evil.example"), "{path}");
    }
}

#[tokio::test]
async fn landing_page_shows_the_state_and_the_versions_of_the_server() {
    let app = TestApp::new(Engine::Sqlite);
    let response = app.anonymous().get("/").await.expect(200);
    let html = String::from_utf8(response.body).unwrap();
    assert!(html.contains("<strong data-state>Ready</strong>"), "{html}");
    let listed = contract::v1::document::operations().filter(|operation| operation.deprecation.is_some());
    for operation in listed {
        let deprecation = operation.deprecation.unwrap();
        for text in [operation.id, &deprecation.since.to_string(), &deprecation.sunset.to_string()] {
            assert!(html.contains(text), "{text}");
        }
    }
    assert!(html.contains("/console/usage?version=v1&amp;group_by=consumer"), "{html}");
}

#[tokio::test]
async fn catalog_is_named_in_link_headers() {
    for (public_url, expected) in [
        ("http://localhost:8000", "</.well-known/api-catalog>; rel=\"api-catalog\""),
        ("https://example.com/api", "</api/.well-known/api-catalog>; rel=\"api-catalog\""),
    ] {
        let app = with_public_url(public_url);
        for path in ["/", "/.well-known/api-catalog"] {
            for method in [Method::GET, Method::HEAD] {
                let response = app.anonymous().request(method, path).send().await.expect(200);
                assert_eq!(response.header("link"), expected, "{path}");
            }
        }
    }
}

/// A phone on a slow connection transfers these bytes before it displays text.
#[tokio::test]
async fn pages_of_the_reference_are_small() {
    let app = TestApp::new(Engine::Sqlite);
    let size = async |path: &str| {
        let request = || app.anonymous().request(Method::GET, path).header("accept-encoding", "br");
        loop {
            let response = request().send().await.expect(200);
            // Without a length, the file is not compressed as a whole yet.
            if response.headers.contains_key("content-length") {
                break response.body.len();
            }
            tokio::task::yield_now().await;
        }
    };
    let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
    let overview = text(app.anonymous().get("/reference").await.expect(200).body);
    let in_head =
        overview.split("</head>").next().unwrap().split("=\"/").skip(1).filter_map(|rest| rest.split('"').next());
    let assets: Vec<String> =
        in_head.filter(|path| path.ends_with(".css") || path.ends_with(".js")).map(|path| format!("/{path}")).collect();
    assert_eq!(assets.len(), 4, "{assets:?}");
    let mut shared = 0;
    for asset in &assets {
        shared += size(asset.as_str()).await;
    }
    assert!(shared < 12_000, "styles and scripts: {shared} bytes");
    let links = overview.split("href=\"/").skip(1).filter_map(|rest| rest.split('"').next());
    let pages: std::collections::BTreeSet<String> = links
        .filter(|path| path.starts_with("reference") || path.starts_with("guides"))
        .map(|path| format!("/{}", path.split('#').next().unwrap()))
        .collect();
    assert!(pages.len() > 20, "{pages:?}");
    for page in pages {
        let bytes = size(page.as_str()).await;
        assert!(bytes < 40_000, "{page}: {bytes} bytes");
    }
    let index = size("/reference/search.json").await;
    // With the full text of the guides. It is loaded when a search begins.
    assert!(index < 24_000, "the search index: {index} bytes");
}

#[tokio::test]
async fn icon_of_old_browsers_is_served() {
    let app = TestApp::new(Engine::Sqlite);
    let icon = app.anonymous().get("/favicon.ico").await.expect(200);
    assert_eq!(icon.header("content-type"), "image/x-icon");
    assert!(icon.body.starts_with(&[0, 0, 1, 0]) && icon.body.len() < 8192);
}

#[tokio::test]
async fn links_for_programs_exist() {
    let app = TestApp::new(Engine::Sqlite);
    let catalog = app.anonymous().get("/.well-known/api-catalog").await.expect(200);
    assert!(catalog.header("content-type").starts_with("application/linkset+json; profile="));
    let summary = app.anonymous().get("/llms.txt").await.expect(200);
    assert_eq!(summary.header("content-type"), "text/markdown; charset=utf-8");
    let summary = String::from_utf8(summary.body).unwrap();
    let catalog = catalog.json().to_string();
    let in_catalog = catalog.split("\"href\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    for path in in_catalog.chain(summary.split("](").skip(1).filter_map(|rest| rest.split(')').next())) {
        app.anonymous().get(path).await.expect(200);
    }
}

#[tokio::test]
async fn examples_of_problem_details_refer_to_pages() {
    let app = TestApp::new(Engine::Sqlite);
    let mut types = std::collections::BTreeSet::new();
    for path in ["/openapi/v1.json", "/openapi/v2.json", "/postman/collection.json"] {
        let text = String::from_utf8(app.anonymous().get(path).await.expect(200).body).unwrap();
        types.extend(text.split("/problems/").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(rest.len());
            format!("/problems/{}", &rest[..end])
        }));
    }
    assert!(types.len() > 30, "{types:?}");
    for path in types {
        app.anonymous().get(&path).await.expect(200);
    }
}

#[tokio::test]
async fn files_are_compressed_at_the_best_level() {
    let app = TestApp::new(Engine::Sqlite);
    let home = String::from_utf8(app.anonymous().get("/docs").await.expect(200).body).unwrap();
    let script = home.split("data-swagger-js=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    for (path, brotli_at_most) in
        [("/openapi/v2.json", 10), ("/openapi/v1.json", 10), ("/openapi/v2-samples.json", 10), (script.as_str(), 3)]
    {
        let plain = app.anonymous().get(path).await.expect(200).body.len();
        let mut sizes = Vec::new();
        for encoding in ["br", "zstd", "gzip"] {
            let request = || app.anonymous().request(Method::GET, path).header("accept-encoding", encoding);
            // Compressed as it is sent, until the file has been compressed as a whole.
            let first = request().send().await.expect(200);
            assert_eq!(first.header("content-encoding"), encoding);
            let best = loop {
                let response = request().send().await.expect(200);
                if response.headers.contains_key("content-length") {
                    break response;
                }
                tokio::task::yield_now().await;
            };
            assert_eq!(best.header("content-encoding"), encoding, "{path}");
            // The first response can have other bytes, so its ETag is weak.
            let opaque = |response: &TestResponse| response.header("etag").trim_start_matches("W/").to_owned();
            assert!(best.header("etag").starts_with('"') && opaque(&best) == opaque(&first), "{path}");
            assert!(best.body.len() <= first.body.len(), "{path} {encoding}: {} {}", best.body.len(), first.body.len());
            let head = app
                .anonymous()
                .request(Method::HEAD, path)
                .header("accept-encoding", encoding)
                .send()
                .await
                .expect(200);
            assert_eq!(head.header("content-length"), best.header("content-length"));
            sizes.push(best.body.len());
        }
        assert!(sizes[0] < sizes[2] && sizes[1] < sizes[2], "{path}: {sizes:?}");
        assert!(sizes[0] < plain / brotli_at_most, "{path}: {} of {plain}", sizes[0]);
    }
}

#[tokio::test]
async fn responses_are_smaller_with_brotli_than_with_gzip() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    for number in 0..100 {
        let body =
            json!({"name": format!("List {number}"), "description": format!("Places to visit in {}.", 2030 + number)});
        user.post("/v1/bucketlists", &body).await.expect(201);
    }
    let mut sizes = Vec::new();
    for encoding in ["br", "gzip"] {
        let request = user.request(Method::GET, "/v2/bucketlists?per_page=100").header("accept-encoding", encoding);
        sizes.push(request.send().await.expect(200).body.len());
    }
    assert!(sizes[0] < sizes[1], "{sizes:?}");
}
