//! Every error code a client can meet, and the one error type that handlers return.
//!
//! A code is stable across versions: its spelling, status and meaning are frozen once published. The table is in
//! `error/codes.rs`.

mod codes;
mod examples;

use std::{error::Error as StdError, fmt};

use document::{Location, Violation};
use poem::http::StatusCode;
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

pub use codes::ErrorCode;

use crate::{Json, v1::schemas::ErrorEnvelope};

/// One thing that is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// Where: a place in the body, or a parameter.
    pub location: Location,
    /// What kind of wrong, for machines.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

impl From<Violation> for Detail {
    fn from(violation: Violation) -> Self {
        Self { location: violation.location, code: violation.code.as_str(), message: violation.message }
    }
}

/// An answer that is not the success the operation declares.
#[derive(Debug)]
pub struct ApiError {
    /// Why, for machines.
    pub code: ErrorCode,
    /// The sentence for people, where the code's own is not precise enough. Never holds secrets.
    pub message: Option<String>,
    /// What is wrong and where.
    pub details: Vec<Detail>,
    /// After how many seconds to try again.
    pub retry_after: Option<u32>,
    /// What happened inside, for the log only.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ApiError {
    /// An error of this code with its usual sentence.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, message: None, details: Vec::new(), retry_after: None, source: None }
    }

    /// The same with a more precise sentence.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The same with what happened inside.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Every violation at once. The code says `UNKNOWN_FIELD` or `UNKNOWN_PARAMETER` where nothing else is wrong.
    #[must_use]
    pub fn invalid(details: Vec<Detail>) -> Self {
        let all = |code: &str| !details.is_empty() && details.iter().all(|detail| detail.code == code);
        let code = if all(ErrorCode::UnknownField.as_str()) {
            ErrorCode::UnknownField
        } else if all(ErrorCode::UnknownParameter.as_str()) {
            ErrorCode::UnknownParameter
        } else {
            ErrorCode::ValidationFailed
        };
        Self { details, ..Self::new(code) }
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or(self.code.message())
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self { details: examples::place(code), ..Self::new(code) }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message())
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl poem::error::ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The statuses are documented by the trait's `#[operation(errors(…))]` and the rules of [`mod@crate::v1::document`], not by
/// the type: an error type cannot know which operation returned it.
impl ApiResponse for ApiError {
    /// One status stands for all, so that poem-openapi keeps the envelope's schema; the rules add the others.
    fn meta() -> MetaResponses {
        let internal = MetaResponse {
            description: ErrorCode::InternalError.message(),
            status: Some(ErrorCode::InternalError.status()),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: <Json<ErrorEnvelope> as Payload>::CONTENT_TYPE,
                schema: ErrorEnvelope::schema_ref(),
            }],
            headers: vec![],
        };
        MetaResponses { responses: vec![internal] }
    }

    fn register(registry: &mut Registry) {
        ErrorEnvelope::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_spelled_as_documented() {
        use poem_openapi::types::ToJSON;
        for code in ErrorCode::ALL {
            assert_eq!(code.to_json(), Some(serde_json::Value::from(code.as_str())));
            assert_eq!(serde_json::to_value(code).ok(), Some(serde_json::Value::from(code.as_str())));
        }
    }

    #[test]
    fn codes_are_in_the_order_of_their_status_and_explained() {
        assert!(ErrorCode::ALL.is_sorted_by_key(|code| code.status()));
        for code in ErrorCode::ALL {
            assert!((400..600).contains(&code.status()));
            let said = [code.message(), code.explanation(), code.remedy()];
            let said = said.iter().chain(code.causes());
            for sentence in said.clone() {
                assert!(sentence.len() > 10 && sentence.ends_with('.'), "{}: {sentence:?}", code.as_str());
                assert!(!sentence.contains("  ") && sentence.trim() == *sentence, "{}: {sentence:?}", code.as_str());
            }
            assert!(said.count() > 3, "{} has no cause", code.as_str());
        }
    }

    #[test]
    fn one_kind_of_violation_names_the_error() {
        let detail = |code| Detail { location: Location::Body("/x".into()), code, message: String::new() };
        assert_eq!(ApiError::invalid(vec![detail("UNKNOWN_FIELD")]).code, ErrorCode::UnknownField);
        assert_eq!(
            ApiError::invalid(vec![detail("UNKNOWN_FIELD"), detail("TOO_LONG")]).code,
            ErrorCode::ValidationFailed
        );
        assert_eq!(ApiError::invalid(vec![]).code, ErrorCode::ValidationFailed);
    }
}
