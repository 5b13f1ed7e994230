//! `bucketlist openapi coverage`: documented responses that a record does not contain.

use contract::{v1, v2};
use openapi_model::Coverage;

use crate::support::Sandbox;

/// Returns a record of every documented response, each recorded twice.
fn complete_record() -> Vec<String> {
    let operations = v1::contract().operations().chain(v2::contract().operations());
    let lines = operations.flat_map(|operation| {
        operation
            .documented_responses()
            .map(|(status, media_type)| Coverage::record_line(operation, status, media_type))
    });
    lines.flat_map(|line| [line.clone(), line]).collect()
}

fn sandbox_with(record: &[String]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("seen", &record.join("\n"));
    sandbox
}

#[test]
fn complete_record_exits_with_0_and_prints_a_matrix() {
    let sandbox = sandbox_with(&complete_record());
    let out = sandbox.run(&["openapi", "coverage", "seen"]).expect_success();
    let head = out.lines().next().unwrap();
    assert!(head.starts_with("v1 ") && head.contains("    200    201    202    204    400"), "{out}");
    let row = out.lines().find(|line| line.starts_with("getMe ")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("2"), "{out}");
    assert!(!out.contains("MISS") && !out.contains("not received"), "{out}");
    for version in ["v1", "v2"] {
        let sum = out.lines().find(|line| line.starts_with(&format!("{version}: "))).unwrap();
        let words: Vec<&str> = sum.split_whitespace().collect();
        assert!(words[1] == words[3] && words[1].parse::<usize>().unwrap() > 200, "{sum}");
    }
}

#[test]
fn missing_responses_are_listed_and_exit_with_4() {
    let mut record = complete_record();
    record.retain(|line| {
        !line.starts_with("GET /v2/bucketlists 200 text/csv") && !line.starts_with("POST /v1/auth/logout 204")
    });
    let outcome = sandbox_with(&record).run(&["openapi", "coverage", "seen"]).expect_exit_code(4);
    let missing: Vec<&str> = outcome.out.lines().filter(|line| line.starts_with("not received")).collect();
    assert_eq!(missing, ["not received: logout 204", "not received: listBucketlists 200 as text/csv"]);
    assert_eq!(outcome.out.matches("MISS").count(), 2, "{}", outcome.out);
    assert_eq!(outcome.err, "");
}

#[test]
fn unusable_record_is_rejected_with_one_error_line() {
    let mut stale = complete_record();
    stale.push("GET /v1/trips 200 application/json".to_owned());
    for (record, expected) in [
        (vec![], "the record is empty"),
        (stale, "no document contains the response `GET /v1/trips 200 application/json`"),
        (vec!["b".to_owned(), "a".to_owned()], "no document contains 2 of its responses (a; b)"),
    ] {
        let error = sandbox_with(&record).run(&["openapi", "coverage", "seen"]).expect_error();
        assert_eq!(error, format!("cannot use seen: {expected}\nhelp: run `make coverage-contract`"));
    }
    let error = Sandbox::new().run(&["openapi", "coverage", "seen"]).expect_error();
    assert!(error.starts_with("cannot use seen: no such file"), "{error}");
}
