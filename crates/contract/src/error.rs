//! Every error code a client can meet, and the one error type that handlers return.
//!
//! A code is stable across versions: its spelling, status and meaning are frozen once published.

use std::{error::Error as StdError, fmt};

use document::{Location, Violation};
use poem::http::StatusCode;
use poem_openapi::{
    ApiResponse, Enum,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use crate::{Json, v1::schemas::ErrorEnvelope};

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $status:literal $name:ident $code:literal $message:literal)+) => {
        /// Why a request failed, for machines. Codes are stable across versions; new ones may be added.
        #[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash, Serialize)]
        #[oai(rename_all = "SCREAMING_SNAKE_CASE")]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ErrorCode { $($(#[doc = $doc])+ $name),+ }

        impl ErrorCode {
            /// Every code, in the order of its status.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The HTTP status it always comes with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// The sentence a person reads.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message),+ }
            }

            /// What causes it and what to do about it.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc, "\n"),+)),+ }
            }
        }
    };
}

error_codes! {
    /// The body is not JSON. Look at the line and column in the message.
    400 MalformedJson "MALFORMED_JSON" "The request body is not valid JSON."
    /// The body is not UTF-8, the only encoding JSON may travel in (RFC 8259, section 8.1).
    400 InvalidUtf8 "INVALID_UTF8" "The request body is not valid UTF-8."
    /// An object in the body names the same key twice, so that its meaning would depend on the reader.
    400 DuplicateKey "DUPLICATE_KEY" "An object in the request body has the same key twice."
    /// The body nests deeper than 32 levels.
    400 JsonTooDeep "JSON_TOO_DEEP" "The request body is nested too deeply."
    /// The request line or a header is malformed.
    400 MalformedRequest "MALFORMED_REQUEST" "The request is malformed."
    /// No credentials came with a request that needs them. Send `Authorization: Bearer <access_token>`.
    401 AuthenticationRequired "AUTHENTICATION_REQUIRED" "This operation needs an access token."
    /// The access token is malformed, forged, expired or revoked. Refresh the session, or log in again.
    401 InvalidToken "INVALID_TOKEN" "The access token is not valid."
    /// No account has this email address and password.
    401 InvalidCredentials "INVALID_CREDENTIALS" "The email address or the password is wrong."
    /// The refresh token is unknown, expired, already used or revoked. Log in again.
    401 InvalidRefreshToken "INVALID_REFRESH_TOKEN" "The refresh token is not valid."
    /// The operation is for administrators.
    403 Forbidden "FORBIDDEN" "Your account may not do this."
    /// The account was disabled by an administrator.
    403 AccountDisabled "ACCOUNT_DISABLED" "This account is disabled."
    /// No route of this server has this path. The documents list those that exist.
    404 RouteNotFound "ROUTE_NOT_FOUND" "There is nothing at this path."
    /// There is no bucketlist with this id, or it belongs to somebody else.
    404 BucketlistNotFound "BUCKETLIST_NOT_FOUND" "There is no such bucketlist."
    /// There is no item with this id in this bucketlist.
    404 ItemNotFound "ITEM_NOT_FOUND" "There is no such item in this bucketlist."
    /// There is no user with this id.
    404 UserNotFound "USER_NOT_FOUND" "There is no such user."
    /// The path exists, the method does not. The `Allow` header lists those that do.
    405 MethodNotAllowed "METHOD_NOT_ALLOWED" "This path does not offer this method."
    /// No representation of the answer matches the `Accept` header.
    406 NotAcceptable "NOT_ACCEPTABLE" "No representation matches the Accept header."
    /// The body did not arrive in time.
    408 RequestTimeout "REQUEST_TIMEOUT" "The request did not arrive in time."
    /// Another account has this email address (compared without case).
    409 EmailTaken "EMAIL_TAKEN" "Another account uses this email address."
    /// You already have a bucketlist of this name.
    409 BucketlistNameTaken "BUCKETLIST_NAME_TAKEN" "You already have a bucketlist of this name."
    /// The last active administrator cannot be demoted, disabled or deleted.
    409 LastAdmin "LAST_ADMIN" "This is the last active administrator."
    /// The body is larger than the server takes (1 MiB unless configured otherwise).
    413 PayloadTooLarge "PAYLOAD_TOO_LARGE" "The request body is too large."
    /// The URL is longer than 8 KiB.
    414 UriTooLong "URI_TOO_LONG" "The URL is too long."
    /// The body's `Content-Type` is not one the operation takes.
    415 UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" "The Content-Type of the request body is not supported."
    /// The request is well-formed and breaks a rule; every violation is listed with its place.
    422 ValidationFailed "VALIDATION_FAILED" "The request breaks one or more rules."
    /// The body has a field that the operation does not know; requests are closed, so that a typing mistake cannot pass unseen.
    422 UnknownField "UNKNOWN_FIELD" "The request body has an unknown field."
    /// The query has a parameter that the operation does not know.
    422 UnknownParameter "UNKNOWN_PARAMETER" "The query has an unknown parameter."
    /// The current password is wrong.
    422 WrongPassword "WRONG_PASSWORD" "The current password is wrong."
    /// The password-reset token is unknown, expired or already used. Ask for another one.
    422 InvalidResetToken "INVALID_RESET_TOKEN" "The password-reset token is not valid."
    /// Too many requests. Wait for the seconds in `Retry-After`.
    429 RateLimitExceeded "RATE_LIMIT_EXCEEDED" "Too many requests; wait before you try again."
    /// The header block is larger than 16 KiB.
    431 HeadersTooLarge "HEADERS_TOO_LARGE" "The request headers are too large."
    /// Something went wrong on our side. Quote the request id when you ask about it.
    500 InternalError "INTERNAL_ERROR" "Something went wrong on our side."
    /// The server cannot answer just now: it is busy, stopping, or its database is away. Try again after `Retry-After` seconds.
    503 ServiceUnavailable "SERVICE_UNAVAILABLE" "The service cannot answer just now."
}

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
        Self::new(code)
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
