//! Capture, search and resolution of incidents.

mod canaries;
mod differential;
mod exports;
mod storage;

use poem::http::Method;

use bucketlist::auth::ReplaySignatures;

use crate::support::{Actor, JWT_SECRET, TestApp, Value, json};

/// Sends a request that fails. Returns its request ID.
async fn fail(actor: &Actor<'_>, method: Method, path: &str, body: Option<&Value>) -> String {
    let request = actor.request(method, path).header("x-fault", "panic");
    let request = if let Some(body) = body { request.json(body) } else { request };
    request.send().await.expect(500).header("x-request-id").to_owned()
}

/// Retrieves the incident with this request ID.
async fn incident_of(admin: &Actor<'_>, request_id: &str) -> Value {
    let found = admin.get(&format!("/v2/admin/incidents?request_id={request_id}")).await.expect(200).json();
    let [one] = found["data"].as_array().unwrap().as_slice() else { panic!("{found}") };
    admin.get(&format!("/v2/admin/incidents/{}", one["id"])).await.expect(200).json()
}

async fn count(admin: &Actor<'_>) -> usize {
    admin.get("/v2/admin/incidents?per_page=100").await.expect(200).json()["data"].as_array().unwrap().len()
}

both_engines! {
    async fn failure_is_captured_and_found_by_request_id(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let body = "{ \"name\" :\t\"Ride to Zürich \\u0041 {{x}}\",\r\n \"due_on\": null, \"description\": \"mine: ada@firm.io\" }";
        let target = "/v2/bucketlists/7/items?";
        let response = user
            .request(Method::POST, target)
            .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
            .header("content-type", "application/json")
            .header("x-request-id", "the-request-of-a-test")
            .header("cookie", "session=1")
            .header("x-fault", "query")
            .bytes(body)
            .send()
            .await
            .expect_error(500, "INTERNAL_ERROR");
        app.flush_incidents().await;
        let incident = incident_of(&admin, "the-request-of-a-test").await;
        let expected = json!({
            "request_id": "the-request-of-a-test", "trace_id": trace, "operation": "createItem", "contract": "v2",
            "code": "INTERNAL_ERROR", "occurrences": 1, "user_id": user.id(), "role": "user", "resolved": false, "fixed_in": null,
            "received_at": "2027-01-15T08:00:00.000000Z",
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(incident[field], *value, "{field}");
        }
        assert!(incident["site"].as_str().unwrap().starts_with("the query failed: "), "{}", incident["site"]);
        let request = &incident["request"];
        assert_eq!((request["method"].as_str(), request["target"].as_str()), (Some("POST"), Some(target)));
        let captured = request["body"]["text"].as_str().unwrap();
        assert_eq!(captured.len(), body.len());
        let (before, _) = body.split_once("ada@").unwrap();
        assert!(captured.starts_with(before) && !captured.contains("ada@firm.io"), "{captured}");
        let names: Vec<&str> =
            request["headers"].as_array().unwrap().iter().map(|header| header["name"].as_str().unwrap()).collect();
        // In the order received; the test client sends Content-Length last.
        let sent = ["authorization", "traceparent", "content-type", "x-request-id", "x-fault", "content-length"];
        assert_eq!(names, sent);
        let authorization = request["headers"][0]["value"].as_str().unwrap();
        assert!(authorization.starts_with("Bearer ") && authorization.len() == user.token().len() + 7, "{authorization}");
        assert!(!authorization.contains(&user.token()));
        assert_eq!(incident["response"]["status"], 500);
        assert_eq!(incident["response"]["body"]["text"].as_str().unwrap().as_bytes(), response.body);
    }

    async fn body_of_a_rejected_request_is_captured_up_to_the_limit(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.filter = "4xx".parse().unwrap()).build();
        let admin = app.admin().await;
        let body = json!({"name": "x", "description": "y"});
        let rejected = app.anonymous().post("/v1/bucketlists", &body).await.expect(401);
        let large = json!({"name": "x".repeat(100_000)});
        let too_large = admin.post("/v1/bucketlists", &large).await.expect(422);
        app.flush_incidents().await;
        let incident = incident_of(&admin, rejected.header("x-request-id")).await;
        assert_eq!(incident["request"]["body"]["text"], body.to_string());
        assert_eq!((&incident["request"]["body"]["truncated"], &incident["user_id"]), (&json!(false), &json!(null)));
        let incident = incident_of(&admin, too_large.header("x-request-id")).await;
        assert_eq!(incident["request"]["body"]["truncated"], true);
        assert_eq!(incident["request"]["body"]["text"].as_str().unwrap().len(), 65_536);
    }

    async fn only_selected_failures_are_captured(engine: Engine) {
        let captured = async |selection: &str| {
            let app = TestApp::builder().engine(engine).config(|config| config.incidents.limits.filter = selection.parse().unwrap()).build();
            let admin = app.admin().await;
            fail(&admin, Method::GET, "/v1/bucketlists", None).await;
            admin.get("/v2/users/me?x=1").await.expect(422);
            admin.get("/v2/nowhere").await.expect(404);
            admin.get("/nowhere").await.expect(404);
            admin.get("/health/ready").await.expect(200);
            app.flush_incidents().await;
            count(&admin).await
        };
        for (selection, expected) in
            [("off", 0), ("5xx", 1), ("4xx,5xx", 4), ("404", 2), ("UNKNOWN_PARAMETER", 1), ("503", 0)]
        {
            assert_eq!(captured(selection).await, expected, "{selection}");
        }
    }

    async fn administrator_can_request_the_capture_of_a_response(engine: Engine) {
        let app = TestApp::new(engine);
        let (admin, user) = (app.admin().await, app.user().await);
        let request_capture = async |actor: &Actor<'_>| {
            let response = actor.request(Method::GET, "/v2/users/me").header("x-debug-capture", "1").send().await.expect(200);
            (response.header("x-request-id").to_owned(), response.header("x-debug-captured").to_owned())
        };
        let ((captured, result), ignored) = (request_capture(&admin).await, request_capture(&user).await);
        assert_eq!((result.as_str(), ignored.1.as_str()), ("1", "0"));
        app.flush_incidents().await;
        assert_eq!(count(&admin).await, 1);
        let incident = incident_of(&admin, &captured).await;
        assert_eq!((&incident["response"]["status"], &incident["code"]), (&json!(200), &json!(null)));
        let text = incident["response"]["body"]["text"].as_str().unwrap();
        assert!(!text.contains(&admin.email().split('@').next().unwrap().to_owned()), "{text}");
        for value in ["0", "true", "yes", ""] {
            admin.request(Method::GET, "/v2/users/me").header("x-debug-capture", value).send().await.expect(200);
        }
        app.flush_incidents().await;
        assert_eq!(count(&admin).await, 1, "only `1` requests a capture");
    }

    async fn captured_success_is_not_a_failure(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        admin.request(Method::GET, "/v2/users/me").header("x-debug-capture", "1").send().await.expect(200);
        fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.flush_incidents().await;
        let listed = async |path: &str| {
            let page = admin.get(path).await.expect(200).json();
            let statuses: Vec<i64> = page["data"].as_array().unwrap().iter().map(|one| one["status"].as_i64().unwrap()).collect();
            (statuses.len(), statuses.contains(&200))
        };
        for path in ["/v2/admin/incident-groups", "/v2/admin/incidents"] {
            assert_eq!(listed(path).await, (2, true), "{path}");
            assert_eq!(listed(&format!("{path}?resolved=false")).await, (1, false), "{path}");
            assert_eq!(listed(&format!("{path}?resolved=true")).await, (0, false), "{path}");
        }
        let groups = admin.get("/v2/admin/incident-groups?status=200").await.expect(200).json();
        assert_eq!((&groups["data"][0]["state"], &groups["data"][0]["resolved"]), (&json!("captured"), &json!(false)));
        let groups = admin.get("/v2/admin/incident-groups?status=500").await.expect(200).json();
        assert_eq!(groups["data"][0]["state"], "unresolved");
    }

    async fn replay_is_neither_captured_nor_counted(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let failed = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        let replay = async |signature: &str| {
            let request = admin.request(Method::GET, "/v2/bucketlists/1").header("x-fault", "panic");
            let request = request.header("x-debug-capture", "1").header("x-replay-signature", signature);
            request.send().await.expect(500);
        };
        let signatures = ReplaySignatures::new(&JWT_SECRET.into(), &[], app.clock.clone());
        replay(&signatures.issue()).await;
        app.flush_incidents().await;
        assert_eq!((count(&admin).await, &incident_of(&admin, &failed).await["occurrences"]), (1, &json!(1)));
        // Only a server of the deployment can sign, and only for a minute.
        let foreign = ReplaySignatures::new(&"another secret".into(), &[], app.clock.clone());
        let old = signatures.issue();
        app.advance_clock(std::time::Duration::from_secs(61));
        for signature in ["1", "true", &foreign.issue(), &old] {
            replay(signature).await;
        }
        app.flush_incidents().await;
        let incident = incident_of(&admin, &failed).await;
        assert_eq!((count(&admin).await, &incident["occurrences"]), (5, &json!(5)));
        let headers = incident["request"]["headers"].as_array().unwrap();
        assert!(!headers.iter().any(|header| header["name"] == "x-replay-signature"), "{headers:?}");
        app.flush_usage().await;
        let usage = admin.get("/v2/admin/usage?group_by=operation&operation=getBucketlist").await.expect(200).json();
        assert_eq!(usage["data"][0]["requests"], 5, "the replay is not usage of the API");
    }

    async fn equal_failures_form_a_group_that_can_be_resolved(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let first = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.advance_clock(std::time::Duration::from_secs(5));
        fail(&admin, Method::GET, "/v2/bucketlists/2?include=items", None).await;
        fail(&admin, Method::DELETE, "/v2/bucketlists/2", None).await;
        app.flush_incidents().await;
        let groups = admin.get("/v2/admin/incident-groups").await.expect(200).json();
        let of = |groups: &Value, operation: &str| {
            groups["data"].as_array().unwrap().iter().find(|group| group["operation"] == operation).unwrap().clone()
        };
        assert_eq!(groups["data"].as_array().unwrap().len(), 2);
        let group = of(&groups, "getBucketlist");
        assert_eq!(group["occurrences"], 2);
        assert_eq!(group["first_seen_at"], "2027-01-15T08:00:00.000000Z");
        assert_eq!(group["last_seen_at"], "2027-01-15T08:00:05.000000Z");
        let incident = incident_of(&admin, &first).await;
        let path = format!("/v2/admin/incidents/{}", incident["id"]);
        let fixed = admin.patch(&path, &json!({"resolved": true, "fixed_in": "0.2.0"})).await.expect(200).json();
        assert_eq!((&fixed["resolved"], &fixed["fixed_in"]), (&json!(true), &json!("0.2.0")));
        let listed = async |query: &str| {
            let found = admin.get(&format!("/v2/admin/incidents?{query}")).await.expect(200).json();
            found["data"].as_array().unwrap().len()
        };
        assert_eq!((listed("resolved=true").await, listed("resolved=false").await), (2, 1), "includes equal incidents");
        let fingerprint = group["fingerprint"].as_str().unwrap();
        for (query, expected) in [
            ("operation=getBucketlist".to_owned(), 2),
            ("operation=getBucketlist&resolved=false".to_owned(), 0),
            (format!("fingerprint={fingerprint}"), 2),
            ("status=500".to_owned(), 3),
            ("status=503".to_owned(), 0),
            ("code=INTERNAL_ERROR&per_page=2".to_owned(), 2),
            ("received_after=2027-01-15T08:00:01Z".to_owned(), 2),
        ] {
            assert_eq!(listed(&query).await, expected, "{query}");
        }
        // The failure occurs again: the group is no longer resolved.
        fail(&admin, Method::GET, "/v2/bucketlists/3", None).await;
        app.flush_incidents().await;
        let group = of(&admin.get("/v2/admin/incident-groups?resolved=false").await.expect(200).json(), "getBucketlist");
        assert_eq!((&group["occurrences"], &group["fixed_in"]), (&json!(3), &json!("0.2.0")));
        let open = admin.patch(&path, &json!({"resolved": false})).await.expect(200).json();
        assert_eq!((&open["resolved"], &open["fixed_in"]), (&json!(false), &json!(null)));
        admin.delete(&path).await.expect(204);
        let audited = admin.get("/v2/admin/audit?target_type=incident").await.expect(200).json();
        let actions: Vec<&str> =
            audited["data"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
        let read = "incident.read";
        assert_eq!(actions, ["incident.deleted", read, "incident.resolved", read, "incident.resolved", read], "newest first");
        admin.get(&path).await.expect_error(404, "INCIDENT_NOT_FOUND");
        admin.delete(&path).await.expect_error(404, "INCIDENT_NOT_FOUND");
        admin.patch(&path, &json!({})).await.expect_error(404, "INCIDENT_NOT_FOUND");
    }

    async fn regressed_group_does_not_inherit_the_failed_fix(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let request = fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
        app.flush_incidents().await;
        let path = format!("/v2/admin/incidents/{}", incident_of(&admin, &request).await["id"]);
        let patch = async |body: Value| {
            let incident = admin.patch(&path, &body).await.expect(200).json();
            (incident["resolved"].clone(), incident["fixed_in"].clone())
        };
        assert_eq!(patch(json!({"resolved": true, "fixed_in": "0.2.0"})).await, (json!(true), json!("0.2.0")));
        assert_eq!(patch(json!({"resolved": true})).await, (json!(true), json!("0.2.0")), "still resolved");
        for version in [json!(null), json!("0.3.0")] {
            fail(&admin, Method::GET, "/v2/bucketlists/1", None).await;
            app.flush_incidents().await;
            let incident = admin.get(&path).await.expect(200).json();
            assert_eq!(incident["resolved"], json!(false));
            if version.is_null() {
                assert_eq!(incident["fixed_in"], json!("0.2.0"), "fixed_in is the version of the failure");
                assert_eq!(patch(json!({"resolved": true})).await, (json!(true), json!(null)));
                patch(json!({"fixed_in": "0.2.1"})).await;
            } else {
                assert_eq!(patch(json!({"fixed_in": version})).await, (json!(false), version.clone()));
                assert_eq!(patch(json!({"resolved": true})).await, (json!(true), version));
            }
        }
    }

    async fn pages_contain_each_incident_once(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for list in 1..=7 {
            fail(&admin, Method::GET, &format!("/v2/bucketlists/{list}"), None).await;
        }
        app.flush_incidents().await;
        let (mut next, mut targets) = (Some("/v2/admin/incidents?per_page=3&status=500".to_owned()), Vec::new());
        while let Some(path) = next {
            let page = admin.get(&path).await.expect(200).json();
            for row in page["data"].as_array().unwrap() {
                let whole = admin.get(&format!("/v2/admin/incidents/{}", row["id"])).await.expect(200).json();
                targets.push(whole["request"]["target"].as_str().unwrap().to_owned());
            }
            next = page["links"]["next"].as_str().map(str::to_owned);
        }
        let expected: Vec<String> = (1..=7).rev().map(|list| format!("/v2/bucketlists/{list}")).collect();
        assert_eq!(targets, expected);
        let page = admin.get("/v2/admin/incidents?per_page=3&status=500").await.expect(200).json();
        // A valid cursor is not masked.
        let next = page["links"]["next"].as_str().unwrap();
        let request = fail(&admin, Method::GET, next, None).await;
        app.flush_incidents().await;
        assert_eq!(incident_of(&admin, &request).await["request"]["target"], next);
        let cursor = page["links"]["next"].as_str().unwrap().rsplit_once("cursor=").unwrap().1.to_owned();
        let foreign = admin.get(&format!("/v2/admin/incidents?status=503&cursor={cursor}")).await;
        foreign.expect_error(400, "INVALID_CURSOR");
    }
}
