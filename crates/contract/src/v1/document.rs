//! The document of v1, built from the endpoint traits with no server in existence.

use std::sync::LazyLock;

use document::{CompiledDocument, Document, DocumentedError, OperationInfo, RepairError, RepairOptions};
use poem_openapi::{ContactObject, LicenseObject, OpenApiService, ServerObject};
use serde_json::{Value, json};

use super::{
    endpoints::{
        AuthEndpointsStub, AuthRoutes, BucketlistEndpointsStub, BucketlistRoutes, ItemEndpointsStub, ItemRoutes,
        UserEndpointsStub, UserRoutes,
    },
    schemas::ErrorEnvelope,
};
use crate::{
    Operation,
    rules::{self, EXAMPLE_REQUEST_ID, When},
};

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
pub fn build() -> Result<Document, RepairError> {
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
        &RepairOptions {
            error_schema: "ErrorEnvelope",
            error_media_type: "application/json",
            failures: &failures,
            error_example: &error_example,
            headers: &rules::headers(When {
                is_deprecated,
                is_temporary,
                has_patch,
                patch: "application/json",
                is_cached,
            }),
            header_names: &["Location"],
            parameter_examples: &[
                ("bucketlist_id", json!(1)),
                ("item_id", json!(1)),
                ("user_id", json!(2)),
                ("page", json!(1)),
                ("per_page", json!(20)),
                ("q", json!("world")),
            ],
            header_examples: &[
                ("Location", json!("/v1/bucketlists/1")),
                ("register.Location", json!("/v1/users/2")),
                ("createItem.Location", json!("/v1/bucketlists/1/items/1")),
            ],
            schema_examples: &[],
            sensitive: &[("AuthSession", "access_token"), ("AuthSession", "refresh_token")],
            renamed_schemas: &[],
            public_operations: rules::PUBLIC_OPERATIONS,
            page_parameters: &["page"],
            deprecations: &deprecations(),
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
pub fn contract() -> &'static CompiledDocument {
    static CONTRACT: LazyLock<CompiledDocument> =
        LazyLock::new(|| CompiledDocument::compile(document()).expect("a finished document compiles"));
    &CONTRACT
}

/// What the traits say is going away.
fn deprecations() -> Vec<(&'static str, String)> {
    operations().filter_map(|operation| Some((operation.id, operation.deprecation?.notice()))).collect()
}

fn failures(facts: &OperationInfo<'_>) -> Vec<DocumentedError> {
    let for_admins = facts.path.starts_with("/users") && !facts.path.starts_with("/users/me");
    rules::failures(facts, operation(facts.id), for_admins).into_iter().map(rules::failure).collect()
}

fn error_example(_: &OperationInfo<'_>, failure: &DocumentedError) -> Value {
    serde_json::to_value(ErrorEnvelope::new(&rules::example_error(failure), EXAMPLE_REQUEST_ID)).unwrap_or_default()
}

fn is_deprecated(facts: &OperationInfo<'_>, _: u16) -> bool {
    operation(facts.id).is_some_and(|operation| operation.deprecation.is_some())
}

/// The paths that have a PATCH; a test holds them to it.
const PATCHED: &[&str] = &["/users/me", "/users/{user_id}"];

fn has_patch(facts: &OperationInfo<'_>, _: u16) -> bool {
    PATCHED.contains(&facts.path)
}

/// None: v1 has no requests that wait for each other.
fn is_temporary(_: &OperationInfo<'_>, _: u16) -> bool {
    false
}

fn is_cached(facts: &OperationInfo<'_>, status: u16) -> bool {
    matches!(status, 200 | 304) && operation(facts.id).is_some_and(|operation| operation.is_cached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::BEARER_AUTH;

    #[test]
    fn the_contract_keeps_the_house_rules() {
        match build() {
            Ok(document) => assert!(CompiledDocument::compile(&document).is_ok()),
            Err(findings) => panic!("{findings}"),
        }
    }

    #[test]
    fn paths_with_a_patch_are_known_as_such() {
        let paths = document().value()["paths"].as_object().unwrap();
        let patched: Vec<&str> =
            paths.iter().filter(|(_, item)| !item["patch"].is_null()).map(|(path, _)| path.as_str()).collect();
        assert_eq!(patched, PATCHED);
    }

    #[test]
    fn the_document_says_the_same_as_openapi_3_1() {
        assert_eq!(document::agree(document(), &document().to_openapi_3_1()), Vec::<String>::new());
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
