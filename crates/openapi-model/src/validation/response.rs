//! Validation of responses against the document.

use std::sync::OnceLock;

use serde_json::Value;

use super::parameter::Parameter;
use super::response_violation::ResponseViolation;
use super::rows::{self, Rows};
use super::schema_validator::{SchemaCompiler, SchemaValidator};
use super::violation::{Location, Violations};
use crate::{pointer, traverse};

/// A documented response. Its schemas are compiled when they are first used, so that they do not delay startup.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    content: Vec<Content>,
    headers: Vec<Header>,
    compiler: SchemaCompiler,
    rows: OnceLock<Option<Rows>>,
}

#[derive(Debug)]
struct Content {
    media_type: String,
    schema: Value,
    compiled: OnceLock<Result<SchemaValidator, String>>,
}

#[derive(Debug)]
struct Header {
    name: String,
    header: Value,
    /// Whether the header is required. It is, unless the document has `required: false`.
    required: bool,
    compiled: OnceLock<Result<Parameter, String>>,
}

impl Response {
    pub(super) fn new(document: &Value, status: u16, response: &Value, compiler: &SchemaCompiler) -> Self {
        let content = traverse::members(response.get("content"))
            .map(|(media_type, media)| Content {
                media_type: traverse::essence(media_type).to_ascii_lowercase(),
                schema: media.get("schema").cloned().unwrap_or_default(),
                compiled: OnceLock::new(),
            })
            .collect();
        let headers = traverse::members(response.get("headers"))
            .map(|(name, header)| {
                let header = pointer::resolve(document, header).cloned().unwrap_or_default();
                let required = header.get("required") != Some(&Value::Bool(false));
                Header { name: name.to_owned(), header, required, compiled: OnceLock::new() }
            })
            .collect();
        Response { status, content, headers, compiler: compiler.clone(), rows: OnceLock::new() }
    }

    pub(super) fn media_types(&self) -> impl Iterator<Item = &str> {
        self.content.iter().map(|content| content.media_type.as_str())
    }

    /// Validates a response. If the body is unknown (`None`), only the rest is validated.
    pub(super) fn check(&self, headers: &[(String, String)], body: Option<&[u8]>, out: &mut Vec<ResponseViolation>) {
        let sent = |name: &str| {
            headers.iter().find(|(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        for header in &self.headers {
            match sent(&header.name) {
                None if header.required => {
                    out.push(ResponseViolation::new(format!("header {}", header.name), "is missing"))
                }
                None => {}
                Some(value) => header.check(value, &self.compiler, out),
            }
        }
        let mut report = |problem: String| out.push(ResponseViolation::new("content type", problem));
        let documented = || self.media_types().collect::<Vec<_>>().join(", ");
        let media_type = sent("content-type").map(|value| traverse::essence(value).to_ascii_lowercase());
        match (media_type, body) {
            (None, None | Some([])) if self.content.is_empty() => {}
            (Some(sent), None | Some([])) if self.content.is_empty() => {
                report(format!("{sent} is present, but no body is documented"));
            }
            (_, Some(_)) if self.content.is_empty() => {
                out.push(ResponseViolation::new("the body", "is present, but no body is documented"));
            }
            (None, _) => report(format!("is missing; documented: {}", documented())),
            (Some(sent), body) => match self.content.iter().find(|content| content.media_type == sent) {
                None => report(format!("{sent} is not documented; documented: {}", documented())),
                Some(content) => {
                    if let Some(body) = body {
                        self.check_body(content, body, out);
                    }
                }
            },
        }
    }

    fn check_body(&self, content: &Content, body: &[u8], out: &mut Vec<ResponseViolation>) {
        if rows::are_rows(&content.media_type) && !content.schema.is_null() {
            rows::check(&content.media_type, body, self.rows(), out);
        } else {
            content.check(body, &self.compiler, out);
        }
    }
}

impl Response {
    /// Returns the schema of the JSON body.
    pub(super) fn json(&self) -> Option<&SchemaValidator> {
        let content = self.content.iter().find(|content| traverse::is_json(&content.media_type))?;
        content.compiled(&self.compiler).as_ref().ok()
    }

    /// Returns the rows of the JSON page that the response documents.
    fn rows(&self) -> Option<&Rows> {
        let page = || self.content.iter().find(|content| traverse::is_json(&content.media_type));
        self.rows.get_or_init(|| Rows::of(&page()?.schema, &self.compiler)).as_ref()
    }
}

impl Content {
    fn compiled(&self, compiler: &SchemaCompiler) -> &Result<SchemaValidator, String> {
        self.compiled.get_or_init(|| compiler.compile_response(&self.schema))
    }

    fn check(&self, body: &[u8], compiler: &SchemaCompiler, out: &mut Vec<ResponseViolation>) {
        if !traverse::is_json(&self.media_type) || self.schema.is_null() {
            return;
        }
        let value: Value = match serde_json::from_slice(body) {
            Ok(value) => value,
            Err(error) => return out.push(ResponseViolation::new("the body", format!("is not JSON: {error}"))),
        };
        match self.compiled(compiler) {
            Ok(compiled) => out.extend(compiled.violations(&value).into_iter().map(|problem| {
                let place = Location::Body(problem.pointer.clone());
                ResponseViolation::new(place, problem.message)
                    .but_is(value.pointer(&problem.pointer).unwrap_or(&Value::Null))
            })),
            Err(error) => {
                out.push(ResponseViolation::new("the documented schema", format!("does not compile: {error}")))
            }
        }
    }
}

impl Header {
    fn check(&self, value: &str, compiler: &SchemaCompiler, out: &mut Vec<ResponseViolation>) {
        let compiled = self.compiled.get_or_init(|| Parameter::compile(&self.name, &self.header, compiler));
        match compiled {
            Ok(compiled) => {
                let mut violations = Violations::new(compiler.options.max_violations);
                let location = || Location::Header(self.name.clone());
                compiled.check(value, &location, &mut violations);
                let violations = violations.into_vec().into_iter();
                out.extend(
                    violations
                        .map(|violation| ResponseViolation::new(violation.location, violation.message).but_is(value)),
                );
            }
            Err(error) => {
                out.push(ResponseViolation::new(format!("header {}", self.name), format!("does not compile: {error}")))
            }
        }
    }
}
