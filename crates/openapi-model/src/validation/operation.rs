//! A compiled operation: validates its requests and responses.

use serde_json::Value;

use super::body::BodySchema;
use super::compiled_document::CompileError;
use super::options::ValidationOptions;
use super::parameter::Parameter;
use super::query::{self, Undecodable};
use super::response::Response;
use super::response_violation::ResponseViolation;
use super::schema_validator::{SchemaCompiler, SchemaNode, SchemaValidator};
use super::violation::{Location, Violation, ViolationCode, Violations};
use crate::traverse::Entry;
use crate::{pointer, traverse};

const UNDECODABLE: &str = "must be valid UTF-8 without the character U+0000";

/// A compiled operation.
#[derive(Debug)]
#[non_exhaustive]
pub struct Operation {
    /// The operationId.
    pub id: String,
    /// The method in upper case.
    pub method: String,
    /// The path template, with the base of the server: `/v1/projects/{project_id}`.
    pub path: String,
    /// The first tag, or an empty string if there is none.
    pub tag: String,
    /// Whether the operation requires authentication.
    pub is_secured: bool,
    /// Whether the operation is deprecated.
    pub deprecated: bool,
    /// Media types of the successful responses without duplicates, in the order of the document.
    pub response_media_types: Vec<String>,
    /// Media types of the request body. Empty for an operation without a body.
    pub request_media_types: Vec<String>,
    /// Whether a request must have a body.
    pub body_required: bool,
    body: Option<BodySchema>,
    path_parameters: Vec<Parameter>,
    query_parameters: Vec<Parameter>,
    responses: Vec<Response>,
    options: ValidationOptions,
    inputs: Vec<String>,
}

/// Maximum number of inputs of an operation that are distinguished: the number of bits in a set of inputs.
const MAX_INPUTS: usize = 64;
/// Maximum depth of composed schemas in which the fields of a body are searched.
const MAX_COMPOSITION: usize = 8;

impl Operation {
    pub(super) fn compile(
        document: &Value,
        base: &str,
        entry: Entry<'_>,
        compiler: &SchemaCompiler,
    ) -> Result<Operation, CompileError> {
        let schema_error = |part: String| move |reason| CompileError::Schema { operation: entry.name(), part, reason };
        let content = entry.operation.get("requestBody").and_then(|body| pointer::resolve(document, body));
        let media = content.and_then(|body| body.get("content"));
        let body = traverse::members(media)
            .find(|(media_type, _)| traverse::is_json(media_type))
            .and_then(|(_, media)| media.get("schema"))
            .map(|schema| BodySchema::compile(schema, compiler))
            .transpose()
            .map_err(schema_error("request body".to_owned()))?;
        let (mut path_parameters, mut query_parameters) = (Vec::new(), Vec::new());
        for parameter in entry.parameters(document) {
            let parameter = parameter.value;
            let text = |key| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
            let list = match text("in") {
                "path" => &mut path_parameters,
                "query" => &mut query_parameters,
                _ => continue,
            };
            let name = text("name");
            let compiled =
                Parameter::compile(name, parameter, compiler).map_err(schema_error(format!("parameter {name}")))?;
            list.push(compiled);
        }
        let responses: Vec<Response> = traverse::members(entry.operation.get("responses"))
            .filter_map(|(status, response)| {
                let response = pointer::resolve(document, response)?;
                let status = status.parse().ok()?;
                Some(Response::new(document, status, response, compiler))
            })
            .collect();
        let mut response_media_types: Vec<String> = Vec::new();
        for response in responses.iter().filter(|r| (200..300).contains(&r.status)) {
            for media_type in response.media_types() {
                if !response_media_types.iter().any(|known| known == media_type) {
                    response_media_types.push(media_type.to_owned());
                }
            }
        }
        let schema = traverse::members(media).find_map(|(_, media)| media.get("schema"));
        let mut fields = Vec::new();
        collect_fields(document, schema, MAX_COMPOSITION, &mut fields);
        let parameters = query_parameters.iter().map(|parameter: &Parameter| format!("query.{}", parameter.name));
        let fields = fields.into_iter().map(|field| format!("body.{field}"));
        let inputs = parameters.chain(fields).take(MAX_INPUTS).collect();
        Ok(Operation {
            inputs,
            id: entry.id().to_owned(),
            method: entry.method.to_uppercase(),
            path: format!("{base}{}", entry.path),
            tag: traverse::elements(entry.operation.get("tags")).find_map(Value::as_str).unwrap_or_default().to_owned(),
            is_secured: is_secured(entry.operation.get("security").or_else(|| document.get("security"))),
            deprecated: entry.operation.get("deprecated") == Some(&Value::Bool(true)),
            response_media_types,
            request_media_types: traverse::members(media)
                .map(|(media_type, _)| traverse::essence(media_type).to_ascii_lowercase())
                .collect(),
            body_required: content.and_then(|body| body.get("required")).and_then(Value::as_bool).unwrap_or(false),
            body,
            path_parameters,
            query_parameters,
            responses,
            options: compiler.options,
        })
    }

    /// Returns the schema of the JSON request body, or `None` if the operation has no JSON body.
    #[must_use]
    pub fn body(&self) -> Option<&BodySchema> {
        self.body.as_ref()
    }

    /// Returns the names of the declared inputs, up to 64: `query.<name>` of each query parameter and `body.<name>` of each field at the
    /// top of the JSON body. A set of inputs has a bit for each.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Returns the set of the declared query parameters that a query contains.
    #[must_use]
    pub fn query_inputs(&self, query: &str) -> u64 {
        query::pairs(query)
            .filter_map(|(name, _)| {
                let name = query::decode_query(name).ok()?;
                self.query_parameters.iter().position(|parameter| parameter.name == name)
            })
            .filter(|index| *index < self.inputs.len())
            .fold(0, |inputs, index| inputs | 1 << index)
    }

    /// Returns the set of the declared fields that a body contains.
    #[must_use]
    pub fn body_inputs(&self, body: &Value) -> u64 {
        let Some(fields) = body.as_object() else { return 0 };
        let declared = self.inputs.iter().enumerate().skip(self.query_parameters.len());
        declared
            .filter(|(_, input)| input.strip_prefix("body.").is_some_and(|name| fields.contains_key(name)))
            .fold(0, |inputs, (index, _)| inputs | 1 << index)
    }

    /// Returns the schema of the JSON body of a response.
    pub(super) fn json_response(&self, status: u16) -> Option<&SchemaValidator> {
        self.responses.iter().find(|response| response.status == status)?.json()
    }

    /// Returns the schema of a query parameter.
    pub(super) fn query_schema(&self, name: &str) -> Option<SchemaNode<'_>> {
        self.query_parameters.iter().find(|parameter| parameter.name == name).map(Parameter::schema)
    }

    /// Returns the documented statuses in the order of the document.
    pub fn statuses(&self) -> impl Iterator<Item = u16> {
        self.responses.iter().map(|response| response.status)
    }

    /// Returns the status and media type of every documented response, in the order of the document. The media type of a
    /// response without a body is `None`.
    pub fn documented_responses(&self) -> impl Iterator<Item = (u16, Option<&str>)> {
        self.responses.iter().flat_map(|response| {
            let media_types: Vec<Option<&str>> = response.media_types().map(Some).collect();
            let media_types = if media_types.is_empty() { vec![None] } else { media_types };
            media_types.into_iter().map(|media_type| (response.status, media_type))
        })
    }

    /// Returns the violations of the path and query parameters.
    ///
    /// `params` are the raw segments of [`super::PathMatch`], and `query` is the text after the `?`. Text is trimmed and
    /// normalized as in a body before it is validated. Does not allocate for valid integers in the path and no query.
    #[must_use]
    pub fn validate_parameters(&self, params: &[(&str, &str)], query: Option<&str>) -> Vec<Violation> {
        let mut out = Violations::new(self.options.max_violations);
        for parameter in &self.path_parameters {
            let sent = params.iter().find(|(name, _)| *name == parameter.name);
            let location = || Location::Path(parameter.name.clone());
            match sent.map(|(_, raw)| query::decode(raw)) {
                Some(Ok(text)) => parameter.check(&text, &location, &mut out),
                Some(Err(Undecodable)) => {
                    out.push(location(), ViolationCode::InvalidCharacters, UNDECODABLE);
                }
                None => out.push(location(), ViolationCode::Required, "is required"),
            }
        }
        self.check_query(query.unwrap_or_default(), &mut out);
        out.into_vec()
    }

    /// Returns the query with each comma-separated list written as one parameter, if it is not so already.
    ///
    /// Clients write such a list in several ways: `include=a&include=b` becomes `include=a,b`, and an empty list (`include=`)
    /// is omitted. Names are compared decoded: `%69nclude` is `include`.
    #[must_use]
    pub fn join_lists(&self, query: &str) -> Option<String> {
        let lists: Vec<&str> =
            self.query_parameters.iter().filter(|p| p.is_joined()).map(|p| p.name.as_str()).collect();
        let list_of = |name: &str| {
            let name = query::decode_query(name).ok()?;
            lists.iter().position(|list| *list == name)
        };
        let mut joined: Vec<(Vec<&str>, usize)> = vec![(Vec::new(), 0); lists.len()];
        for (name, value) in query::pairs(query) {
            if let Some(index) = list_of(name) {
                joined[index].1 += 1;
                joined[index].0.extend(Some(value).filter(|value| !value.is_empty()));
            }
        }
        if joined.iter().all(|(values, count)| *count == values.len() && *count <= 1) {
            return None;
        }
        let others = query.split('&').filter(|pair| list_of(pair.split('=').next().unwrap_or_default()).is_none());
        let mut pairs: Vec<String> = others.map(str::to_owned).collect();
        for (name, (values, _)) in lists.iter().zip(&joined).filter(|(_, (values, _))| !values.is_empty()) {
            pairs.push(format!("{name}={}", values.join(",")));
        }
        Some(pairs.join("&"))
    }

    fn check_query(&self, query: &str, out: &mut Violations) {
        let mut sent = Vec::new();
        for (name, value) in query::pairs(query) {
            let name = query::decode_query(name).unwrap_or_else(|_| "\u{fffd}".into());
            let place = || Location::Query(name.clone().into_owned());
            let Some(index) = self.query_parameters.iter().position(|p| p.name == name) else {
                out.push(place(), ViolationCode::UnknownParameter, "is not a known parameter");
                if out.is_full() {
                    return;
                }
                continue;
            };
            match query::decode_query(value) {
                Ok(value) => sent.push((index, Some(value))),
                Err(Undecodable) => {
                    out.push(place(), ViolationCode::InvalidCharacters, UNDECODABLE);
                    sent.push((index, None)); // present, and already reported
                }
            }
        }
        for (index, parameter) in self.query_parameters.iter().enumerate() {
            let location = || Location::Query(parameter.name.clone());
            let mut values = sent.iter().filter(|(of, _)| *of == index).map(|(_, value)| value);
            let Some(first) = values.next() else {
                if parameter.required {
                    out.push(location(), ViolationCode::Required, "is required");
                }
                continue;
            };
            if parameter.exploded {
                let all = std::iter::once(first).chain(values);
                parameter.check_list(&mut all.flatten().map(AsRef::as_ref), &location, out);
            } else if values.next().is_some() {
                out.push(location(), ViolationCode::Repeated, "must be given only once");
            } else if let Some(value) = first {
                parameter.check(value, &location, out);
            }
        }
    }

    /// Returns the violations of a response as sentences that contain the received values, for tests. See
    /// [`Self::validate_response`].
    #[must_use]
    pub fn check_response(&self, status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<String> {
        self.validate_response(status, headers, Some(body)).iter().map(ToString::to_string).collect()
    }

    /// Returns the differences between a response and the document: an undocumented status, a missing or invalid header, an
    /// undocumented content type, and violations of the body. The response must be to the method of the operation, not to
    /// HEAD. If the body is unknown (`None`), only the rest is validated.
    #[must_use]
    pub fn validate_response(
        &self,
        status: u16,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Vec<ResponseViolation> {
        let mut out = Vec::new();
        match self.responses.iter().find(|response| response.status == status) {
            Some(response) => response.check(headers, body, &mut out),
            None => {
                let known: Vec<String> = self.statuses().map(|status| status.to_string()).collect();
                let problem = format!("{status} is not documented for {}; documented: {}", self.id, known.join(", "));
                out.push(ResponseViolation::new("status", problem));
            }
        }
        out
    }
}

/// Collects the names of the properties of an object schema and of the schemas that it is composed of.
fn collect_fields(document: &Value, schema: Option<&Value>, depth: usize, fields: &mut Vec<String>) {
    let Some(schema) = schema.and_then(|schema| pointer::resolve(document, schema)).filter(|_| depth > 0) else {
        return;
    };
    for (name, _) in traverse::members(schema.get("properties")) {
        if !fields.iter().any(|known| known == name) {
            fields.push(name.to_owned());
        }
    }
    for composed in ["allOf", "oneOf", "anyOf"] {
        for part in traverse::elements(schema.get(composed)) {
            collect_fields(document, Some(part), depth - 1, fields);
        }
    }
}

/// Returns whether security requirements require authentication. A requirement without a scheme (`{}`) allows anonymous
/// requests.
pub fn is_secured(requirements: Option<&Value>) -> bool {
    let mut list = traverse::elements(requirements).peekable();
    list.peek().is_some() && list.all(|one| one.as_object().is_some_and(|map| !map.is_empty()))
}
