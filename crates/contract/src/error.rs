//! Error codes, and the error type that handlers return.
//!
//! The name, status and meaning of a published code do not change. All codes are in `error/codes.rs`.

mod codes;
mod examples;
mod violations;

use std::{error::Error as StdError, fmt};

use openapi_model::{Location, Violation};
use poem::http::StatusCode;
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

pub use codes::ErrorCode;
pub use violations::ViolationInfo;

use crate::{Json, operation::Scope, v1::schemas::ErrorEnvelope};

/// Maximum number of details in an error response.
pub(crate) const MAX_DETAILS: usize = 1000;

impl ErrorCode {
    /// Returns the code in words: `Bucketlist not found`.
    #[must_use]
    pub fn title(self) -> String {
        let word = |(index, word): (usize, &str)| match word {
            "API" | "JSON" | "URI" => word.to_owned(),
            "UTF8" => "UTF-8".to_owned(),
            _ if index == 0 => [&word[..1], &word[1..].to_ascii_lowercase()].concat(),
            _ => word.to_ascii_lowercase(),
        };
        self.as_str().split('_').enumerate().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// One violation in a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// Location in the request.
    pub location: Location,
    /// Machine-readable code.
    pub code: &'static str,
    /// Human-readable message.
    pub message: String,
}

impl From<Violation> for Detail {
    fn from(violation: Violation) -> Self {
        Self { location: violation.location, code: violation.code.as_str(), message: violation.message }
    }
}

/// An error response.
#[derive(Debug)]
pub struct ApiError {
    /// Error code.
    pub code: ErrorCode,
    /// Human-readable message, if the message of the code is not specific enough. Must not contain secrets.
    pub message: Option<String>,
    /// Violations in the request.
    pub details: Vec<Detail>,
    /// Value of `Retry-After` in seconds.
    pub retry_after: Option<u32>,
    /// The scope that the API client lacks, for `WWW-Authenticate`.
    pub required_scope: Option<Scope>,
    /// Internal cause, for the log only.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ApiError {
    /// Creates an error with the message of the code.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, message: None, details: Vec::new(), retry_after: None, required_scope: None, source: None }
    }

    /// Sets a more specific message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets the internal cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Creates an error with all violations. The code is `UNKNOWN_FIELD` or `UNKNOWN_PARAMETER` if all violations have it.
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

    /// Returns the human-readable message.
    #[must_use]
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or(self.code.message())
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self { details: examples::fixed_location(code), ..Self::new(code) }
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

/// The type cannot know the errors of an operation: [`crate::rules`] derives them from its declaration.
impl ApiResponse for ApiError {
    /// Declares one status, so that poem-openapi registers the schema. The rules add the others.
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
    fn codes_are_serialized_as_documented() {
        use poem_openapi::types::ToJSON;
        for code in ErrorCode::ALL {
            assert_eq!(code.to_json(), Some(serde_json::Value::from(code.as_str())));
            assert_eq!(serde_json::to_value(code).ok(), Some(serde_json::Value::from(code.as_str())));
        }
    }

    #[test]
    fn titles_are_the_codes_in_words() {
        for (code, title) in [
            (ErrorCode::BucketlistNotFound, "Bucketlist not found"),
            (ErrorCode::ApiClientNotFound, "API client not found"),
            (ErrorCode::MalformedJson, "Malformed JSON"),
            (ErrorCode::JsonTooDeep, "JSON too deep"),
            (ErrorCode::InvalidUtf8, "Invalid UTF-8"),
            (ErrorCode::UriTooLong, "URI too long"),
        ] {
            assert_eq!(code.title(), title);
        }
        for code in ErrorCode::ALL {
            assert_ne!(code.title(), code.message());
        }
    }

    #[test]
    fn codes_are_ordered_by_status_and_have_texts() {
        assert!(ErrorCode::ALL.is_sorted_by_key(|code| code.status()));
        for code in ErrorCode::ALL {
            assert!((400..600).contains(&code.status()));
            let texts = [code.message(), code.explanation(), code.remedy()];
            let texts = texts.iter().chain(code.causes());
            for sentence in texts.clone() {
                assert!(sentence.len() > 10 && sentence.ends_with('.'), "{}: {sentence:?}", code.as_str());
                assert!(!sentence.contains("  ") && sentence.trim() == *sentence, "{}: {sentence:?}", code.as_str());
            }
            assert!(texts.count() > 3, "{} has no cause", code.as_str());
        }
    }

    #[test]
    fn code_of_equal_violations_becomes_the_code_of_the_error() {
        let detail = |code| Detail { location: Location::Body("/x".into()), code, message: String::new() };
        assert_eq!(ApiError::invalid(vec![detail("UNKNOWN_FIELD")]).code, ErrorCode::UnknownField);
        assert_eq!(
            ApiError::invalid(vec![detail("UNKNOWN_FIELD"), detail("TOO_LONG")]).code,
            ErrorCode::ValidationFailed
        );
        assert_eq!(ApiError::invalid(vec![]).code, ErrorCode::ValidationFailed);
    }
}
