//! SIGHUP reloads settings and does not stop the server.

use serde_json::json;

use crate::support::Sandbox;

/// Creates a sandbox whose settings are in `.env`, because the environment of a process cannot change.
fn sandbox() -> Sandbox {
    Sandbox::new().without("LOG_LEVEL").env("APP_ENV", "testing")
}

#[test]
fn hang_up_reloads_the_log_level_and_the_limits() {
    let sandbox = sandbox();
    sandbox.write(".env", "LOG_LEVEL=error\nBODY_LIMIT=1024\nRATE_LIMIT_LOGIN=1\n");
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    let list = json!({"name": "a", "description": "x".repeat(950), "unknown": "x".repeat(100)});
    let login = json!({"email": "grace@example.com", "password": "harbour-lantern-42"});
    server.post("/v1/bucketlists", Some(&token), &list).expect(413);
    server.post("/v1/auth/login", None, &login).expect(401);
    server.post("/v1/auth/login", None, &login).expect(429);
    assert_eq!(server.log(), "");

    sandbox.write(".env", "LOG_LEVEL=info\nBODY_LIMIT=4096\nRATE_LIMIT_LOGIN=50\nEXPORT_TTL=2d\nRATE_LIMIT_LOGNI=9\n");
    server.signal("HUP");
    server.wait_until_logged("settings reloaded");
    server.post("/v1/bucketlists", Some(&token), &list).expect(422);
    server.post("/v1/auth/login", None, &login).expect(401);
    let log = server.log();
    assert!(log.contains("changed setting requires a restart") && log.contains("EXPORT_TTL"), "{log}");
    assert!(!log.contains("\"variable\":\"BODY_LIMIT\""), "{log}");
    assert!(log.contains("it may be misspelled") && log.contains("RATE_LIMIT_LOGNI"), "{log}");
    server.stop();
}

#[test]
fn invalid_settings_are_not_applied() {
    let sandbox = sandbox();
    sandbox.write(".env", "LOG_LEVEL=info\nBODY_LIMIT=1024\n");
    let server = sandbox.serve();
    for (file, problem) in [("BODY_LIMIT=4096\nREQUEST_TIMEOUT=soon\n", "REQUEST_TIMEOUT"), ("= 1\n", ".env")] {
        sandbox.write(".env", file);
        server.signal("HUP");
        server.wait_until_logged("cannot reload settings; keeping the previous ones");
        server.wait_until_logged(problem);
        let body = json!({"email": "ada@example.com", "password": "x".repeat(2000)});
        server.post("/v1/auth/login", None, &body).expect(413);
    }
    server.stop();
}
