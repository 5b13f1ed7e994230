//! The `error` envelope: the body of every answer that is not a success.

use document::Location;
use poem_openapi::{Object, types::Example};
use serde::Serialize;

pub use crate::rules::EXAMPLE_REQUEST_ID;
use crate::{
    ApiError, ErrorCode,
    values::{Nullable, shortened},
};

/// As the schemas below say it.
const MAX_TEXT: usize = 1000;

/// The body of every answer that is not a success.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ErrorEnvelope {
    /// What went wrong.
    pub error: Failure,
}

/// What went wrong.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Failure {
    /// Why, for machines; stable.
    pub code: ErrorCode,
    /// What happened and what to do, for people. Do not parse it.
    #[oai(validator(max_length = 1000))]
    pub message: String,
    /// Everything that is wrong with the request; empty where nothing in particular is.
    #[oai(validator(max_items = 1000))]
    pub details: Vec<FailureDetail>,
    /// After how many seconds to try again, where waiting helps.
    #[oai(validator(minimum(value = "0")))]
    pub retry_after: Nullable<i64>,
    /// Names the request; quote it when you ask for help.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
}

/// One thing that is wrong with the request.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct FailureDetail {
    /// A JSON pointer into the body (`/name`), or the name of a parameter.
    #[oai(validator(max_length = 1000))]
    pub field: String,
    /// What kind of wrong, for machines: `TOO_LONG`, `REQUIRED`, `UNKNOWN_FIELD`, …
    #[oai(validator(max_length = 100))]
    pub code: String,
    /// What is wrong, for people.
    #[oai(validator(max_length = 1000))]
    pub message: String,
}

impl ErrorEnvelope {
    /// The envelope of `error`.
    #[must_use]
    pub fn new(error: &ApiError, request_id: &str) -> Self {
        // Names of fields and parameters are the caller's, and as long as the caller likes.
        let details = error.details.iter().take(document::MAX_VIOLATIONS).map(|detail| FailureDetail {
            field: match &detail.location {
                Location::Body(place) | Location::Query(place) | Location::Path(place) | Location::Header(place) => {
                    shortened(place, MAX_TEXT)
                }
            },
            code: detail.code.to_owned(),
            message: shortened(&detail.message, MAX_TEXT),
        });
        Self {
            error: Failure {
                code: error.code,
                message: shortened(error.message(), MAX_TEXT),
                details: details.collect(),
                retry_after: Nullable(error.retry_after.map(i64::from)),
                request_id: request_id.to_owned(),
            },
        }
    }
}

impl Example for FailureDetail {
    fn example() -> Self {
        Self { field: "/name".into(), code: "TOO_LONG".into(), message: "must have at most 100 characters".into() }
    }
}

impl Example for Failure {
    fn example() -> Self {
        Self {
            code: ErrorCode::ValidationFailed,
            message: ErrorCode::ValidationFailed.message().to_owned(),
            details: vec![FailureDetail::example()],
            retry_after: Nullable(None),
            request_id: EXAMPLE_REQUEST_ID.to_owned(),
        }
    }
}

impl Example for ErrorEnvelope {
    fn example() -> Self {
        Self { error: Failure::example() }
    }
}
