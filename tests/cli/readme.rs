//! The commands in the README work.

use std::{fs, process::Command};

use crate::support::{Sandbox, TestServer, repository_root};

/// Returns the blocks that start with ```sh tour, in order.
fn tour() -> Vec<String> {
    let text = fs::read_to_string(repository_root().join("README.md")).unwrap();
    let blocks = text.split("\n```sh tour\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}

/// Runs the blocks as one script and returns their output.
fn run_tour(server: &TestServer) -> String {
    let script = format!("set -euo pipefail\n{}\n", tour().join("\n"));
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("BASE_URL", server.url())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{}\n{out}\n{err}\n{}", output.status, server.log());
    assert_eq!(err, "");
    out
}

both_engines! {
    fn tour_can_be_repeated_against_one_server(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        let server = sandbox.serve();
        for _ in 0..2 {
            let out = run_tour(&server);
            let lines: Vec<&str> = out.lines().collect();
            // The results that the text around the blocks describes.
            assert!(lines[0].contains(r#""name":"Ada""#), "{out}");
            assert!(out.contains(r#""items_total":4,"items_done":1"#), "completed: {out}");
            let found = lines.iter().find(|line| line.contains("q=LIGHT")).unwrap();
            assert!(found.contains("northern lights") && found.contains("light of Lisbon"), "{found}");
            assert!(!found.contains("Camino"), "{found}");
            let last = lines.iter().find(|line| line.contains(r#""per_page":3,"has_more":false"#)).unwrap();
            assert!(last.contains(r#""next":null"#) && last.matches(r#""bucketlist_id""#).count() == 1, "{last}");
            assert!(lines.iter().any(|line| line.contains(r#""page":2,"per_page":3"#)), "a page of v1: {out}");
            let rejected = lines.iter().find(|line| line.contains("VALIDATION_FAILED")).unwrap();
            assert!(rejected.contains("/name") && rejected.contains("/color"), "all violations: {rejected}");
            let statuses: Vec<&str> = lines.iter().filter(|line| line.len() == 3).copied().collect();
            assert_eq!(statuses, ["422", "204", "401", "200", "412"], "{out}");
            let created: Vec<&&str> = lines.iter().filter(|line| line.starts_with("location: /v2/")).collect();
            assert!(created.len() == 2 && created[0] == created[1], "created once: {out}");
            assert_eq!(lines.iter().filter(|line| line.starts_with("idempotency-replayed: true")).count(), 1, "{out}");
            let found = lines.iter().find(|line| line.contains(r#""snippet""#)).unwrap();
            assert!(found.contains("Ride to Zürich"), "{found}");
            let file = out.split_once("id,bucketlist_id,name,").unwrap().1;
            assert!(file.contains(",Ride to Zürich,") && file.contains(",Watch the northern lights,"), "{file}");
        }
        server.stop();
    }
}

#[test]
fn tour_covers_the_main_operations() {
    let tour = tour();
    assert!(tour.len() >= 6, "{tour:?}");
    let script = tour.join("\n");
    for step in [
        "/v2/auth/register",
        "/v2/bucketlists\"",
        "/items\"",
        "-X PUT",
        "q=",
        "per_page=",
        "/v2/auth/logout",
        "Idempotency-Key",
    ] {
        assert!(script.contains(step), "{step} is missing in\n{script}");
    }
    assert!(
        script.contains("${BASE_URL:-http://localhost:8000}"),
        "without BASE_URL, the commands use the server of `make run`"
    );
}
