//! Redaction must not change how a request fails. Generated requests are sent twice, as generated and as redacted. Both must
//! return the same status, code and error locations.
//!
//! A second account sends the redacted requests. Its email address and password are the placeholders of those of the first
//! account, and it owns the same resources. Tokens issued by the server have no placeholder that is valid, so none are sent.
//! `TORTURE` sets the number of requests.

use ::incidents::{Exchange, IncidentRecord, Redactor};
use bucketlist::capture::redactor;
use bytes::Bytes;
use contract::{v1, v2};
use openapi_model::Operation;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::support::{Actor, Engine, TestApp, TestResponse, Value, json};

const SECRET: &str = "the-secret-that-test-apps-sign-with";

/// An account and its resources.
struct Account<'a> {
    actor: Actor<'a>,
    email: String,
    password: String,
    list: i64,
    item: i64,
    export: i64,
}

impl Account<'_> {
    /// Returns the ID of the resource for a path parameter.
    fn id(&self, parameter: &str) -> i64 {
        match parameter {
            "user_id" => self.actor.id(),
            "bucketlist_id" => self.list,
            "item_id" => self.item,
            "export_id" => self.export,
            _ => 1,
        }
    }
}

async fn register<'a>(app: &'a TestApp, email: &str, password: &str) -> Account<'a> {
    let body = json!({"email": email, "password": password, "name": "Ada"});
    let session = app.anonymous().post("/v2/auth/register", &body).await.expect(201).json();
    let actor = Actor::new(app, Some(session));
    let list = actor.create_bucketlist("See the world").await;
    let item = actor.create_item(list, "Watch the northern lights").await;
    let export = actor.create_export("json").await;
    Account { actor, email: email.to_owned(), password: password.to_owned(), list, item, export }
}

fn operations() -> Vec<&'static Operation> {
    // Incidents depend on earlier requests, and operations on sessions would log the accounts out.
    let is_excluded = |id: &str| id.contains("ncident") || id.contains("ession") || id == "logout";
    [v1::contract(), v2::contract()]
        .into_iter()
        .flat_map(|contract| contract.operations())
        .filter(|operation| !is_excluded(&operation.id))
        .collect()
}

/// Returns the example of the operation's request body.
fn example(operation: &Operation) -> Value {
    let document = if operation.path.starts_with("/v1") { v1::document() } else { v2::document() }.value();
    let path = &operation.path[3..];
    let content = &document["paths"][path][operation.method.to_lowercase()]["requestBody"]["content"];
    let schema = &content[&operation.request_media_types[0]]["schema"];
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    match reference {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap()["example"].clone(),
        None => schema["example"].clone(),
    }
}

fn text(rng: &mut StdRng, account: &Account<'_>) -> String {
    const WORDS: [&str; 44] = [
        "",
        " ",
        "   ",
        "x",
        "short",
        "1234567",
        "12345678",
        "Password123",
        "qwertyuiop",
        "QWERTYUIOP",
        "pass@word1",
        "їїїїїїїї",
        "harbour-lantern-42",
        "another harbour 17",
        "пароль на юге",
        "ПАРОЛЬ",
        "山田太郎のひみつ",
        "😀😀😀😀😀😀😀😀",
        "e\u{301}te\u{301} a\u{308}",
        "\u{0}",
        "a\u{0}bcdefghij",
        "bell\u{7}bell",
        "tab\tand\nline",
        "\u{200b}zero",
        "  padded text  ",
        "ada@firm.io",
        "Ada.L+x@Mail.Firm.io",
        "jürgen@exämple.de",
        "password1@firm.io",
        "demo@example.com",
        "e\u{301}va@firm.io",
        "a@b",
        "@b.c",
        "a b@c.de",
        "x@y..zz",
        "\"q\"@firm.io",
        "ada@firm.io ",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2lnbmF0dXJl",
        "kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs",
        "4111 1111 1111 1111",
        "2026-02-30",
        "2027-01-31",
        "admin",
        "{{access_token}} {{$guid}}",
    ];
    const LENGTHS: [usize; 14] = [7, 8, 9, 64, 65, 100, 101, 128, 129, 200, 201, 254, 255, 1_001];
    let letters = |rng: &mut StdRng, length: usize| -> String {
        let alphabet: Vec<char> = "abcdefgXYZ0123456789-_.é山".chars().collect();
        (0..length).map(|_| *alphabet.choose(rng).unwrap()).collect()
    };
    let length = *LENGTHS.choose(rng).unwrap();
    match rng.random_range(0..16) {
        0 => account.email.clone(),
        1 => account.email.to_uppercase(),
        2 => account.email.split('@').next().unwrap().to_owned(),
        3 => account.password.clone(),
        4 => format!("{}@firm.io", letters(rng, length).replace(['é', '山', '_'], "q").trim_matches('.')),
        5 | 6 => letters(rng, length),
        7 => format!("note {} and password: {}", account.email, letters(rng, 9)),
        _ => (*WORDS.choose(rng).unwrap()).to_owned(),
    }
}

fn value(rng: &mut StdRng, account: &Account<'_>) -> Value {
    match rng.random_range(0..20) {
        0 => Value::Null,
        1 => rng.random_bool(0.5).into(),
        2 => [json!(0), json!(-7), json!(1.0), json!(12_345_678), json!(u64::MAX), json!(4_111_111_111_111_111_u64)]
            .choose(rng)
            .unwrap()
            .clone(),
        3 => json!({text(rng, account): text(rng, account)}),
        4 => json!([text(rng, account), {"password": text(rng, account)}]),
        _ => text(rng, account).into(),
    }
}

fn body(rng: &mut StdRng, account: &Account<'_>, operation: &Operation) -> Value {
    let mut body = example(operation);
    if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
        let count = rng.random_range(0..4);
        items.truncate(1);
        for _ in 0..count {
            items.push(json!({"name": text(rng, account)}));
        }
    }
    let Some(fields) = body.as_object_mut() else { return body };
    for (name, field) in fields.iter_mut() {
        match name.as_str() {
            "password" | "current_password" if rng.random_bool(0.5) => *field = account.password.clone().into(),
            "email" if rng.random_bool(0.3) => *field = account.email.clone().into(),
            "items" if rng.random_bool(0.9) => {}
            _ if rng.random_bool(0.5) => *field = value(rng, account),
            _ => {}
        }
    }
    let names: Vec<String> = fields.keys().cloned().collect();
    if rng.random_bool(0.1) {
        fields.remove(names.choose(rng).unwrap());
    }
    if rng.random_bool(0.15) {
        let name =
            ["color", "password", "token", "x", "user", "email", "access_token", "pin", "Ünïcode"].choose(rng).unwrap();
        fields.insert((*name).to_owned(), value(rng, account));
    }
    body
}

/// Writes JSON with random whitespace and escapes, and sometimes with duplicate keys.
fn write(rng: &mut StdRng, value: &Value, out: &mut String) {
    let space = |rng: &mut StdRng| *["", "", "", " ", "\n", "\t", "\r\n  "].choose(rng).unwrap();
    match value {
        Value::String(text) => string(rng, text, out),
        Value::Array(list) => {
            out.push('[');
            for (index, one) in list.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(space(rng));
                write(rng, one, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            let mut is_first = true;
            for (name, one) in map {
                for _ in 0..if rng.random_bool(0.01) { 2 } else { 1 } {
                    out.push_str(if is_first { "" } else { "," });
                    is_first = false;
                    out.push_str(space(rng));
                    string(rng, name, out);
                    out.push_str(space(rng));
                    out.push(':');
                    out.push_str(space(rng));
                    write(rng, one, out);
                }
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn string(rng: &mut StdRng, text: &str, out: &mut String) {
    let escapes = if rng.random_bool(0.2) { 0.4 } else { 0.0 };
    out.push('"');
    for character in text.chars() {
        if rng.random_bool(escapes) {
            let mut buffer = [0; 2];
            for unit in character.encode_utf16(&mut buffer) {
                out.push_str(&if rng.random_bool(0.5) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
            }
        } else if character.is_control() || matches!(character, '"' | '\\') {
            out.push_str(
                serde_json::to_string(&character).unwrap().trim_matches('"').replace("\\\\\"", "\\\"").as_str(),
            );
        } else {
            out.push(character);
        }
    }
    out.push('"');
}

/// Returns the bytes of a body, some of them malformed.
fn bytes(rng: &mut StdRng, account: &Account<'_>, operation: &Operation) -> Vec<u8> {
    let mut written = String::new();
    let value = body(rng, account, operation);
    write(rng, &value, &mut written);
    let mut bytes = written.into_bytes();
    let at = |rng: &mut StdRng, bytes: &[u8]| rng.random_range(0..bytes.len().max(1));
    match rng.random_range(0..40) {
        0 => {
            let at = at(rng, &bytes);
            bytes.truncate(at);
        }
        1 if !bytes.is_empty() => {
            let at = at(rng, &bytes);
            bytes[at] = *b"\"{}[]:,x0 \\'\xff".choose(rng).unwrap();
        }
        2 => {
            let at = at(rng, &bytes);
            bytes.insert(at, *b"\xc3\xff\"\\a0 \0".choose(rng).unwrap());
        }
        3 => bytes = [b"\xef\xbb\xbf".to_vec(), bytes].concat(),
        4 => bytes = format!("{}{}", "[".repeat(40), text(rng, account)).into_bytes(),
        5 => bytes = format!("email={}&password={}", text(rng, account), text(rng, account)).into_bytes(),
        6 => bytes = String::from_utf8_lossy(&bytes).replace('"', "'").into_bytes(),
        _ => {}
    }
    bytes
}

fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn target(rng: &mut StdRng, account: &Account<'_>, operation: &Operation) -> String {
    let segments = operation.path.split('/').map(|segment| {
        let Some(parameter) = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) else {
            return segment.to_owned();
        };
        match rng.random_range(0..12) {
            0 => (*["0", "-1", "99999999", "99999999999999999999", "abc", "12a", "1.0", "%FF", "%00", "%61%62"]
                .choose(rng)
                .unwrap())
            .to_owned(),
            1 => percent(&text(rng, account)).chars().take(60).collect::<String>().replace('%', "q") + "z",
            _ => account.id(parameter).to_string(),
        }
    });
    let path = segments.collect::<Vec<_>>().join("/");
    let names = [
        "q",
        "page",
        "per_page",
        "cursor",
        "sort",
        "done",
        "due_before",
        "include",
        "role",
        "created_after",
        "color",
        "token",
    ];
    let values = [
        "1",
        "0",
        "-5",
        "abc",
        "true",
        "maybe",
        "-name",
        "nome",
        "2026-02-30",
        "2026-12-31",
        "total",
        "admin",
        "99999999999",
    ];
    let mut pairs = Vec::new();
    while rng.random_bool(if operation.method == "GET" { 0.5 } else { 0.05 }) {
        let value =
            if rng.random_bool(0.3) { percent(&text(rng, account)) } else { (*values.choose(rng).unwrap()).to_owned() };
        pairs.push(format!("{}={value}", names.choose(rng).unwrap()));
    }
    if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
}

/// A generated request.
struct GeneratedRequest {
    operation: &'static Operation,
    target: String,
    content_type: Option<&'static str>,
    body: Option<Vec<u8>>,
}

async fn send(actor: &Actor<'_>, sent: &GeneratedRequest) -> TestResponse {
    let mut request = actor.request(sent.operation.method.parse().unwrap(), &sent.target);
    if let Some(content_type) = sent.content_type {
        request = request.header("content-type", content_type);
    }
    match &sent.body {
        Some(body) => request.bytes(body.clone()).send().await.any_status(),
        None => request.send().await.any_status(),
    }
}

fn record(redactor: &Redactor, sent: &GeneratedRequest, response: &TestResponse) -> IncidentRecord {
    let code = serde_json::from_slice::<Value>(&response.body)
        .ok()
        .and_then(|body| body["error"]["code"].as_str().or_else(|| body["code"].as_str()).map(str::to_owned));
    let code =
        code.and_then(|code| contract::ErrorCode::ALL.iter().map(|known| known.as_str()).find(|known| *known == code));
    let headers = sent.content_type.iter().map(|value| ("content-type".to_owned(), value.as_bytes().to_vec()));
    let exchange = Exchange {
        request_id: "r".to_owned(),
        trace_id: None,
        received_at: 1,
        duration: 1,
        contract: None,
        operation: Some(sent.operation),
        code,
        site: String::new(),
        principal: None,
        method: sent.operation.method.clone(),
        target: sent.target.clone(),
        headers: headers.collect(),
        body: sent.body.iter().cloned().map(Bytes::from).collect(),
        is_body_truncated: false,
        status: response.status,
        response_headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        response_body: Bytes::from(response.body.clone()),
        is_response_truncated: false,
    };
    redactor.redact(&exchange).record
}

/// Returns the request of a record with the IDs of the second account.
fn for_second_account(
    record: &IncidentRecord,
    sent: &GeneratedRequest,
    first: &Account<'_>,
    second: &Account<'_>,
) -> GeneratedRequest {
    let (path, query) =
        record.request.target.split_once('?').map_or((record.request.target.as_str(), None), |(p, q)| (p, Some(q)));
    let segments = sent.operation.path.split('/').zip(path.split('/')).map(|(template, segment)| {
        match template.strip_prefix('{').and_then(|template| template.strip_suffix('}')) {
            Some(name) if first.id(name).to_string() == segment => second.id(name).to_string(),
            _ => segment.to_owned(),
        }
    });
    let path = segments.collect::<Vec<_>>().join("/");
    GeneratedRequest {
        operation: sent.operation,
        target: query.map_or(path.clone(), |query| format!("{path}?{query}")),
        content_type: sent.content_type,
        body: sent.body.as_ref().map(|_| record.request.body.0.clone()),
    }
}

/// Returns the status, the code and the error locations of a response.
fn outcome(status: u16, body: &[u8]) -> (u16, Option<String>, Vec<(String, String)>) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = if body["error"].is_object() { &body["error"] } else { &body };
    let code = error["code"].as_str().filter(|_| status >= 400).map(str::to_owned);
    let details = error["details"].as_array().or_else(|| error["errors"].as_array()).into_iter().flatten();
    let location = |detail: &Value| {
        let locations = ["field", "pointer", "parameter", "header"].map(|name| detail[name].as_str());
        (locations.into_iter().flatten().collect::<String>(), detail["code"].as_str().unwrap_or_default().to_owned())
    };
    let mut details: Vec<_> = details.map(location).collect();
    details.sort();
    (status, code, details)
}

#[tokio::test]
async fn redacted_request_fails_like_the_original() {
    let count: usize = std::env::var("TORTURE").ok().map_or(500, |count| count.parse().unwrap());
    let app = TestApp::builder()
        .engine(Engine::Sqlite)
        .config(|config| config.incidents.limits.filter = "off".parse().unwrap())
        .build();
    let redactor = redactor(&SECRET.into());
    let admin = app.admin().await;
    let operations = operations();
    let mut rng = StdRng::seed_from_u64(20_261_124);
    let (mut first_account, mut second_account) = pair(&app, &redactor, 0).await;
    let mut seen = std::collections::BTreeMap::<(u16, Option<String>), usize>::new();
    let mut changed = 0;
    for number in 1..=count {
        let operation = *operations.choose(&mut rng).unwrap();
        let body = operation.body().map(|_| bytes(&mut rng, &first_account, operation));
        let kinds = ["application/json", "text/plain", "application/x-www-form-urlencoded", "text/csv"];
        let kind = match rng.random_range(0..25) {
            0 => Some(*kinds.choose(&mut rng).unwrap()),
            1 => None,
            _ => operation.request_media_types.first().map(String::as_str),
        };
        let target = target(&mut rng, &first_account, operation);
        let sent = GeneratedRequest { operation, target, content_type: kind.filter(|_| body.is_some()), body };
        let is_for_admins = operation.path.starts_with("/v2/admin")
            || operation.path.starts_with("/v1/users/{")
            || operation.path == "/v1/users";
        let is_public = !operation.is_secured;
        let session_of = |account: &'_ Account<'_>| -> Option<Value> { account.actor.session.clone() };
        let (first, second) = match (is_public, is_for_admins) {
            (true, _) => (None, None),
            (_, true) => (admin.session.clone(), admin.session.clone()),
            _ => (session_of(&first_account), session_of(&second_account)),
        };
        let as_ = |session: Option<Value>| Actor::new(&app, session);
        let response = send(&as_(first), &sent).await;
        if operation.id == "deleteApiClient" && response.status == 204 {
            // Both requests are those of the administrator: nothing is left for the second one.
            continue;
        }
        let record = record(&redactor, &sent, &response);
        let again = for_second_account(&record, &sent, &first_account, &second_account);
        changed += usize::from(again.body != sent.body);
        let repeated = send(&as_(second), &again).await;
        let expected = outcome(response.status, &record.response.body.0);
        let got = outcome(repeated.status, &repeated.body);
        let lossy_text =
            |body: &Option<Vec<u8>>| String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned();
        assert_eq!(
            got,
            expected,
            "request {number}: {} {}\n{}\nbecame {}\n{}",
            operation.id,
            sent.target,
            lossy_text(&sent.body),
            again.target,
            lossy_text(&again.body)
        );
        *seen.entry((expected.0, expected.1)).or_default() += 1;
        let is_over = [
            "deleteMe",
            "deleteAccount",
            "deleteUser",
            "changePassword",
            "updateMe",
            "updateUser",
            "deleteBucketlist",
            "deleteItem",
        ];
        if (response.is_success() && is_over.contains(&operation.id.as_str()))
            || response.status == 401 && operation.is_secured
        {
            (first_account, second_account) = pair(&app, &redactor, number).await;
        }
    }
    println!("{count} requests, {changed} with another body; {seen:#?}");
    assert!(changed > count / 5, "too few requests were redacted: {changed}");
    for code in ["VALIDATION_FAILED", "MALFORMED_JSON", "INVALID_CREDENTIALS", "WRONG_PASSWORD"] {
        assert!(seen.keys().any(|(_, seen)| seen.as_deref() == Some(code)), "{code}: {seen:?}");
    }
    assert!(seen.keys().filter(|(status, _)| *status < 300).map(|key| seen[key]).sum::<usize>() > count / 20);
}

/// Registers an account, and a second one with the placeholders of its email address and password.
async fn pair<'a>(app: &'a TestApp, redactor: &Redactor, number: usize) -> (Account<'a>, Account<'a>) {
    let (email, password) = (format!("Person{number}.Ada@Lovelace{number}.org"), format!("harbour-Lantern-{number}"));
    let register_operation = v2::contract().operations().find(|operation| operation.id == "register").unwrap();
    let body = json!({"email": email, "password": password}).to_string().into_bytes();
    let sent = GeneratedRequest {
        operation: register_operation,
        target: "/v2/auth/register".to_owned(),
        content_type: Some("application/json"),
        body: Some(body),
    };
    let empty = TestResponse {
        method: poem::http::Method::POST,
        path: String::new(),
        status: 500,
        headers: Default::default(),
        body: Vec::new(),
    };
    let redacted: Value = serde_json::from_slice(&record(redactor, &sent, &empty).request.body.0).unwrap();
    let first = register(app, &email, &password).await;
    let second = register(app, redacted["email"].as_str().unwrap(), redacted["password"].as_str().unwrap()).await;
    (first, second)
}
