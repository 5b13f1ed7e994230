//! Fault injection with X-Fault: in the test environment only, after authentication, in place of the operation.

use contract::{v1, v2};
use poem::http::Method;

use bucketlist::config::Environment;

use crate::support::{Engine, TestApp, json};

/// Returns a path of this template with valid parameters.
fn path(template: &str) -> String {
    let segments = template.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_fault_replaces_every_operation() {
    let app = TestApp::new(Engine::Sqlite);
    let admin = app.admin().await;
    let mut count = 0;
    for operation in [v1::contract(), v2::contract()].into_iter().flat_map(|contract| contract.operations()) {
        for (fault, status, code) in [
            ("panic", 500, "INTERNAL_ERROR"),
            ("internal", 500, "INTERNAL_ERROR"),
            ("query", 500, "INTERNAL_ERROR"),
            ("unavailable", 503, "SERVICE_UNAVAILABLE"),
            ("storage-full", 507, "INSUFFICIENT_STORAGE"),
        ] {
            let method: Method = operation.method.parse().unwrap();
            let request = admin.request(method, &path(&operation.path)).header("x-fault", fault);
            let request = if operation.request_media_types.is_empty() { request } else { request.json(&json!({})) };
            request.send().await.expect_error(status, code);
            count += 1;
        }
    }
    assert!(count > 150, "{count}");
    // The requests included logout and deletion of the account.
    admin.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn authentication_and_unknown_faults_are_rejected_first() {
    let app = TestApp::new(Engine::Sqlite);
    let anonymous = app.anonymous().request(Method::GET, "/v2/users/me").header("x-fault", "panic");
    anonymous.send().await.expect_error(401, "AUTHENTICATION_REQUIRED");
    let user = app.user().await;
    let unknown = user.request(Method::GET, "/v2/users/me").header("x-fault", "panics").send().await;
    let response = unknown.expect_error(422, "VALIDATION_FAILED");
    assert_eq!(response.details(), [("X-Fault".to_owned(), "INVALID_FORMAT".to_owned())]);
}

#[tokio::test]
async fn x_fault_is_ignored_outside_the_test_environment() {
    for environment in [Environment::Development, Environment::Staging, Environment::Production] {
        let app = TestApp::builder().engine(Engine::Sqlite).config(|config| config.environment = environment).build();
        let user = app.user().await;
        user.request(Method::GET, "/v2/users/me").header("x-fault", "panic").send().await.expect(200);
    }
}
