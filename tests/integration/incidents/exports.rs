//! Exports of incidents.

use poem::http::Method;

use super::{fail, incident_of};
use crate::support::{TestApp, Value, json};

both_engines! {
    async fn incident_is_exported_for_postman_curl_and_har(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let body = json!({"name": "{{title}} {{email}}", "due_on": null});
        let request = fail(&user, Method::POST, "/v2/bucketlists/7/items?", Some(&body)).await;
        app.flush_incidents().await;
        let id = incident_of(&admin, &request).await["id"].as_i64().unwrap();
        let path = |target: &str| format!("/v2/admin/incidents/{id}/{target}");

        let response = admin.get(&path("postman")).await.expect(200);
        let disposition = format!("attachment; filename=\"incident-{id}.postman_collection.json\"");
        assert_eq!(response.header("content-disposition"), disposition);
        let collection = response.json();
        let item = &collection["item"][0];
        assert_eq!(item["name"], format!("incident {id}: createItem → 500 INTERNAL_ERROR"));
        assert_eq!(item["request"]["body"]["raw"], body.to_string());
        let base_url = &collection["variable"][0];
        assert_eq!((&base_url["key"], &base_url["value"]), (&json!("base_url"), &json!(app.config.public_url)));

        let response = admin.get(&path("curl")).await.expect(200);
        let command = String::from_utf8(response.body.to_vec()).unwrap();
        assert!(command.starts_with(&format!("printf %s '{body}' |")), "{command}");
        assert!(command.ends_with("'/v2/bucketlists/7/items?'\n"), "{command}");

        let response = admin.get(&path("har")).await.expect(200);
        assert_eq!(response.header("content-disposition"), format!("attachment; filename=\"incident-{id}.har\""));
        let entry = &response.json()["log"]["entries"][0];
        assert_eq!(entry["request"]["url"], format!("{}/v2/bucketlists/7/items?", app.config.public_url));
        assert_eq!(entry["response"]["status"], 500);

        // Each export is in the audit log.
        let events = admin.get("/v2/admin/audit?action=incident.read&per_page=100").await.expect(200).json();
        let purposes: Vec<Value> = events["data"].as_array().unwrap().iter().map(|event| event["detail"]["as"].clone()).collect();
        for purpose in ["postman", "curl", "har"] {
            assert!(purposes.contains(&json!(purpose)), "{events}");
        }
        for target in ["postman", "curl", "har"] {
            user.get(&path(target)).await.expect_error(403, "FORBIDDEN");
            app.anonymous().get(&path(target)).await.expect_error(401, "AUTHENTICATION_REQUIRED");
            admin.get(&format!("/v2/admin/incidents/999/{target}")).await.expect_error(404, "INCIDENT_NOT_FOUND");
        }
    }

    async fn truncated_request_is_exported_as_har_only(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.body_bytes = 10).build();
        let admin = app.admin().await;
        let request = fail(&admin, Method::POST, "/v2/bucketlists", Some(&json!({"name": "A long one"}))).await;
        app.flush_incidents().await;
        let path = format!("/v2/admin/incidents/{}", incident_of(&admin, &request).await["id"]);
        for target in ["postman", "curl"] {
            admin.get(&format!("{path}/{target}")).await.expect_error(409, "INCIDENT_TRUNCATED");
        }
        admin.get(&format!("{path}/har")).await.expect(200);
    }
}
