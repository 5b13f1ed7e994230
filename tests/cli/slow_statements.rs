//! `SLOW_QUERY`: slow statements are in the log with their plan, and without values.

use serde_json::{Value, json};

use crate::support::{Engine, Sandbox};

/// Returns the log lines about slow statements.
fn slow_statements(log: &str) -> Vec<Value> {
    // The server may be writing the last line.
    let complete = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let lines = complete.filter(|line| line.contains("\"slow statement\""));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

both_engines! {
    fn slow_statement_is_logged_once_with_its_plan(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("LOG_FORMAT", "json").env("LOG_LEVEL", "info").env("SLOW_QUERY", "1ms");
        let _ = sandbox.run(&["seed"]).expect_exit_code(0);
        // Comparing so many addresses and names takes longer than a millisecond.
        let dummy = ["seed", "--dummy", "--users", "20000", "--lists", "0", "--items", "0", "--rng-seed", "1"];
        let _ = sandbox.run(&dummy).expect_exit_code(0);
        let server = sandbox.serve();
        let login = json!({"email": "admin@example.com", "password": "bucketlist-admin"});
        let session = server.post("/v2/auth/login", None, &login).expect(200).json();
        for _ in 0..3 {
            server.get("/v2/admin/users?q=canary", session["access_token"].as_str()).expect(200);
        }
        let is_search = |line: &Value| {
            let statement = line["statement"].as_str().unwrap().to_ascii_lowercase();
            statement.starts_with("select") && statement.contains("users") && statement.contains("like")
        };
        // On a slow machine, other statements are in the log, too.
        server.wait_for_log("the search", |log| slow_statements(log).iter().any(is_search));
        let lines = slow_statements(&server.log());
        let searches: Vec<&Value> = lines.iter().filter(|line| is_search(line)).collect();
        let [line] = searches[..] else { panic!("{searches:#?}") };
        assert_eq!(line["level"], "WARN");
        assert!(line["duration_ms"].as_u64().is_some_and(|duration| duration >= 1), "{line}");
        let plan = line["plan"].as_str().unwrap_or_else(|| panic!("{line}"));
        let expected = if engine == Engine::Sqlite { "users" } else { "Scan" };
        assert!(plan.contains(expected), "{plan}");
        assert!(line["span"]["id"].is_string(), "names the request: {line}");
        assert!(!server.log().contains("canary"), "{}", server.log());
        server.stop();
    }

    fn zero_disables_the_log(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("LOG_FORMAT", "json").env("LOG_LEVEL", "warn").env("SLOW_QUERY", "0s");
        let server = sandbox.serve();
        server.register("ada@example.com");
        assert!(slow_statements(&server.log()).is_empty(), "{}", server.log());
        server.stop();
    }
}
