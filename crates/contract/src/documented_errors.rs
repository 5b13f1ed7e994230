//! Derives the documented errors and response headers of an operation from its declaration.

use openapi_repair::{DocumentedError, HeaderScope, OperationInfo, ResponseHeader};
use serde_json::json;

use crate::{ErrorCode, Operation, api::Version, payload::ACCEPT_PATCH};

/// An example of a request ID (UUIDv7).
pub const EXAMPLE_REQUEST_ID: &str = "019b76da-a800-7000-8000-000000000001";

/// Returns every error that an operation can return: those of its kind, those that its arguments imply, and its own.
pub(crate) fn errors(info: &OperationInfo<'_>, operation: Option<&Operation>) -> Vec<ErrorCode> {
    use ErrorCode::{
        AccountDisabled, AuthenticationRequired, Brownout, DuplicateKey, Forbidden, Gone, HeadersTooLarge,
        IdempotencyKeyInFlight, IdempotencyKeyReused, InsufficientScope, InsufficientStorage, InternalError,
        InvalidCursor, InvalidHeader, InvalidToken, InvalidUtf8, JsonTooDeep, MalformedJson, MalformedRequest,
        NotAcceptable, PayloadTooLarge, PreconditionFailed, PreconditionRequired, RateLimitExceeded, RequestTimeout,
        ServiceUnavailable, SessionRequired, UnknownField, UnknownParameter, UnsupportedMediaType, UriTooLong,
        ValidationFailed,
    };
    let declares = |what: fn(&Operation) -> bool| operation.is_some_and(what);
    let mut codes: Vec<ErrorCode> = Vec::new();
    let mut add_if = |applies: bool, added: &[ErrorCode]| {
        if applies {
            codes.extend(added);
        }
    };
    add_if(info.has_body, &[MalformedJson, InvalidUtf8, DuplicateKey, JsonTooDeep]);
    // A body sent to an operation without one is read and ignored, up to `BODY_LIMIT`.
    add_if(true, &[MalformedRequest, RequestTimeout, PayloadTooLarge]);
    add_if(info.has_body, &[UnsupportedMediaType, UnknownField]);
    add_if(info.is_secured, &[AuthenticationRequired, InvalidToken, AccountDisabled]);
    add_if(declares(Operation::is_admin_only), &[Forbidden]);
    add_if(declares(|operation| operation.access.accepts_api_keys()), &[InsufficientScope]);
    add_if(declares(|operation| operation.access.requires_session()), &[SessionRequired]);
    // Every operation rejects unknown query parameters.
    add_if(true, &[ValidationFailed, UnknownParameter]);
    // A response without a body is acceptable for every client.
    add_if(info.success_has_body, &[NotAcceptable]);
    add_if(
        true,
        &[UriTooLong, RateLimitExceeded, HeadersTooLarge, InternalError, ServiceUnavailable, InsufficientStorage],
    );
    add_if(true, operation.map_or(&[], |operation| operation.errors));
    add_if(declares(|operation| operation.deprecation.is_some()), &[Gone, Brownout]);
    add_if(declares(|operation| operation.takes_cursor), &[InvalidCursor]);
    add_if(declares(|operation| operation.takes_if_none_match), &[InvalidHeader]);
    add_if(declares(|operation| operation.is_conditional), &[InvalidHeader, PreconditionFailed, PreconditionRequired]);
    add_if(
        declares(|operation| operation.is_idempotent),
        &[InvalidHeader, IdempotencyKeyInFlight, IdempotencyKeyReused],
    );
    codes.retain(|code| operation.is_none_or(|operation| !operation.excluded_errors.contains(code)));
    codes
}

/// Converts an error code to its entry in the document.
pub(crate) fn documented(code: ErrorCode) -> DocumentedError {
    DocumentedError { status: code.status(), code: code.as_str(), message: code.message() }
}

fn is_deprecated<V: Version>(info: &OperationInfo<'_>, _: u16) -> bool {
    V::operation(info.id).is_some_and(|operation| operation.deprecation.is_some())
}

/// Returns whether a 409 or 410 response can have `Retry-After`.
fn is_temporary<V: Version>(info: &OperationInfo<'_>, status: u16) -> bool {
    let is_temporary = |code: &ErrorCode| matches!(code, ErrorCode::IdempotencyKeyInFlight | ErrorCode::ExportNotReady);
    if status == 410 {
        return is_deprecated::<V>(info, status);
    }
    status == 409 && errors(info, V::operation(info.id)).iter().any(is_temporary)
}

/// Returns whether an API client without the required scope receives this status.
fn lacks_scope<V: Version>(info: &OperationInfo<'_>, status: u16) -> bool {
    status == 403 && errors(info, V::operation(info.id)).contains(&ErrorCode::InsufficientScope)
}

/// Returns whether the document contains `Accept-Patch` for this response. The server sends the header on all responses of the path.
/// Documenting it on errors would split error responses that are now shared.
fn has_accept_patch<V: Version>(info: &OperationInfo<'_>, status: u16) -> bool {
    status < 400 && V::operations().any(|operation| operation.path == info.path && operation.method == "PATCH")
}

fn is_cached<V: Version>(info: &OperationInfo<'_>, status: u16) -> bool {
    matches!(status, 200 | 304) && V::operation(info.id).is_some_and(|operation| operation.is_cached)
}

/// Returns the headers that the server sends on responses of all operations, or of operations with a declaration.
pub(crate) fn headers<V: Version>() -> Vec<ResponseHeader> {
    let text = |max: u32| json!({"type": "string", "maxLength": max});
    let header = |name, description, schema, example, on| ResponseHeader {
        name,
        description,
        schema,
        example,
        on,
        always: true,
    };
    // Rate limits can be disabled.
    let limit = |name, description, example| ResponseHeader {
        always: false,
        ..header(name, description, text(200), example, HeaderScope::All)
    };
    let retry_after = |always, on| ResponseHeader {
        always,
        ..header(
            "Retry-After",
            "Seconds to wait before the next request.",
            json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 86_400}),
            json!(30),
            on,
        )
    };
    vec![
        header(
            "X-Request-ID",
            "ID of the request in the log: the `X-Request-ID` of the request if it is valid, otherwise a generated one.",
            text(128),
            json!(EXAMPLE_REQUEST_ID),
            HeaderScope::All,
        ),
        header(
            "X-Response-Time",
            "Processing time in seconds, followed by the unit `s`.",
            text(20),
            json!("0.003s"),
            HeaderScope::All,
        ),
        header(
            "Cache-Control",
            "Whether and how the response may be cached (RFC 9111).",
            text(100),
            json!("no-store"),
            HeaderScope::All,
        ),
        header(
            "Vary",
            "Request headers that affect the response.",
            text(200),
            json!("Accept, Accept-Encoding"),
            HeaderScope::All,
        ),
        limit(
            "RateLimit-Policy",
            "Rate limit that is closest to being reached: `q` requests in `w` seconds.",
            json!("\"general\";q=600;w=60"),
        ),
        limit(
            "RateLimit",
            "Remaining requests of the policy in `RateLimit-Policy` (`r`), and seconds until all are available again (`t`).",
            json!("\"general\";r=599;t=1"),
        ),
        header(
            "WWW-Authenticate",
            "Required authentication scheme (RFC 6750).",
            text(200),
            json!("Bearer realm=\"bucketlist\""),
            HeaderScope::Statuses(&[401]),
        ),
        ResponseHeader {
            always: false,
            ..header(
                "WWW-Authenticate",
                "Scope that the API client lacks (RFC 6750). Only with `INSUFFICIENT_SCOPE`.",
                text(200),
                json!("Bearer realm=\"bucketlist\", error=\"insufficient_scope\", scope=\"write\""),
                HeaderScope::Matching(lacks_scope::<V>),
            )
        },
        retry_after(true, HeaderScope::Statuses(&[429, 503])),
        // Only temporary conflicts and brownouts have one.
        retry_after(false, HeaderScope::Matching(is_temporary::<V>)),
        header(
            "Deprecation",
            "Unix time since which the operation is deprecated, prefixed with `@` (RFC 9745).",
            text(20),
            json!("@1795132800"),
            HeaderScope::Matching(is_deprecated::<V>),
        ),
        header(
            "Sunset",
            "Date after which the operation returns 410 (RFC 8594).",
            text(29),
            json!("Sat, 20 Nov 2027 00:00:00 GMT"),
            HeaderScope::Matching(is_deprecated::<V>),
        ),
        header(
            "Link",
            "Successor of the operation (RFC 8288, RFC 5829).",
            text(16_384),
            json!("</v2/bucketlists>; rel=\"successor-version\""),
            HeaderScope::Matching(is_deprecated::<V>),
        ),
        ResponseHeader {
            always: false,
            ..header(
                "X-Debug-Captured",
                "Whether the request was captured for administrators: `1` or `0`. Only if the request has the header `X-Debug-Capture: 1`, which \
                 captures requests of administrators.",
                json!({"type": "string", "enum": ["0", "1"]}),
                json!("1"),
                HeaderScope::All,
            )
        },
        ResponseHeader {
            always: false,
            ..header(
                "Accept-Patch",
                "Media types of PATCH requests to this path (RFC 5789).",
                text(100),
                json!(ACCEPT_PATCH),
                HeaderScope::Matching(has_accept_patch::<V>),
            )
        },
        ResponseHeader {
            always: false,
            ..header(
                "Cache-Status",
                "How the response cache of the server handled the request (RFC 9211): `hit`, or `fwd=miss` if the response was computed. \
                 Cached responses are never stale.",
                text(100),
                json!("bucketlist; hit"),
                HeaderScope::Matching(is_cached::<V>),
            )
        },
    ]
}
