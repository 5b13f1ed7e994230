//! A small API for tests: see the crate `openapi-fixtures`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::{CompiledDocument, Document};

/// Returns the document of the API.
pub(crate) fn document() -> Document {
    Document::from_json(openapi_fixtures::PROJECTS).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the compiled document.
pub(crate) fn contract() -> CompiledDocument {
    CompiledDocument::compile(&document()).unwrap()
}
