//! Generates code samples for the operations of an OpenAPI document: complete programs in seven languages.
//!
//! A sample sends the required parameters and the body of the examples in the document. The base URL and the token are
//! environment variables. Each program exits with an error if the status of the response is 400 or more.
//!
//! ```
//! use openapi_model::Document;
//! use openapi_samples::{Language, SampleOptions, samples};
//!
//! let document = Document::from_json(
//!     r#"{"openapi": "3.0.3", "info": {"title": "Library", "version": "1.0.0"}, "servers": [{"url": "/v1"}], "paths": {
//!         "/books/{book_id}": {"get": {
//!             "operationId": "getBook",
//!             "parameters": [{"name": "book_id", "in": "path", "required": true, "schema": {"type": "integer"}, "example": 7}],
//!             "responses": {"200": {"description": "The book.", "content": {"application/json": {}}}}
//!         }}
//!     }}"#,
//! )?;
//! let options = SampleOptions { base_url: "BASE_URL", token: "TOKEN", generated_headers: &[], languages: &Language::ALL };
//! let samples = samples(&document, &options);
//! assert_eq!(samples[0].operation_id, "getBook");
//! assert_eq!(samples[0].samples[0].language, Language::Curl);
//! assert_eq!(samples[0].samples[0].source, "curl --fail-with-body \"$BASE_URL/v1/books/7\"\n");
//! # Ok::<(), openapi_model::ReadError>(())
//! ```

mod languages;
mod overlay;
mod request;
#[cfg(test)]
mod tests;
mod writer;

use openapi_model::{Document, base_path, traverse};
use serde_json::{Value, json};

pub use languages::Language;
pub use overlay::overlay;

use request::SampleRequest;

/// Options of the samples that the document does not contain.
#[derive(Clone, Copy, Debug)]
pub struct SampleOptions<'a> {
    /// The environment variable with the origin of the server.
    pub base_url: &'a str,
    /// The environment variable with the token or the key.
    pub token: &'a str,
    /// Headers that are sent where they are documented, with a new random value for each request: `Idempotency-Key`.
    pub generated_headers: &'a [&'a str],
    /// The languages of the samples, in this order.
    pub languages: &'a [Language],
}

/// The samples of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationSamples {
    /// The path in the document.
    pub path: String,
    /// The method in lower case, as in the document.
    pub method: &'static str,
    /// The operation.
    pub operation_id: String,
    /// One sample for each language of the options.
    pub samples: Vec<Sample>,
}

/// A program that calls an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The language.
    pub language: Language,
    /// The program.
    pub source: String,
}

impl OperationSamples {
    /// Returns the value of `x-codeSamples`.
    #[must_use]
    pub fn extension(&self) -> Value {
        let sample = |sample: &Sample| {
            let language = sample.language;
            json!({"lang": language.lang(), "label": language.label(), "source": sample.source})
        };
        self.samples.iter().map(sample).collect()
    }
}

/// Generates the samples of every operation whose required parameters and body have examples.
#[must_use]
pub fn samples(document: &Document, options: &SampleOptions<'_>) -> Vec<OperationSamples> {
    let value = document.value();
    let base = base_path(value);
    traverse::operations(value)
        .filter_map(|entry| {
            let request = SampleRequest::new(value, &base, &entry, options)?;
            let sample = |language: Language| Sample { language, source: language.generate(&request, options) };
            Some(OperationSamples {
                path: entry.path.to_owned(),
                method: entry.method,
                operation_id: entry.id().to_owned(),
                samples: options.languages.iter().copied().map(sample).collect(),
            })
        })
        .collect()
}

/// Returns the document with the samples as `x-codeSamples`, in place of those that it has.
#[must_use]
pub fn with_samples(document: &Document, samples: &[OperationSamples]) -> Document {
    let mut value = document.value().clone();
    traverse::operations_mut(&mut value, |path, method, operation| {
        let found = samples.iter().find(|samples| samples.path == path && samples.method == method);
        if let Some(found) = found {
            operation.insert("x-codeSamples".to_owned(), found.extension());
        }
    });
    // The value is still an OpenAPI document.
    Document::from_value(value).unwrap_or_else(|_| document.clone())
}
