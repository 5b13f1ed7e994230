//! A small API for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_model::Document;

/// The document of an API with bucketlists, as `openapi-repair` writes it.
pub(crate) fn document() -> Document {
    Document::from_json(include_str!("../../openapi-model/fixtures/bucketlists.json"))
        .unwrap_or_else(|error| panic!("{error}"))
}
