//! The security headers of every class of route.

use std::collections::BTreeMap;

use poem::http::Method;

use crate::support::{Engine, TestApp, TestResponse, json};

/// Headers of every response (OWASP Secure Headers Project).
const SECURITY: &str = "\
cross-origin-embedder-policy: require-corp
cross-origin-opener-policy: same-origin
cross-origin-resource-policy: same-origin
referrer-policy: no-referrer
x-content-type-options: nosniff
x-frame-options: DENY
x-permitted-cross-domain-policies: none
";

const API: &str = "default-src 'none'; frame-ancestors 'none'";
const HOME: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CONSOLE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                       connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TEXT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers that must not be sent.
const FORBIDDEN: [&str; 6] =
    ["server", "x-powered-by", "via", "set-cookie", "x-aspnet-version", "strict-transport-security"];

/// Returns the security headers of a response, one per line.
fn security_headers(headers: &BTreeMap<String, String>) -> String {
    let is_security = |name: &str| {
        name.starts_with("cross-origin-")
            || name.starts_with("x-content")
            || name.starts_with("x-frame")
            || name.starts_with("x-permitted")
            || name == "referrer-policy"
    };
    headers.iter().filter(|(name, _)| is_security(name)).map(|(name, value)| format!("{name}: {value}\n")).collect()
}

#[track_caller]
fn assert_headers(response: &TestResponse, csp: &str, cache_control: &str) {
    assert_eq!(security_headers(&response.headers), SECURITY, "{} {}", response.method, response.path);
    assert_eq!(response.header("content-security-policy"), csp, "{} {}", response.method, response.path);
    assert_eq!(response.header("cache-control"), cache_control, "{} {}", response.method, response.path);
    for name in FORBIDDEN {
        assert!(!response.headers.contains_key(name), "{name}: {response:?}");
    }
    assert!(
        [204, 304, 308].contains(&response.status) || response.headers.contains_key("content-type"),
        "{response:?}"
    );
}

both_engines! {
    async fn every_class_of_route_has_its_security_headers(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, anonymous) = (app.user().await, app.anonymous());
        let list = user.create_bucketlist("See the world").await;
        let (one, items) = (format!("/v2/bucketlists/{list}"), format!("/v2/bucketlists/{list}/items"));

        // Pages; each kind has its own policy.
        assert_headers(&anonymous.get("/").await.expect(200), HOME, "no-cache");
        assert_headers(&anonymous.get("/docs").await.expect(200), DOCS, "no-cache");
        for path in ["/reference", "/reference/v1/items", "/guides", "/guides/errors"] {
            assert_headers(&anonymous.get(path).await.expect(200), CONSOLE, "no-cache");
        }
        assert_headers(&anonymous.get("/reference/search.json").await.expect(200), API, "no-cache");
        for path in ["/console", "/console/usage", "/console/incidents", "/console/users", "/console/api-clients", "/console/jobs", "/console/audit"] {
            assert_headers(&anonymous.get(path).await.expect(200), CONSOLE, "no-cache");
        }
        assert_headers(&anonymous.get("/problems").await.expect(200), TEXT, "no-cache");
        assert_headers(&anonymous.get("/robots.txt").await.expect(200), API, "public, max-age=86400");
        assert_headers(&anonymous.get("/favicon.svg").await.expect(200), API, "public, max-age=86400");
        assert_headers(&anonymous.get("/favicon.ico").await.expect(200), API, "public, max-age=86400");
        assert_headers(&anonymous.get("/docs/").await.expect(308), API, "no-store");
        let browser = anonymous.request(Method::GET, "/nowhere").header("accept", "text/html");
        assert_headers(&browser.send().await.expect(404), TEXT, "no-store");
        // Documents, health checks and build information.
        for (path, cache_control) in [
            ("/openapi/v1.json", "public, no-cache"),
            ("/openapi/v2.yaml", "public, no-cache"),
            ("/postman/collection.json", "public, no-cache"),
            ("/.well-known/jwks.json", "public, no-cache"),
            ("/reference/v2/createItem.md", "no-cache"),
            ("/guides/errors.md", "no-cache"),
            ("/llms.txt", "no-cache"),
        ] {
            let mut response = anonymous.get(path).await.expect(200);
            // Pages of every origin may read a document, and embed it.
            let policy = response.headers.insert("cross-origin-resource-policy".to_owned(), "same-origin".to_owned());
            assert_eq!(policy.as_deref(), Some("cross-origin"), "{path}");
            assert_headers(&response, API, cache_control);
        }
        for path in ["/health/live", "/health/ready", "/version"] {
            assert_headers(&anonymous.get(path).await.expect(200), API, "no-store");
        }
        // Operations of both versions: reads, writes, 304, streams and tokens.
        assert_headers(&user.get(&format!("/v1/bucketlists/{list}")).await.expect(200), API, "no-store");
        let read = user.get(&one).await.expect(200);
        assert_headers(&read, API, "private, no-cache");
        let known = user.request(Method::GET, &one).header("if-none-match", read.header("etag"));
        assert_headers(&known.send().await.expect(304), API, "private, no-cache");
        assert_headers(&user.post(&items, &json!({"name": "Walk the Camino"})).await.expect(201), API, "no-store");
        for accept in ["text/csv", "application/x-ndjson"] {
            let stream = user.request(Method::GET, &items).header("accept", accept).send().await.expect(200);
            assert_headers(&stream, API, "no-store");
        }
        assert_headers(&user.delete(&one).await.expect(204), API, "no-store");
        let login = json!({"email": user.email(), "password": "harbour-lantern-42"});
        assert_headers(&anonymous.post("/v2/auth/login", &login).await.expect(200), API, "no-store");
        // HEAD and OPTIONS.
        assert_headers(&user.request(Method::HEAD, "/v2/bucketlists").send().await.expect(200), API, "private, no-cache");
        for path in ["/", "/v1/bucketlists", "/v2/bucketlists"] {
            assert_headers(&anonymous.request(Method::OPTIONS, path).send().await.expect(204), API, "no-store");
        }
        // Errors of every stage.
        assert_headers(&anonymous.get("/v1/users/me").await.expect(401), API, "no-store");
        assert_headers(&user.get("/v2/admin/users").await.expect(403), API, "no-store");
        assert_headers(&user.get(&one).await.expect(404), API, "no-store");
        assert_headers(&anonymous.get("/nowhere").await.expect(404), API, "no-store");
        assert_headers(&anonymous.request(Method::DELETE, "/docs").send().await.expect(405), API, "no-store");
        assert_headers(&anonymous.request(Method::TRACE, "/v2/bucketlists").send().await.expect(405), API, "no-store");
        assert_headers(&user.post("/v2/bucketlists", &json!({"name": ""})).await.expect(422), API, "no-store");
        app.app.readiness.drain();
        assert_headers(&anonymous.get("/health/ready").await.expect(503), API, "no-store");
    }

    async fn hsts_is_sent_over_https(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.public_url = "https://api.example.com".to_owned()).build();
        for (path, status) in [("/", 200), ("/v2/users/me", 401), ("/nowhere", 404)] {
            let response = app.anonymous().get(path).await.expect(status);
            assert_eq!(response.header("strict-transport-security"), "max-age=63072000; includeSubDomains", "{path}");
        }
    }
}

#[tokio::test]
async fn pages_have_no_inline_scripts_or_styles() {
    let app = TestApp::new(Engine::Sqlite);
    for path in ["/", "/docs", "/reference", "/console", "/console/usage", "/problems", "/problems/route-not-found"] {
        let response = app.anonymous().get(path).await.expect(200);
        let csp = response.header("content-security-policy");
        assert!(!csp.contains("unsafe-") && !csp.contains('*') && !csp.contains("http"), "{path}: {csp}");
        let html = String::from_utf8(response.body.clone()).unwrap();
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(" onclick="), "{path}");
        for (at, tag) in html.match_indices("<script") {
            assert!(html[at..].split('>').next().unwrap().contains(" src="), "{path}: {tag} has its text inline");
        }
    }
}
