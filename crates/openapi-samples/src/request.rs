//! The request of a sample, with resolved references.

use openapi_model::{
    pointer,
    traverse::{self, Entry},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::SampleOptions;

/// The characters to percent-encode in a URL: all but the unreserved ones of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The request of a sample.
pub(crate) struct SampleRequest {
    /// The method in upper case.
    pub(crate) method: String,
    /// Path and query, encoded.
    pub(crate) target: String,
    pub(crate) authentication: Authentication,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Option<Body>,
    pub(crate) response: ResponseBody,
}

/// How a request sends the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    None,
    /// As `Authorization: Bearer`.
    Bearer,
    /// In a header with this name.
    Header(String),
}

/// A header of a request.
pub(crate) struct Header {
    pub(crate) name: String,
    /// `None` for a new random value.
    pub(crate) value: Option<String>,
}

/// A request body.
pub(crate) enum Body {
    Json { media_type: String, value: Value },
    Text { media_type: String, text: String },
}

/// What a sample does with the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseBody {
    None,
    Json,
    Text,
}

impl Body {
    pub(crate) fn media_type(&self) -> &str {
        match self {
            Self::Json { media_type, .. } | Self::Text { media_type, .. } => media_type,
        }
    }

    /// Returns the text that is sent. JSON is indented.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Json { value, .. } => format!("{value:#}"),
            Self::Text { text, .. } => text.clone(),
        }
    }
}

impl SampleRequest {
    /// Returns `None` if a required parameter or a required body has no example.
    pub(crate) fn new(document: &Value, base: &str, entry: &Entry<'_>, options: &SampleOptions<'_>) -> Option<Self> {
        let mut path = format!("{base}{}", entry.path);
        let (mut query, mut headers) = (Vec::new(), Vec::new());
        for parameter in entry.parameters(document) {
            let parameter = parameter.value;
            let (name, place) = (traverse::text(parameter, "name"), traverse::text(parameter, "in"));
            let is_generated = options.generated_headers.iter().any(|header| header.eq_ignore_ascii_case(name));
            if place == "header" && is_generated {
                headers.push(Header { name: name.to_owned(), value: None });
                continue;
            }
            if parameter.get("required") != Some(&Value::Bool(true)) {
                continue;
            }
            let example = parameter.get("example").or_else(|| parameter.pointer("/schema/example")).map(to_text)?;
            match place {
                "path" => path = path.replace(&format!("{{{name}}}"), &encode(&example)),
                "query" => query.push(format!("{}={}", encode(name), encode(&example))),
                "header" => headers.push(Header { name: name.to_owned(), value: Some(example) }),
                _ => {}
            }
        }
        let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        Some(Self {
            method: entry.method.to_uppercase(),
            target,
            authentication: authentication(document, entry),
            headers,
            body: body(document, entry)?,
            response: response(document, entry),
        })
    }
}

/// Returns the first scheme of the operation that sends the token in a header.
fn authentication(document: &Value, entry: &Entry<'_>) -> Authentication {
    let requirements = entry.operation.get("security").or(document.get("security"));
    let names = traverse::elements(requirements).flat_map(|requirement| traverse::members(Some(requirement)));
    for (name, _) in names {
        let Some(scheme) = document.pointer(&pointer::join("/components/securitySchemes", name)) else { continue };
        match (traverse::text(scheme, "type"), traverse::text(scheme, "in")) {
            ("http", _) if traverse::text(scheme, "scheme").eq_ignore_ascii_case("bearer") => {
                return Authentication::Bearer;
            }
            ("oauth2" | "openIdConnect", _) => return Authentication::Bearer,
            ("apiKey", "header") => return Authentication::Header(traverse::text(scheme, "name").to_owned()),
            _ => {}
        }
    }
    Authentication::None
}

/// Returns the body in the first media type with an example; the outer `None` if a required body has no example.
fn body(document: &Value, entry: &Entry<'_>) -> Option<Option<Body>> {
    let Some(body) = entry.operation.get("requestBody").and_then(|body| pointer::resolve(document, body)) else {
        return Some(None);
    };
    let found = traverse::members(body.get("content")).find_map(|(media_type, media)| {
        let (media_type, example) = (traverse::essence(media_type).to_owned(), example(document, media)?);
        match example {
            value if traverse::is_json(&media_type) => Some(Body::Json { media_type, value: value.clone() }),
            Value::String(text) => Some(Body::Text { media_type, text: text.clone() }),
            _ => None,
        }
    });
    let is_required = body.get("required") == Some(&Value::Bool(true));
    (found.is_some() || !is_required).then_some(found)
}

fn example<'d>(document: &'d Value, media: &'d Value) -> Option<&'d Value> {
    let named = traverse::members(media.get("examples")).next();
    let named = named.and_then(|(_, example)| pointer::resolve(document, example)?.get("value"));
    let of_schema = || pointer::resolve(document, media.get("schema")?)?.get("example");
    named.or_else(|| media.get("example")).or_else(of_schema)
}

fn response(document: &Value, entry: &Entry<'_>) -> ResponseBody {
    let success = traverse::members(entry.operation.get("responses")).find(|(status, _)| status.starts_with('2'));
    let success = success.and_then(|(_, response)| pointer::resolve(document, response));
    match traverse::members(success.and_then(|response| response.get("content"))).next() {
        None => ResponseBody::None,
        Some((media_type, _)) if traverse::is_json(media_type) => ResponseBody::Json,
        Some(_) => ResponseBody::Text,
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Returns a value as it is sent in a URL or a header.
fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(to_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
