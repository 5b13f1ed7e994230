//! What an export says and how it is quoted. That the bytes arrive is proved with the programs themselves, by
//! `scripts/incidents`.

use serde_json::Value;

use super::{collection, curl, har};
use crate::{Bytes, Principal, Record, Reply, Sent, record::FORMAT};

fn record(body: &[u8]) -> Record {
    Record {
        format: FORMAT.to_owned(),
        id: 7,
        request_id: "018f".to_owned(),
        trace_id: None,
        received_at: 1_790_000_000_000_000,
        duration: 1_500,
        server_version: "0.1.0".to_owned(),
        contract: Some("v2".to_owned()),
        operation: Some("createBucketlist".to_owned()),
        code: Some("INTERNAL_ERROR".to_owned()),
        fingerprint: "createBucketlist 500".to_owned(),
        principal: Some(Principal { user_id: 42, session_id: 3, role: "user".to_owned() }),
        request: Sent {
            method: "POST".to_owned(),
            target: "/v2/bucketlists?a=%2F+b".to_owned(),
            headers: vec![
                ("host".to_owned(), "api.example.com".to_owned()),
                ("accept".to_owned(), "*/*".to_owned()),
                ("authorization".to_owned(), "Bearer stand-in-of-a-token".to_owned()),
                ("content-type".to_owned(), "application/json".to_owned()),
                ("content-length".to_owned(), body.len().to_string()),
                ("x-empty".to_owned(), String::new()),
            ],
            body: Bytes(body.to_vec()),
            truncated: false,
        },
        response: Reply {
            status: 500,
            headers: vec![("content-type".to_owned(), "application/problem+json".to_owned())],
            body: Bytes(br#"{"code":"INTERNAL_ERROR"}"#.to_vec()),
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
fn a_captured_token_is_in_no_request() {
    let record = record(b"{}");
    let exported = collection(std::slice::from_ref(&record), "http://localhost:8000");
    assert!(!exported.text.contains("stand-in-of-a-token"), "{}", exported.text);
    assert!(!curl(&record, "http://localhost:8000").contains("stand-in-of-a-token"));
    let header = &parsed(&exported.text)["item"][0]["request"]["header"][1];
    assert_eq!(header["key"], "authorization");
    assert!(header["value"].as_str().unwrap().starts_with("Bearer {{bl_token_"), "{header}");
}

#[test]
fn where_nobody_asked_who_could_be_told_the_stand_in_is_sent() {
    let record = Record { principal: None, ..record(b"{}") };
    let exported = parsed(&collection(std::slice::from_ref(&record), "http://localhost:8000").text);
    assert_eq!(exported["item"][0]["request"]["header"][1]["value"], "Bearer stand-in-of-a-token");
    assert!(curl(&record, "http://localhost:8000").contains("-H 'authorization: Bearer stand-in-of-a-token'"));
    let names: Vec<&Value> = exported["variable"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
    assert_eq!(names[0], "base_url");
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn headers_keep_their_order_and_those_of_the_connection_are_left_to_it() {
    let exported = parsed(&collection(&[record(b"{}")], "http://localhost:8000").text);
    let headers = exported["item"][0]["request"]["header"].as_array().unwrap();
    let names: Vec<&str> = headers.iter().map(|header| header["key"].as_str().unwrap()).collect();
    assert_eq!(names, ["accept", "authorization", "content-type", "x-empty"]);
}

#[test]
fn every_name_in_braces_stands_for_itself() {
    let body = "{{title}} {{$guid}} {{{x}}} {{{{y}}}} {{ z }} {{}} {{a{b}} {{c}d}} {{%target%}} }}{{";
    let exported = parsed(&collection(&[record(body.as_bytes())], "http://localhost:8000").text);
    let before = script(&exported, 0);
    let shadows = r#"const shadows = [""," z ","$guid","%target%","title","x","y"];"#;
    assert!(before.contains(shadows), "{before}");
    let after = script(&exported, 1);
    assert!(after.contains(r#"origin + "/v2/bucketlists?a=%2F+b""#), "{after}");
    assert!(after.contains(&record(body.as_bytes()).request.body.sha256()), "{after}");
    assert_eq!(exported["item"][0]["request"]["body"]["raw"], body);
}

#[test]
fn our_own_variables_have_names_that_no_request_has() {
    let first = record(b"{}");
    let text = collection(std::slice::from_ref(&first), "http://localhost:8000").text;
    let at = text.find("bl_origin_").unwrap();
    let mark = &text[at + "bl_origin_".len()..][..8];
    // The same mark cannot come of another body: that a collision is seen is shown by a header, which is in no digest.
    let mut second = first.clone();
    second.request.headers.push(("x-mark".to_owned(), format!("{{{{bl_origin_{mark}}}}}")));
    let exported = parsed(&collection(&[second], "http://localhost:8000").text);
    let url = exported["item"][0]["request"]["url"].as_str().unwrap();
    assert!(url.starts_with("{{bl_origin_") && !url.contains(mark), "{url}");
}

#[test]
fn a_body_that_no_collection_can_hold_lies_beside_it() {
    for body in [&b"\xff\x00"[..], b"{{constructor}}"] {
        let exported = collection(&[record(body)], "http://localhost:8000");
        assert_eq!(exported.files.len(), 1);
        assert_eq!((exported.files[0].name.as_str(), exported.files[0].bytes.as_slice()), ("incident-7.body", body));
        let request = &parsed(&exported.text)["item"][0]["request"];
        assert_eq!(request["body"]["file"]["src"], "incident-7.body");
        let description = request["description"].as_str().unwrap();
        assert!(description.contains(if body[0] == 0xff { "/wA=" } else { "e3tjb25zdHJ1Y3Rvcn19" }), "{description}");
    }
    assert!(collection(&[record(b"a\0b")], "http://localhost:8000").files.is_empty());
}

#[test]
fn what_postman_cannot_send_is_said() {
    let mut record = record(b"{}");
    record.request.target = "/v2/a\\b/{{constructor}}".to_owned();
    record.request.method = "get".to_owned();
    let exported = collection(&[record], "http://localhost:8000");
    assert_eq!(exported.limits.len(), 3, "{:?}", exported.limits);
    assert!(exported.limits.iter().all(|limit| limit.starts_with("incident 7: Postman ")));
    let text = parsed(&exported.text);
    let description = text["item"][0]["request"]["description"].as_str().unwrap();
    assert!(description.contains("**Not exact**: Postman sends each `\\` of the path as `/`"), "{description}");
}

#[test]
fn a_command_cannot_be_broken_out_of() {
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
fn an_archive_has_what_was_asked_and_answered() {
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
