//! Code samples of the operations, in the OpenAPI documents and the reference.
//!
//! The main documents have only curl samples; all languages would make them 1.7 times as large. A derived document contains them
//! all as `x-codeSamples`, and an overlay adds the others to the main document.

use std::sync::LazyLock;

use contract::{SAMPLE_OPTIONS, v1, v2};
use openapi_model::{Document, yaml_text};
use openapi_samples::{Language, OperationSamples, SampleOptions};

const ALL_LANGUAGES: SampleOptions<'_> = SampleOptions { languages: &Language::ALL, ..SAMPLE_OPTIONS };

/// Returns the samples of v1, generated once per process.
pub fn v1() -> &'static [OperationSamples] {
    static SAMPLES: LazyLock<Vec<OperationSamples>> =
        LazyLock::new(|| openapi_samples::samples(v1::document(), &ALL_LANGUAGES));
    &SAMPLES
}

/// Returns the samples of v2, generated once per process.
pub fn v2() -> &'static [OperationSamples] {
    static SAMPLES: LazyLock<Vec<OperationSamples>> =
        LazyLock::new(|| openapi_samples::samples(v2::document(), &ALL_LANGUAGES));
    &SAMPLES
}

/// Returns the document with the samples of all languages.
#[must_use]
pub fn with_samples(document: &Document, samples: &[OperationSamples]) -> Document {
    openapi_samples::with_samples(document, samples)
}

/// Returns the overlay that adds the samples to the document of a version, as YAML.
#[must_use]
pub fn overlay(document: &Document, version: &str) -> String {
    let in_document = SAMPLE_OPTIONS.languages;
    let others: Vec<Language> = Language::ALL.into_iter().filter(|language| !in_document.contains(language)).collect();
    let samples = openapi_samples::samples(document, &SampleOptions { languages: &others, ..SAMPLE_OPTIONS });
    yaml_text(&openapi_samples::overlay(document, &samples, &format!("{version}.json")))
}
