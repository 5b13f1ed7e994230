//! RESPONSE_CHECK: the server detects responses that do not match the OpenAPI document, without changing them.

use bucketlist::{
    config::ResponseValidation,
    http::{ResponseViolationKind, ValidationCounts},
};
use poem::http::HeaderMap;

use crate::support::{Actor, TestApp, json};

/// Sends a request whose response does not match the document, without the check of the test client.
async fn unchecked(app: &TestApp, actor: &Actor<'_>, path: &str, headers: &[(&str, &str)]) -> (HeaderMap, Vec<u8>) {
    let mut request =
        poem::Request::builder().uri_str(path).header("authorization", format!("Bearer {}", actor.token()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.call(request.finish()).await;
    assert_eq!(response.status(), 200, "{path}");
    let (parts, body) = response.into_parts();
    (parts.headers, body.into_vec().await.unwrap())
}

fn invalid_and_skipped(counts: ValidationCounts) -> (u64, u64) {
    (counts.invalid, counts.skipped)
}

both_engines! {
    async fn response_validation_is_off_by_default(engine: Engine) {
        assert!(TestApp::new(engine).app.response_validator.is_none());
    }

    async fn documented_responses_have_no_violations(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.validation = ResponseValidation::All).build();
        let check = app.app.response_validator.clone().unwrap();
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        user.create_item(list, "Walk the Camino").await;
        for path in ["/v1/users/me", "/v1/bucketlists", "/v2/bucketlists", "/v2/search?q=w", "/v2/bucketlists/999"] {
            let _ = user.get(path).await.any_status();
        }
        let csv = user.request(poem::http::Method::GET, "/v2/bucketlists").header("accept", "text/csv");
        csv.send().await.expect(200);
        user.request(poem::http::Method::HEAD, "/v2/bucketlists").send().await.expect(200);
        user.get("/nowhere").await.expect(404);
        user.delete(&format!("/v2/bucketlists/{list}")).await.expect(204);
        check.flush().await;
        assert_eq!(check.kinds(), []);
        // HEAD and unversioned routes are not validated.
        assert_eq!(check.counts(), ValidationCounts { validated: 10, invalid: 0, skipped: 0 });
    }

    async fn undocumented_response_is_counted_and_sent_unchanged(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.responses.validation = ResponseValidation::All).build();
        let check = app.app.response_validator.clone().unwrap();
        let user = app.user().await;
        let list = user.create_bucketlist("See the world").await;
        let item = user.create_item(list, "Walk the Camino").await;
        user.create_item(list, "Ride to Cape Horn").await;
        // Written directly, and longer than the document allows.
        let long = "Very far ".repeat(200);
        app.execute(&format!("UPDATE items SET name = '{long}'"));

        let path = format!("/v2/bucketlists/{list}/items/{item}");
        let (_, body) = unchecked(&app, &user, &path, &[]).await;
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["name"], json!(long));
        let (_, again) = unchecked(&app, &user, &path, &[]).await;
        assert_eq!(body, again);
        let rows = format!("/v2/bucketlists/{list}/items");
        let (headers, _) = unchecked(&app, &user, &rows, &[("accept-encoding", "gzip")]).await;
        assert_eq!(headers["content-encoding"], "gzip", "validation precedes compression");
        unchecked(&app, &user, &rows, &[("accept", "application/x-ndjson")]).await;

        check.flush().await;
        let kind = |operation, path, location: &str| ResponseViolationKind {
            operation,
            path,
            status: 200,
            location: location.to_owned(),
            problem: "must have at most 200 characters".to_owned(),
        };
        let (one, many) = ("/v2/bucketlists/{bucketlist_id}/items/{item_id}", "/v2/bucketlists/{bucketlist_id}/items");
        assert_eq!(
            check.kinds(),
            [
                (kind("getItem", one, "/name"), 2),
                (kind("listItems", many, "/data/*/name"), 2),
                (kind("listItems", many, "line *: /name"), 1),
            ]
        );
        assert_eq!(invalid_and_skipped(check.counts()), (4, 0));
    }
}
