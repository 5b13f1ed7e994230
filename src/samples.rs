//! Code samples of the operations, in the OpenAPI documents and the reference.
//!
//! They are not part of the main documents, which they would make 1.7 times as large. A derived document contains them as
//! `x-codeSamples`, and an overlay adds them to the main document.

use std::sync::LazyLock;

use contract::{v1, v2};
use openapi_model::{Document, yaml_text};
use openapi_samples::{OperationSamples, SampleOptions};

const OPTIONS: SampleOptions<'_> =
    SampleOptions { base_url: "BASE_URL", token: "TOKEN", fresh_headers: &["Idempotency-Key"] };

/// Returns the samples of v1, generated once per process.
pub fn v1() -> &'static [OperationSamples] {
    static SAMPLES: LazyLock<Vec<OperationSamples>> = LazyLock::new(|| generate(v1::document()));
    &SAMPLES
}

/// Returns the samples of v2, generated once per process.
pub fn v2() -> &'static [OperationSamples] {
    static SAMPLES: LazyLock<Vec<OperationSamples>> = LazyLock::new(|| generate(v2::document()));
    &SAMPLES
}

/// Returns the document with its samples.
#[must_use]
pub fn with_samples(document: &Document) -> Document {
    openapi_samples::with_samples(document, &generate(document))
}

/// Returns the overlay that adds the samples to the document of a version, as YAML.
#[must_use]
pub fn overlay(document: &Document, version: &str) -> String {
    yaml_text(&openapi_samples::overlay(document, &generate(document), &format!("{version}.json")))
}

fn generate(document: &Document) -> Vec<OperationSamples> {
    openapi_samples::samples(document, &OPTIONS)
}
