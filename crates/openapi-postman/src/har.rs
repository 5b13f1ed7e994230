//! Generates an HTTP archive (HAR 1.2) with the example request and the example response of each operation.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    CollectionError, CollectionOptions, Folder,
    call::{Call, Media, Response},
    item::phrase,
};

/// HAR requires a time; the examples have none.
const STARTED_AT: &str = "1970-01-01T00:00:00.000Z";

pub(super) fn write(options: &CollectionOptions<'_>, folders: &[Folder<'_>]) -> Result<String, CollectionError> {
    let (mut entries, mut version) = (Vec::new(), "");
    for folder in folders {
        version = folder.document.value().pointer("/info/version").and_then(Value::as_str).unwrap_or(version);
        for (call, _) in folder.calls()? {
            entries.extend(entry(&call, options, folder.options.name));
        }
    }
    let archive =
        json!({"log": {"version": "1.2", "creator": {"name": options.name, "version": version}, "entries": entries}});
    Ok(format!("{archive:#}\n"))
}

/// Returns the entry of an operation, or `None` if it has no documented success response.
fn entry(call: &Call<'_>, options: &CollectionOptions<'_>, folder: &str) -> Option<Value> {
    let success = call.success()?;
    let mut headers: Vec<Value> = Vec::new();
    if call.is_secured() {
        headers.push(pair("Authorization", &format!("Bearer {{{{{}}}}}", options.token)));
    }
    headers.extend(success.media().next().map(|media| pair("Accept", media.name)));
    let mut path = call.path();
    let mut query = Vec::new();
    for parameter in call.parameters() {
        match parameter.place {
            "path" => path = path.replace(&format!("{{{}}}", parameter.name), &encode(&parameter.example)),
            "query" if parameter.required => query.push((parameter.name, parameter.example)),
            "header" if parameter.required => headers.push(pair(parameter.name, &parameter.example)),
            _ => {}
        }
    }
    let origin = options.variables.iter().find(|(name, _)| *name == options.base_url).map_or("", |(_, origin)| origin);
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let mut url = format!("{origin}{path}");
    if !pairs.is_empty() {
        url = format!("{url}?{}", pairs.join("&"));
    }
    let body = match call.body() {
        None => None,
        Some(media) => {
            headers.push(pair("Content-Type", media.name));
            call.examples(media).first().map(|(_, example)| (media.name, format!("{example:#}")))
        }
    };
    let mut request = json!({
        "method": call.method(),
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": query.iter().map(|(name, value)| pair(name, value)).collect::<Vec<_>>(),
        "headersSize": -1,
        "bodySize": body.as_ref().map_or(0, |(_, text)| text.len()),
    });
    if let (Value::Object(request), Some((mime, text))) = (&mut request, body) {
        request.insert("postData".to_owned(), json!({"mimeType": mime, "params": [], "text": text}));
    }
    Some(json!({
        "startedDateTime": STARTED_AT,
        "time": 0,
        "request": request,
        "response": response(call, success),
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": 0},
        "comment": format!("{folder} {}: {}", call.id(), call.text("summary").trim_end_matches('.')),
    }))
}

fn response(call: &Call<'_>, success: Response<'_>) -> Value {
    let media: Option<Media<'_>> = success.media().next();
    let example = media.and_then(|media| call.examples(media).first().map(|(_, example)| text(example)));
    let text = example.unwrap_or_default();
    let mut headers: Vec<Value> = media.iter().map(|media| pair("Content-Type", media.name)).collect();
    let always = success.headers(call.document).filter(|(.., always)| *always);
    headers.extend(always.map(|(name, example, _)| pair(name, &example)));
    json!({
        "status": success.status,
        "statusText": phrase(success.status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "content": {"size": text.len(), "mimeType": media.map_or("", |media| media.name), "text": text},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": text.len(),
    })
}

fn text(example: &Value) -> String {
    match example {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    }
}

fn pair(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

/// All characters except the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes a value for a URL.
fn encode(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}
