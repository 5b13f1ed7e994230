//! Content and quoting of the exports. `scripts/replay-proof` runs the programs and compares the bytes that arrive.

use serde_json::Value;

use super::{collection, curl, har};
use crate::{
    CapturedApiClient, CapturedBody, CapturedRequest, CapturedResponse, ContractVersion, IncidentRecord, Principal,
    PrincipalRole, record::FORMAT,
};

fn record(body: &[u8]) -> IncidentRecord {
    IncidentRecord {
        format: FORMAT.to_owned(),
        id: 7,
        request_id: "018f".to_owned(),
        trace_id: None,
        received_at: 1_790_000_000_000_000,
        duration: 1_500,
        server_version: "0.1.0".to_owned(),
        contract: Some(ContractVersion::V2),
        operation: Some("createBucketlist".to_owned()),
        code: Some("INTERNAL_ERROR".to_owned()),
        fingerprint: "createBucketlist 500".to_owned(),
        principal: Some(Principal { user_id: 42, session_id: Some(3), role: PrincipalRole::User, api_client: None }),
        placeholders: Vec::new(),
        request: CapturedRequest {
            method: "POST".to_owned(),
            target: "/v2/bucketlists?a=%2F+b".to_owned(),
            headers: vec![
                ("host".to_owned(), "api.example.com".to_owned()),
                ("accept".to_owned(), "*/*".to_owned()),
                ("authorization".to_owned(), "Bearer placeholder-of-a-token".to_owned()),
                ("content-type".to_owned(), "application/json".to_owned()),
                ("content-length".to_owned(), body.len().to_string()),
                ("x-empty".to_owned(), String::new()),
            ],
            body: CapturedBody(body.to_vec()),
            truncated: false,
        },
        response: CapturedResponse {
            status: 500,
            headers: vec![("content-type".to_owned(), "application/problem+json".to_owned())],
            body: CapturedBody(br#"{"code":"INTERNAL_ERROR"}"#.to_vec()),
            truncated: false,
        },
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn script(collection: &Value, index: usize) -> String {
    let lines = collection["item"][0]["event"][index]["script"]["exec"].as_array().unwrap();
    lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn captured_token_of_an_authenticated_request_is_not_exported() {
    let record = record(b"{}");
    let exported = collection(std::slice::from_ref(&record), "http://localhost:8000");
    assert!(!exported.json.contains("placeholder-of-a-token"), "{}", exported.json);
    assert!(!curl(&record, "http://localhost:8000").contains("placeholder-of-a-token"));
    let header = &parsed(&exported.json)["item"][0]["request"]["header"][1];
    assert_eq!(header["key"], "authorization");
    assert!(header["value"].as_str().unwrap().starts_with("Bearer {{bl_token_"), "{header}");
}

/// Returns a record of an API client whose key was in these headers.
fn record_of_api_client(headers: &[(&str, &str)]) -> IncidentRecord {
    let mut record = record(b"{}");
    record.request.headers.retain(|(name, _)| name != "authorization");
    record.request.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let client = CapturedApiClient { id: 3, scopes: vec!["read".to_owned()] };
    record.principal =
        Some(Principal { user_id: 42, session_id: None, role: PrincipalRole::User, api_client: Some(client) });
    record
}

#[test]
fn key_of_an_api_client_stays_in_its_header() {
    let key = ("x-api-key", "placeholder-of-a-key");
    let bearer = ("authorization", "Bearer placeholder-of-a-key");
    for headers in [&[key][..], &[bearer], &[bearer, key]] {
        let record = record_of_api_client(headers);
        let exported = collection(std::slice::from_ref(&record), "http://localhost:8000");
        let (archive, command) = (har(std::slice::from_ref(&record), "http://localhost:8000"), curl(&record, ""));
        for text in [&exported.json, &archive, &command] {
            assert!(!text.contains("placeholder-of-a-key"), "{text}");
        }
        let (exported, archive) = (parsed(&exported.json), parsed(&archive));
        let sent = |list: &Value, name: &str, label: &str| -> Option<String> {
            let header = list.as_array().unwrap().iter().find(|header| header[label] == name)?;
            Some(header["value"].as_str().unwrap().to_owned())
        };
        for (name, scheme) in [("x-api-key", ""), ("authorization", "Bearer ")] {
            let is_sent = headers.iter().any(|(sent, _)| *sent == name);
            let value = sent(&exported["item"][0]["request"]["header"], name, "key");
            assert_eq!(value.is_some(), is_sent);
            assert!(value.is_none_or(|value| value.starts_with(&format!("{scheme}{{{{bl_api_key_"))));
            let value = sent(&archive["log"]["entries"][0]["request"]["headers"], name, "name");
            assert_eq!(value, is_sent.then(|| format!("{scheme}{{{{api_key}}}}")));
            let argument = format!("-H '{name}: {scheme}'\"${{API_KEY:?");
            assert_eq!(command.contains(&argument), is_sent, "{command}");
        }
        assert!(!command.contains("TOKEN"), "{command}");
        let variables = exported["variable"].as_array().unwrap();
        let names: Vec<&str> = variables.iter().map(|variable| variable["key"].as_str().unwrap()).collect();
        assert_eq!((names[0], &names[2..]), ("base_url", &["api_key"][..]));
        let description = exported["item"][0]["request"]["description"].as_str().unwrap();
        assert!(
            description.contains("API client 3 of user 42 with the scopes read. Sent with the key"),
            "{description}"
        );
        assert!(script(&exported, 0).contains(r#""variables":["api_key"]"#));
    }
}

#[test]
fn key_in_a_record_without_an_api_client_is_not_replaced_by_a_token() {
    let mut record = record_of_api_client(&[("x-api-key", "placeholder-of-a-key")]);
    record.principal = record.principal.map(|principal| Principal { api_client: None, ..principal });
    let command = curl(&record, "http://localhost:8000");
    assert!(command.contains("-H 'x-api-key: '\"${API_KEY:?") && !command.contains("TOKEN"), "{command}");
}

#[test]
fn placeholder_is_sent_for_an_unauthenticated_request() {
    let record = IncidentRecord { principal: None, ..record(b"{}") };
    let exported = parsed(&collection(std::slice::from_ref(&record), "http://localhost:8000").json);
    assert_eq!(exported["item"][0]["request"]["header"][1]["value"], "Bearer placeholder-of-a-token");
    assert!(curl(&record, "http://localhost:8000").contains("-H 'authorization: Bearer placeholder-of-a-token'"));
    let names: Vec<&Value> = exported["variable"].as_array().unwrap().iter().map(|variable| &variable["key"]).collect();
    assert_eq!(names[0], "base_url");
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn headers_are_exported_in_order_without_connection_headers() {
    let exported = parsed(&collection(&[record(b"{}")], "http://localhost:8000").json);
    let headers = exported["item"][0]["request"]["header"].as_array().unwrap();
    let names: Vec<&str> = headers.iter().map(|header| header["key"].as_str().unwrap()).collect();
    assert_eq!(names, ["accept", "authorization", "content-type", "x-empty"]);
}

#[test]
fn names_in_braces_are_sent_literally() {
    let body = "{{title}} {{$guid}} {{{x}}} {{{{y}}}} {{ z }} {{}} {{a{b}} {{c}d}} {{%target%}} }}{{";
    let exported = parsed(&collection(&[record(body.as_bytes())], "http://localhost:8000").json);
    let before = script(&exported, 0);
    let literal_names = r#"const literalNames = [""," z ","$guid","%target%","title","x","y"];"#;
    assert!(before.contains(literal_names), "{before}");
    let after = script(&exported, 1);
    assert!(after.contains(r#"origin + "/v2/bucketlists?a=%2F+b""#), "{after}");
    assert!(after.contains(&record(body.as_bytes()).request.body.sha256()), "{after}");
    assert_eq!(exported["item"][0]["request"]["body"]["raw"], body);
}

#[test]
fn internal_variable_names_do_not_occur_in_the_request() {
    let first = record(b"{}");
    let text = collection(std::slice::from_ref(&first), "http://localhost:8000").json;
    let at = text.find("bl_origin_").unwrap();
    let suffix = &text[at + "bl_origin_".len()..][..8];
    // Headers are not part of the digest: the second request has the same suffix, and contains it.
    let mut second = first.clone();
    second.request.headers.push(("x-suffix".to_owned(), format!("{{{{bl_origin_{suffix}}}}}")));
    let exported = parsed(&collection(&[second], "http://localhost:8000").json);
    let url = exported["item"][0]["request"]["url"].as_str().unwrap();
    assert!(url.starts_with("{{bl_origin_") && !url.contains(suffix), "{url}");
}

#[test]
fn binary_body_is_exported_as_an_attachment() {
    for body in [&b"\xff\x00"[..], b"{{constructor}}"] {
        let exported = collection(&[record(body)], "http://localhost:8000");
        assert_eq!(exported.attachments.len(), 1);
        assert_eq!(
            (exported.attachments[0].name.as_str(), exported.attachments[0].bytes.as_slice()),
            ("incident-7.body", body)
        );
        let request = &parsed(&exported.json)["item"][0]["request"];
        assert_eq!(request["body"]["file"]["src"], "incident-7.body");
        let description = request["description"].as_str().unwrap();
        assert!(description.contains(if body[0] == 0xff { "/wA=" } else { "e3tjb25zdHJ1Y3Rvcn19" }), "{description}");
    }
    assert!(collection(&[record(b"a\0b")], "http://localhost:8000").attachments.is_empty());
}

#[test]
fn limitations_of_postman_are_reported() {
    let mut record = record(b"{}");
    record.request.target = "/v2/a\\b/{{constructor}}".to_owned();
    record.request.method = "get".to_owned();
    let exported = collection(&[record], "http://localhost:8000");
    assert_eq!(exported.limitations.len(), 3, "{:?}", exported.limitations);
    assert!(exported.limitations.iter().all(|limitation| limitation.starts_with("incident 7: Postman ")));
    let text = parsed(&exported.json);
    let description = text["item"][0]["request"]["description"].as_str().unwrap();
    assert!(description.contains("**Not exact**: Postman sends each `\\` of the path as `/`"), "{description}");
}

#[test]
fn captured_values_cannot_escape_quoting() {
    let mut record = record(b"'; rm -rf / #$(date)`date`!!");
    record.request.target = "/v2/'$(date)".to_owned();
    record.request.headers = vec![("x-a".to_owned(), "'\"$HOME".to_owned())];
    let text = curl(&record, "http://localhost:8000/");
    assert!(text.starts_with("printf %s ''\\''; rm -rf / #$(date)`date`!!' | \\\n  curl "), "{text}");
    assert!(text.contains("-H 'x-a: '\\''\"$HOME'"), "{text}");
    assert!(text.ends_with("\"${BASE_URL:-http://localhost:8000}\"'/v2/'\\''$(date)'\n"), "{text}");
    let binary = curl(&self::record(b"\xff\x00"), "http://localhost:8000");
    assert!(binary.starts_with("printf %s '/wA=' | base64 -d | \\\n"), "{binary}");
    let empty = curl(&self::record(b""), "http://localhost:8000");
    assert!(empty.starts_with("curl ") && !empty.contains("--data") && empty.contains("-H 'x-empty;'"), "{empty}");
}

#[test]
fn archive_contains_request_and_response() {
    let archive = parsed(&har(&[record(b"\xff")], "https://api.example.com/"));
    let entry = &archive["log"]["entries"][0];
    assert_eq!(archive["log"]["version"], "1.2");
    assert_eq!(entry["request"]["url"], "https://api.example.com/v2/bucketlists?a=%2F+b");
    assert_eq!(entry["request"]["queryString"][0]["value"], "%2F+b");
    assert_eq!(entry["request"]["postData"]["text"], "/w==");
    assert_eq!(entry["request"]["postData"]["_encoding"], "base64");
    assert_eq!(entry["response"]["content"]["text"], r#"{"code":"INTERNAL_ERROR"}"#);
    assert_eq!(entry["startedDateTime"], "2026-09-21T14:13:20.000000Z");
    assert_eq!(entry["time"], 1.5);
}
