//! Generates Postman collections (v2.1), HTTP archives (HAR) and `.http` files from OpenAPI documents.
//!
//! A collection contains every operation with an example body, its documented responses, and tests of status, headers
//! and body. A [`FolderOptions`] defines the order of the requests and the variables that they share. The output is
//! deterministic: a change of an operation changes only its own item.
//!
//! ```
//! use openapi_model::Document;
//! use openapi_postman::{CollectionOptions, ErrorShape, Folder, FolderOptions, Step, collection};
//!
//! let document = Document::from_json(
//!     r#"{"openapi": "3.0.3", "info": {"title": "Library", "version": "1.0.0"}, "paths": {
//!         "/books": {"post": {
//!             "operationId": "createBook", "summary": "Create a book", "tags": ["Books"],
//!             "requestBody": {"content": {"application/json": {"example": {"title": "Dune"}}}},
//!             "responses": {"201": {"description": "The created book.", "content": {"application/json": {
//!                 "schema": {"type": "object"}, "example": {"id": 7, "title": "Dune"}
//!             }}}}
//!         }},
//!         "/books/{book_id}": {"get": {
//!             "operationId": "getBook", "summary": "Retrieve a book", "tags": ["Books"],
//!             "parameters": [{"name": "book_id", "in": "path", "required": true, "schema": {"type": "integer"}}],
//!             "responses": {"200": {"description": "The book."}}
//!         }}
//!     }}"#,
//! )?;
//! let options = CollectionOptions {
//!     name: "Library",
//!     description: "All operations of the library.",
//!     variables: &[("base_url", "http://localhost:8000"), ("book_id", "1")],
//!     base_url: "base_url",
//!     token: "access_token",
//!     http_variables: &[],
//! };
//! let v1 = FolderOptions {
//!     name: "v1",
//!     before: String::new(),
//!     http_before: "",
//!     errors: ErrorShape { code: "/code", request_id: "/request_id", request_id_header: "X-Request-ID" },
//!     headers: &[],
//!     documented_headers: &[],
//!     // The ID of the created book is the variable that the next request sends.
//!     steps: vec![Step::new("createBook").save("/id", "book_id")],
//! };
//! let text = collection(&options, &[Folder { document: &document, options: &v1 }])?;
//! assert!(text.contains(r#""raw": "{{base_url}}/books/:book_id""#));
//! assert!(text.contains("pm.collectionVariables.set(\\\"book_id\\\", value);"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod call;
mod har;
mod http_file;
mod id;
mod item;
mod options;
#[cfg(test)]
mod public_documents_tests;
mod schema;
mod script;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

pub use options::{CollectionOptions, ErrorShape, ExpectedResponse, FolderOptions, Phase, Step};

use call::Call;
use id::id;
use item::{bearer, event};
use openapi_model::{Definitions, Document, base_path, traverse};

/// Why a collection cannot be generated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectionError {
    /// The steps contain an operation that the document does not have.
    #[error("the steps of {folder} contain the unknown operation {operation}")]
    Unknown {
        /// The folder.
        folder: String,
        /// The operation.
        operation: String,
    },
    /// A step does not match the operation in the document.
    #[error("{operation}: {what}")]
    Operation {
        /// The operation.
        operation: String,
        /// The mismatch.
        what: String,
    },
}

const SET_UP: &str = "Set up";
const TEAR_DOWN: &str = "Tear down";

/// A folder with the operations of a document.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a> {
    /// The document.
    pub document: &'a Document,
    /// The options of the folder.
    pub options: &'a FolderOptions<'a>,
}

/// Generates a collection with a folder for each document, in the order given.
///
/// # Errors
/// Fails if a step does not match its document.
pub fn collection(options: &CollectionOptions<'_>, folders: &[Folder<'_>]) -> Result<String, CollectionError> {
    let folders: Vec<Value> = folders.iter().map(|folder| folder.generate(options)).collect::<Result<_, _>>()?;
    let variables: Vec<Value> =
        options.variables.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let collection = json!({
        "info": {
            "_postman_id": id(&[options.name]),
            "name": options.name,
            "description": options.description,
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": folders,
        "auth": bearer(options.token),
        "variable": variables,
    });
    Ok(format!("{collection:#}\n"))
}

/// Generates an `.http` file with the requests in the same order, for editors and command-line tools. It tests the status of
/// each response and takes IDs and tokens from earlier responses.
///
/// # Errors
/// As [`collection()`].
pub fn http_file(options: &CollectionOptions<'_>, folders: &[Folder<'_>]) -> Result<String, CollectionError> {
    http_file::write(options, folders)
}

/// Generates an HTTP archive (HAR 1.2) with the example request and the example response of each operation.
///
/// # Errors
/// As [`collection()`].
pub fn har(options: &CollectionOptions<'_>, folders: &[Folder<'_>]) -> Result<String, CollectionError> {
    har::write(options, folders)
}

/// Generates an environment from variables and their values. Postman masks the variables in `secret`.
#[must_use]
pub fn environment(name: &str, variables: &[(&str, &str)], secret: &[&str]) -> String {
    let values: Vec<Value> = variables
        .iter()
        .map(|(key, value)| {
            let kind = if secret.contains(key) { "secret" } else { "default" };
            json!({"key": key, "value": value, "type": kind, "enabled": true})
        })
        .collect();
    let environment = json!({"id": id(&["environment", name]), "name": name, "values": values, "_postman_variable_scope": "environment"});
    format!("{environment:#}\n")
}

impl Folder<'_> {
    /// Returns the folder as an item of the collection.
    fn generate(&self, options: &CollectionOptions<'_>) -> Result<Value, CollectionError> {
        let mut folders: Vec<(&str, Vec<Value>)> = Vec::new();
        for (call, step) in self.calls()? {
            let item = item::item(&call, &step, self.options, options)?;
            let name = match step.phase {
                Phase::SetUp => SET_UP,
                Phase::Main => call.tag(),
                Phase::TearDown => TEAR_DOWN,
            };
            match folders.iter_mut().find(|(known, _)| *known == name) {
                Some((_, items)) => items.push(item),
                None => folders.push((name, vec![item])),
            }
        }
        let document = self.document.value();
        let folder = self.options.name;
        let items: Vec<Value> = folders
            .into_iter()
            .map(|(name, items)| {
                let description = match name {
                    SET_UP => "Requests that the other folders depend on. Run this folder first.",
                    TEAR_DOWN => "Deletes the resources that the run has created. Run this folder last.",
                    tag => tag_description(document, tag),
                };
                json!({"id": id(&[options.name, folder, "folder", name]), "name": name, "description": description, "item": items})
            })
            .collect();
        let description = document.pointer("/info/description").and_then(Value::as_str).unwrap_or_default();
        Ok(json!({
            "id": id(&[options.name, folder]),
            "name": folder,
            "description": description,
            "event": [event("prerequest", self.before()?.lines())],
            "item": items,
        }))
    }

    /// Returns the script that runs before each request of the folder.
    fn before(&self) -> Result<String, CollectionError> {
        let calls = self.calls()?;
        let public = calls.iter().filter(|(call, _)| !call.is_secured()).map(|(call, _)| item::request_name(call));
        Ok(self.options.before.replace("{public}", &Value::from_iter(public).to_string()))
    }

    /// Returns an operation of the document.
    fn call(&self, operation: &str) -> Result<Call<'_>, CollectionError> {
        let found = self.calls()?.into_iter().find(|(call, _)| call.id() == operation);
        found.map(|(call, _)| call).ok_or_else(|| CollectionError::Unknown {
            folder: self.options.name.to_owned(),
            operation: operation.to_owned(),
        })
    }

    /// Returns all operations in the order in which they run.
    fn calls(&self) -> Result<Vec<(Call<'_>, Step)>, CollectionError> {
        let document = self.document.value();
        let definitions: Definitions =
            Arc::new(document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default());
        let base = base_path(document);
        let call = |entry| Call { document, definitions: Arc::clone(&definitions), base: base.clone(), entry };
        let mut entries: Vec<_> = traverse::operations(document).collect();
        let mut calls = Vec::with_capacity(entries.len());
        for step in &self.options.steps {
            let at = entries.iter().position(|entry| entry.id() == step.operation);
            let at = at.ok_or_else(|| CollectionError::Unknown {
                folder: self.options.name.to_owned(),
                operation: step.operation.clone(),
            })?;
            calls.push((call(entries.remove(at)), step.clone()));
        }
        calls.extend(entries.into_iter().map(|entry| (call(entry), Step::new(entry.id()))));
        calls.sort_by_key(|(_, step)| step.phase);
        Ok(calls)
    }
}

/// Returns the description of a tag.
fn tag_description<'d>(document: &'d Value, tag: &str) -> &'d str {
    traverse::elements(document.get("tags"))
        .find(|known| known.get("name").is_some_and(|name| name == tag))
        .and_then(|tag| tag.get("description"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}
