//! What both versions' documents have in common: how operations fail, and the headers that are always there.

use document::{DocumentedError, HeaderScope, OperationInfo, ResponseHeader};
use serde_json::json;

use crate::{ApiError, ErrorCode, Operation};

/// A request id (UUIDv7), in examples.
pub const EXAMPLE_REQUEST_ID: &str = "019b76da-a800-7000-8000-000000000001";

/// The operations that anybody may call; every other one needs an access token.
pub(crate) const PUBLIC_OPERATIONS: &[&str] =
    &["register", "login", "refreshSession", "requestPasswordReset", "confirmPasswordReset"];

/// Every failure an operation can answer with: what its kind brings, and what its trait declares.
pub(crate) fn failures(facts: &OperationInfo<'_>, operation: Option<&Operation>, for_admins: bool) -> Vec<ErrorCode> {
    use ErrorCode::{
        AccountDisabled, AuthenticationRequired, DuplicateKey, Forbidden, Gone, HeadersTooLarge,
        IdempotencyKeyInFlight, IdempotencyKeyReused, InternalError, InvalidHeader, InvalidToken, InvalidUtf8,
        JsonTooDeep, MalformedJson, MalformedRequest, NotAcceptable, PayloadTooLarge, PreconditionFailed,
        PreconditionRequired, RateLimitExceeded, RequestTimeout, ServiceUnavailable, UnknownField, UnknownParameter,
        UnsupportedMediaType, UriTooLong, ValidationFailed,
    };
    let mut codes: Vec<ErrorCode> = Vec::new();
    if facts.has_body {
        codes.extend([MalformedJson, InvalidUtf8, DuplicateKey, JsonTooDeep, MalformedRequest]);
        codes.extend([RequestTimeout, PayloadTooLarge, UnsupportedMediaType, UnknownField]);
    }
    if facts.is_secured {
        codes.extend([AuthenticationRequired, InvalidToken, AccountDisabled]);
    }
    if for_admins {
        codes.push(Forbidden);
    }
    // An unknown query parameter is refused by every operation.
    codes.extend([ValidationFailed, UnknownParameter]);
    // An answer without a body is of every form.
    if facts.success_has_body {
        codes.push(NotAcceptable);
    }
    codes.extend([UriTooLong, RateLimitExceeded, HeadersTooLarge, InternalError, ServiceUnavailable]);
    if let Some(operation) = operation {
        codes.extend(operation.errors);
        if operation.deprecation.is_some() {
            codes.push(Gone);
        }
        if operation.is_conditional {
            codes.extend([InvalidHeader, PreconditionFailed, PreconditionRequired]);
        }
        if operation.is_idempotent {
            codes.extend([InvalidHeader, IdempotencyKeyInFlight, IdempotencyKeyReused]);
        }
    }
    codes
}

/// A code as the document's rules take it.
pub(crate) fn failure(code: ErrorCode) -> DocumentedError {
    DocumentedError { status: code.status(), code: code.as_str(), message: code.message() }
}

/// An error as an example of a failure.
pub(crate) fn example_error(failure: &DocumentedError) -> ApiError {
    let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == failure.code);
    ApiError::example(code.unwrap_or(ErrorCode::InternalError))
}

/// Which answers have the headers that not all have.
pub(crate) struct When {
    pub(crate) is_deprecated: fn(&OperationInfo<'_>, u16) -> bool,
    /// Which conflicts end by waiting.
    pub(crate) is_temporary: fn(&OperationInfo<'_>, u16) -> bool,
    /// Where the path has a PATCH, and what it takes.
    pub(crate) has_patch: fn(&OperationInfo<'_>, u16) -> bool,
    pub(crate) patch: &'static str,
    /// Where the answer may be one that was kept.
    pub(crate) is_cached: fn(&OperationInfo<'_>, u16) -> bool,
}

/// The headers this server sends whatever the operation.
pub(crate) fn headers(when: When) -> Vec<ResponseHeader> {
    let text = |max: u32| json!({"type": "string", "maxLength": max});
    let header = |name, description, schema, example, on| ResponseHeader {
        name,
        description,
        schema,
        example,
        on,
        always: true,
    };
    // Rate limits can be switched off.
    let limit = |name, description, example| ResponseHeader {
        always: false,
        ..header(name, description, text(200), example, HeaderScope::All)
    };
    let retry_after = |always, on| ResponseHeader {
        always,
        ..header(
            "Retry-After",
            "After how many seconds to try again.",
            json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 86_400}),
            json!(30),
            on,
        )
    };
    vec![
        header(
            "X-Request-ID",
            "Names the request in the log; a valid one in the request is kept.",
            text(128),
            json!(EXAMPLE_REQUEST_ID),
            HeaderScope::All,
        ),
        header("X-Response-Time", "How long the server took.", text(20), json!("0.003s"), HeaderScope::All),
        header("Cache-Control", "How long the answer may be kept.", text(100), json!("no-store"), HeaderScope::All),
        header(
            "Vary",
            "Which request headers the answer depends on.",
            text(200),
            json!("Accept, Accept-Encoding"),
            HeaderScope::All,
        ),
        limit(
            "RateLimit-Policy",
            "The limit that is nearest: `q` requests in `w` seconds.",
            json!("\"general\";q=600;w=60"),
        ),
        limit(
            "RateLimit",
            "What is left of it: `r` requests now, all of them again in `t` seconds.",
            json!("\"general\";r=599;t=1"),
        ),
        header(
            "WWW-Authenticate",
            "How to authenticate (RFC 6750).",
            text(200),
            json!("Bearer realm=\"bucketlist\""),
            HeaderScope::Statuses(&[401]),
        ),
        retry_after(true, HeaderScope::Statuses(&[429, 503])),
        // A conflict that waiting does not end has none.
        retry_after(false, HeaderScope::Matching(when.is_temporary)),
        header(
            "Deprecation",
            "Since when the operation is deprecated, as `@` and seconds since 1970 (RFC 9745).",
            text(20),
            json!("@1795132800"),
            HeaderScope::Matching(when.is_deprecated),
        ),
        header(
            "Sunset",
            "From when on the operation answers 410 (RFC 8594).",
            text(29),
            json!("Sat, 20 Nov 2027 00:00:00 GMT"),
            HeaderScope::Matching(when.is_deprecated),
        ),
        header(
            "Link",
            "What takes the operation's place (RFC 8288, RFC 5829).",
            text(16_384),
            json!("</v2/bucketlists>; rel=\"successor-version\""),
            HeaderScope::Matching(when.is_deprecated),
        ),
        ResponseHeader {
            always: false,
            ..header(
                "Accept-Patch",
                "What a PATCH of this path is sent as (RFC 5789).",
                text(100),
                json!(when.patch),
                HeaderScope::Matching(when.has_patch),
            )
        },
        ResponseHeader {
            always: false,
            ..header(
                "Cache-Status",
                "Sent where the answer was kept in memory (RFC 9211); it is as good as a new one.",
                text(100),
                json!("bucketlist; hit"),
                HeaderScope::Matching(when.is_cached),
            )
        },
    ]
}
