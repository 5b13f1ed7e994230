//! Declares API v1 and builds its OpenAPI document.

use openapi_repair::ResponseName;
use serde_json::{Value, json};

use super::{
    endpoints::{
        AuthEndpointsStub, AuthRoutes, BucketlistEndpointsStub, BucketlistRoutes, ItemEndpointsStub, ItemRoutes,
        UserEndpointsStub, UserRoutes,
    },
    schemas::ErrorEnvelope,
};
use crate::{
    ApiError, ErrorCode, Operation,
    api::{Version, api},
    documented_errors::EXAMPLE_REQUEST_ID,
    response_names,
};

api! {
    /// The endpoints of v1.
    Api for V1 {
        auth: Auth => AuthRoutes(AuthEndpointsStub),
        users: Users => UserRoutes(UserEndpointsStub),
        bucketlists: Bucketlists => BucketlistRoutes(BucketlistEndpointsStub),
        items: Items => ItemRoutes(ItemEndpointsStub),
    }
}

struct V1;

impl Version for V1 {
    const BASE: &'static str = "/v1";
    const NUMBER: &'static str = "1.0.0";
    const DESCRIPTION: &'static str = "\
Manage bucketlists: named lists of things you want to do. A **user** owns **bucketlists**; a bucketlist contains **items**.

To get started, create an account (`register`) or log in (`login`). Send the `access_token` of the response as
`Authorization: Bearer <access_token>`, and create a bucketlist.

* **Pagination**: lists return pages with totals and links. The list operations are deprecated; use those of v2.
* **Errors**: every error response contains an `error` object with a stable `code`. A validation error lists all violations.
* **Text**: the server trims leading and trailing whitespace and normalizes text to Unicode NFC. Passwords are not changed. A
  maximum length includes leading and trailing whitespace. Text with a minimum length must contain at least one visible character.
* **Compatibility**: requests with unknown fields are rejected. Responses can contain new fields; ignore those that you do
  not know.";
    const ERROR_SCHEMA: &'static str = "ErrorEnvelope";
    const VIOLATION_SCHEMA: &'static str = "FailureDetail";
    const ERROR_MEDIA_TYPE: &'static str = "application/json";
    const PAGE_PARAMETER: &'static str = "page";
    const RESPONSE_NAMES: &'static [ResponseName] = response_names::V1;

    fn parameter_examples() -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    fn header_examples() -> Vec<(&'static str, Value)> {
        vec![
            ("Location", json!("/v1/bucketlists/1")),
            ("register.Location", json!("/v1/users/me")),
            ("createItem.Location", json!("/v1/bucketlists/1/items/1")),
        ]
    }

    fn operations() -> impl Iterator<Item = &'static Operation> {
        operations()
    }

    fn error_example(code: ErrorCode) -> serde_json::Result<Value> {
        serde_json::to_value(ErrorEnvelope::new(&ApiError::example(code), EXAMPLE_REQUEST_ID))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::tests::check_version, caller::BEARER_AUTH};

    #[test]
    fn document_passes_the_linter_and_agrees_with_the_declarations() {
        let document = build().unwrap_or_else(|findings| panic!("{findings}"));
        check_version::<V1>(&document);
        assert_eq!(operations().count(), 24);
    }

    #[test]
    fn security_scheme_has_the_name_that_the_docs_page_uses() {
        assert!(document().value().pointer(&format!("/components/securitySchemes/{BEARER_AUTH}")).is_some());
    }
}
