//! Declares API v2 and builds its OpenAPI document.

use openapi_repair::ResponseName;
use serde_json::{Value, json};

use super::{
    endpoints::{
        AdminUserEndpointsStub, AdminUserRoutes, ApiClientEndpointsStub, ApiClientRoutes, AuditEndpointsStub,
        AuditRoutes, AuthEndpointsStub, AuthRoutes, BucketlistEndpointsStub, BucketlistRoutes, ExportEndpointsStub,
        ExportRoutes, ImportEndpointsStub, ImportRoutes, IncidentEndpointsStub, IncidentRoutes, ItemEndpointsStub,
        ItemRoutes, JobEndpointsStub, JobRoutes, ProfileEndpointsStub, ProfileRoutes, SearchEndpointsStub,
        SearchRoutes, UsageEndpointsStub, UsageRoutes, UserEndpointsStub, UserRoutes,
    },
    schemas::{EXAMPLE_FINGERPRINT, EXAMPLE_JOB_KIND},
};
use crate::{
    ErrorCode, Operation,
    api::{Version, api},
    problem::{self, Problem},
    response_names,
};

api! {
    /// The endpoints of v2.
    Api for V2 {
        auth: Auth => AuthRoutes(AuthEndpointsStub),
        users: Users => UserRoutes(UserEndpointsStub),
        bucketlists: Bucketlists => BucketlistRoutes(BucketlistEndpointsStub),
        items: Items => ItemRoutes(ItemEndpointsStub),
        search: Search => SearchRoutes(SearchEndpointsStub),
        exports: Exports => ExportRoutes(ExportEndpointsStub),
        imports: Imports => ImportRoutes(ImportEndpointsStub),
        admin_users: AdminUsers => AdminUserRoutes(AdminUserEndpointsStub),
        audit: Audit => AuditRoutes(AuditEndpointsStub),
        incidents: Incidents => IncidentRoutes(IncidentEndpointsStub),
        api_clients: ApiClients => ApiClientRoutes(ApiClientEndpointsStub),
        usage: Usage => UsageRoutes(UsageEndpointsStub),
        jobs: Jobs => JobRoutes(JobEndpointsStub),
        profiles: Profiles => ProfileRoutes(ProfileEndpointsStub),
    }
}

struct V2;

impl Version for V2 {
    const BASE: &'static str = "/v2";
    const NUMBER: &'static str = "2.0.0";
    const DESCRIPTION: &'static str = "\
Manage bucketlists: named lists of things you want to do. A **user** owns **bucketlists**; a bucketlist contains **items**.

To get started, create an account (`register`) or log in (`login`). Send the `access_token` of the response as
`Authorization: Bearer <access_token>`, and create a bucketlist.

* **Pagination**: lists use cursors. Follow `links.next` until it is null, or the `Link` header with `rel=\"next\"` until it is
  absent. The response time does not depend on the position in the list.
* **Formats**: most lists are also available as `text/csv` and `application/x-ndjson`; select one with `Accept`. For Excel,
  request `text/csv; bom=true`: the file starts with a byte order mark.
* **Errors**: error responses contain problem details (RFC 9457) with a stable `code`. `type` is the path of a page that
  explains the error.
* **Conditional requests**: send the `ETag` of a resource as `If-Match` to update or delete the resource only if it has not
  changed since you retrieved it. `If-Match` is optional, unless the operator requires it; requests without it then return 428.
* **Idempotency**: send an `Idempotency-Key` to safely retry a request without creating a resource twice.
* **Text**: the server trims leading and trailing whitespace and normalizes text to Unicode NFC. Passwords are not changed. A
  maximum length includes leading and trailing whitespace. Text with a minimum length must contain at least one visible character.
* **Timestamps**: send RFC 3339 or ISO 8601 timestamps with an offset, such as `2026-01-31T12:00:00+01:00` or
  `20260131T110000Z`. Years 1 to 9999 are accepted. Responses use RFC 3339 timestamps in UTC with microseconds.
* **Links**: `_links` of a resource contains links to related resources and operations that you may call with your access token
  or API key. `links` of a list contains the paths of the current and the next page.
* **API clients**: a program can use a key (`X-API-Key`) instead of an access token. The API client acts for one
  account, within its scopes: `read`, `write` and `admin`. Administrators create keys with `createApiClient`.
* **Compatibility**: requests with unknown fields are rejected. Responses can contain new fields; ignore those that you do
  not know.";
    const ERROR_SCHEMA: &'static str = "Problem";
    const VIOLATION_SCHEMA: &'static str = "ProblemError";
    const ERROR_MEDIA_TYPE: &'static str = problem::MEDIA_TYPE;
    const PAGE_PARAMETER: &'static str = "cursor";
    const RESPONSE_NAMES: &'static [ResponseName] = response_names::V2;

    fn parameter_examples() -> Vec<(&'static str, Value)> {
        vec![
            ("operation", json!("createItem")),
            ("from", json!("2025-12-31")),
            ("to", json!("2099-12-31")),
            ("consumer", json!("user:2")),
            ("version", json!("v2")),
            ("deprecated", json!(false)),
            ("group_by", json!(["day", "operation", "version", "consumer"])),
            ("status", json!(500)),
            ("code", json!("INTERNAL_ERROR")),
            ("fingerprint", json!(EXAMPLE_FINGERPRINT)),
            ("resolved", json!(false)),
            ("received_after", json!("2025-12-31T00:00:00Z")),
            ("listItems.q", json!("light")),
            ("listUsers.q", json!("demo")),
            ("done", json!(false)),
            ("disabled", json!(false)),
            ("role", json!("user")),
            ("listJobs.state", json!("retrying")),
            ("listJobs.kind", json!(EXAMPLE_JOB_KIND)),
            ("due_before", json!("2027-12-31")),
            ("due_after", json!("2026-01-01")),
            ("created_after", json!("2025-12-31T00:00:00Z")),
            ("created_before", json!("2099-12-31T00:00:00Z")),
            ("listAuditEvents.sort", json!("created_at")),
            ("actor_id", json!(1)),
            ("action", json!("login.succeeded")),
            ("target_type", json!("user")),
            ("target_id", json!(1)),
            // A key is valid for one request: each operation needs its own.
            ("register.Idempotency-Key", json!("2f6c1f0e-6a4b-4b5d-9d1f-7f7b0c9f5a10")),
            ("createBucketlist.Idempotency-Key", json!("8e03978e-40d5-43dd-bc93-6894a57f9324")),
            ("createItem.Idempotency-Key", json!("0b6cc8a4-7d8f-4f0e-9f0c-55d1a1f1c7a2")),
            ("createItems.Idempotency-Key", json!("c1f2ab7e-29d4-4e4f-8b0e-3a7d52e86b91")),
            ("createApiClient.Idempotency-Key", json!("b7a0e6d2-0c53-4f3b-8a8e-5a1d6c9f2e47")),
            ("listApiClients.user_id", json!(2)),
            ("listIncidentGroups.sort", json!("-last_seen_at")),
            ("listUsage.sort", json!("-requests")),
            ("listUsage.status", json!("2xx")),
            ("listExports.state", json!("finished")),
            ("listExports.user_id", json!(2)),
            ("overlap_seconds", json!(86_400)),
            ("seconds", json!(5)),
            ("recordProfile.format", json!("flamegraph")),
            ("createExport.Idempotency-Key", json!("5d0f6f0c-52a7-4c0b-9a55-0f6f2f1d7c3e")),
            ("createImport.Idempotency-Key", json!("9a3d1b64-7c1e-4f0a-8a57-2f1c6e4b7d90")),
            ("on_conflict", json!("rename")),
        ]
    }

    fn header_examples() -> Vec<(&'static str, Value)> {
        vec![
            ("Location", json!("/v2/bucketlists/1")),
            ("register.Location", json!("/v2/users/me")),
            ("createItem.Location", json!("/v2/bucketlists/1/items/1")),
            ("createItems.Location", json!("/v2/bucketlists/1/items")),
            ("createApiClient.Location", json!("/v2/admin/api-clients/1")),
            ("createExport.Location", json!("/v2/exports/1")),
            ("createImport.Location", json!("/v2/bucketlists")),
            ("ETag", json!("\"kJ3v0m7wq2Yx5sT8\"")),
            ("Link", json!("</v2/bucketlists?per_page=20>; rel=\"self\"")),
            ("Content-Disposition", json!("attachment; filename=\"bucketlists.csv\"")),
            ("recordProfile.Content-Disposition", json!("inline; filename=\"bucketlist.svg\"")),
            ("Idempotency-Replayed", json!(true)),
            ("Retry-After", json!(1)),
        ]
    }

    fn operations() -> impl Iterator<Item = &'static Operation> {
        operations()
    }

    fn error_example(code: ErrorCode) -> serde_json::Result<Value> {
        serde_json::to_value(Problem::example_of(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::tests::check_version, v1};

    #[test]
    fn document_passes_the_linter_and_agrees_with_the_declarations() {
        let document = build().unwrap_or_else(|findings| panic!("{findings}"));
        check_version::<V2>(&document);
    }

    #[test]
    fn every_operation_of_v1_has_a_successor() {
        for operation in v1::document::operations() {
            assert!(super::operation(operation.id).is_some(), "{} has no successor", operation.id);
        }
    }
}
