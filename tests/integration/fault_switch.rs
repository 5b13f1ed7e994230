//! Failures on demand: only under test, never in place of a refusal, and without doing what was asked.

use contract::{v1, v2};
use poem::http::Method;

use bucketlist::config::Environment;

use crate::support::{Engine, TestApp, json};

/// A path of this template that leads somewhere.
fn path(template: &str) -> String {
    let segments = template.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_operation_fails_in_every_way_and_does_nothing() {
    let app = TestApp::new(Engine::Sqlite).await;
    let admin = app.admin().await;
    let mut count = 0;
    for operation in [v1::contract(), v2::contract()].into_iter().flat_map(|contract| contract.operations()) {
        for (fault, status, code) in [
            ("panic", 500, "INTERNAL_ERROR"),
            ("internal", 500, "INTERNAL_ERROR"),
            ("query", 500, "INTERNAL_ERROR"),
            ("unavailable", 503, "SERVICE_UNAVAILABLE"),
        ] {
            let method: Method = operation.method.parse().unwrap();
            let request = admin.request(method, &path(&operation.path)).header("x-fault", fault);
            let request = if operation.request_media_types.is_empty() { request } else { request.json(&json!({})) };
            request.send().await.expect_error(status, code);
            count += 1;
        }
    }
    assert!(count > 150, "{count}");
    // Deleting the account and logging out were among them.
    admin.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn a_refusal_goes_first() {
    let app = TestApp::new(Engine::Sqlite).await;
    let anonymous = app.anonymous().request(Method::GET, "/v2/users/me").header("x-fault", "panic");
    anonymous.send().await.expect_error(401, "AUTHENTICATION_REQUIRED");
    let user = app.user().await;
    let unknown = user.request(Method::GET, "/v2/users/me").header("x-fault", "panics").send().await;
    let response = unknown.expect_error(422, "VALIDATION_FAILED");
    assert_eq!(response.details(), [("X-Fault".to_owned(), "INVALID_FORMAT".to_owned())]);
}

#[tokio::test]
async fn outside_of_tests_the_header_means_nothing() {
    for environment in [Environment::Development, Environment::Staging, Environment::Production] {
        let app = TestApp::configured(Engine::Sqlite, |config| config.environment = environment).await;
        let user = app.user().await;
        user.request(Method::GET, "/v2/users/me").header("x-fault", "panic").send().await.expect(200);
    }
}
