//! Valid and invalid HTTP requests: every response is documented.

use std::{collections::BTreeMap, io, time::Duration};

use ::contract::{ErrorCode, problem, v1, v2};
use bucketlist::db::schema;
use bytes::Bytes;
use diesel::{dsl::max, prelude::*};
use futures_util::stream;
use openapi_model::Operation;
use poem::{Body, Request, http::Method};

use crate::support::{Actor, Engine, TestApp, TestResponse, Value, json, method, request_schema, resolve};

const JSON: &str = "application/json";

/// The methods of RFC 9110 except `OPTIONS`, `PATCH` (RFC 5789), and a method that is not registered.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"];

/// Some unversioned paths.
const UNVERSIONED_ROUTES: [&str; 13] = [
    "/",
    "/docs",
    "/reference",
    "/robots.txt",
    "/health/live",
    "/health/ready",
    "/version",
    "/openapi/v1.json",
    "/openapi/v1.yaml",
    "/openapi/v2.json",
    "/openapi/v2.yaml",
    "/postman/collection.json",
    "/postman/environment.json",
];

/// An administrator with one resource of each kind.
struct Fixture<'a> {
    app: &'a TestApp,
    admin: Actor<'a>,
    user: i64,
    list: i64,
    item: i64,
}

impl<'a> Fixture<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let admin = app.admin().await;
        let user = app.user().await.id();
        let list = admin.create_bucketlist("See the fixture").await;
        let item = admin.create_item(list, "Walk the Camino").await;
        app.advance_clock(Duration::from_secs(1));
        Self { app, admin, user, list, item }
    }

    /// Returns the path of an operation with the IDs of existing resources.
    fn path(&self, operation: &Operation) -> String {
        let path = operation.path.replace("{bucketlist_id}", &self.list.to_string());
        path.replace("{item_id}", &self.item.to_string()).replace("{user_id}", &self.user.to_string())
    }

    /// Returns an actor that may call the operation.
    fn caller(&self, operation: &Operation) -> Actor<'a> {
        Actor::new(self.app, self.admin.session.clone().filter(|_| operation.is_secured))
    }

    /// Returns the row counts of the tables that v1 writes, and the latest change times of those that have one.
    fn table_states(&self) -> Vec<i64> {
        let mut migrator = self.app.database.migrator();
        let c = migrator.connection();
        let mut rows = Vec::new();
        macro_rules! count {
            ($($table:ident),+) => { $(rows.push(schema::$table::table.count().get_result::<i64>(c).unwrap());)+ };
        }
        macro_rules! newest {
            ($($table:ident.$column:ident),+) => { $(rows.push(
                schema::$table::table.select(max(schema::$table::$column)).first::<Option<i64>>(c).unwrap().unwrap_or(0)
            );)+ };
        }
        count!(users, sessions, refresh_tokens, revoked_tokens, password_resets, bucketlists, items, jobs);
        newest!(users.updated_at, sessions.last_seen_at, bucketlists.updated_at, items.updated_at);
        rows
    }
}

/// Sends a body in chunks, without `Content-Length`.
async fn send_chunked(actor: &Actor<'_>, app: &TestApp, method: Method, path: &str, body: &[u8]) -> TestResponse {
    let chunks: Vec<Result<Bytes, io::Error>> =
        body.chunks(100).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    send_stream(actor, app, method, path, Body::from_bytes_stream(stream::iter(chunks))).await
}

async fn send_stream(actor: &Actor<'_>, app: &TestApp, method: Method, path: &str, body: Body) -> TestResponse {
    let mut request = Request::builder().method(method.clone()).uri_str(path).content_type(JSON);
    if actor.session.is_some() {
        request = request.header("authorization", format!("Bearer {}", actor.token()));
    }
    TestResponse::read(method, path.to_owned(), app.call(request.body(body)).await).await
}

/// Returns status, headers and body of a response that is not validated against the document.
async fn send_unvalidated(
    actor: &Actor<'_>,
    app: &TestApp,
    method: &str,
    path: &str,
) -> (u16, BTreeMap<String, String>, Vec<u8>) {
    let mut request = Request::builder().method(method.parse().unwrap()).uri_str(path);
    if actor.session.is_some() {
        request = request.header("authorization", format!("Bearer {}", actor.token()));
    }
    let (parts, body) = app.call(request.finish()).await.into_parts();
    let headers =
        parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (parts.status.as_u16(), headers, body.into_vec().await.unwrap())
}

/// An invalid request body and the expected error.
pub struct InvalidBody {
    pub body: Vec<u8>,
    pub content_type: Option<&'static str>,
    pub status: u16,
    pub code: &'static str,
    /// A violation that the response must list.
    pub detail: Option<(String, &'static str)>,
}

impl InvalidBody {
    fn new(status: u16, code: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), content_type: Some(JSON), status, code, detail: None }
    }

    fn invalid(body: &Value, field: impl Into<String>, code: &'static str) -> Self {
        let overall = if code == "UNKNOWN_FIELD" { code } else { "VALIDATION_FAILED" };
        Self { detail: Some((field.into(), code)), ..Self::new(422, overall, body.to_string()) }
    }
}

/// Returns bodies that every operation rejects.
pub fn malformed_bodies(valid: &str) -> Vec<InvalidBody> {
    let mut all = Vec::new();
    for text in [
        "",
        " ",
        "\n",
        "{",
        "}",
        "nonsense",
        "{'a':1}",
        "{a:1}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1,]",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":0x1}",
        "NaN",
        "Infinity",
        "-",
        "// comment\n{}",
        "/**/{}",
        "\u{feff}{}",
        "{\0}\0",
        "\0",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\\ud800\"}",
        "a=1&b=2",
        "<a/>",
        "%7B%7D",
    ] {
        all.push(InvalidBody::new(400, "MALFORMED_JSON", text));
    }
    // Well-formed, although the number is too large.
    for number in ["1e400", "-1e999999999"] {
        let detail = Some((String::new(), "WRONG_TYPE"));
        all.push(InvalidBody { detail, ..InvalidBody::new(422, "VALIDATION_FAILED", number) });
    }
    for trailing in ["x", "{}", ",", "]", "\0", "\u{feff}", "null"] {
        all.push(InvalidBody::new(400, "MALFORMED_JSON", format!("{valid}{trailing}")));
    }
    all.push(InvalidBody::new(400, "MALFORMED_JSON", &valid.as_bytes()[..valid.len() - 1]));
    for bytes in [
        &b"{\"a\":\"\xff\"}"[..],
        b"\xff\xfe{\0}\0",
        b"\xfe\xff\0{\0}",
        b"{\"a\":\"\xc0\x80\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xf4\x90\x80\x80\"}",
        b"{\"a\":\"caf\xe9\"}",
    ] {
        all.push(InvalidBody::new(400, "INVALID_UTF8", bytes));
    }
    for text in [
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"x\":{\"a\":1,\"a\":2}}",
        "{\"x\":[0,{\"a\":null,\"b\":1,\"a\":null}]}",
        "[{\"\":1,\"\":1}]",
    ] {
        all.push(InvalidBody::new(400, "DUPLICATE_KEY", text));
    }
    for depth in [33, 5_000] {
        all.push(InvalidBody::new(400, "JSON_TOO_DEEP", "[".repeat(depth) + &"]".repeat(depth)));
        all.push(InvalidBody::new(400, "JSON_TOO_DEEP", "[".repeat(depth)));
        all.push(InvalidBody::new(400, "JSON_TOO_DEEP", "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)));
    }
    // The maximum depth is accepted by the parser; the type is wrong.
    all.push(InvalidBody {
        detail: Some((String::new(), "WRONG_TYPE")),
        ..InvalidBody::new(422, "VALIDATION_FAILED", "[".repeat(32) + &"]".repeat(32))
    });
    for text in ["[]", "\"text\"", "true", "null", "0", "-0", "1.5", "9223372036854775808", "1e300"] {
        all.push(InvalidBody {
            detail: Some((String::new(), "WRONG_TYPE")),
            ..InvalidBody::new(422, "VALIDATION_FAILED", text)
        });
    }
    for content_type in [
        None,
        Some(""),
        Some("text/plain"),
        Some("application/xml"),
        Some("application/jsonx"),
        Some("application/json-patch+json"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application / json"),
        Some("charset=utf-8; application/json"),
        Some("application/json\u{e9}"),
    ] {
        all.push(InvalidBody { content_type, ..InvalidBody::new(415, "UNSUPPORTED_MEDIA_TYPE", valid) });
    }
    all
}

/// Returns copies of the example body, each with one invalid field.
pub fn invalid_bodies(schema: &'static Value) -> Vec<InvalidBody> {
    let valid = &schema["example"];
    let with = |field: &str, value: Value| {
        let mut body = valid.clone();
        body[field] = value;
        body
    };
    let mut all = Vec::new();
    for unknown in ["color", "Name", "id", "__proto__", "$ref", "naïve"] {
        all.push(InvalidBody::invalid(&with(unknown, json!({"a": [1]})), format!("/{unknown}"), "UNKNOWN_FIELD"));
    }
    for (field, pointer) in [("", "/"), ("a/b~c", "/a~1b~0c")] {
        all.push(InvalidBody::invalid(&with(field, json!(1)), pointer, "UNKNOWN_FIELD"));
    }
    for field in schema["required"].as_array().into_iter().flatten() {
        let mut body = valid.clone();
        body.as_object_mut().unwrap().remove(field.as_str().unwrap());
        all.push(InvalidBody::invalid(&body, format!("/{}", field.as_str().unwrap()), "REQUIRED"));
    }
    for (field, property) in schema["properties"].as_object().unwrap() {
        let (pointer, property) = (format!("/{field}"), resolve(v1::document().value(), property));
        let huge: Value = serde_json::from_str("9223372036854775808").unwrap();
        let zero: Value = serde_json::from_str("-0").unwrap();
        let mut wrong_values =
            vec![json!(1), json!(1.5), huge, zero, json!([]), json!(["x"]), json!({}), json!({"a": 1})];
        if property["nullable"] != true {
            wrong_values.push(json!(null));
        }
        wrong_values.push(if property["type"] == "string" { json!(true) } else { json!("true") });
        for value in wrong_values {
            all.push(InvalidBody::invalid(&with(field, value), &*pointer, "WRONG_TYPE"));
        }
        if property["type"] != "string" {
            continue;
        }
        // Passwords may contain control characters, except NUL.
        let is_secret = property["format"] == "password";
        for text in ["\0", "a\0@b", "\u{1}", "a\u{7f}@b", "\u{9f}"] {
            if text.contains('\0') || !is_secret {
                all.push(InvalidBody::invalid(&with(field, json!(text)), &*pointer, "INVALID_CHARACTERS"));
            }
        }
        if let Some(longest) = property["maxLength"].as_u64() {
            let text = "é".repeat(usize::try_from(longest).unwrap() + 1);
            all.push(InvalidBody::invalid(&with(field, json!(text)), &*pointer, "TOO_LONG"));
        }
        if let Some(shortest) = property["minLength"].as_u64() {
            let text = "é".repeat(usize::try_from(shortest).unwrap() - 1);
            all.push(InvalidBody::invalid(&with(field, json!(text)), &*pointer, "TOO_SHORT"));
        }
    }
    all
}

fn operations_with_a_body() -> impl Iterator<Item = &'static Operation> {
    v1::contract().operations().filter(|operation| operation.body().is_some())
}

fn details(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
}

both_engines! {
    async fn invalid_body_is_rejected_and_writes_nothing(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let before = fixture.table_states();
        let mut tried = 0;
        for operation in operations_with_a_body() {
            let (actor, path) = (fixture.caller(operation), fixture.path(operation));
            let schema = request_schema(operation);
            let mut failures = Vec::new();
            for invalid in malformed_bodies(&schema["example"].to_string()).into_iter().chain(invalid_bodies(schema)) {
                let mut request = actor.request(method(operation), &path).bytes(invalid.body.clone());
                if let Some(content_type) = invalid.content_type {
                    request = request.header("content-type", content_type);
                }
                let response = request.send().await.any_status();
                let is_named = match &invalid.detail {
                    _ if response.is_success() => false,
                    Some((field, code)) => response.details().contains(&(field.clone(), (*code).to_owned())),
                    None => response.details().is_empty(),
                };
                if !is_named || (response.status, response.code().as_str()) != (invalid.status, invalid.code) {
                    let body: String = String::from_utf8_lossy(&invalid.body).chars().take(200).collect();
                    let response_body = String::from_utf8_lossy(&response.body).into_owned();
                    failures.push(format!(
                        "{body:?} as {:?}: {} {:?}, but\n{response_body}",
                        invalid.content_type, invalid.code, invalid.detail
                    ));
                }
                tried += 1;
            }
            assert!(failures.is_empty(), "{}:\n{}", operation.id, failures.join("\n"));
            assert_eq!(fixture.table_states(), before, "{} wrote to the database", operation.id);
        }
        assert!(tried > 1_000, "{tried}");
    }

    async fn unauthenticated_request_is_rejected_before_validation(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let anonymous = app.anonymous();
        for operation in v1::contract().operations().filter(|operation| operation.is_secured) {
            for path in [format!("{}?color=1", fixture.path(operation)), operation.path.replace(['{', '}'], "x")] {
                for body in ["{", "{\"color\":1}", ""] {
                    let request = anonymous.request(method(operation), &path).bytes(body);
                    request.send().await.expect_error(401, "AUTHENTICATION_REQUIRED");
                }
            }
        }
    }

    async fn body_over_the_limit_returns_413(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.body_bytes = 1024).build();
        let fixture = Fixture::new(&app).await;
        let before = fixture.table_states();
        let full = format!("{:1024}", "{\"color\":1}").into_bytes();
        let over = [&full[..], b" "].concat();
        for operation in operations_with_a_body() {
            let (actor, path, method) = (fixture.caller(operation), fixture.path(operation), method(operation));
            for (body, status) in [(&full, 422), (&over, 413)] {
                let with_length = actor.request(method.clone(), &path).header("content-type", JSON).bytes(body.clone());
                let chunked = send_chunked(&actor, &app, method.clone(), &path, body).await;
                for response in [with_length.send().await.any_status(), chunked] {
                    assert_eq!(response.status, status, "{response:?}");
                    assert_eq!(response.code() == "PAYLOAD_TOO_LARGE", status == 413);
                }
            }
        }
        assert_eq!(fixture.table_states(), before);
        // Operations without a body ignore one, up to the limit.
        for (body, is_accepted) in [(over, false), (full, true)] {
            for (method, path, status) in
                [(Method::GET, "/v1/users/me", 200), (Method::HEAD, "/v1/users/me", 200), (Method::POST, "/v1/auth/logout", 204)]
            {
                let status = if is_accepted { status } else { 413 };
                if method != Method::POST || !is_accepted {
                    let chunked = send_chunked(&fixture.admin, &app, method.clone(), path, &body).await;
                    assert_eq!(chunked.status, status, "{chunked:?}");
                }
                fixture.admin.request(method, path).bytes(body.clone()).send().await.expect(status);
            }
        }
    }

    async fn stalled_or_broken_body_is_rejected(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.request_timeout = Duration::from_millis(30)).build();
        let user = app.user().await;
        for (body, status, code) in [
            (Body::from_bytes_stream(stream::pending::<Result<Bytes, io::Error>>()), 408, "REQUEST_TIMEOUT"),
            (
                Body::from_bytes_stream(stream::iter([Err::<Bytes, _>(io::Error::other("gone"))])),
                400,
                "MALFORMED_REQUEST",
            ),
        ] {
            let response = send_stream(&user, &app, Method::POST, "/v1/bucketlists", body).await;
            assert_eq!((response.status, response.code().as_str()), (status, code));
        }
        assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0);
    }

    /// The timeout equals the minimum deadline of 1 s. Authentication has used a part of the deadline, but receiving the body may still take
    /// the full timeout.
    async fn time_for_receiving_the_body_does_not_count_as_work(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.request_timeout = Duration::from_secs(1)).build();
        let user = app.user().await;
        let stalled = Body::from_bytes_stream(stream::pending::<Result<Bytes, io::Error>>());
        let response = send_stream(&user, &app, Method::POST, "/v1/bucketlists", stalled).await;
        assert_eq!((response.status, response.code().as_str()), (408, "REQUEST_TIMEOUT"));
    }

    async fn json_media_type_is_case_insensitive_and_may_have_parameters(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let types = [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
        ];
        for (number, content_type) in types.into_iter().enumerate() {
            let body = json!({"name": format!("{number}")}).to_string();
            let request =
                user.request(Method::POST, "/v1/bucketlists").bytes(body).header("content-type", content_type);
            request.send().await.expect(201);
        }
        send_chunked(&user, &app, Method::POST, "/v1/bucketlists", b" {\"name\": \"chunked\"}\n").await.json();
        assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 5);
    }

    async fn all_invalid_page_parameters_are_listed(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let long = format!("q={}", "x".repeat(201));
        let longer = format!("q={}", "%F0%9F%8C%8D".repeat(201));
        let table: &[(&str, &[(&str, &str)])] = &[
            ("page=0", &[("page", "TOO_SMALL")]),
            ("page=-1", &[("page", "TOO_SMALL")]),
            ("page=-99999999999999999999", &[("page", "TOO_SMALL")]),
            ("page=2147483648", &[("page", "TOO_LARGE")]),
            ("page=99999999999999999999", &[("page", "TOO_LARGE")]),
            ("page=abc", &[("page", "WRONG_TYPE")]),
            ("page=", &[("page", "WRONG_TYPE")]),
            ("page", &[("page", "WRONG_TYPE")]),
            ("page=1.0", &[("page", "WRONG_TYPE")]),
            ("page=1e3", &[("page", "WRONG_TYPE")]),
            ("page=01", &[("page", "WRONG_TYPE")]),
            ("page=+1", &[("page", "WRONG_TYPE")]),
            ("page=%2B1", &[("page", "WRONG_TYPE")]),
            ("page=1%20", &[("page", "WRONG_TYPE")]),
            ("page=0x1", &[("page", "WRONG_TYPE")]),
            ("page=%D9%A1", &[("page", "WRONG_TYPE")]),
            ("page=null", &[("page", "WRONG_TYPE")]),
            ("page=1&page=1", &[("page", "REPEATED")]),
            ("page=1&page=abc&page=2", &[("page", "REPEATED")]),
            ("page=%00", &[("page", "INVALID_CHARACTERS")]),
            ("page=%ff", &[("page", "INVALID_CHARACTERS")]),
            ("per_page=0", &[("per_page", "TOO_SMALL")]),
            ("per_page=2147483648", &[("per_page", "TOO_LARGE")]),
            ("q=a&q=b", &[("q", "REPEATED")]),
            ("q=%00", &[("q", "INVALID_CHARACTERS")]),
            ("q=%01", &[("q", "INVALID_CHARACTERS")]),
            ("q=a%0Ab", &[("q", "INVALID_CHARACTERS")]),
            ("q=%ff", &[("q", "INVALID_CHARACTERS")]),
            ("q=%ED%A0%80", &[("q", "INVALID_CHARACTERS")]),
            (&long, &[("q", "TOO_LONG")]),
            (&longer, &[("q", "TOO_LONG")]),
            ("color=1", &[("color", "UNKNOWN_PARAMETER")]),
            ("Page=1", &[("Page", "UNKNOWN_PARAMETER")]),
            ("page%5B%5D=1", &[("page[]", "UNKNOWN_PARAMETER")]),
            ("=1", &[("", "UNKNOWN_PARAMETER")]),
            ("%ff=1", &[("\u{fffd}", "UNKNOWN_PARAMETER")]),
            ("a=1&b=2&a=3", &[("a", "UNKNOWN_PARAMETER"), ("b", "UNKNOWN_PARAMETER")]),
            (
                "color=1&page=0&per_page=x&q=%00",
                &[
                    ("color", "UNKNOWN_PARAMETER"),
                    ("q", "INVALID_CHARACTERS"),
                    ("page", "TOO_SMALL"),
                    ("per_page", "WRONG_TYPE"),
                ],
            ),
        ];
        let pages: Vec<&Operation> = v1::contract()
            .operations()
            .filter(|operation| operation.validate_parameters(&[("bucketlist_id", "1")], Some("page=1")).is_empty())
            .filter(|operation| operation.method == "GET" && !operation.path.ends_with("_id}"))
            .collect();
        assert_eq!(pages.len(), 3);
        for operation in pages {
            let path = fixture.path(operation);
            for (query, expected) in table {
                let unknown = expected.iter().all(|(_, code)| *code == "UNKNOWN_PARAMETER");
                let code = if unknown { "UNKNOWN_PARAMETER" } else { "VALIDATION_FAILED" };
                let response = fixture.admin.get(&format!("{path}?{query}")).await.expect_error(422, code);
                assert_eq!(response.details(), details(expected), "{query}");
            }
            for query in [
                "",
                "&&",
                "page=%31&per_page=%35",
                "page=2147483647&per_page=2147483647",
                "per_page=1000",
                "q=",
                "q",
                "q=%",
                "q=%zz",
                "q=+",
                &format!("q={}", "%F0%9F%8C%8D".repeat(200)),
                &format!("q={}", "u%CC%88".repeat(200)),
                "q=%EF%BB%BF",
                "q='%20OR%201=1%20--",
            ] {
                let page = fixture.admin.get(&format!("{path}?{query}")).await.expect(200).json();
                assert!(page["meta"]["per_page"].as_i64().unwrap() <= 100);
            }
        }
    }

    async fn unknown_query_parameter_is_rejected_by_every_operation(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let before = fixture.table_states();
        let long = "n".repeat(5_000);
        for operation in v1::contract().operations() {
            let actor = fixture.caller(operation);
            for name in ["color", "access_token", "%01", &long] {
                let mut request = actor.request(method(operation), &format!("{}?{name}=1", fixture.path(operation)));
                if operation.body().is_some() {
                    request = request.json(&request_schema(operation)["example"]);
                }
                let response = request.send().await.expect_error(422, "UNKNOWN_PARAMETER");
                assert_eq!(response.details().len(), 1);
            }
            // Violations of parameters and body are listed together.
            if operation.body().is_some() {
                let path = format!("{}?color=1", fixture.path(operation));
                let response = actor.request(method(operation), &path).json(&json!([])).send().await;
                let response = response.expect_error(422, "VALIDATION_FAILED");
                assert_eq!(response.details(), details(&[("color", "UNKNOWN_PARAMETER"), ("", "WRONG_TYPE")]));
            }
        }
        assert_eq!(fixture.table_states(), before);
    }

    async fn number_of_listed_violations_is_bounded(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let query: Vec<String> = (0..1_500).map(|number| format!("{number:x}")).collect();
        let body: serde_json::Map<String, Value> =
            (0..30_000).map(|number| (format!("field {number}"), json!(number))).collect();
        let path = format!("/v1/bucketlists?{}", query.join("&"));
        for path in ["/v1/bucketlists", &path] {
            let response = user.post(path, &Value::Object(body.clone())).await.expect(422);
            assert_eq!(response.details().len(), 1_000);
        }
        let response = user.get(&path).await.expect_error(422, "UNKNOWN_PARAMETER");
        assert_eq!(response.details().len(), 1_000);
        for name in ["\u{1}", &"n".repeat(100_000), "\u{1f600}\u{202e}"] {
            let response = user.post("/v1/bucketlists", &json!({"name": "x", name: 1})).await.expect(422);
            assert!(response.body.len() < 10_000);
            let twice = format!("{{{0}:1,{0}:1}}", json!(name));
            let request = user.request(Method::POST, "/v1/bucketlists").bytes(twice).header("content-type", JSON);
            assert!(request.send().await.expect_error(400, "DUPLICATE_KEY").body.len() < 10_000);
        }
    }

    async fn id_has_one_canonical_form(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let before = fixture.table_states();
        let huge = "9".repeat(400);
        for operation in v1::contract().operations() {
            for (parameter, code) in [
                ("bucketlist_id", "BUCKETLIST_NOT_FOUND"),
                ("item_id", "ITEM_NOT_FOUND"),
                ("user_id", "USER_NOT_FOUND"),
            ] {
                let marker = format!("{{{parameter}}}");
                if !operation.path.contains(&marker) {
                    continue;
                }
                let send = async |id: &str| {
                    let template = operation.path.replace(&marker, id);
                    let path = template.replace("{bucketlist_id}", &fixture.list.to_string());
                    let path = path.replace("{item_id}", &fixture.item.to_string());
                    let request = fixture.admin.request(method(operation), &path);
                    match operation.body() {
                        Some(_) => request.json(&request_schema(operation)["example"]).send().await,
                        None => request.send().await,
                    }
                };
                for (id, violation) in [
                    ("0", "TOO_SMALL"),
                    ("-1", "TOO_SMALL"),
                    ("-9223372036854775809", "TOO_SMALL"),
                    ("9223372036854775808", "TOO_LARGE"),
                    (&huge, "TOO_LARGE"),
                    ("abc", "WRONG_TYPE"),
                    ("1e3", "WRONG_TYPE"),
                    ("1.0", "WRONG_TYPE"),
                    ("01", "WRONG_TYPE"),
                    ("+1", "WRONG_TYPE"),
                    ("0x1", "WRONG_TYPE"),
                    ("1%20", "WRONG_TYPE"),
                    ("%D9%A1", "WRONG_TYPE"),
                    ("1%2F1", "WRONG_TYPE"),
                    ("%2e%2e", "WRONG_TYPE"),
                    ("..", "WRONG_TYPE"),
                    ("%7Bid%7D", "WRONG_TYPE"),
                    ("*", "WRONG_TYPE"),
                    ("%", "WRONG_TYPE"),
                    ("%00", "INVALID_CHARACTERS"),
                    ("1%00", "INVALID_CHARACTERS"),
                    ("%ff", "INVALID_CHARACTERS"),
                ] {
                    let response = send(id).await.expect_error(422, "VALIDATION_FAILED");
                    assert_eq!(response.details(), details(&[(parameter, violation)]), "{id}");
                }
                for nonexistent in ["9223372036854775807", "999999", "%39%39%39%39%39%39"] {
                    send(nonexistent).await.expect_error(404, code);
                }
            }
        }
        assert_eq!(fixture.table_states(), before);
        // A percent-encoded digit is equal to the digit.
        let encoded: String = fixture.list.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
        let response = fixture.admin.get(&format!("/v1/bucketlists/{encoded}")).await.expect(200).json();
        assert_eq!(response["id"], fixture.list);
    }

    async fn head_returns_the_headers_of_get(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let operations = v1::contract().operations().filter(|operation| operation.method == "GET");
        let mut paths: Vec<String> = operations.map(|operation| fixture.path(operation)).collect();
        paths.extend(
            ["/v1/bucketlists/999999", "/v1/bucketlists?page=0", "/v1/nope", "/nope", "/problems/nope"]
                .map(str::to_owned),
        );
        paths.extend(UNVERSIONED_ROUTES.map(str::to_owned));
        for path in paths {
            let (status, mut headers, body) = send_unvalidated(&fixture.admin, &app, "GET", &path).await;
            let (head_status, mut head_headers, head_body) = send_unvalidated(&fixture.admin, &app, "HEAD", &path).await;
            assert!(!body.is_empty() && head_body.is_empty(), "{path}");
            if let Some(length) = headers.get("content-length") {
                assert_eq!(*length, body.len().to_string(), "{path}");
            }
            for changing in ["x-request-id", "x-response-time", "date", "cache-status"] {
                headers.remove(changing);
                head_headers.remove(changing);
            }
            assert_eq!((head_status, head_headers), (status, headers), "{path}");
        }
    }

    async fn unsupported_method_returns_405_with_allow(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let before = fixture.table_states();
        let mut offered: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for operation in v1::contract().operations() {
            offered.entry(fixture.path(operation)).or_default().push(&operation.method);
        }
        for path in UNVERSIONED_ROUTES {
            offered.insert(path.to_owned(), vec!["GET"]);
        }
        for (path, methods) in &mut offered {
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            methods.push("OPTIONS");
            methods.sort_unstable();
            let allow = methods.join(", ");
            for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
                let (status, headers, body) = send_unvalidated(&fixture.admin, &app, method, path).await;
                assert_eq!((status, headers.get("allow")), (405, Some(&allow)), "{method} {path}");
                if method == "HEAD" {
                    assert_eq!(body, b"");
                } else {
                    let response = fixture.admin.request(method.parse().unwrap(), path).send().await;
                    response.expect_error(405, "METHOD_NOT_ALLOWED");
                }
            }
            for actor in [&fixture.admin, &app.anonymous()] {
                let response = actor.request(Method::OPTIONS, path).send().await.expect(204);
                assert_eq!((response.header("allow"), &*response.body), (&*allow, &b""[..]), "{path}");
            }
        }
        assert_eq!(fixture.table_states(), before);
    }

    async fn unacceptable_media_type_returns_406_and_writes_nothing(engine: Engine) {
        let app = TestApp::new(engine);
        let fixture = Fixture::new(&app).await;
        let before = fixture.table_states();
        for operation in v1::contract().operations().filter(|operation| !operation.response_media_types.is_empty()) {
            for accept in [
                "image/png",
                "text/html, image/*",
                "application/json;q=0",
                "*/*;q=0",
                "application/json;q=0.0, text/plain",
            ] {
                let mut request = fixture.caller(operation).request(method(operation), &fixture.path(operation));
                if operation.body().is_some() {
                    request = request.json(&request_schema(operation)["example"]);
                }
                request.header("accept", accept).send().await.expect_error(406, "NOT_ACCEPTABLE");
            }
        }
        assert_eq!(fixture.table_states(), before);
        for accept in [
            "",
            "*/*",
            "application/*",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            "text/html, */*;q=0.001",
            "application/json;q=17",
            "application/json;q=-1",
            "application/json;q=NaN",
            "application/json;q=",
            "nonsense",
            ";;,,",
            "\u{e9}",
        ] {
            fixture.admin.request(Method::GET, "/v1/users/me").header("accept", accept).send().await.expect(200);
        }
        // A response without a body is acceptable in any case.
        let request = fixture.admin.request(Method::POST, "/v1/auth/logout").header("accept", "image/png");
        request.send().await.expect(204);
    }

    async fn long_response_is_compressed_with_the_preferred_encoding(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        user.create_bucketlist("short").await;
        let short = user.get("/v1/bucketlists").await.expect(200);
        assert!(short.body.len() < 1024);
        for number in 0..20 {
            let body = json!({"name": format!("List {number}"), "description": "Places to visit once. ".repeat(10)});
            user.post("/v1/bucketlists", &body).await.expect(201);
        }
        let plain = user.get("/v1/bucketlists").await.expect(200);
        assert!(plain.body.len() > 1024 && !plain.headers.contains_key("content-encoding"));
        for (accepted, encoding, magic) in [
            ("gzip", Some("gzip"), &[0x1f, 0x8b][..]),
            ("br", Some("br"), &[]),
            ("zstd", Some("zstd"), &[0x28, 0xb5, 0x2f, 0xfd]),
            ("gzip;q=0.5, zstd;q=0.9", Some("zstd"), &[]),
            ("*", Some("zstd"), &[]),
            ("identity", None, b"{"),
            ("gzip;q=0", None, b"{"),
            ("deflate, compress", None, b"{"),
            ("nonsense;q=x", None, b"{"),
            ("", None, b"{"),
        ] {
            let request = user.request(Method::GET, "/v1/bucketlists").header("accept-encoding", accepted);
            let response = request.send().await.expect(200);
            assert_eq!(response.headers.get("content-encoding").map(String::as_str), encoding, "{accepted}");
            assert!(response.header("vary").contains("Accept-Encoding"));
            assert!(response.body.starts_with(magic), "{accepted}");
            match encoding {
                Some(_) => {
                    assert!(response.body.len() < plain.body.len() / 3, "{accepted}: {}", response.body.len());
                    let length = response.headers.get("content-length");
                    assert!(length.is_none_or(|length| *length == response.body.len().to_string()));
                }
                None => assert_eq!(response.body, plain.body),
            }
        }
        let request = user.request(Method::GET, "/v1/bucketlists?q=short").header("accept-encoding", "gzip");
        assert!(!request.send().await.expect(200).headers.contains_key("content-encoding"), "a short response was compressed");
        // A long error response is compressed as well, in both versions.
        let body: serde_json::Map<String, Value> = (0..50).map(|number| (format!("f{number}"), json!(1))).collect();
        let body = Value::Object(body);
        for path in ["/v1/bucketlists", "/v2/bucketlists"] {
            let request = user.request(Method::POST, path).json(&body).header("accept-encoding", "gzip");
            assert_eq!(request.send().await.expect(422).header("content-encoding"), "gzip", "{path}");
        }
    }

    async fn cross_site_response_is_not_compressed(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.cors_origins = vec!["https://app.example".to_owned()]).build();
        let anonymous = app.anonymous();
        for (name, value, is_compressed) in [
            ("x-nothing", "", true),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "cross-site", false),
            ("referer", "https://evil.example/", false),
            ("origin", "https://evil.example", false),
            ("origin", "https://app.example", true),
        ] {
            let request = anonymous.request(Method::GET, "/").header("accept-encoding", "gzip").header(name, value);
            // Browsers also send `Sec-Fetch-Site` with `Origin`.
            let request = if name == "origin" { request.header("sec-fetch-site", "cross-site") } else { request };
            let response = request.send().await.expect(200);
            assert_eq!(response.headers.contains_key("content-encoding"), is_compressed, "{name}: {value}");
        }
    }

    async fn response_with_tokens_is_not_compressed(engine: Engine) {
        let app = TestApp::new(engine);
        let email = format!("{}@{}.{}.example.com", "a".repeat(64), "b".repeat(63), "c".repeat(63));
        let body = json!({"email": email, "password": Actor::PASSWORD, "name": "🌍".repeat(100)});
        let anonymous = app.anonymous();
        let with = |path: &str| anonymous.request(Method::POST, path).header("accept-encoding", "gzip, br, zstd");
        let registered = with("/v1/auth/register").json(&body).send().await.expect(201);
        let credentials = json!({"email": email, "password": Actor::PASSWORD});
        let logged_in = with("/v1/auth/login").json(&credentials).send().await.expect(200);
        let refresh = json!({"refresh_token": logged_in.json()["refresh_token"]});
        let refreshed = with("/v1/auth/refresh").json(&refresh).send().await.expect(200);
        for response in [registered, logged_in, refreshed] {
            assert!(response.body.len() > 1024, "the response is long enough for compression");
            assert!(!response.headers.contains_key("content-encoding"), "{response:?}");
            assert_eq!(response.header("cache-control"), "no-store");
        }
    }

    async fn each_caller_has_a_separate_rate_limit(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            config.limits.general_per_minute = 5;
            config.limits.register_per_minute = 2;
            config.limits.login_per_minute = 1;
        }).build();
        let (first, second) = (app.user().await, app.user().await);
        let anonymous = app.anonymous();
        // Registration has its own limit, which is exceeded.
        let body = json!({"email": "third@example.com", "password": Actor::PASSWORD});
        let rejected = anonymous.post("/v1/auth/register", &body).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(rejected.header("ratelimit-policy"), "\"register\";q=2;w=60");
        assert!(rejected.header("ratelimit").starts_with("\"register\";r=0;t="), "{rejected:?}");
        // Login has its own limit; the request is counted before its body is read.
        let response = anonymous.post("/v1/auth/login", &json!({})).await.expect(422);
        assert_eq!(response.header("ratelimit-policy"), "\"login\";q=1;w=60");
        anonymous.post("/v1/auth/login", &json!({})).await.expect_error(429, "RATE_LIMIT_EXCEEDED");

        for remaining in (0..5).rev() {
            let response = first.get("/v1/users/me").await.expect(200);
            assert_eq!(response.header("ratelimit-policy"), "\"general\";q=5;w=60");
            assert!(response.header("ratelimit").starts_with(&format!("\"general\";r={remaining};t=")), "{response:?}");
        }
        let rejected = first.get("/v1/users/me").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        let wait: i64 = rejected.header("retry-after").parse().unwrap();
        assert!((1..=12).contains(&wait), "{wait}");
        assert_eq!(rejected.json()["error"]["retry_after"], wait);
        // The limit resets later than `Retry-After`, which is for the next request.
        assert_eq!(rejected.header("ratelimit"), "\"general\";r=0;t=60");
        assert_eq!(rejected.header("ratelimit-policy"), "\"general\";q=5;w=60");
        second.get("/v1/users/me").await.expect(200);
        // A request without a valid token counts against its address, whose limit of five is exceeded.
        let forged = anonymous.request(Method::GET, "/v1/users/me").header("authorization", "Bearer x.y.z");
        forged.send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        // Requests for unversioned paths are not counted.
        for path in UNVERSIONED_ROUTES {
            let response = first.get(path).await.expect(200);
            assert!(!response.headers.contains_key("ratelimit"), "{path}");
        }
    }

    async fn draining_server_is_live_but_not_ready(engine: Engine) {
        let app = TestApp::new(engine);
        let anonymous = app.anonymous();
        let liveness = anonymous.get("/health/live").await.expect(200);
        assert_eq!((liveness.json(), liveness.header("content-type")), (json!({"status": "pass"}), "application/health+json"));
        let ready = anonymous.get("/health/ready").await.expect(200).json();
        assert_eq!(ready, json!({"status": "pass", "checks": {"database": "pass", "migrations": "pass"}}));
        let user = app.user().await;

        app.app.readiness.drain();
        let response = anonymous.get("/health/ready").await.expect_error(503, "SERVICE_UNAVAILABLE");
        assert_eq!(response.header("content-type"), "application/problem+json");
        assert_eq!(response.json()["retry_after"].to_string(), response.header("retry-after"));
        anonymous.get("/health/live").await.expect(200);
        // Requests are still processed.
        user.get("/v1/users/me").await.expect(200);
    }

    async fn server_with_an_unmigrated_database_is_not_ready(engine: Engine) {
        let app = TestApp::builder().database(crate::support::Database::unmigrated(engine)).build();
        let response = app.anonymous().get("/health/ready").await.expect_error(503, "SERVICE_UNAVAILABLE");
        assert!(response.json()["detail"].as_str().unwrap().contains("migrat"), "{response:?}");
        app.anonymous().get("/health/live").await.expect(200);
    }
}

#[tokio::test]
async fn unknown_path_returns_404_in_the_error_format_of_its_version() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    for (path, is_v1) in [
        ("/v1", true),
        ("/v1/", true),
        ("/v1//", true),
        ("/v1/nope", true),
        ("/v1/bucketlists/", true),
        ("/v1/bucketlists/1/", true),
        ("/v1//bucketlists", true),
        ("/v1/bucketlists//items", true),
        ("/v1/bucketlists/1/items/1/x", true),
        ("/v1/Bucketlists", true),
        ("/v1/bucketlists;a=b", true),
        ("/v1/%62ucketlists", true),
        ("/v1/%2e%2e/version", true),
        ("/v1/../version", true),
        ("/v1/bucketlists%2F1", true),
        ("/v1/%00", true),
        ("/v1/%ff", true),
        ("/V1/bucketlists", false),
        ("/v1x", false),
        ("/v10/bucketlists", false),
        ("/v2/x", false),
        ("/nope", false),
        ("//", false),
        ("//v1/bucketlists", false),
        ("/%2e%2e", false),
        ("/..", false),
        ("/%00", false),
        ("/%ff", false),
        ("/health", false),
        ("/openapi", false),
        ("/openapi/v3.json", false),
        ("/problems/NOT_A_CODE", false),
        ("/docs/x", false),
        ("/openapi/", false),
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
            let response = user.request(method.parse().unwrap(), path).json(&json!({"a": 1})).send().await;
            let response = response.expect_error(404, "ROUTE_NOT_FOUND");
            let body = response.json();
            if is_v1 {
                let error = &body["error"];
                assert_eq!((&error["details"], &error["retry_after"]), (&json!([]), &json!(null)), "{path}");
                assert_eq!(error["request_id"], *response.header("x-request-id"));
            } else {
                assert_eq!(body["type"], "/problems/route-not-found", "{path}");
                assert_eq!(body["instance"], path);
                assert_eq!(
                    (&body["errors"], &body["request_id"]),
                    (&json!([]), &json!(response.header("x-request-id")))
                );
                assert_eq!(body["title"], ErrorCode::RouteNotFound.title());
            }
        }
    }
}

#[tokio::test]
async fn response_repeats_a_valid_request_id() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    let long = "x".repeat(128);
    let longer = "x".repeat(129);
    for (sent, is_valid) in [
        ("A-1_b.c", true),
        ("0", true),
        (&long, true),
        (&longer, false),
        ("", false),
        ("a b", false),
        ("a;b", false),
        ("<script>", false),
        ("\u{e9}", false),
        ("a\tb", false),
    ] {
        for (path, status) in [
            ("/v1/users/me", 200),
            ("/v1/bucketlists/999", 404),
            ("/v1/users?page=0", 403),
            ("/v1/x", 404),
            ("/x", 404),
            ("/", 200),
        ] {
            let response = user.request(Method::GET, path).header("x-request-id", sent).send().await.expect(status);
            let request_id = response.header("x-request-id");
            assert_eq!(request_id == sent, is_valid, "{sent:?}: {request_id}");
            assert!(is_valid || request_id.len() == 36, "{request_id}");
            if status >= 400 {
                let body = response.json();
                let in_body = body["error"]["request_id"].as_str().or_else(|| body["request_id"].as_str());
                assert_eq!(in_body, Some(request_id));
            }
        }
    }
    let responses = [user.get("/").await.any_status(), user.get("/").await.any_status()];
    assert_ne!(responses[0].header("x-request-id"), responses[1].header("x-request-id"));
    for traceparent in ["", "nonsense", "00-0-0-0", "\u{e9}", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
    {
        user.request(Method::GET, "/v1/users/me").header("traceparent", traceparent).send().await.expect(200);
    }
}

#[tokio::test]
async fn every_response_has_response_time_and_security_headers() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    let mut paths = UNVERSIONED_ROUTES.to_vec();
    paths.extend([
        "/v1/users/me",
        "/v1/bucketlists",
        "/v1/nope",
        "/nope",
        "/v1/users",
        "/v1/bucketlists/0",
        "/problems",
        "/problems/gone",
        "/problems/nope",
    ]);
    for path in paths {
        for actor in [&user, &app.anonymous()] {
            let response = actor.get(path).await.any_status();
            let took = response.header("x-response-time").strip_suffix('s').unwrap();
            let (seconds, thousandths) = took.split_once('.').unwrap();
            assert!(thousandths.len() == 3 && format!("{seconds}{thousandths}").parse::<u32>().is_ok(), "{took}");
            let is_public = ["/openapi/", "/postman/", "/.well-known/jwks"].iter().any(|start| path.starts_with(start));
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", if is_public { "cross-origin" } else { "same-origin" }),
                ("cross-origin-embedder-policy", "require-corp"),
            ] {
                assert_eq!(response.header(name), value, "{path}");
            }
            let policy = response.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(
                !policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'),
                "{path}: {policy}"
            );
            if path.starts_with("/v1") {
                assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'");
                assert_eq!(response.header("cache-control"), "no-store");
            }
        }
    }
}

#[tokio::test]
async fn url_and_header_block_have_a_maximum_size() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    for (path, status) in [("/v1/bucketlists?q=", 422), ("/v1/", 404), ("/", 404)] {
        let url = format!("{path:x<8192}");
        user.get(&url).await.expect(status);
        user.get(&format!("{url}x")).await.expect_error(414, "URI_TOO_LONG");
    }
    for path in ["/v1/users/me", "/version", "/nope"] {
        let with = |bytes: usize| user.request(Method::GET, path).header("x-filler", &"x".repeat(bytes));
        let response = with(15 * 1024).send().await.any_status();
        assert_ne!(response.status, 431);
        with(16 * 1024).send().await.expect_error(431, "HEADERS_TOO_LARGE");
    }
}

#[tokio::test]
async fn openapi_documents_are_served_with_minified_json() {
    let app = TestApp::builder().engine(Engine::Sqlite).config(|config| config.is_public_url_set = false).build();
    let anonymous = app.anonymous();
    let (v1_3_1, v2_3_1) = (v1::document().to_openapi_3_1(), v2::document().to_openapi_3_1());
    for (path, text, content_type) in [
        ("/openapi/v1.json", v1::document().value().to_string(), "application/json"),
        ("/openapi/v1.yaml", v1::document().to_yaml(), "application/yaml"),
        ("/openapi/v2.json", v2::document().value().to_string(), "application/json"),
        ("/openapi/v2.yaml", v2::document().to_yaml(), "application/yaml"),
        ("/openapi/v1-3.1.json", v1_3_1.value().to_string(), "application/json"),
        ("/openapi/v1-3.1.yaml", v1_3_1.to_yaml(), "application/yaml"),
        ("/openapi/v2-3.1.json", v2_3_1.value().to_string(), "application/json"),
        ("/openapi/v2-3.1.yaml", v2_3_1.to_yaml(), "application/yaml"),
    ] {
        let response = anonymous.get(path).await.expect(200);
        assert!(response.body == text.as_bytes(), "{path}");
        assert_eq!(response.header("content-type"), content_type);
    }
    let version = anonymous.get("/version").await.expect(200).json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["contracts"], json!(["v1", "v2"]));
    assert!(version["commit"].is_string() && version["built"].is_string(), "{version}");
}

#[tokio::test]
async fn every_error_code_has_a_page() {
    let app = TestApp::new(Engine::Sqlite);
    for code in ErrorCode::ALL {
        let page = app.anonymous().get(&format!("/problems/{}", problem::slug(*code))).await.expect(200);
        let text = String::from_utf8(page.body.clone()).unwrap();
        assert!(text.contains(code.as_str()) && text.contains(&code.status().to_string()), "{text}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
}

#[tokio::test]
async fn links_of_pages_are_valid() {
    let app = TestApp::new(Engine::Sqlite);
    let anonymous = app.anonymous();
    let mut links = Vec::new();
    for page in
        ["/", "/docs", "/reference", "/reference/v2/items", "/guides/errors", "/problems", "/problems/not-acceptable"]
    {
        let text = String::from_utf8(anonymous.get(page).await.expect(200).body).unwrap();
        for attribute in ["href=\"", "src=\""] {
            let values = text.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            links.extend(values.filter(|link| link.starts_with('/')));
        }
        assert!(!text.contains("<style") && !text.contains("style=\"") && !text.contains(" onclick"), "{page}");
        for script in text.split("<script").skip(1) {
            assert!(
                script.trim_start().starts_with("src=") || script.contains("src=\""),
                "{page} has an inline script"
            );
        }
    }
    assert!(links.len() > 8, "{links:?}");
    for link in links {
        anonymous.get(&link).await.expect(200);
    }
}

#[tokio::test]
async fn static_file_with_a_matching_etag_returns_304() {
    let app = TestApp::new(Engine::Sqlite);
    let anonymous = app.anonymous();
    for path in
        ["/", "/docs", "/reference", "/robots.txt", "/openapi/v2.json", "/openapi/v2.yaml", "/problems/not-acceptable"]
    {
        let full = anonymous.get(path).await.expect(200);
        let etag = full.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        for (known, status) in [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"other\", {etag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            (etag.trim_matches('"').to_owned(), 200),
            (String::new(), 200),
            ("\u{e9}".to_owned(), 200),
        ] {
            let request = anonymous.request(Method::GET, path).header("if-none-match", &known);
            let response = request.send().await.expect(status);
            assert_eq!(response.header("etag"), etag, "{path} {known}");
            assert_eq!(response.body.is_empty(), status == 304);
            assert_eq!(response.header("cache-control"), full.header("cache-control"));
        }
    }
    // The compressed representation has its own ETag. It is weak while the response is compressed as a stream, and strong
    // once the compressed file is cached.
    let compressed = anonymous.request(Method::GET, "/openapi/v1.json").header("accept-encoding", "gzip");
    let compressed = compressed.send().await.expect(200);
    assert_eq!(compressed.header("content-encoding"), "gzip");
    let etag = compressed.header("etag");
    let opaque = etag.trim_start_matches("W/");
    assert!(opaque.starts_with('"') && opaque.ends_with("-gzip\""), "{etag}");
    let again = anonymous.request(Method::GET, "/openapi/v1.json").header("if-none-match", etag);
    let again = again.header("accept-encoding", "gzip").send().await.expect(304);
    assert_eq!(again.header("etag").trim_start_matches("W/"), opaque);
}

both_engines! {
    async fn clients_behind_a_trusted_proxy_have_separate_rate_limits(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            config.limits.login_per_minute = 1;
            // The peer address of in-process requests.
            config.trusted_proxies = vec!["0.0.0.0/32".parse().unwrap()];
        }).build();
        let login = |address: &str| {
            let login = app.anonymous().request(Method::POST, "/v1/auth/login").json(&json!({}));
            login.header("x-forwarded-for", address)
        };
        login("198.51.100.1").send().await.expect(422);
        login("198.51.100.1").send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        login("203.0.113.9, 198.51.100.1").send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        login("198.51.100.2").send().await.expect(422);
        let forwarded = |node: &str| {
            let login = app.anonymous().request(Method::POST, "/v1/auth/login").json(&json!({}));
            login.header("forwarded", node)
        };
        forwarded("for=203.0.113.9, for=198.51.100.2;proto=https").send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        forwarded("for=\"[2001:db8::1]:4711\";proto=https").send().await.expect(422);
    }

    async fn hsts_is_sent_if_the_public_url_is_https(engine: Engine) {
        let plain = TestApp::new(engine);
        let response = plain.anonymous().get("/health/live").await.expect(200);
        assert!(!response.headers.contains_key("strict-transport-security"));
        let secure = TestApp::builder().engine(engine).config(|config| config.public_url = "https://api.example".to_owned()).build();
        for path in ["/health/live", "/v1/users/me", "/nope"] {
            let response = secure.anonymous().get(path).await.any_status();
            assert_eq!(response.header("strict-transport-security"), "max-age=63072000; includeSubDomains");
        }
    }
}

both_engines! {
    async fn violations_of_path_query_and_body_are_listed_together(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "", "foo": 1});
        let response = user.post("/v1/bucketlists/abc/items?zz=1", &body).await.expect_error(422, "VALIDATION_FAILED");
        let mut fields: Vec<String> = response.details().into_iter().map(|(field, _)| field).collect();
        fields.sort();
        assert_eq!(fields, ["/foo", "/name", "bucketlist_id", "zz"]);
        // An invalid path is rejected with a valid body as well.
        user.put("/v1/bucketlists/0", &json!({"name": "Mine"})).await.expect_error(422, "VALIDATION_FAILED");
        app.anonymous().post("/v1/bucketlists/abc/items", &body).await.expect_error(401, "AUTHENTICATION_REQUIRED");
    }

    async fn request_body_with_a_content_encoding_returns_415(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for (encoding, status) in [("gzip", 415), ("br", 415), ("nonsense", 415), ("identity", 201)] {
            let request = user.request(Method::POST, "/v1/bucketlists").json(&json!({"name": encoding}));
            let response = request.header("content-encoding", encoding).send().await.expect(status);
            let accepted = response.headers.get("accept-encoding").map(String::as_str);
            assert_eq!(accepted, Some("identity").filter(|_| status == 415), "{encoding}");
            assert!(!response.headers.contains_key("accept-post"), "{encoding}");
        }
    }

    async fn unsupported_media_type_returns_the_supported_ones(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for (method, path, header, accepted) in [
            (Method::POST, "/v1/bucketlists", "accept-post", "application/json"),
            (Method::POST, "/v2/bucketlists", "accept-post", "application/json"),
            (Method::PATCH, "/v2/users/me", "accept-patch", "application/json, application/merge-patch+json"),
        ] {
            let request = user.request(method, path).bytes("{}").header("content-type", "text/plain");
            let response = request.send().await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            assert_eq!(response.header(header), accepted, "{path}");
            assert!(!response.headers.contains_key("accept-encoding"), "{path}");
        }
    }
}
