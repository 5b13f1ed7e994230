//! `bucketlist api-client`.

use serde_json::{Value, json};

use crate::support::Sandbox;

/// Returns the key in the output of `create` or `rotate`.
fn key(output: &str) -> &str {
    output.trim_end().rsplit(' ').next().unwrap()
}

/// Returns a sandbox with an account.
fn sandbox(engine: crate::support::Engine) -> Sandbox {
    let sandbox = Sandbox::on(engine).env("APP_ENV", "testing");
    let create = ["user", "create", "ada@example.com", "--password-stdin"];
    sandbox.run_with(&create, "harbour-lantern-42").expect_success();
    sandbox
}

both_engines! {
    fn keys_are_created_rotated_and_revoked_while_the_server_runs(engine: Engine) {
        let sandbox = sandbox(engine);
        let server = sandbox.serve();
        let status = |key: &str| server.get("/v2/bucketlists", Some(key)).status;
        let arguments = ["api-client", "create", "Nightly sync", "--user", "ADA@example.com", "--scope", "read,write"];
        let created = sandbox.run(&arguments).expect_success();
        assert!(created.starts_with("Created API client Nightly sync with ID 1, acting for ada@example.com.\n"), "{created}");
        assert_eq!(status(key(&created)), 200);

        let rotated = sandbox.run(&["api-client", "rotate", "1", "--overlap", "3600"]).expect_success();
        assert_eq!((status(key(&created)), status(key(&rotated))), (200, 200));
        let last = sandbox.run(&["api-client", "rotate", "1", "--overlap", "0"]).expect_success();
        assert_eq!([key(&created), key(&rotated), key(&last)].map(status), [401, 401, 200]);

        let listed = sandbox.run(&["api-client", "list", "--format", "json"]).expect_success();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let client = &listed[0];
        assert_eq!((&client["name"], &client["scopes"]), (&json!("Nightly sync"), &json!(["read", "write"])));
        assert_eq!(client["contact_email"], "ada@example.com");
        let last_used_at = client["last_used_at"].as_str().unwrap();
        assert_eq!(last_used_at.len(), "2026-01-31T12:00:00.000000Z".len(), "{last_used_at}");
        let path = "/v2/users/me";
        let run_json = |arguments: &[&str]| -> Value {
            serde_json::from_str(&sandbox.run(arguments).expect_success()).unwrap()
        };
        let arguments = ["api-client", "create", "JSON", "--user", "ada@example.com", "--scope", "read", "--format", "json"];
        let other = run_json(&arguments);
        assert_eq!((&other["name"], &other["scopes"]), (&json!("JSON"), &json!(["read"])));
        server.get(path, other["key"].as_str()).expect(200);
        let id = other["id"].to_string();
        let replaced = run_json(&["api-client", "rotate", &id, "--overlap", "0", "--format", "json"]);
        assert!(replaced["previous_valid_until"].as_str().unwrap().ends_with('Z'), "{replaced}");
        assert_eq!(server.get(path, other["key"].as_str()).status, 401);
        server.get(path, replaced["key"].as_str()).expect(200);
        sandbox.run(&["api-client", "revoke", &id]).expect_success();
        let text = sandbox.run(&["api-client", "list"]).expect_success();
        assert!(text.contains("Nightly sync") && text.contains("read write"), "{text}");
        let random = &key(&last)[13..];
        assert!(!text.contains(random) && !listed.to_string().contains(random), "{text}");

        let revoked = sandbox.run(&["api-client", "revoke", "1"]).expect_success();
        assert_eq!(revoked, "Deleted API client 1 and revoked its keys.\n");
        assert_eq!(status(key(&last)), 401);
        assert_eq!(sandbox.run(&["api-client", "list"]).expect_success(), "No API clients.\n");
        server.stop();
    }
}

#[test]
fn mistakes_are_reported_with_their_fix() {
    let sandbox = sandbox(crate::support::Engine::Sqlite);
    let create = |arguments: &[&str]| sandbox.run(&[&["api-client", "create"], arguments].concat());
    let error = create(&["Sync", "--user", "bob@example.com", "--scope", "read"]).expect_error();
    assert_eq!(error, "user bob@example.com does not exist");
    let arguments = ["Sync", "--user", "ada@example.com", "--scope", "read", "--expires-at"];
    for time in ["9999-12-31T23:59:59-01:00", "tomorrow"] {
        let error = create(&[&arguments[..], &[time]].concat()).expect_exit_code(2).err;
        assert!(error.contains("must be a time such as 2027-01-31T00:00:00Z, in the years 1 to 9999"), "{error}");
    }
    let error = create(&[&arguments[..], &["2000-01-01T00:00:00Z"]].concat()).expect_error();
    assert_eq!(error, "--expires-at must be in the future");
    let error = create(&[" ", "--user", "ada@example.com", "--scope", "read"]).expect_error();
    assert_eq!(error, "invalid name: must not be empty");
    let error = create(&["A\nB", "--user", "ada@example.com", "--scope", "read"]).expect_error();
    assert_eq!(error, "invalid name: must not contain control characters or line breaks");
    for (arguments, expected) in [
        (&["Sync", "--user", "ada@example.com", "--scope", "everything"][..], "everything"),
        (&["Sync", "--user", "ada@example.com"], "--scope"),
        (&["Sync", "--user", "ada@example.com", "--scope", "read", "--rate-limit", "0"], "--rate-limit"),
        (
            &["Sync", "--user", "ada@example.com", "--scope", "read", "--expires-at", "tomorrow"],
            "must be a time such as",
        ),
    ] {
        let outcome = create(arguments).expect_exit_code(2);
        assert!(outcome.err.contains(expected), "{outcome:?}");
    }
    for action in ["rotate", "revoke"] {
        let error = sandbox.run(&["api-client", action, "7"]).expect_error();
        assert_eq!(error, "API client 7 does not exist\nhelp: run `bucketlist api-client list`");
    }
}
