//! An operation of the document, with resolved references.

use openapi_model::{
    Definitions, is_secured, pointer,
    traverse::{self, Entry},
};
use serde_json::Value;

/// One operation of a document.
pub(super) struct Call<'d> {
    pub(super) document: &'d Value,
    pub(super) definitions: Definitions,
    /// Base path: `/v1`.
    pub(super) base: String,
    pub(super) entry: Entry<'d>,
}

/// A parameter, with resolved references.
pub(super) struct Parameter<'d> {
    pub(super) name: &'d str,
    pub(super) place: &'d str,
    pub(super) description: &'d str,
    pub(super) required: bool,
    /// Example as it is sent in a URL or a header.
    pub(super) example: String,
}

/// A body or response in one media type.
#[derive(Clone, Copy)]
pub(super) struct Media<'d> {
    pub(super) name: &'d str,
    pub(super) value: &'d Value,
}

/// A documented response.
#[derive(Clone, Copy)]
pub(super) struct Response<'d> {
    pub(super) status: u16,
    pub(super) value: &'d Value,
}

impl<'d> Call<'d> {
    pub(super) fn id(&self) -> &'d str {
        self.entry.id()
    }

    pub(super) fn text(&self, key: &str) -> &'d str {
        self.entry.operation.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the method in upper case.
    pub(super) fn method(&self) -> String {
        self.entry.method.to_uppercase()
    }

    /// Returns the path with the base path.
    pub(super) fn path(&self) -> String {
        format!("{}{}", self.base, self.entry.path)
    }

    pub(super) fn tag(&self) -> &'d str {
        self.entry.operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("Other")
    }

    pub(super) fn is_secured(&self) -> bool {
        is_secured(self.entry.operation.get("security").or(self.document.get("security")))
    }

    pub(super) fn parameters(&self) -> Vec<Parameter<'d>> {
        let parameters = self.entry.parameters(self.document).into_iter();
        parameters
            .map(|parameter| {
                let parameter = parameter.value;
                let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
                let example = parameter.get("example").or_else(|| parameter.pointer("/schema/example"));
                Parameter {
                    name: text("name"),
                    place: text("in"),
                    description: text("description"),
                    required: parameter.get("required") == Some(&Value::Bool(true)),
                    example: example.map(to_text).unwrap_or_default(),
                }
            })
            .collect()
    }

    /// Returns the request body in the first documented media type.
    pub(super) fn body(&self) -> Option<Media<'d>> {
        let body = pointer::resolve(self.document, self.entry.operation.get("requestBody")?)?;
        media(body).next()
    }

    pub(super) fn responses(&self) -> impl Iterator<Item = Response<'d>> + use<'d> {
        let document = self.document;
        traverse::members(self.entry.operation.get("responses")).filter_map(move |(status, response)| {
            Some(Response { status: status.parse().ok()?, value: pointer::resolve(document, response)? })
        })
    }

    pub(super) fn response(&self, status: u16) -> Option<Response<'d>> {
        self.responses().find(|response| response.status == status)
    }

    /// Returns the documented success response.
    pub(super) fn success(&self) -> Option<Response<'d>> {
        self.responses().find(|response| (200..300).contains(&response.status))
    }

    /// Returns the examples of a body, with their names if they have any.
    pub(super) fn examples(&self, media: Media<'d>) -> Vec<(Option<&'d str>, &'d Value)> {
        let named: Vec<_> = traverse::members(media.value.get("examples"))
            .filter_map(|(name, example)| Some((Some(name), pointer::resolve(self.document, example)?.get("value")?)))
            .collect();
        if !named.is_empty() {
            return named;
        }
        let own = media.value.get("example");
        let of_schema = || pointer::resolve(self.document, media.value.get("schema")?)?.get("example");
        own.or_else(of_schema).map(|example| (None, example)).into_iter().collect()
    }

    /// Returns the names of the properties of an object.
    pub(super) fn properties(&self, media: Media<'d>) -> Vec<&'d str> {
        self.members(media).map(|(name, _)| name).collect()
    }

    /// Returns whether a property of a body is a secret.
    pub(super) fn is_secret(&self, media: Media<'d>, property: &str) -> bool {
        self.members(media)
            .any(|(name, schema)| name == property && schema.get("format").is_some_and(|format| format == "password"))
    }

    /// Returns whether a property of a body may be null.
    pub(super) fn is_nullable(&self, media: Media<'d>, property: &str) -> bool {
        self.members(media).any(|(name, schema)| {
            let has_null =
                schema.get("type").and_then(Value::as_array).is_some_and(|types| types.contains(&"null".into()));
            name == property && (has_null || schema.get("nullable") == Some(&Value::Bool(true)))
        })
    }

    fn members(&self, media: Media<'d>) -> impl Iterator<Item = (&'d str, &'d Value)> {
        let schema = media.value.get("schema").and_then(|schema| pointer::resolve(self.document, schema));
        traverse::members(schema.and_then(|schema| schema.get("properties")))
    }
}

impl<'d> Response<'d> {
    /// Returns the bodies by media type; none if the response has no body.
    pub(super) fn media(self) -> impl Iterator<Item = Media<'d>> {
        media(self.value)
    }

    /// Returns the headers: name, example, and whether the header is always sent.
    pub(super) fn headers(self, document: &'d Value) -> impl Iterator<Item = (&'d str, String, bool)> {
        traverse::members(self.value.get("headers")).map(|(name, header)| {
            let header = pointer::resolve(document, header);
            let example = header.and_then(|header| header.get("example")).map(to_text).unwrap_or_default();
            let optional = header.is_some_and(|header| header.get("required") == Some(&Value::Bool(false)));
            (name, example, !optional)
        })
    }
}

fn media(part: &Value) -> impl Iterator<Item = Media<'_>> {
    traverse::members(part.get("content")).map(|(name, value)| Media { name: traverse::essence(name), value })
}

/// Returns a value as it is sent in a URL or a header.
fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(to_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
