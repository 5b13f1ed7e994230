//! Canaries in every position of an exchange, and content that must stay unchanged.

use ::contract::v2;
use serde_json::Value;

use super::*;
use crate::{ContractVersion, Principal, PrincipalRole};

pub(super) const COMMON: CommonPasswords =
    CommonPasswords { contains: |password| LIST.contains(&password), list: || LIST.to_vec() };

const LIST: [&str; 8] =
    ["12345678", "87654321", "basketball", "football1", "football123", "pass@word1", "password1", "password123"];

/// An exchange of an operation of v2 with this request and response body.
pub(crate) fn exchange(operation: &str, target: &str, content_type: &str, body: &[u8], response: &str) -> Exchange {
    let operation = v2::contract().operations().find(|known| known.id == operation);
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Exchange {
        request_id: "request-1".to_owned(),
        trace_id: None,
        received_at: 1,
        duration: 1,
        contract: Some(ContractVersion::V2),
        operation,
        code: None,
        site: String::new(),
        principal: Some(Principal { user_id: 1, session_id: Some(2), role: PrincipalRole::User, api_client: None }),
        method: "POST".to_owned(),
        target: target.to_owned(),
        headers: vec![header("host", "localhost"), header("content-type", content_type)],
        body: vec![bytes::Bytes::copy_from_slice(body)],
        is_body_truncated: false,
        status: 422,
        response_headers: vec![header("content-type", "application/problem+json")],
        response_body: bytes::Bytes::copy_from_slice(response.as_bytes()),
        is_response_truncated: false,
    }
}

fn redact(exchange: &Exchange) -> IncidentRecord {
    let record = Redactor::new(&"a key".into(), "0.1.0", COMMON).redact(exchange).record;
    assert_eq!(record.request.body.0.len(), exchange.body.concat().len(), "same length");
    assert_eq!(record.request.target.len(), exchange.target.len(), "same length");
    record
}

const JSON: &str = "application/json";

fn body(operation: &str, text: &str) -> String {
    String::from_utf8(redact(&exchange(operation, "/", JSON, text.as_bytes(), "{}")).request.body.0).unwrap()
}

#[test]
fn only_sensitive_fields_of_a_body_are_masked() {
    let text = "{\r\n  \"email\" : \"ada@lovelace.org\",\t\"password\": \"harbour-l\\u0061ntern-42\", \"name\": \"Ada \\ud83d\\ude00\" }\n";
    let redacted = body("register", text);
    for secret in ["ada@", "lovelace", "harbour", "lantern", "-42"] {
        assert!(!redacted.contains(secret), "{redacted}");
    }
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_alphanumeric(), "x");
    assert_eq!(shape(&redacted), shape(text));
    assert!(
        redacted.starts_with("{\r\n  \"email\" : \"") && redacted.ends_with("\"name\": \"Ada \\ud83d\\ude00\" }\n")
    );
    // Letters replace letters, digits replace digits.
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap()["password"].as_str().unwrap().to_owned();
    for (old, new) in value(text).chars().zip(value(&redacted).chars()) {
        assert_eq!((old.is_ascii_lowercase(), old.is_ascii_digit()), (new.is_ascii_lowercase(), new.is_ascii_digit()));
    }
}

#[test]
fn other_content_is_unchanged() {
    for (operation, text) in [
        ("createItem", r#"{"name": "Ride to Zürich", "due_on": "2026-02-30", "description": null, "done": 1.0}"#),
        ("createItem", "{\"name\": \"{{access_token}} {{$guid}} \\u0041 \u{1f600}\"}"),
        ("createItems", r#"{"items": [{"name": "a"}, {"name": ""}, {"name": 9223372036854775808}]}"#),
        ("createBucketlist", r#"{"name": "  ", "color": true}"#),
        ("updateUser", r#"{"role": "boss"}"#),
        ("login", r#"{"email": null, "password": true}"#),
    ] {
        assert_eq!(body(operation, text), text, "{operation}");
    }
    let redacted_target =
        |operation: &str, target: &str| redact(&exchange(operation, target, JSON, b"", "{}")).request.target;
    for (operation, target) in [
        ("getItem", "/v2/bucketlists/7/items/42"),
        ("getItem", "/bucketlists/7/items/42?"),
        (
            "listItems",
            "/v2/bucketlists/7/items?q=Z%C3%BCrich+lights&per_page=5&done=true&sort=-name&due_before=2026-12-31",
        ),
        ("listItems", "/v2/bucketlists/99999999999999999999/items?per_page=0&due_before=2026-13-01"),
        (
            "listBucketlists",
            "/v2/bucketlists?cursor=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMk&include=items,total",
        ),
    ] {
        assert_eq!(redacted_target(operation, target), target);
    }
}

#[test]
fn values_of_an_undocumented_type_are_masked() {
    for (operation, text, secret) in [
        ("login", r#""MyPassword""#, "MyPassword"),
        ("login", "73514289", "73514289"),
        ("login", r#"["MyPassword"]"#, "MyPassword"),
        ("login", r#"["a", ["MyPassword"]]"#, "MyPassword"),
        ("login", r#""MyPassword"#, "MyPassword"),
        ("login", "MyPassword", "MyPassword"),
        ("createItem", r#"{"name": "x", "done": "MyPassword"}"#, "MyPassword"),
        ("createItem", r#"{"name": ["MyPassword"]}"#, "MyPassword"),
        ("createItems", r#"{"items": "MyPassword"}"#, "MyPassword"),
        ("createItems", r#"{"items": 73514289}"#, "73514289"),
    ] {
        let redacted = body(operation, text);
        assert!(!redacted.contains(secret), "{text}: {redacted}");
        assert_eq!(redacted.len(), text.len(), "{text}: {redacted}");
    }
}

#[test]
fn equal_values_have_equal_placeholders() {
    let text = r#"{"email": "ada@firm.io", "password": "harbour-lantern-42", "name": "harbour-lantern-42 is mine"}"#;
    let mut exchange = exchange("register", "/v2/auth/register?x=1", JSON, text.as_bytes(), "{}");
    exchange.response_body =
        bytes::Bytes::from_static(br#"{"code": "X", "detail": "no harbour-lantern-42, ada@firm.io"}"#);
    exchange.site = "panic: harbour-lantern-42".to_owned();
    let RedactedIncident { record, site } = Redactor::new(&"a key".into(), "0.1.0", COMMON).redact(&exchange);
    let value: Value = serde_json::from_slice(&record.request.body.0).unwrap();
    let (password, email) = (value["password"].as_str().unwrap(), value["email"].as_str().unwrap());
    assert_eq!(value["name"], format!("{password} is mine"));
    let response = String::from_utf8(record.response.body.0).unwrap();
    assert_eq!(response, format!(r#"{{"code": "X", "detail": "no {password}, {email}"}}"#));
    assert_eq!(site, format!("panic: {password}"));
}

#[test]
fn pointer_of_a_response_is_masked_as_its_segments() {
    const KEY: &str = "kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs";
    let body = format!(r#"{{"current_password": {{"{KEY}": 1}}, "new_password": "x"}}"#);
    let response =
        format!(r#"{{"errors": [{{"pointer": "/current_password/{KEY}"}}, {{"pointer": "/current_password"}}]}}"#);
    let record = redact(&exchange("changePassword", "/v2/auth/password", JSON, body.as_bytes(), &response));
    let request: Value = serde_json::from_slice(&record.request.body.0).unwrap();
    let (name, _) = request["current_password"].as_object().unwrap().iter().next().unwrap();
    assert_ne!(name, KEY);
    let response: Value = serde_json::from_slice(&record.response.body.0).unwrap();
    assert_eq!(response["errors"][0]["pointer"], format!("/current_password/{name}"));
    assert_eq!(response["errors"][1]["pointer"], "/current_password");
}

#[test]
fn record_lists_its_placeholders() {
    let text = r#"{"email": "ada@firm.io", "password": "harbour-lantern-42", "name": "Ada", "pin": 5, "otp": "abc", "zero": 0}"#;
    let record = redact(&exchange("register", "/v2/auth/register", JSON, text.as_bytes(), "{}"));
    let value: Value = serde_json::from_slice(&record.request.body.0).unwrap();
    for field in ["email", "password", "otp"] {
        assert!(
            record.placeholders.iter().any(|placeholder| value[field] == *placeholder),
            "{:?}",
            record.placeholders
        );
    }
    // A number in its place looks like the number that the client has sent.
    assert!(value["pin"] != 5 && record.placeholders.contains(&value["pin"].to_string()), "{:?}", record.placeholders);
    assert!(!record.placeholders.contains(&"0".to_owned()), "unchanged");
    assert!(!record.placeholders.iter().any(|placeholder| placeholder == "Ada" || placeholder.contains("lantern")));
    let nothing = redact(&exchange("createItem", "/v2/bucketlists/1/items", JSON, br#"{"name": "K2"}"#, "{}"));
    assert!(nothing.placeholders.is_empty(), "{:?}", nothing.placeholders);
    // A record of an older server has no list.
    let json = serde_json::to_value(&nothing).unwrap();
    assert!(json.get("placeholders").is_none());
    assert_eq!(serde_json::from_value::<IncidentRecord>(json).unwrap(), nothing);
}

#[test]
fn response_of_a_replay_is_masked() {
    let operation = v2::contract().operations().find(|known| known.id == "login");
    let body =
        r#"{"access_token":"eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl","user":{"id":1,"email":"ada@firm.io","name":"Ada"}}"#;
    let redactor = Redactor::new(&"a key".into(), "0.1.0", COMMON);
    let masked = String::from_utf8(redactor.redact_response(operation, 200, body.as_bytes())).unwrap();
    assert!(masked.len() == body.len() && !masked.contains("c2lnbmF0dXJl") && !masked.contains("ada@firm"), "{masked}");
    assert!(masked.contains(r#""id":1"#) && masked.contains(r#""name":"Ada""#), "{masked}");
}

#[test]
fn sentences_of_the_server_are_unchanged() {
    for code in ::contract::ErrorCode::ALL {
        let response = format!(r#"{{"code": "X", "detail": {:?}, "status": 401}}"#, code.message());
        let mut exchange =
            exchange("login", "/v2/auth/login", JSON, br#"{"email": "a@b.io", "password": "wrong"}"#, &response);
        let challenge = b"Bearer realm=\"bucketlist\", error=\"invalid_token\"".to_vec();
        exchange.response_headers.push(("www-authenticate".to_owned(), challenge.clone()));
        let record = redact(&exchange);
        assert_eq!(String::from_utf8(record.response.body.0).unwrap(), response);
        assert!(
            record.response.headers.contains(&("www-authenticate".to_owned(), String::from_utf8(challenge).unwrap()))
        );
    }
    // A sentence with more text may quote the request.
    let quoting = r#"{"detail": "The current password is wrong. The password is harbour-lantern-42"}"#;
    let exchange = exchange("login", "/v2/auth/login", JSON, b"{}", quoting);
    let response = String::from_utf8(redact(&exchange).response.body.0).unwrap();
    assert!(!response.contains("harbour"), "{response}");
}

/// A value that matches no pattern.
fn canary(number: usize) -> String {
    let letters = ["qua", "rzo", "mif", "tev", "lup", "hax"];
    format!("{}{}canary{}", letters[number % 6], letters[(number / 6) % 6], letters[(number * 5) % 6])
}

/// A value that matches the pattern of a key.
fn key(number: usize) -> String {
    format!("k{number}Qz7canaryX9vB3nM5tR{number}")
}

#[test]
fn no_canary_remains() {
    let c: Vec<String> = (0..60).map(canary).collect();
    let k: Vec<String> = (0..20).map(key).collect();
    let escaped = |text: &str| text.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect::<String>();
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let form = "application/x-www-form-urlencoded";
    let mut cases: Vec<Exchange> = vec![
        // Documented sensitive fields: valid, nested, of another type, escaped, repeated.
        exchange(
            "register",
            "/",
            JSON,
            format!(r#"{{"password": "{}", "email": "{}@firm.io"}}"#, c[0], c[1]).as_bytes(),
            "{}",
        ),
        exchange(
            "register",
            "/",
            JSON,
            format!(r#"{{"password": {{"a": ["{}"]}}, "email": ["{}"]}}"#, c[2], c[3]).as_bytes(),
            "{}",
        ),
        exchange("login", "/", JSON, format!(r#"{{"password": "{}"}}"#, escaped(&c[4])).as_bytes(), "{}"),
        exchange(
            "login",
            "/",
            JSON,
            format!(r#"{{"p\u0061ssword": "{}", "password": "{}"}}"#, c[5], c[6]).as_bytes(),
            "{}",
        ),
        exchange("refreshSession", "/", JSON, format!(r#"{{"refresh_token": "{}"}}"#, c[7]).as_bytes(), "{}"),
        exchange(
            "confirmPasswordReset",
            "/",
            JSON,
            format!(r#"{{"token": "{}", "new_password": "{}"}}"#, c[8], c[9]).as_bytes(),
            "{}",
        ),
        // Unknown fields.
        exchange(
            "createItem",
            "/",
            JSON,
            format!(r#"{{"name": "x", "color": "{}", "deep": [[{{"z": "{}"}}]]}}"#, c[10], c[11]).as_bytes(),
            "{}",
        ),
        exchange("createItem", "/", JSON, format!(r#"{{"name": {{"first": "{}"}}}}"#, c[12]).as_bytes(), "{}"),
        exchange("createItem", "/", JSON, format!(r#"{{"name": "x", "{}": 1}}"#, k[0]).as_bytes(), "{}"),
        // Patterns in free text.
        exchange(
            "createItem",
            "/",
            JSON,
            format!(r#"{{"name": "my password is: {} and {}", "description": "Bearer {}"}}"#, c[13], k[1], c[14])
                .as_bytes(),
            "{}",
        ),
        exchange("createItem", "/", JSON, format!(r#"{{"name": "{}@{}.org"}}"#, c[15], c[16]).as_bytes(), "{}"),
        // Malformed in many ways.
        exchange("login", "/", JSON, format!(r#"{{"password": "{}""#, c[17]).as_bytes(), "{}"),
        exchange("login", "/", JSON, format!("{{'password': '{}'}}", c[18]).as_bytes(), "{}"),
        exchange("login", "/", JSON, format!("{{password: {}}}", c[19]).as_bytes(), "{}"),
        exchange("createItem", "/", JSON, format!(r#"{{"name": "{}", oops"#, c[20]).as_bytes(), "{}"),
        exchange("createItem", "/", JSON, format!(r#"{{"name": "a", "name": "{}"}}"#, c[21]).as_bytes(), "{}"),
        exchange("createItem", "/", JSON, format!("{}\"{}\"", "[".repeat(40), c[22]).as_bytes(), "{}"),
        exchange("createItem", "/", JSON, format!("\u{feff}{{\"name\": \"{}\"}}", c[23]).as_bytes(), "{}"),
        exchange("createItem", "/", JSON, format!(r#"{{"{}": }}"#, c[24]).as_bytes(), "{}"),
        exchange(
            "login",
            "/",
            JSON,
            &[br#"{"password": "xx"#, &b"\xc3"[..], c[25].as_bytes(), br#""}"#].concat(),
            "{}",
        ),
        exchange("createItem", "/", JSON, c[26].as_bytes(), "{}"),
        // Other kinds of bodies.
        exchange(
            "login",
            "/",
            form,
            format!("email={}%40firm.io&password={}", c[27], percent(&c[28])).as_bytes(),
            "{}",
        ),
        exchange("login", "/", form, format!("{}&a={}", c[29], c[30]).as_bytes(), "{}"),
        exchange("createItems", "/", "text/csv", format!("name,note\r\n\"{}\",{}\r\n", c[31], c[32]).as_bytes(), "{}"),
        exchange("createItem", "/", "text/plain", format!("<x>{}</x>", c[33]).as_bytes(), "{}"),
        exchange(
            "createItem",
            "/",
            "application/octet-stream",
            &[&b"\0\xff"[..], c[34].as_bytes(), b"\xfe"].concat(),
            "{}",
        ),
        exchange("createItem", "/", "text/plain", format!(r#"{{"password": "{}"}}"#, c[35]).as_bytes(), "{}"),
        // The target.
        exchange("listItems", &format!("/v2/bucketlists/{}/items?token={}", c[36], c[37]), JSON, b"", "{}"),
        exchange(
            "listItems",
            &format!("/v2/bucketlists/1/items?color={}&{}=1", percent(&c[38]), k[2]),
            JSON,
            b"",
            "{}",
        ),
        exchange(
            "listItems",
            &format!("/v2/bucketlists/1/items?per_page={}&done={}&sort={}", c[39], c[40], c[41]),
            JSON,
            b"",
            "{}",
        ),
        exchange("listItems", &format!("/v2/bucketlists/1/items?q={}%40{}.org", c[42], c[43]), JSON, b"", "{}"),
        exchange("none", &format!("/v2/{}/bucketlists/{}?x={}", c[44], percent(&c[45]), c[46]), JSON, b"", "{}"),
        // The response.
        exchange(
            "login",
            "/",
            JSON,
            b"{}",
            &format!(r#"{{"access_token": "{}", "refresh_token": "{}"}}"#, c[47], c[48]),
        ),
        exchange("login", "/", JSON, b"{}", &format!(r#"{{"detail": "no {}@firm.io", "x": "{}"}}"#, c[49], k[3])),
        exchange("login", &format!("/v2/{}", c[50]), JSON, b"{}", &format!(r#"{{"instance": "/v2/{}"}}"#, c[50])),
        exchange("login", "/", JSON, b"{}", &format!("plain: token={}", c[51])),
    ];
    let header = |name: &str, value: String| (name.to_owned(), value.into_bytes());
    let mut with_headers = exchange("login", "/", JSON, b"{}", "{}");
    with_headers.headers = vec![
        header("authorization", format!("Bearer {}", c[52])),
        header("authorization", c[53].clone()),
        header("cookie", format!("session={}", c[54])),
        header("x-api-key", c[55].clone()),
        header("user-agent", format!("curl token={}", c[56])),
        header("idempotency-key", k[4].clone()),
        header("x-forwarded-for", c[57].clone()),
        header("referer", c[58].clone()),
        header("content-type", format!("text/plain; password={}", c[59])),
    ];
    with_headers.response_headers =
        vec![header("set-cookie", k[5].clone()), header("location", format!("/x?token={}", k[6]))];
    cases.push(with_headers);
    let mut invalid = exchange("listItems", &format!("/v2/bucketlists?cursor={}", k[7]), JSON, b"", "{}");
    invalid.code = Some("INVALID_CURSOR");
    cases.push(invalid);
    let mut planted = 0;
    for case in &cases {
        let record = redact(case);
        let text = format!("{}{record:?}", serde_json::to_string(&record).unwrap());
        let bytes = [record.request.body.0.clone(), record.response.body.0.clone()].concat();
        let raw = format!("{text}{}", String::from_utf8_lossy(&bytes));
        for canary in c.iter().chain(&k) {
            planted += usize::from(
                format!(
                    "{}{:?}{}",
                    case.target,
                    case.headers.iter().map(|(_, v)| String::from_utf8_lossy(v)).collect::<Vec<_>>(),
                    String::from_utf8_lossy(&case.body.concat())
                )
                .contains(canary.as_str()),
            );
            for form in [canary.clone(), escaped(canary), percent(canary)] {
                assert!(!raw.contains(&form), "{canary} remains: {text}");
            }
        }
    }
    assert!(planted >= 40, "{planted}");
}

#[test]
fn malformed_body_fails_in_the_same_way() {
    let schema = v2::contract().operations().find(|operation| operation.id == "login").unwrap().body().unwrap();
    for text in [
        &b"{\"password\": \"open"[..],
        b"{\"password\": 01}",
        b"{\"a\": \"\\x\"}",
        b"{\"a\": \"\\ud800\"}",
        b"{\"a\": \"tab\there\"}",
        b"{\"a\": nul}",
        b"{'a': 1}",
        b"[1, 2,]",
        b"{\"email\": \"x\", \"email\": \"y\"}",
        b"\xff{}",
        b"\"\xe2\x82",
        b"\xef\xbb\xbf{}",
        b"1e999",
        b"{} trailing",
    ] {
        let redacted = redact(&exchange("login", "/", JSON, text, "{}")).request.body.0;
        assert_eq!(schema.read(&redacted), schema.read(text), "{}", String::from_utf8_lossy(text));
    }
}
