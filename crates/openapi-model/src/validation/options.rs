//! Options of validation.

/// Limits and conventions of validation.
///
/// ```
/// use openapi_model::{BodyError, CompiledDocument, Document, JsonError, ValidationOptions};
///
/// let document = Document::from_json(
///     r#"{"openapi": "3.0.3", "info": {}, "paths": {"/search": {"post": {"responses": {}, "requestBody": {"content":
///         {"application/json": {"schema": {"type": "object"}}}}}}}}"#,
/// )?;
/// let options = ValidationOptions { max_depth: 2, ..ValidationOptions::default() };
/// let compiled = CompiledDocument::compile_with(&document, options)?;
/// let body = compiled.operations().next().and_then(|operation| operation.body()).unwrap();
/// assert!(body.read(br#"{"any": {}}"#).is_ok());
/// assert_eq!(body.read(br#"{"any": [{}]}"#), Err(BodyError::Json(JsonError::TooDeep { limit: 2 })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidationOptions {
    /// The deepest nesting of objects and arrays in a request body: `[[1]]` has two levels.
    pub max_depth: usize,
    /// The maximum number of violations in a report, so that a small request cannot cause a large response.
    pub max_violations: usize,
    /// Strings with at least this `maxLength` are multi-line text and may contain tab, line feed and carriage return.
    pub multi_line_from: u64,
    /// The property of a JSON page with the rows that CSV and NDJSON responses contain.
    pub rows_property: &'static str,
}

impl Default for ValidationOptions {
    fn default() -> Self {
        ValidationOptions {
            max_depth: 32,
            max_violations: 1000,
            multi_line_from: crate::text::MULTI_LINE_FROM,
            rows_property: "data",
        }
    }
}
