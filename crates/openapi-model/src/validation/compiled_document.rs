//! A compiled document: routes requests to operations.

use std::sync::Arc;

use matchit::Router;
use serde_json::Value;

use super::operation::Operation;
use super::options::ValidationOptions;
use super::schema_validator::SchemaCompiler;
use crate::Document;
use crate::traverse;

/// A compiled document, which finds operations by path and method.
///
/// ```
/// use openapi_model::{CompiledDocument, Document};
///
/// let document = Document::from_json(
///     r#"{"openapi": "3.0.3", "info": {}, "servers": [{"url": "/v1"}], "paths": {"/books/{id}": {"get": {
///         "operationId": "getBook",
///         "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
///         "responses": {"200": {"description": "The book."}}
///     }}}}"#,
/// )?;
/// let compiled = CompiledDocument::compile(&document)?;
/// let found = compiled.find("/v1/books/dune").unwrap();
/// let operation = found.item.operation("GET").unwrap();
/// let violations = operation.validate_parameters(&found.params, Some("page=1"));
/// assert_eq!(violations[0].to_string(), "path parameter id must be an integer");
/// assert_eq!(violations[1].to_string(), "query parameter page is not a known parameter");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CompiledDocument {
    base: String,
    items: Vec<PathItem>,
    router: Router<usize>,
}

/// The reason why a document cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A schema is invalid.
    #[error("{operation}: the schema of the {part} does not compile: {reason}")]
    Schema {
        /// The name of the operation.
        operation: String,
        /// The part of the operation that the schema describes.
        part: String,
        /// The message of the validator.
        reason: String,
    },
    /// A path is ambiguous or has a malformed parameter.
    #[error("the path {path} cannot be routed: {reason}")]
    Path {
        /// The path template.
        path: String,
        /// The message of the router.
        reason: String,
    },
}

/// A path and its operations.
#[derive(Debug)]
pub struct PathItem {
    operations: Vec<Operation>,
    allow: String,
}

/// A matched path with its parameters.
#[derive(Debug)]
pub struct PathMatch<'c, 'p> {
    /// The path with its operations.
    pub item: &'c PathItem,
    /// Names and raw (still percent-encoded) values of the path parameters.
    pub params: Vec<(&'c str, &'p str)>,
}

impl CompiledDocument {
    /// Compiles a document with the default options.
    ///
    /// # Errors
    /// As [`Self::compile_with`].
    pub fn compile(document: &Document) -> Result<CompiledDocument, CompileError> {
        Self::compile_with(document, ValidationOptions::default())
    }

    /// Compiles a document. The schemas of responses are compiled when they are first used.
    ///
    /// # Errors
    /// If a schema is invalid or two paths are ambiguous.
    pub fn compile_with(document: &Document, options: ValidationOptions) -> Result<CompiledDocument, CompileError> {
        let value = document.value();
        let definitions = value.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default();
        let compiler = SchemaCompiler { definitions: Arc::new(definitions), options };
        let base = base_path(value);
        let (mut items, mut router) = (Vec::new(), Router::new());
        let mut operations: Vec<Operation> = Vec::new();
        let mut entries = traverse::operations(value).peekable();
        while let Some(entry) = entries.next() {
            operations.push(Operation::compile(value, &base, entry, &compiler)?);
            if entries.peek().is_none_or(|next| next.path != entry.path) {
                let path = format!("{base}{}", entry.path);
                router
                    .insert(path.clone(), items.len())
                    .map_err(|error| CompileError::Path { path, reason: error.to_string() })?;
                items.push(PathItem::new(std::mem::take(&mut operations)));
            }
        }
        Ok(CompiledDocument { base, items, router })
    }

    /// Returns the path of the first server, such as `/v1`. It is empty for the root.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Finds the path item for a path that includes the base of the server, such as `/v1/projects/7`.
    #[must_use]
    pub fn find<'c, 'p>(&'c self, path: &'p str) -> Option<PathMatch<'c, 'p>> {
        let found = self.router.at(path).ok()?;
        Some(PathMatch { item: self.items.get(*found.value)?, params: found.params.iter().collect() })
    }

    /// Returns every operation, in the order of the document.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.items.iter().flat_map(|item| &item.operations)
    }
}

impl PathItem {
    fn new(operations: Vec<Operation>) -> Self {
        let mut methods: Vec<&str> = operations.iter().map(|op| op.method.as_str()).collect();
        methods.push("OPTIONS");
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.dedup();
        let allow = methods.join(", ");
        PathItem { operations, allow }
    }

    /// Returns the operation for a method in upper case. For HEAD without an operation, returns that of GET.
    #[must_use]
    pub fn operation(&self, method: &str) -> Option<&Operation> {
        let find = |method: &str| self.operations.iter().find(|op| op.method == method);
        find(method).or_else(|| (method == "HEAD").then(|| find("GET")).flatten())
    }

    /// Returns every operation of this path.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    /// Returns the value of the `Allow` header, such as `GET, HEAD, OPTIONS, PUT`.
    #[must_use]
    pub fn allow(&self) -> &str {
        &self.allow
    }
}

/// Returns the path of the first server's URL without a trailing slash.
pub fn base_path(document: &Value) -> String {
    let url = document.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    path.trim_end_matches('/').to_owned()
}
