//! Records as an HTTP archive (HAR 1.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{instant, title};
use crate::{Bytes, Record};

/// An archive of what was asked and answered. Tokens in it are stand-ins, as in the records.
///
/// Bytes that are not UTF-8 are in base64: in an answer as the format has it (`encoding`), in a request, where it has
/// nothing, with `_encoding` beside the text.
#[must_use]
pub fn har(records: &[Record], origin: &str) -> String {
    let entries: Vec<Value> = records.iter().map(|record| entry(record, origin.trim_end_matches('/'))).collect();
    let creator = json!({"name": "BucketList", "version": env!("CARGO_PKG_VERSION")});
    let archive = json!({"log": {"version": "1.2", "creator": creator, "entries": entries}});
    format!("{archive:#}\n")
}

fn entry(record: &Record, origin: &str) -> Value {
    let (request, response) = (&record.request, &record.response);
    #[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds")]
    let milliseconds = record.duration as f64 / 1000.0;
    let mut sent = json!({
        "method": request.method,
        "url": format!("{origin}{}", request.target),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": pairs(&request.headers),
        "queryString": query(&request.target),
        "headersSize": -1,
        "bodySize": request.body.0.len(),
    });
    if let (Value::Object(sent), false) = (&mut sent, request.body.0.is_empty()) {
        let mut data = text(&request.body, "_encoding");
        data.insert("mimeType".to_owned(), content_type(&request.headers).into());
        data.insert("params".to_owned(), json!([]));
        data.insert("_sha256".to_owned(), request.body.sha256().into());
        sent.insert("postData".to_owned(), data.into());
    }
    let mut content = text(&response.body, "encoding");
    content.insert("size".to_owned(), response.body.0.len().into());
    content.insert("mimeType".to_owned(), content_type(&response.headers).into());
    json!({
        "startedDateTime": instant(record.received_at),
        "time": milliseconds,
        "request": sent,
        "response": {
            "status": response.status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": pairs(&response.headers),
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": response.body.0.len(),
        },
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": format!("{}: {}", title(record), record.fingerprint),
        "_request_id": record.request_id,
    })
}

fn pairs(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn query(target: &str) -> Vec<Value> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

fn text(bytes: &Bytes, encoding: &str) -> Map<String, Value> {
    let mut map = Map::new();
    match std::str::from_utf8(&bytes.0) {
        Ok(text) => drop(map.insert("text".to_owned(), text.into())),
        Err(_) => {
            map.insert("text".to_owned(), STANDARD.encode(&bytes.0).into());
            map.insert(encoding.to_owned(), "base64".into());
        }
    }
    map
}

fn content_type(headers: &[(String, String)]) -> &str {
    let named = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    named.map_or("", |(_, value)| value)
}
