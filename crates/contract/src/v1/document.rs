//! The document of v1, built from the endpoint traits with no server in existence.

use std::sync::LazyLock;

use document::{Contract, Document, Failure, FinishError, HeaderRule, On, OperationFacts, Rules};
use poem_openapi::{ContactObject, LicenseObject, OpenApiService, ServerObject};
use serde_json::{Value, json};

use super::{
    endpoints::{
        AuthEndpointsStub, AuthRoutes, BucketlistEndpointsStub, BucketlistRoutes, ItemEndpointsStub, ItemRoutes,
        UserEndpointsStub, UserRoutes,
    },
    schemas::{EXAMPLE_REQUEST_ID, ErrorEnvelope},
};
use crate::{ApiError, Detail, ErrorCode, Operation};

/// Where v1 is served.
pub const BASE: &str = "/v1";

/// What the document says of v1 as a whole; Markdown.
const DESCRIPTION: &str = "\
People track what they want to do in life: **users** own **bucketlists**, bucketlists have **items**.

Register or log in, send the `access_token` as `Authorization: Bearer …`, and create your first list. Lists come as pages
with totals and links. Every answer that is not a success has the same `error` envelope with a stable `code`; a request
that breaks rules is answered with all of them at once. Requests are closed (an unknown field is an error), responses are
open: ignore fields you do not know, new ones may be added.";

/// Every operation of v1, as declared on the traits.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    [AuthRoutes::OPERATIONS, UserRoutes::OPERATIONS, BucketlistRoutes::OPERATIONS, ItemRoutes::OPERATIONS]
        .into_iter()
        .flatten()
}

/// The declaration of one operation.
#[must_use]
pub fn operation(id: &str) -> Option<&'static Operation> {
    operations().find(|operation| operation.id == id)
}

/// The finished document.
///
/// # Errors
/// Everything in the traits that breaks a house rule. A test keeps this from happening.
pub fn build() -> Result<Document, FinishError> {
    let service = OpenApiService::new(
        (
            AuthRoutes(AuthEndpointsStub),
            UserRoutes(UserEndpointsStub),
            BucketlistRoutes(BucketlistEndpointsStub),
            ItemRoutes(ItemEndpointsStub),
        ),
        "BucketList API",
        "1.0.0",
    )
    .description(DESCRIPTION)
    .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"))
    .contact(ContactObject::new().name("The BucketList team").email("api@example.com"))
    .server(ServerObject::new(BASE).description("This server"));
    Document::finish(
        &service.spec(),
        &Rules {
            error_schema: "ErrorEnvelope",
            error_media_type: "application/json",
            failures: &failures,
            error_example: &error_example,
            headers: &headers(),
            header_names: &["Location"],
            parameter_examples: &[
                ("bucketlist_id", json!(1)),
                ("item_id", json!(1)),
                ("user_id", json!(2)),
                ("page", json!(1)),
                ("per_page", json!(20)),
                ("q", json!("world")),
            ],
            header_examples: &[("Location", json!("/v1/bucketlists/1"))],
            schema_examples: &[],
            renamed_schemas: &[],
        },
    )
}

/// The document as it is served and committed.
///
/// # Panics
/// When the traits break a house rule; the tests of this crate build it, so it cannot happen in a release.
#[expect(clippy::expect_used, reason = "a broken contract must not start; the tests build it")]
pub fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| build().expect("the contract keeps the house rules"));
    &DOCUMENT
}

/// The document, compiled for finding operations and checking traffic.
///
/// # Panics
/// As [`fn@document`].
#[expect(clippy::expect_used, reason = "a broken contract must not start; the tests build it")]
pub fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> =
        LazyLock::new(|| Contract::compile(document()).expect("a finished document compiles"));
    &CONTRACT
}

/// Every failure an operation can answer with: what its kind brings, and what its trait declares.
fn failures(facts: &OperationFacts<'_>) -> Vec<Failure> {
    use ErrorCode::{
        AccountDisabled, AuthenticationRequired, DuplicateKey, Forbidden, HeadersTooLarge, InternalError, InvalidToken,
        InvalidUtf8, JsonTooDeep, MalformedJson, MalformedRequest, NotAcceptable, PayloadTooLarge, RateLimitExceeded,
        RequestTimeout, ServiceUnavailable, UnknownField, UnknownParameter, UnsupportedMediaType, UriTooLong,
        ValidationFailed,
    };
    let mut codes: Vec<ErrorCode> = Vec::new();
    if facts.has_body {
        codes.extend([MalformedJson, InvalidUtf8, DuplicateKey, JsonTooDeep, MalformedRequest]);
        codes.extend([RequestTimeout, PayloadTooLarge, UnsupportedMediaType, UnknownField]);
    }
    if facts.secured {
        codes.extend([AuthenticationRequired, InvalidToken, AccountDisabled]);
    }
    if facts.path.starts_with("/users") && !facts.path.starts_with("/users/me") {
        codes.push(Forbidden);
    }
    // An unknown query parameter is refused by every operation.
    codes.extend([ValidationFailed, UnknownParameter]);
    codes.extend([NotAcceptable, UriTooLong, RateLimitExceeded, HeadersTooLarge, InternalError, ServiceUnavailable]);
    codes.extend(operation(facts.id).map_or(&[][..], |operation| operation.errors));
    codes
        .into_iter()
        .map(|code| Failure { status: code.status(), code: code.as_str(), message: code.message() })
        .collect()
}

fn error_example(_: &OperationFacts<'_>, failure: &Failure) -> Value {
    let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == failure.code);
    let mut error = ApiError::new(code.unwrap_or(ErrorCode::InternalError));
    error.retry_after = matches!(failure.status, 429 | 503).then_some(30);
    error.details = example_details(error.code);
    serde_json::to_value(ErrorEnvelope::new(&error, EXAMPLE_REQUEST_ID)).unwrap_or_default()
}

fn example_details(code: ErrorCode) -> Vec<Detail> {
    use document::{Location, ViolationCode};
    let (location, code, message) = match code {
        ErrorCode::ValidationFailed => {
            (Location::Body("/name".into()), ViolationCode::TooLong, "must have at most 100 characters")
        }
        ErrorCode::UnknownField => {
            (Location::Body("/colour".into()), ViolationCode::UnknownField, "is not a known field")
        }
        ErrorCode::UnknownParameter => {
            (Location::Query("colour".into()), ViolationCode::UnknownParameter, "is not a known parameter")
        }
        _ => return Vec::new(),
    };
    vec![Detail { location, code: code.as_str(), message: message.into() }]
}

/// The headers this server sends whatever the operation.
fn headers() -> Vec<HeaderRule> {
    let text = |max: u32| json!({"type": "string", "maxLength": max});
    let header = |name, description, schema, example, on| HeaderRule { name, description, schema, example, on };
    vec![
        header(
            "X-Request-ID",
            "Names the request in the log; a valid one in the request is kept.",
            text(128),
            json!(EXAMPLE_REQUEST_ID),
            On::Every,
        ),
        header("X-Response-Time", "How long the server took.", text(20), json!("0.003s"), On::Every),
        header("Cache-Control", "How long the answer may be kept.", text(100), json!("no-store"), On::Every),
        header(
            "Vary",
            "Which request headers the answer depends on.",
            text(200),
            json!("Accept, Accept-Encoding"),
            On::Every,
        ),
        header(
            "WWW-Authenticate",
            "How to authenticate (RFC 6750).",
            text(200),
            json!("Bearer realm=\"bucketlist\""),
            On::Statuses(&[401]),
        ),
        header(
            "Retry-After",
            "After how many seconds to try again.",
            json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 86_400}),
            json!(30),
            On::Statuses(&[429, 503]),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::BEARER_AUTH;

    #[test]
    fn the_contract_keeps_the_house_rules() {
        match build() {
            Ok(document) => assert!(Contract::compile(&document).is_ok()),
            Err(findings) => panic!("{findings}"),
        }
    }

    #[test]
    fn every_operation_of_the_traits_is_in_the_document() {
        let mut declared: Vec<&str> = operations().map(|operation| operation.id).collect();
        let mut documented: Vec<&str> = contract().operations().map(|operation| operation.id.as_str()).collect();
        declared.sort_unstable();
        documented.sort_unstable();
        assert_eq!(declared, documented);
        assert_eq!(declared.len(), 24);
    }

    #[test]
    fn the_security_scheme_is_the_one_the_docs_page_uses() {
        assert!(document().value().pointer(&format!("/components/securitySchemes/{BEARER_AUTH}")).is_some());
    }
}
