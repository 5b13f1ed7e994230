//! The README's tour, word for word.

use std::{fs, process::Command};

use crate::support::{Sandbox, TestServer, repository_root};

/// The blocks that begin with ```sh tour, in order.
fn tour() -> Vec<String> {
    let text = fs::read_to_string(repository_root().join("README.md")).unwrap();
    let blocks = text.split("\n```sh tour\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}

/// What the blocks print, run as one script.
fn walk(server: &TestServer) -> String {
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
    fn the_tour_works_twice_in_a_row_against_one_server(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        let server = sandbox.serve();
        for _ in 0..2 {
            let out = walk(&server);
            let lines: Vec<&str> = out.lines().collect();
            // The promises that the prose around the blocks makes.
            assert!(lines[0].contains(r#""name":"Ada""#), "{out}");
            assert!(out.contains(r#""items_total":4,"items_done":1"#), "ticked: {out}");
            let found = lines.iter().find(|line| line.contains("q=LIGHT")).unwrap();
            assert!(found.contains("northern lights") && found.contains("light of Lisbon"), "{found}");
            assert!(!found.contains("Camino"), "{found}");
            let paged = lines.iter().find(|line| line.contains(r#""page":2,"per_page":3"#)).unwrap();
            assert!(paged.contains(r#""total":4"#) && paged.contains("Lisbon") && !paged.contains("Camino"), "{paged}");
            let refused = lines.iter().find(|line| line.contains("VALIDATION_FAILED")).unwrap();
            assert!(refused.contains("/name") && refused.contains("/colour"), "all mistakes at once: {refused}");
            let statuses: Vec<&str> = lines.iter().filter(|line| line.len() == 3).copied().collect();
            assert_eq!(statuses, ["422", "204", "401", "200", "412"], "{out}");
            let made: Vec<&&str> = lines.iter().filter(|line| line.starts_with("location: /v2/")).collect();
            assert!(made.len() == 2 && made[0] == made[1], "made once: {out}");
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
fn the_tour_covers_what_the_readme_says_it_does() {
    let tour = tour();
    assert!(tour.len() >= 6, "{tour:?}");
    let script = tour.join("\n");
    for step in [
        "/v1/auth/register",
        "/v1/bucketlists\"",
        "/items\"",
        "-X PUT",
        "q=",
        "page=",
        "/v1/auth/logout",
        "Idempotency-Key",
    ] {
        assert!(script.contains(step), "{step} is not in\n{script}");
    }
    assert!(
        script.contains("${BASE_URL:-http://localhost:8000}"),
        "pasted into a shell it goes to `make run`'s server"
    );
}
