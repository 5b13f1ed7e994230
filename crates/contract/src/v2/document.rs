//! The document of v2, built from the endpoint traits with no server in existence.

use std::sync::LazyLock;

use document::{CompiledDocument, Document, DocumentedError, OperationInfo, RepairError, RepairOptions};
use poem_openapi::{ContactObject, LicenseObject, OpenApiService, ServerObject};
use serde_json::{Value, json};

use super::{
    endpoints::{
        AdminUserEndpointsStub, AdminUserRoutes, AuditEndpointsStub, AuditRoutes, AuthEndpointsStub, AuthRoutes,
        BucketlistEndpointsStub, BucketlistRoutes, ExportEndpointsStub, ExportRoutes, IncidentEndpointsStub,
        IncidentRoutes, ItemEndpointsStub, ItemRoutes, SearchEndpointsStub, SearchRoutes, UserEndpointsStub,
        UserRoutes,
    },
    schemas::EXAMPLE_FINGERPRINT,
};
use crate::{
    ErrorCode, Operation,
    problem::{self, Problem},
    rules::{self, EXAMPLE_REQUEST_ID, When},
};

/// Where v2 is served.
pub const BASE: &str = "/v2";

/// What the document says of v2 as a whole; Markdown.
const DESCRIPTION: &str = "\
People track what they want to do in life: **users** own **bucketlists**, bucketlists have **items**.

Register or log in, send the `access_token` as `Authorization: Bearer …`, and create your first list.

* **Pages** are walked by cursor: follow `links.next` (or the `Link` header) until it is null. A page costs the same
  however deep it is.
* **Lists** also come as `text/csv` and `application/x-ndjson`: say so in `Accept`.
* **Errors** are problem details (RFC 9457) with a stable `code`; `type` leads to a page that explains it.
* **Changes** can be made conditional: send the `ETag` you read as `If-Match`, and nobody's work is overwritten unseen.
* **Creations** can be repeated safely: send an `Idempotency-Key`.
* **Resources** say in `_links` where to go and what you may do.

Requests are closed (an unknown field is an error), responses are open: ignore fields you do not know, new ones may be
added.";

/// Every operation of v2, as declared on the traits.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    [
        AuthRoutes::OPERATIONS,
        UserRoutes::OPERATIONS,
        BucketlistRoutes::OPERATIONS,
        ItemRoutes::OPERATIONS,
        SearchRoutes::OPERATIONS,
        ExportRoutes::OPERATIONS,
        AdminUserRoutes::OPERATIONS,
        AuditRoutes::OPERATIONS,
        IncidentRoutes::OPERATIONS,
    ]
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
            SearchRoutes(SearchEndpointsStub),
            ExportRoutes(ExportEndpointsStub),
            AdminUserRoutes(AdminUserEndpointsStub),
            AuditRoutes(AuditEndpointsStub),
            IncidentRoutes(IncidentEndpointsStub),
        ),
        "BucketList API",
        "2.0.0",
    )
    .description(DESCRIPTION)
    .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"))
    .contact(ContactObject::new().name("The BucketList team").email("api@example.com"))
    .server(ServerObject::new(BASE).description("This server"));
    Document::finish(
        &service.spec(),
        &RepairOptions {
            error_schema: "Problem",
            error_media_type: problem::MEDIA_TYPE,
            failures: &failures,
            error_example: &error_example,
            headers: &rules::headers(When {
                is_deprecated,
                is_temporary,
                has_patch,
                patch: "application/merge-patch+json",
                is_cached,
            }),
            header_names: &[
                "Location",
                "ETag",
                "Link",
                "Content-Disposition",
                "Idempotency-Replayed",
                "Retry-After",
                "If-Match",
                "If-None-Match",
                "Idempotency-Key",
            ],
            parameter_examples: &[
                ("bucketlist_id", json!(1)),
                ("item_id", json!(1)),
                ("user_id", json!(2)),
                ("session_id", json!(1)),
                ("export_id", json!(1)),
                ("incident_id", json!(1)),
                ("request_id", json!(EXAMPLE_REQUEST_ID)),
                ("operation", json!("createItem")),
                ("status", json!(500)),
                ("code", json!("INTERNAL_ERROR")),
                ("fingerprint", json!(EXAMPLE_FINGERPRINT)),
                ("resolved", json!(false)),
                ("received_after", json!("2025-12-31T00:00:00Z")),
                ("per_page", json!(20)),
                ("q", json!("world")),
                ("listItems.q", json!("light")),
                ("listUsers.q", json!("demo")),
                ("cursor", json!("")),
                ("sort", json!("-created_at")),
                ("done", json!(false)),
                ("disabled", json!(false)),
                ("role", json!("user")),
                ("due_before", json!("2027-12-31")),
                ("due_after", json!("2026-01-01")),
                ("created_after", json!("2025-12-31T00:00:00Z")),
                ("created_before", json!("2099-12-31T00:00:00Z")),
                ("listAuditEvents.sort", json!("created_at")),
                ("actor_id", json!(1)),
                ("action", json!("login.succeeded")),
                ("target_type", json!("user")),
                ("target_id", json!(1)),
                ("include", json!(["total"])),
                ("If-Match", json!("*")),
                ("If-None-Match", json!("\"aN0thEr5tate\"")),
                // A key names one creation: those of several operations must not look as if they were one.
                ("register.Idempotency-Key", json!("2f6c1f0e-6a4b-4b5d-9d1f-7f7b0c9f5a10")),
                ("createBucketlist.Idempotency-Key", json!("8e03978e-40d5-43dd-bc93-6894a57f9324")),
                ("createItem.Idempotency-Key", json!("0b6cc8a4-7d8f-4f0e-9f0c-55d1a1f1c7a2")),
                ("createItems.Idempotency-Key", json!("c1f2ab7e-29d4-4e4f-8b0e-3a7d52e86b91")),
                ("createExport.Idempotency-Key", json!("5d0f6f0c-52a7-4c0b-9a55-0f6f2f1d7c3e")),
            ],
            header_examples: &[
                ("Location", json!("/v2/bucketlists/1")),
                ("register.Location", json!("/v2/users/me")),
                ("createItem.Location", json!("/v2/bucketlists/1/items/1")),
                ("createItems.Location", json!("/v2/bucketlists/1/items")),
                ("createExport.Location", json!("/v2/exports/1")),
                ("ETag", json!("\"kJ3v0m7wq2Yx5sT8\"")),
                ("Link", json!("</v2/bucketlists?per_page=20>; rel=\"self\"")),
                ("Content-Disposition", json!("attachment; filename=\"bucketlists.csv\"")),
                ("Idempotency-Replayed", json!(true)),
                ("Retry-After", json!(1)),
            ],
            schema_examples: &[],
            sensitive: &[("AuthSession", "access_token"), ("AuthSession", "refresh_token")],
            renamed_schemas: &[],
            public_operations: rules::PUBLIC_OPERATIONS,
            page_parameters: &["cursor"],
            deprecations: &[],
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

fn failures(facts: &OperationInfo<'_>) -> Vec<DocumentedError> {
    let for_admins = facts.path.starts_with("/admin");
    rules::failures(facts, operation(facts.id), for_admins).into_iter().map(rules::failure).collect()
}

fn error_example(facts: &OperationInfo<'_>, failure: &DocumentedError) -> Value {
    let error = rules::example_error(failure);
    let path = format!("{BASE}{}", facts.path.replace("{user_id}", "2").replace("{session_id}", "1"));
    let path = path.replace("{incident_id}", "1").replace("{export_id}", "1");
    let path = path.replace("{bucketlist_id}", "1").replace("{item_id}", "1");
    serde_json::to_value(Problem::new(&error, &path, EXAMPLE_REQUEST_ID)).unwrap_or_default()
}

fn is_deprecated(facts: &OperationInfo<'_>, _: u16) -> bool {
    operation(facts.id).is_some_and(|operation| operation.deprecation.is_some())
}

/// The paths that have a PATCH; a test holds them to it.
const PATCHED: &[&str] = &[
    "/users/me",
    "/bucketlists/{bucketlist_id}",
    "/bucketlists/{bucketlist_id}/items/{item_id}",
    "/admin/users/{user_id}",
    "/admin/incidents/{incident_id}",
];

fn has_patch(facts: &OperationInfo<'_>, _: u16) -> bool {
    PATCHED.contains(&facts.path)
}

fn is_temporary(facts: &OperationInfo<'_>, status: u16) -> bool {
    let codes = || rules::failures(facts, operation(facts.id), false);
    let is_soon_over = |code: &ErrorCode| matches!(code, ErrorCode::IdempotencyKeyInFlight | ErrorCode::ExportNotReady);
    status == 409 && codes().iter().any(is_soon_over)
}

fn is_cached(facts: &OperationInfo<'_>, status: u16) -> bool {
    matches!(status, 200 | 304) && operation(facts.id).is_some_and(|operation| operation.is_cached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

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
    }

    #[test]
    fn every_operation_of_v1_is_here_under_its_own_name() {
        for operation in v1::document::operations() {
            assert!(super::operation(operation.id).is_some(), "{} has no successor", operation.id);
        }
    }
}
