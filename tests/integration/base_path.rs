//! A server below a path of its host (`PUBLIC_URL=https://example.com/team/api`): every link that it sends has the path, and works with a
//! proxy that removes the path from requests and with one that does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ::contract::{v1, v2};
use bucketlist::{
    config::{Environment, RESERVED_SEGMENTS},
    http::pages::{PageInfo, pages},
};
use poem::http::Method;
use url::Url;

use crate::support::{Actor, Engine, TestApp, TestResponse, Value, json};

const ORIGIN: &str = "https://example.com";
const BASE_PATH: &str = "/team/api";

fn app(engine: Engine) -> TestApp {
    TestApp::builder().engine(engine).config(|config| config.public_url = format!("{ORIGIN}{BASE_PATH}")).build()
}

/// Returns the path without the base path, as a proxy that removes it would.
#[track_caller]
fn stripped(path: &str) -> &str {
    let rest = path.strip_prefix(BASE_PATH).unwrap_or_else(|| panic!("{path} does not begin with {BASE_PATH}"));
    if rest.is_empty() { "/" } else { rest }
}

/// Requests a path with the base path and without it. Both responses are the same; returns one of them.
async fn get_both(actor: &Actor<'_>, path: &str, accept: &str) -> TestResponse {
    let get = async |path: &str| actor.request(Method::GET, path).header("accept", accept).send().await.any_status();
    let (whole, stripped) = (get(path).await, get(stripped(path)).await);
    assert_eq!(whole.status, stripped.status, "{path}");
    let (one, other) = (whole.comparable(), stripped.comparable());
    let without_cache = |mut headers: BTreeMap<String, String>| {
        headers.remove("cache-status");
        headers
    };
    assert_eq!((one.0, without_cache(one.1), one.2), (other.0, without_cache(other.1), other.2), "{path}");
    // Both are the same request for the cache.
    let is_cached = stripped.headers.get("cache-status").is_none_or(|status| status.ends_with("hit"));
    assert!(is_cached, "{path}: {stripped:?}");
    whole
}

/// Returns the values of all attributes that are a path, and of the fields of JSON that contain one.
fn links_of(response: &TestResponse) -> BTreeSet<String> {
    let mut links = BTreeSet::new();
    let text = String::from_utf8_lossy(&response.body);
    let content_type = response.headers.get("content-type").map_or("", String::as_str);
    let between = |start: &str, end: char| -> Vec<String> {
        text.split(start).skip(1).filter_map(|rest| rest.split(end).next()).map(str::to_owned).collect()
    };
    if content_type.starts_with("text/html") {
        // Attributes: in the text of a page, such as a command, a path is not a link.
        let tags: String = text.split('<').filter_map(|tag| tag.split('>').next()).collect();
        links.extend(
            tags.split("=\"/").skip(1).filter_map(|rest| rest.split('"').next()).map(|path| format!("/{path}")),
        );
        let absolute = text.matches(&format!("\"{ORIGIN}")).count();
        assert_eq!(absolute, text.matches(&format!("\"{ORIGIN}{BASE_PATH}")).count(), "{}", response.path);
    } else if content_type.starts_with("text/markdown") {
        links.extend(between("](", ')'));
    } else if content_type.starts_with("text/plain") {
        // `Canonical` of security.txt.
        links.extend(
            between(&format!("Canonical: {ORIGIN}{BASE_PATH}"), '\n')
                .into_iter()
                .map(|path| BASE_PATH.to_owned() + &path),
        );
    } else if content_type.contains("json")
        && !response.path.contains("/openapi/")
        && !response.path.contains("/postman/")
    {
        paths_in(&response.json(), &mut links);
    }
    for name in ["location", "link"] {
        let value = response.headers.get(name).map_or("", String::as_str);
        match name {
            "location" if !value.is_empty() => drop(links.insert(value.to_owned())),
            _ => links.extend(value.split('<').skip(1).filter_map(|rest| rest.split('>').next()).map(str::to_owned)),
        }
    }
    links.into_iter().map(|link| link.split('#').next().unwrap().to_owned()).filter(|link| !link.is_empty()).collect()
}

/// Collects links: `_links`, the links of pages, and the type and instance of problem details.
fn paths_in(value: &Value, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let is_link = ["href", "self", "first", "prev", "next", "last", "type", "instance", "anchor"];
                match value {
                    Value::String(text) if is_link.contains(&name.as_str()) && text.starts_with('/') => {
                        paths.insert(text.clone());
                    }
                    other => paths_in(other, paths),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| paths_in(value, paths)),
        _ => {}
    }
}

/// Follows all links from `start`. Returns the status of each path.
async fn crawl(actor: &Actor<'_>, start: &[&str], accept: &str) -> BTreeMap<String, u16> {
    let mut visited = BTreeMap::new();
    let mut queue: VecDeque<String> = start.iter().map(|path| format!("{BASE_PATH}{path}")).collect();
    while let Some(path) = queue.pop_front() {
        if visited.contains_key(&path) {
            continue;
        }
        let response = get_both(actor, &path, accept).await;
        visited.insert(path.clone(), response.status);
        for link in links_of(&response) {
            // Links between guides are relative.
            let target = Url::parse(&format!("{ORIGIN}{path}")).unwrap().join(&link).unwrap();
            let Some(link) = target.as_str().strip_prefix(ORIGIN).map(str::to_owned) else {
                assert!(link.starts_with("https://"), "{path} links to {link}");
                continue;
            };
            assert!(link.starts_with(&format!("{BASE_PATH}/")) || link == BASE_PATH, "{path} links to {link}");
            queue.push_back(link);
        }
    }
    visited
}

#[tokio::test]
async fn every_link_of_the_pages_works() {
    let app = TestApp::builder()
        .config(|config| {
            config.public_url = format!("{ORIGIN}{BASE_PATH}");
            // Also the pages that exist in development only.
            config.environment = Environment::Development;
            config.security.contact = Some("mailto:security@example.com".to_owned());
        })
        .build();
    let actor = app.anonymous();
    let start = ["", "/", "/llms.txt", "/.well-known/security.txt", "/console/mail"];
    let visited = crawl(&actor, &start, "text/html, */*;q=0.5").await;
    for (path, status) in &visited {
        // The overview of an API version in the catalog is not a page.
        let expected = if ["/v1", "/v2"].contains(&stripped(path)) { 404 } else { 200 };
        assert_eq!(*status, expected, "{path}");
    }
    for path in [
        "/docs",
        "/reference",
        "/guides/quick-start.md",
        "/console",
        "/console/users",
        "/problems",
        "/problems/route-not-found",
        "/openapi/v2.json",
        "/postman/collection.json",
        "/.well-known/api-catalog",
        "/health/ready",
        "/favicon.ico",
    ] {
        assert!(visited.contains_key(&format!("{BASE_PATH}{path}")), "no link to {path}");
    }
    assert!(visited.len() > 120, "{}", visited.len());
    let page = get_both(&actor, &format!("{BASE_PATH}/docs"), "text/html").await;
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains(&format!("<html data-base-path=\"{BASE_PATH}\" lang=\"en\">")), "{html}");
}

both_engines! {
    async fn every_link_of_the_api_works(engine: Engine) {
        let app = app(engine);
        let admin = app.admin().await;
        for number in 0..3 {
            let list = admin.create_bucketlist(&format!("List {number}")).await;
            admin.create_item(list, "See the northern lights").await;
        }
        admin.create_export("json").await;
        admin.create_api_client(admin.id(), &["read"]).await;
        admin.capture_incident().await;
        app.flush_usage().await;
        let start = [
            "/v1/bucketlists?per_page=2",
            "/v1/bucketlists/1/items",
            "/v1/users?per_page=1",
            "/v1/nothing",
            "/v2/bucketlists?per_page=2",
            "/v2/search?q=northern&per_page=1",
            "/v2/users/me",
            "/v2/exports/1",
            "/v2/admin/users",
            "/v2/admin/audit?per_page=1",
            "/v2/admin/incidents",
            "/v2/admin/incident-groups",
            "/v2/admin/api-clients",
            "/v2/admin/jobs",
            "/v2/admin/schedules",
            "/v2/admin/usage",
            "/v2/admin/deprecations",
            "/v2/bucketlists/999999",
            // Paths without a version.
            "/bucketlists?per_page=2",
        ];
        let visited = crawl(&admin, &start, "application/json").await;
        for (path, status) in &visited {
            let path = stripped(path);
            let expected: &[u16] = match path {
                // The overview of an API version in the catalog is not a page.
                "/v1/nothing" | "/v2/bucketlists/999999" | "/v1" | "/v2" => &[404],
                // Links to operations that are not GET: a session, and the actions on a client or a job.
                _ if ["/rotate", "/retry", "/cancel", "/resolve", "/replay", "/me/delete"].iter().any(|action| path.ends_with(action)) => &[405],
                _ if path.starts_with("/v2/auth/sessions/") => &[405],
                _ => &[200],
            };
            assert!(expected.contains(status), "{path}: {status}");
        }
        let next = visited.keys().filter(|path| path.contains("cursor=")).count();
        assert!(next >= 3 && visited.keys().any(|path| path.contains("page=2")), "{visited:?}");
        assert!(visited.contains_key(&format!("{BASE_PATH}/problems/bucketlist-not-found")), "{visited:?}");
    }

    async fn streamed_rows_have_links_below_the_base_path(engine: Engine) {
        let app = app(engine);
        let user = app.user().await;
        user.post(&format!("{BASE_PATH}/v2/bucketlists"), &json!({"name": "First"})).await.expect(201);
        let list = user.request(poem::http::Method::GET, &format!("{BASE_PATH}/v2/bucketlists"));
        let response = list.header("accept", "application/x-ndjson").send().await.expect(200);
        let row: Value = serde_json::from_slice(&response.body).unwrap();
        let link = row["_links"]["self"]["href"].as_str().unwrap();
        assert!(link.starts_with(&format!("{BASE_PATH}/v2/bucketlists/")), "{link}");
    }

    async fn created_resources_have_a_location_below_the_base_path(engine: Engine) {
        let app = app(engine);
        let admin = app.admin().await;
        let user = admin.id();
        let registration =
            |version: u8| json!({"email": format!("new-{version}@example.com"), "password": Actor::PASSWORD, "name": "New"});
        for (path, body, status) in [
            ("/v1/auth/register", registration(1), 201),
            ("/v2/auth/register", registration(2), 201),
            ("/v1/bucketlists", json!({"name": "First"}), 201),
            ("/v2/bucketlists", json!({"name": "Second"}), 201),
            ("/bucketlists", json!({"name": "Third"}), 201),
            ("/v1/bucketlists/1/items", json!({"name": "Item"}), 201),
            ("/v2/bucketlists/1/items", json!({"name": "Other item"}), 201),
            ("/v2/exports", json!({}), 202),
            ("/v2/admin/api-clients", json!({"name": "Sync", "contact_email": "sync@example.com", "user_id": user, "scopes": ["read"]}), 201),
        ] {
            let created = admin.post(&format!("{BASE_PATH}{path}"), &body).await.expect(status);
            let location = created.header("location").to_owned();
            assert!(location.starts_with(&format!("{BASE_PATH}/v")), "{path}: {location}");
            if !path.ends_with("/register") {
                get_both(&admin, &location, "application/json").await;
                admin.get(&location).await.expect(200);
            }
        }
    }
}

#[tokio::test]
async fn redirects_stay_below_the_base_path() {
    let app = app(Engine::Sqlite);
    for (path, location) in [
        ("/docs/", "/docs"),
        ("/docs//", "/docs"),
        ("/docs/?contract=v1", "/docs?contract=v1"),
        ("/problems/NOT_ACCEPTABLE", "/problems/not-acceptable"),
    ] {
        let response = get_both(&app.anonymous(), &format!("{BASE_PATH}{path}"), "text/html").await;
        assert_eq!((response.status, response.header("location")), (308, format!("{BASE_PATH}{location}").as_str()));
    }
    // Not below the base path, or another host.
    for path in [
        "//evil.example/",
        "/team/api//evil.example/",
        "/team/api//evil.example/docs/",
        "/team/apix/docs/",
        "/team/api/team/api/docs/",
        "/TEAM/API/docs/",
        "/team/api%2Fdocs/",
        "/team/%61pi/docs/",
        "/team/docs/",
    ] {
        let response = app.anonymous().get(path).await.any_status();
        assert!(!response.headers.contains_key("location") && response.status == 404, "{path}: {response:?}");
    }
}

#[tokio::test]
async fn documents_and_mail_contain_the_public_url() {
    let app = app(Engine::Sqlite);
    for (version, contract) in [("v1", v1::document::BASE), ("v2", v2::document::BASE)] {
        for name in [version.to_owned(), format!("{version}-3.1")] {
            let path = format!("{BASE_PATH}/openapi/{name}.json");
            let document = get_both(&app.anonymous(), &path, "application/json").await.json();
            let urls: Vec<&str> =
                document["servers"].as_array().unwrap().iter().map(|s| s["url"].as_str().unwrap()).collect();
            assert_eq!(urls, [format!("{ORIGIN}{BASE_PATH}{contract}"), format!("{BASE_PATH}{contract}")], "{name}");
        }
    }
    let environment = app.anonymous().get("/postman/environment.json").await.expect(200).json();
    assert!(environment.to_string().contains(&format!("\"{ORIGIN}{BASE_PATH}\"")), "{environment}");
    let text = async |path: &str| String::from_utf8(app.anonymous().get(path).await.expect(200).body).unwrap();
    assert!(text("/postman/v2.http").await.contains(&format!("{ORIGIN}{BASE_PATH}")));
    let robots = text("/robots.txt").await;
    assert!(robots.contains("Allow: /team/api/$\n") && robots.contains("Disallow: /team/api/v2/\n"), "{robots}");
    assert!(!robots.contains(": /docs"), "{robots}");
    let user = app.user().await;
    app.anonymous().post("/v2/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
    app.run_jobs().await;
    let mail = app.mailer.take().pop().unwrap();
    assert!(mail.text.contains(&format!("{ORIGIN}{BASE_PATH}")), "{}", mail.text);
}

#[tokio::test]
async fn errors_refer_to_pages_below_the_base_path() {
    let app = app(Engine::Sqlite);
    for path in ["/v2/bucketlists/1", "/team/api/v2/bucketlists/1"] {
        let problem = app.anonymous().get(path).await.expect_error(401, "AUTHENTICATION_REQUIRED").json();
        assert_eq!(problem["type"], "/team/api/problems/authentication-required");
        assert_eq!(problem["instance"], "/team/api/v2/bucketlists/1");
    }
    // A path that merely begins like the base path is unknown.
    for path in ["/team/apix/v2/bucketlists", "/team/api-v2", "/team"] {
        let problem = app.anonymous().get(path).await.expect_error(404, "ROUTE_NOT_FOUND").json();
        assert_eq!(problem["instance"], format!("{BASE_PATH}{path}"));
    }
}

#[tokio::test]
async fn instance_of_a_long_path_has_the_documented_length() {
    let app = app(Engine::Sqlite);
    let path = format!("{BASE_PATH}/v2/{}", "x".repeat(8_000));
    let problem = app.anonymous().get(&path).await.expect_error(404, "ROUTE_NOT_FOUND").json();
    assert_eq!(problem["instance"], path);
    let path = format!("/v2/{}", "x".repeat(8_187));
    let response = app.anonymous().get(&path).await.any_status().json();
    assert_eq!(response["instance"].as_str().unwrap().len(), 8_192);
}

/// Otherwise a request could be meant with or without the base path.
#[test]
fn first_segments_of_all_routes_are_reserved() {
    let info = PageInfo {
        base_path: "",
        version: "1",
        commit: "1",
        environment: "testing",
        demo_login: None,
        admin_login: None,
        contracts: &["v2", "v1"],
        deprecations: &[],
        mails: &[],
        mail_dir: None,
        captures: "5xx",
    };
    let pages = pages(&info).into_iter().map(|page| (page.path.into_owned(), page.cache_control.contains("immutable")));
    // Names of scripts and styles in the root contain a fingerprint.
    let pages = pages.filter(|(path, is_fingerprinted)| !is_fingerprinted || path.matches('/').count() > 1);
    let operations = v1::contract().operations().chain(v2::contract().operations());
    let operations = operations.map(|operation| operation.path.splitn(3, '/').nth(2).unwrap().to_owned());
    let others = ["v1", "v2", "health", "version", "openapi", "postman"].map(str::to_owned);
    let all = pages.map(|(path, _)| path[1..].to_owned()).chain(operations).chain(others);
    for path in all.filter(|path| !path.is_empty()) {
        let first = path.split('/').next().unwrap();
        assert!(RESERVED_SEGMENTS.contains(&first), "add `{first}` to RESERVED_SEGMENTS");
    }
}
