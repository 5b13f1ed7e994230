//! Profiles of a running server: `PROFILING` and `serve --profile`.

use std::{fs, thread};

use serde_json::json;

use crate::support::{Sandbox, TestServer};

#[test]
fn profile_of_the_whole_run_is_written_at_exit() {
    let sandbox = Sandbox::new();
    for (name, start) in [("run.svg", &b"<svg "[..]), ("run.pb.gz", &b"\x1f\x8b"[..])] {
        let server = TestServer::start(&sandbox, &["serve", "--profile", name]);
        server.register(&format!("{}@example.com", name.replace('.', "-")));
        server.stop();
        let bytes = fs::read(sandbox.path(name)).unwrap();
        assert!(bytes.starts_with(start), "{name}: {} bytes", bytes.len());
    }
    // Hashing a password is most of the work.
    assert!(sandbox.read("run.svg").contains("argon2"));
    let error = sandbox.run(&["serve", "--profile", "missing/run.svg"]).expect_error();
    assert!(error.starts_with("cannot write missing/run.svg"), "{error}");
}

#[test]
fn administrators_record_one_profile_at_a_time() {
    let sandbox = Sandbox::new().env("PROFILING", "true").env("REQUEST_TIMEOUT", "30s");
    let server = sandbox.serve();
    let login = json!({"email": "admin@example.com", "password": "bucketlist-admin"});
    let admin = server.post("/v2/auth/login", None, &login).expect(200).json();
    let admin = admin["access_token"].as_str();
    let user = server.register("ada@example.com");
    let path = "/v2/admin/profile?seconds=1";
    server.get(path, None).expect(401);
    server.get(path, Some(&user)).expect(403);
    for invalid in ["seconds=0", "seconds=31", "format=perf"] {
        server.get(&format!("/v2/admin/profile?{invalid}"), admin).expect(422);
    }
    thread::scope(|scope| {
        let long = scope.spawn(|| server.get("/v2/admin/profile?seconds=5", admin));
        // Whichever starts second is rejected.
        let short = std::iter::repeat_with(|| server.get(path, admin));
        let short = short.take_while(|_| !long.is_finished()).find(|response| response.status == 409);
        let rejected = short.unwrap_or_else(|| long.join().unwrap());
        assert_eq!(rejected.expect(409).json()["code"], "PROFILE_IN_PROGRESS");
    });
    let profile = server.get(path, admin).expect(200);
    assert!(profile.head.to_ascii_lowercase().contains("content-type: image/svg+xml"), "{}", profile.head);
    assert!(profile.body.starts_with("<svg ") && profile.body.ends_with("</svg>\n"), "{}", profile.body);
    let events = server.get("/v2/admin/audit?action=profile.recorded", admin).expect(200).json();
    assert_eq!(events["data"][0]["detail"]["seconds"], "1", "{events}");
    server.stop();
}
