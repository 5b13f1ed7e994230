//! JSON Merge Patch (RFC 7396): absent fields do not change, null clears and a value replaces.

use poem::http::Method;

use crate::support::{TestApp, json};

both_engines! {
    async fn absent_keeps_null_clears_and_value_replaces(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "See the world", "description": "All of it."});
        let list = user.post("/v2/bucketlists", &body).await.expect(201);
        let path = list.header("location").to_owned();
        let patch = |body| user.request(Method::PATCH, &path).merge_patch(&body).send();

        let renamed = patch(json!({"name": "See it all"})).await.expect(200).json();
        assert_eq!((&renamed["name"], &renamed["description"]), (&json!("See it all"), &json!("All of it.")));
        let cleared = patch(json!({"description": null})).await.expect(200).json();
        assert_eq!((&cleared["name"], &cleared["description"]), (&json!("See it all"), &json!(null)));
        // A patch without changes does not update the resource.
        for unchanged in [json!({}), json!({"name": "See it all"}), json!({"description": null})] {
            app.advance_clock(std::time::Duration::from_secs(1));
            assert_eq!(patch(unchanged).await.expect(200).json(), cleared);
        }
        patch(json!({"name": null})).await.expect_error(422, "VALIDATION_FAILED");
        patch(json!({"color": "red"})).await.expect_error(422, "UNKNOWN_FIELD");
        assert_eq!(user.get(&path).await.expect(200).json()["name"], "See it all");
    }

    async fn patch_without_changes_keeps_the_item_unmodified(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("a").await;
        let body = json!({"name": "x", "description": "y", "done": true, "due_on": "2030-01-01"});
        let item = user.post(&format!("/v2/bucketlists/{list}/items"), &body).await.expect(201);
        let path = item.header("location").to_owned();
        let patch = |body| user.request(Method::PATCH, &path).merge_patch(&body).send();
        app.advance_clock(std::time::Duration::from_secs(1));
        for unchanged in [json!({}), body.clone()] {
            let response = patch(unchanged).await.expect(200);
            assert_eq!((response.json(), response.header("etag")), (item.json(), item.header("etag")));
        }
        let cleared = patch(json!({"due_on": null, "done": false})).await.expect(200).json();
        assert_eq!((&cleared["due_on"], &cleared["done_at"], &cleared["name"]), (&json!(null), &json!(null), &json!("x")));
        assert_ne!(cleared["updated_at"], item.json()["updated_at"]);
    }

    async fn every_patch_accepts_json_and_merge_patch(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let list = format!("/v2/bucketlists/{}", admin.create_bucketlist("a").await);
        let item = admin.post(&format!("{list}/items"), &json!({"name": "b"})).await.expect(201);
        let user = format!("/v2/admin/users/{}", app.user().await.id());
        let incident = format!("/v2/admin/incidents/{}", admin.capture_incident().await);
        let (name, disabled, resolved) = (json!({"name": "c"}), json!({"disabled": false}), json!({"resolved": true}));
        let paths = [
            (list.as_str(), &name),
            (item.header("location"), &name),
            ("/v2/users/me", &name),
            (&user, &disabled),
            (&incident, &resolved),
            ("/v1/users/me", &name),
        ];
        for (path, body) in paths {
            admin.request(Method::PATCH, path).json(body).send().await.expect(200);
            let patched = admin.request(Method::PATCH, path).merge_patch(body).send().await.expect(200);
            assert_eq!(patched.header("accept-patch"), "application/json, application/merge-patch+json", "{path}");
            let request = admin.request(Method::PATCH, path).header("content-type", "text/plain").bytes(body.to_string());
            let rejected = request.send().await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            assert_eq!(rejected.header("accept-patch"), "application/json, application/merge-patch+json", "{path}");
        }
        // Only a PATCH takes a merge patch.
        let post = admin.request(Method::POST, "/v2/bucketlists").merge_patch(&name).send().await;
        post.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        let options = admin.request(Method::OPTIONS, &list).send().await.expect(204);
        assert_eq!(options.header("accept-patch"), "application/json, application/merge-patch+json");
        assert_eq!(options.header("allow"), "DELETE, GET, HEAD, OPTIONS, PATCH, PUT");
    }
}
