//! Export as an HTTP archive (HAR 1.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{rfc3339, title};
use crate::{
    CapturedBody, IncidentRecord,
    resend::{CredentialKind, credential_kind},
};

/// Value of a header with the key of an API client.
const API_KEY_VARIABLE: &str = "{{api_key}}";

/// Returns an archive of the captured requests and responses. Tokens are placeholders, as in the records. The key of an API client
/// is the variable `{{api_key}}`, in the header that the request had.
///
/// Bodies that are not UTF-8 are in base64. HAR defines `encoding` for responses only; requests use `_encoding`.
#[must_use]
pub fn har(records: &[IncidentRecord], origin: &str) -> String {
    let entries: Vec<Value> = records.iter().map(|record| entry(record, origin.trim_end_matches('/'))).collect();
    let creator = json!({"name": "BucketList", "version": env!("CARGO_PKG_VERSION")});
    let archive = json!({"log": {"version": "1.2", "creator": creator, "entries": entries}});
    format!("{archive:#}\n")
}

fn entry(record: &IncidentRecord, origin: &str) -> Value {
    let (request, response) = (&record.request, &record.response);
    #[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds")]
    let milliseconds = record.duration as f64 / 1000.0;
    let mut request_entry = json!({
        "method": request.method,
        "url": format!("{origin}{}", request.target),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": request_headers(record),
        "queryString": query_string(&request.target),
        "headersSize": -1,
        "bodySize": request.body.0.len(),
    });
    if let (Value::Object(request_entry), false) = (&mut request_entry, request.body.0.is_empty()) {
        let mut post_data = body_text(&request.body, "_encoding");
        post_data.insert("mimeType".to_owned(), content_type(&request.headers).into());
        post_data.insert("params".to_owned(), json!([]));
        post_data.insert("_sha256".to_owned(), request.body.sha256().into());
        request_entry.insert("postData".to_owned(), post_data.into());
    }
    let mut content = body_text(&response.body, "encoding");
    content.insert("size".to_owned(), response.body.0.len().into());
    content.insert("mimeType".to_owned(), content_type(&response.headers).into());
    json!({
        "startedDateTime": rfc3339(record.received_at),
        "time": milliseconds,
        "request": request_entry,
        "response": {
            "status": response.status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": name_value_pairs(&response.headers),
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

/// Returns the captured headers, connection headers included.
fn request_headers(record: &IncidentRecord) -> Vec<Value> {
    let headers = &record.request.headers;
    if credential_kind(record) != Some(CredentialKind::ApiKey) {
        return name_value_pairs(headers);
    }
    let with_variable = |(name, value): &(String, String)| {
        let value = match name.to_ascii_lowercase().as_str() {
            "x-api-key" => API_KEY_VARIABLE.to_owned(),
            "authorization" => {
                format!("{} {API_KEY_VARIABLE}", value.split(' ').next().unwrap_or_default())
            }
            _ => value.clone(),
        };
        (name.clone(), value)
    };
    name_value_pairs(&headers.iter().map(with_variable).collect::<Vec<_>>())
}

fn name_value_pairs(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn query_string(target: &str) -> Vec<Value> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

fn body_text(body: &CapturedBody, encoding: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    match std::str::from_utf8(&body.0) {
        Ok(text) => drop(fields.insert("text".to_owned(), text.into())),
        Err(_) => {
            fields.insert("text".to_owned(), STANDARD.encode(&body.0).into());
            fields.insert(encoding.to_owned(), "base64".into());
        }
    }
    fields
}

fn content_type(headers: &[(String, String)]) -> &str {
    let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    header.map_or("", |(_, value)| value)
}
