//! The body of error responses.

use openapi_model::Location;
use poem_openapi::Object;
use serde::Serialize;

pub use crate::documented_errors::EXAMPLE_REQUEST_ID;
use crate::{
    ApiError, ErrorCode,
    error::MAX_DETAILS,
    values::{Nullable, truncate},
};

/// Maximum length of texts in the schemas below.
const MAX_TEXT: usize = 1000;

/// The body of an error response.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: Failure,
}

/// An error, with its code, its message and the violations in the request.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Failure {
    /// Machine-readable error code. Codes do not change.
    pub code: ErrorCode,
    /// Human-readable message. It can change; do not parse it.
    #[oai(validator(max_length = 1000))]
    pub message: String,
    /// Violations in the request, at most 1,000; empty for other errors.
    #[oai(validator(max_items = 1000))]
    pub details: Vec<FailureDetail>,
    /// Seconds to wait before retrying; null if waiting does not help.
    #[oai(validator(minimum(value = "0")))]
    pub retry_after: Nullable<i64>,
    /// Request ID. Include it in support requests.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
}

/// One violation in a request.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct FailureDetail {
    /// JSON pointer into the body (`/name`), or name of the parameter.
    #[oai(validator(max_length = 1000))]
    pub field: String,
    /// Machine-readable code of the violated rule.
    #[oai(validator(max_length = 100))]
    pub code: String,
    /// Human-readable message without its subject, for example `must not be empty`.
    #[oai(validator(max_length = 1000))]
    pub message: String,
}

impl ErrorEnvelope {
    /// Creates the body of an error response.
    #[must_use]
    pub fn new(error: &ApiError, request_id: &str) -> Self {
        // The names of fields and parameters come from the client and can have any length.
        let details = error.details.iter().take(MAX_DETAILS).map(|detail| FailureDetail {
            field: match &detail.location {
                Location::Body(name) | Location::Query(name) | Location::Path(name) | Location::Header(name) => {
                    truncate(name, MAX_TEXT)
                }
            },
            code: detail.code.to_owned(),
            message: truncate(&detail.message, MAX_TEXT),
        });
        Self {
            error: Failure {
                code: error.code,
                message: truncate(error.message(), MAX_TEXT),
                details: details.collect(),
                retry_after: Nullable(error.retry_after.map(i64::from)),
                request_id: request_id.to_owned(),
            },
        }
    }
}

example! { FailureDetail {
    field: "/name".into(), code: "TOO_LONG".into(), message: "must have at most 100 characters".into(),
} }

example! { Failure {
    code: ErrorCode::ValidationFailed, message: ErrorCode::ValidationFailed.message().to_owned(),
    details: vec![FailureDetail::example()], retry_after: Nullable(None), request_id: EXAMPLE_REQUEST_ID.to_owned(),
} }

example! { ErrorEnvelope { error: Failure::example() } }
