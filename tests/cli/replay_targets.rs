//! Replays of incidents in the API, on servers of the configuration.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::{Engine, Sandbox, TestResponse, TestServer, connect};

/// Of the servers of one deployment.
const SECRET: &str = "the-secret-of-one-deployment-in-this-test";

/// Logs in as the administrator of the sample data. Returns a token.
fn sample_admin_token(server: &TestServer) -> String {
    let login = json!({"email": "admin@example.com", "password": "bucketlist-admin"});
    let session = server.post("/v2/auth/login", None, &login).expect(200).json();
    session["access_token"].as_str().unwrap().to_owned()
}

/// Creates a bucketlist with a fault. Returns the request ID.
fn fail(server: &TestServer, token: &str) -> String {
    let body = r#"{"name": "See the world"}"#;
    let mut stream = connect(server.address).unwrap();
    let request = format!(
        "POST /v2/bucketlists HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nx-fault: internal\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let failure = TestResponse::read(stream).unwrap().expect(500).json();
    failure["request_id"].as_str().unwrap().to_owned()
}

/// Waits until the incident is stored: incidents are stored after the response was sent.
fn incident_id(server: &TestServer, admin: &str, request_id: &str) -> Value {
    let path = format!("/v2/admin/incidents?request_id={request_id}");
    let find = |_| server.get(&path, Some(admin)).expect(200).json()["data"][0]["id"].clone();
    (0..10_000).map(find).find(|id| !id.is_null()).expect("the incident is stored")
}

/// A server that fails on request, and others that incidents are replayed on.
fn testing(engine: Engine) -> Sandbox {
    Sandbox::on(engine).env("APP_ENV", "testing").env("RATE_LIMIT", "off")
}

both_engines! {
    fn incident_is_replayed_on_a_configured_server(engine: Engine) {
        // Faults exist in the testing environment only: in development, the failure is fixed.
        let fixed = Sandbox::on(engine).env("RATE_LIMIT", "off");
        let fixed = (fixed.serve(), fixed);
        let fixed_admin = sample_admin_token(&fixed.0);
        let broken = testing(engine).env("JWT_SECRET", SECRET);
        let broken = (broken.serve(), broken);
        let with_admin = fixed.0.url().replace("http://", "http://admin%40example.com:bucketlist-admin@");
        let targets = format!("fixed={with_admin}, broken={}, gone=http://127.0.0.1:1", broken.0.url());
        let sandbox = testing(engine).env("JWT_SECRET", SECRET).env("REPLAY_TARGETS", &targets);
        let server = sandbox.serve();
        let (user, admin) = (server.register("ada@example.com"), server.create_admin(&sandbox));

        let listed = server.get("/v2/admin/replay-targets", Some(&admin)).expect(200);
        assert!(!listed.body.contains("bucketlist-admin") && !listed.body.contains("admin%40"), "{}", listed.body);
        let names: Vec<Value> = listed.json()["data"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["broken", "fixed", "gone"]);

        let id = incident_id(&server, &admin, &fail(&server, &user));
        let path = format!("/v2/admin/incidents/{id}/replay");
        let replay = |target: &str| server.post(&path, Some(&admin), &json!({"target": target})).expect(200).json();
        let outcome = replay("broken");
        assert_eq!((&outcome["result"], &outcome["differences"]), (&json!("reproduced"), &json!([])), "{outcome}");
        // A server with the same secret recognizes the replay: it is not an occurrence, and its account receives no mail.
        let broken_admin = broken.0.create_admin(&broken.1);
        incident_id(&broken.0, &broken_admin, &fail(&broken.0, &broken_admin));
        let incidents = broken.0.get("/v2/admin/incidents", Some(&broken_admin)).expect(200).json();
        assert_eq!(incidents["data"].as_array().unwrap().len(), 1, "{incidents}");
        let mails = broken.0.get("/v2/admin/jobs?kind=welcome_mail", Some(&broken_admin)).expect(200).json();
        assert_eq!(mails["data"], json!([]));
        let outcome = replay("fixed");
        assert_eq!((&outcome["result"], &outcome["replayed"]), (&json!("fixed"), &json!({"status": 201, "code": null})), "{outcome}");
        assert_eq!(outcome["captured"], json!({"status": 500, "code": "INTERNAL_ERROR"}));
        let body = outcome["replayed_body"]["text"].as_str().unwrap();
        assert!(body.contains("See the world") && outcome["replayed_request_id"].is_string(), "{outcome}");
        assert_eq!(outcome["differences"][0], json!({"location": "status", "captured": "500", "replayed": "201"}));
        assert_eq!(outcome["target"], json!({"name": "fixed", "url": fixed.0.url()}));
        let outcome = replay("gone");
        assert_eq!(outcome["result"], "not_sent");
        assert_eq!((&outcome["replayed_body"], &outcome["replayed_request_id"]), (&json!(null), &json!(null)));
        assert!(outcome["reason"].as_str().unwrap().contains("cannot connect to http://127.0.0.1:1"), "{outcome}");

        // A request of an administrator needs one on the other server.
        let id = incident_id(&server, &admin, &fail(&server, &admin));
        let path = format!("/v2/admin/incidents/{id}/replay");
        let replay = |target: &str| server.post(&path, Some(&admin), &json!({"target": target})).expect(200).json();
        assert_eq!(replay("fixed")["result"], "fixed");
        let outcome = replay("broken");
        assert_eq!(outcome["result"], "not_sent");
        assert!(outcome["reason"].as_str().unwrap().contains("contains no administrator of broken"), "{outcome}");

        // The accounts and the bucketlists of the replays are deleted.
        let users = fixed.0.get("/v2/admin/users?q=replay", Some(&fixed_admin)).expect(200).json();
        assert_eq!(users["data"], json!([]));
        let lists = fixed.0.get("/v2/bucketlists?q=See%20the%20world", Some(&fixed_admin)).expect(200).json();
        assert_eq!(lists["data"], json!([]));
        let events = server.get("/v2/admin/audit?action=incident.replayed", Some(&admin)).expect(200).json();
        assert_eq!((events["data"].as_array().unwrap().len(), &events["data"][0]["detail"]), (5, &json!({"target": "broken"})));
    }
}
