//! A whole document, ready to find operations. Owns the routing table; leaves all checking to the operations.

use std::sync::Arc;

use matchit::Router;
use serde_json::Value;

use super::operation::Operation;
use super::schema_validator::Definitions;
use crate::Document;
use crate::traverse;

/// A compiled document: finds operations and checks traffic against them.
#[derive(Debug)]
pub struct CompiledDocument {
    base: String,
    items: Vec<PathItem>,
    router: Router<usize>,
}

/// Why a document cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A schema that makes no sense to the validator.
    #[error("{operation}: the schema of the {part} does not compile: {reason}")]
    Schema {
        /// Name of the operation.
        operation: String,
        /// The part of it that the schema describes.
        part: String,
        /// What the validator says.
        reason: String,
    },
    /// A path that cannot be told from another one, or has a malformed parameter.
    #[error("the path {path} cannot be routed: {reason}")]
    Path {
        /// The path template.
        path: String,
        /// What the router says.
        reason: String,
    },
}

/// One path and its operations.
#[derive(Debug)]
pub struct PathItem {
    operations: Vec<Operation>,
    allow: String,
}

/// A path that the document knows.
#[derive(Debug)]
pub struct PathMatch<'c, 'p> {
    /// The operations of this path.
    pub item: &'c PathItem,
    /// Names and raw (still percent-encoded) values of the path parameters.
    pub params: Vec<(&'c str, &'p str)>,
}

impl CompiledDocument {
    /// Compiles a document: parameters and request bodies at once, responses when they are first checked.
    ///
    /// # Errors
    /// When a schema is invalid or two paths cannot be told apart.
    pub fn compile(document: &Document) -> Result<CompiledDocument, CompileError> {
        let value = document.value();
        let definitions: Definitions =
            Arc::new(value.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default());
        let base = base_path(value);
        let (mut items, mut router) = (Vec::new(), Router::new());
        let mut operations: Vec<Operation> = Vec::new();
        let mut entries = traverse::operations(value).peekable();
        while let Some(entry) = entries.next() {
            operations.push(Operation::compile(value, &base, entry, &definitions)?);
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

    /// The path under which everything is found: that of the first server, such as `/v1`; empty for the root.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Finds what is at a path, which includes the server's base: `/v1/bucketlists/7`.
    #[must_use]
    pub fn find<'c, 'p>(&'c self, path: &'p str) -> Option<PathMatch<'c, 'p>> {
        let found = self.router.at(path).ok()?;
        Some(PathMatch { item: self.items.get(*found.value)?, params: found.params.iter().collect() })
    }

    /// Every operation, in the order of the document.
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

    /// The operation for a method in capitals; HEAD is answered by GET where it has no operation of its own.
    #[must_use]
    pub fn operation(&self, method: &str) -> Option<&Operation> {
        let find = |method: &str| self.operations.iter().find(|op| op.method == method);
        find(method).or_else(|| (method == "HEAD").then(|| find("GET")).flatten())
    }

    /// Every operation of this path.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    /// The value of the `Allow` header: `GET, HEAD, OPTIONS, PUT`.
    #[must_use]
    pub fn allow(&self) -> &str {
        &self.allow
    }
}

/// The path of the first server's URL, without a slash at the end.
pub fn base_path(document: &Value) -> String {
    let url = document.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    path.trim_end_matches('/').to_owned()
}
