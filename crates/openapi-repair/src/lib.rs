//! Completes the raw OpenAPI document of poem-openapi.
//!
//! Each step repairs a part of the document and reports what it cannot repair. Everything that is specific to an API is in
//! [`RepairOptions`].

mod errors;
#[cfg(test)]
mod fixture;
mod headers;
mod prune;
mod repair;
mod schemas;
mod shared;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

use openapi_model::Document;
use openapi_model::json::{self, DuplicateKeys};

/// Information about an API that is not in the raw document. The default adds nothing to it.
pub struct RepairOptions<'a> {
    /// Published name of the component schema of error bodies.
    pub error_schema: &'a str,
    /// Media type of error bodies.
    pub error_media_type: &'a str,
    /// Returns the documented errors of an operation.
    pub errors: &'a dyn Fn(&OperationInfo<'_>) -> Vec<DocumentedError>,
    /// Returns an example of the body of an error. All operations share it.
    pub error_example: &'a dyn Fn(&DocumentedError) -> Value,
    /// Published names of error responses. One with a single error code needs none: its name is that of the code.
    pub response_names: &'a [ResponseName],
    /// Response headers that do not depend on the operation.
    pub headers: &'a [ResponseHeader],
    /// Published names of other headers, which the raw document has in upper case.
    pub header_names: &'a [&'a str],
    /// Examples of parameters without an example, by name; `listTrips.q` is the `q` of one operation.
    pub parameter_examples: &'a [(&'a str, Value)],
    /// Examples of response headers without an example, by name; `createTrip.Location` is the header of one operation.
    pub header_examples: &'a [(&'a str, Value)],
    /// Examples of component schemas without an example, by published name.
    pub schema_examples: &'a [(&'a str, Value)],
    /// Sensitive fields without a format for sensitive data, as schema and field. They are marked with `x-sensitive`.
    pub sensitive: &'a [(&'a str, &'a str)],
    /// Fields of responses whose values are listed in the document, although new values can be added.
    pub open_enums: &'a [OpenEnum<'a>],
    /// Raw and published names of component schemas: `("Page_Project", "ProjectPage")`.
    pub renamed_schemas: &'a [(&'a str, &'a str)],
    /// Strings with at least this `maxLength` are multi-line text, whose pattern allows line breaks.
    pub multi_line_from: u64,
    /// Deprecation notices that are added to descriptions, by operationId: the date and the replacement.
    pub deprecations: &'a [(&'a str, String)],
}

impl Default for RepairOptions<'_> {
    fn default() -> Self {
        RepairOptions {
            error_schema: "Error",
            error_media_type: "application/json",
            errors: &|_| Vec::new(),
            error_example: &|_| Value::Null,
            response_names: &[],
            headers: &[],
            header_names: &[],
            parameter_examples: &[],
            header_examples: &[],
            schema_examples: &[],
            sensitive: &[],
            open_enums: &[],
            renamed_schemas: &[],
            multi_line_from: openapi_model::text::MULTI_LINE_FROM,
            deprecations: &[],
        }
    }
}

/// The properties of an operation that determine its documented errors.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo<'a> {
    /// The operationId.
    pub id: &'a str,
    /// The method in upper case.
    pub method: &'a str,
    /// The path template without the base of the server.
    pub path: &'a str,
    /// Whether the operation requires authentication.
    pub is_secured: bool,
    /// Whether it accepts a request body.
    pub has_body: bool,
    /// Whether it has parameters in query, path or headers.
    pub has_parameters: bool,
    /// Whether it has parameters in the path.
    pub has_path_parameters: bool,
    /// Whether a successful response has a body.
    pub success_has_body: bool,
}

/// A documented error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentedError {
    /// The status of the response.
    pub status: u16,
    /// The stable code of the error.
    pub code: &'static str,
    /// A sentence that explains the error.
    pub message: &'static str,
}

/// The values of a text field, to which later versions can add values.
#[derive(Clone, Copy, Debug)]
pub struct OpenEnum<'a> {
    /// Published name of the component schema.
    pub schema: &'a str,
    /// Name of the field.
    pub field: &'a str,
    /// The values and their meanings.
    pub values: &'a [(&'a str, &'a str)],
}

/// The published name of an error response, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseName {
    /// The name of the component.
    pub name: &'static str,
    /// The codes of its errors, in any order.
    pub codes: &'static [&'static str],
    /// Whether it belongs to deprecated operations, whose responses have more headers.
    pub is_deprecated: bool,
}

/// A header of responses.
#[derive(Clone, Debug)]
pub struct ResponseHeader {
    /// The published name.
    pub name: &'static str,
    /// The description of the value.
    pub description: &'static str,
    /// The schema of its value.
    pub schema: Value,
    /// An example of its value.
    pub example: Value,
    /// The responses that have the header.
    pub on: HeaderScope,
    /// Whether these responses always have the header. False if it depends on the configuration of the server.
    pub always: bool,
}

/// The responses that have a header.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum HeaderScope {
    /// All responses.
    All,
    /// Responses with one of these statuses.
    Statuses(&'static [u16]),
    /// Responses of operations that require authentication.
    Secured,
    /// Responses for which the function returns true, by operation and status.
    Matching(fn(&OperationInfo<'_>, u16) -> bool),
}

/// A part of the raw document that cannot be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The location: `operation getList, response 404`, `schema List`.
    pub location: String,
    /// The description of the defect.
    pub message: String,
}

impl Defect {
    fn new(location: impl Into<String>, message: impl Into<String>) -> Self {
        Defect { location: location.into(), message: message.into() }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.location, self.message)
    }
}

/// The reason why a document cannot be repaired. `Display` writes one defect per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairError {
    /// The defects.
    pub defects: Vec<Defect>,
}

impl fmt::Display for RepairError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, defect) in self.defects.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{defect}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RepairError {}

/// Creates a complete document from the output of poem-openapi.
///
/// ```
/// use openapi_repair::{DocumentedError, RepairOptions, repair};
/// use serde_json::json;
///
/// // As poem-openapi writes it: OpenAPI 3.0.0, bounds as floating-point numbers, and no error responses.
/// let raw = r#"{
///     "openapi": "3.0.0",
///     "info": {"title": "Library", "version": "1.0.0"},
///     "paths": {"/books/{id}": {"get": {
///         "operationId": "getBook",
///         "parameters": [
///             {"name": "id", "in": "path", "required": true, "schema": {"type": "integer", "format": "uint32", "minimum": 1.0}}
///         ],
///         "responses": {"204": {"description": "The book."}}
///     }}},
///     "components": {"schemas": {"Error": {"type": "object", "properties": {"code": {"type": "string"}}}}}
/// }"#;
/// let document = repair(
///     raw,
///     &RepairOptions {
///         error_schema: "Error",
///         error_media_type: "application/json",
///         errors: &|operation| {
///             let not_found = DocumentedError { status: 404, code: "NOT_FOUND", message: "The book does not exist." };
///             if operation.has_path_parameters { vec![not_found] } else { Vec::new() }
///         },
///         error_example: &|error| json!({"code": error.code}),
///         ..RepairOptions::default()
///     },
/// )?;
/// let get = &document.value()["paths"]["/books/{id}"]["get"];
/// assert_eq!(
///     get["parameters"][0]["schema"],
///     json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": 4_294_967_295_i64})
/// );
/// assert_eq!(get["responses"]["404"]["$ref"], "#/components/responses/NotFound");
/// # Ok::<(), openapi_repair::RepairError>(())
/// ```
///
/// # Errors
/// Returns everything that cannot be repaired.
pub fn repair(raw: &str, rules: &RepairOptions<'_>) -> Result<Document, RepairError> {
    let mut defects = Vec::new();
    let (mut value, repeated) = match json::parse_document(raw, DuplicateKeys::MergeIn("paths")) {
        Ok(read) => read,
        Err(malformed) => {
            let message = malformed.to_string().replace("The body", "the raw document");
            let defects = vec![Defect::new("document", message)];
            return Err(RepairError { defects });
        }
    };
    for pointer in repeated {
        defects.push(Defect::new("document", format!("{pointer} is declared more than once")));
    }
    for part in ["info", "paths", "components"] {
        if !value.get(part).is_some_and(Value::is_object) {
            defects.push(Defect::new("document", format!("has no \"{part}\" object")));
            return Err(RepairError { defects });
        }
    }
    repair::repair(&mut value, rules, &mut defects);
    deprecate(&mut value, rules, &mut defects);
    schemas::complete(&mut value, rules, &mut defects);
    errors::document(&mut value, rules, &mut defects);
    headers::document(&mut value, rules, &mut defects);
    shared::examples(&mut value);
    shared::responses(&mut value, rules, &mut defects);
    prune::prune(&mut value);
    let document = match Document::from_value(value) {
        Ok(document) => document,
        Err(error) => {
            defects.push(Defect::new("document", error.to_string()));
            return Err(RepairError { defects });
        }
    };
    if defects.is_empty() { Ok(document) } else { Err(RepairError { defects }) }
}

/// Marks deprecated operations and adds the notice to their descriptions.
fn deprecate(value: &mut Value, rules: &RepairOptions<'_>, defects: &mut Vec<Defect>) {
    let mut left: Vec<&str> = rules.deprecations.iter().map(|(id, _)| *id).collect();
    openapi_model::traverse::operations_mut(value, |_, _, operation| {
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
        let Some((id, notice)) = rules.deprecations.iter().find(|(known, _)| *known == id) else { return };
        left.retain(|known| known != id);
        let description = operation.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = format!("{description}\n\n{notice}");
        operation.insert("description".to_owned(), description.trim_start().into());
        operation.insert("deprecated".to_owned(), Value::Bool(true));
    });
    for id in left {
        defects.push(Defect::new(format!("operation {id}"), "is declared deprecated, but does not exist"));
    }
}

/// Returns the properties of an operation.
fn facts<'a>(
    document_security: Option<&Value>,
    path: &'a str,
    method: &'a str,
    operation: &'a serde_json::Map<String, Value>,
) -> OperationInfo<'a> {
    let parameters = || operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let is_success = |status: &str| status.starts_with('2');
    OperationInfo {
        id: operation.get("operationId").and_then(Value::as_str).unwrap_or_default(),
        method,
        path,
        is_secured: openapi_model::is_secured(operation.get("security").or(document_security)),
        has_body: operation.contains_key("requestBody"),
        has_parameters: parameters().next().is_some(),
        has_path_parameters: parameters().any(|one| one.get("in").is_some_and(|place| place == "path")),
        success_has_body: openapi_model::traverse::members(operation.get("responses"))
            .any(|(status, response)| is_success(status) && response.get("content").is_some()),
    }
}
