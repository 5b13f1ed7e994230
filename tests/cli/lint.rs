//! `bucketlist openapi lint` and `bucketlist openapi rules`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Sandbox, repository_root};

/// Creates a sandbox with `v1.json`, in which two operations share an operationId, one has no summary, and one has an
/// additional tag.
fn sandbox() -> Sandbox {
    let committed = fs::read_to_string(repository_root().join("openapi/v1.json")).unwrap();
    let mut document: Value = serde_json::from_str(&committed).unwrap();
    document["paths"]["/bucketlists"]["post"]["operationId"] = json!("listBucketlists");
    document["paths"]["/bucketlists"]["get"]["summary"] = json!("");
    document["paths"]["/auth/login"]["post"]["tags"] = json!(["Auth", "Users"]);
    let sandbox = Sandbox::new();
    sandbox.write("v1.json", &document.to_string());
    sandbox
}

const SUMMARY: &str =
    "warning: operation listBucketlists: has no summary [operation-summary]\n  /paths/~1bucketlists/get\n";
const DUPLICATE_ID: &str = "error: operation listBucketlists: has the operationId of another operation \
    [operation-id-unique]\n  /paths/~1bucketlists/post\n";

#[test]
fn committed_documents_pass_the_committed_configuration() {
    let sandbox = Sandbox::new();
    for name in ["lint.json", "v1.json", "v2.json"] {
        sandbox.write(name, &fs::read_to_string(repository_root().join("openapi").join(name)).unwrap());
    }
    for name in ["v1.json", "v2.json"] {
        let printed = sandbox.run(&["openapi", "lint", name, "--config", "lint.json"]).expect_success();
        assert_eq!(printed, format!("{name}: no findings\n"));
    }
}

#[test]
fn findings_are_printed_with_severity_rule_and_location() {
    let outcome = sandbox().run(&["openapi", "lint", "v1.json"]).expect_exit_code(4);
    let expected = format!("{SUMMARY}{DUPLICATE_ID}v1.json: 1 error, 1 warning\n");
    assert_eq!((outcome.out, outcome.err.as_str()), (expected, ""));
}

#[test]
fn findings_are_printed_as_json() {
    let outcome = sandbox().run(&["openapi", "lint", "v1.json", "--format", "json"]).expect_exit_code(4);
    let findings: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(
        findings[0],
        json!({
            "severity": "warning",
            "rule": "operation-summary",
            "pointer": "/paths/~1bucketlists/get",
            "location": "operation listBucketlists",
            "message": "has no summary",
        })
    );
    assert_eq!(findings.as_array().unwrap().len(), 2);
}

#[test]
fn warnings_fail_only_if_they_are_denied() {
    let sandbox = sandbox();
    sandbox.write("lint.json", r#"{"rules": {"operation-id-unique": "off"}}"#);
    let command = ["openapi", "lint", "v1.json", "--config", "lint.json"];
    assert_eq!(sandbox.run(&command).expect_success(), format!("{SUMMARY}v1.json: 1 warning\n"));
    let outcome = sandbox.run(&[&command[..], &["--deny-warnings"]].concat()).expect_exit_code(4);
    assert_eq!(outcome.out, format!("{SUMMARY}v1.json: 1 warning\n"));
}

#[test]
fn configuration_changes_severities_and_suppresses_findings() {
    let sandbox = sandbox();
    let config = r#"{
        "rules": {"operation-tag": "error", "operation-summary": "error"},
        "suppressions": [
            {"rule": "operation-tag", "pointer": "/paths/~1auth", "reason": "No such path."},
            {"rule": "operation-summary", "pointer": "/paths/~1bucketlists", "reason": "To be written."},
            {"rule": "operation-id-unique", "pointer": "", "reason": "Accepted."}
        ]
    }"#;
    sandbox.write("lint.json", config);
    let outcome = sandbox.run(&["openapi", "lint", "v1.json", "--config", "lint.json"]).expect_exit_code(4);
    assert_eq!(
        outcome.out,
        "error: operation login: has 2 tags; exactly one is required [operation-tag]\n  /paths/~1auth~1login/post\n\
         warning: suppression at \"/paths/~1auth\": suppresses no finding of operation-tag; remove it \
         [unused-suppression]\n  /paths/~1auth\n\
         v1.json: 1 error, 1 warning\n"
    );
}

#[test]
fn invalid_configuration_is_an_error() {
    let sandbox = sandbox();
    for (config, expected) in [
        (
            r#"{"rules": {"operation-ids": "off"}}"#,
            "invalid configuration lint.json: unknown rule operation-ids in rules",
        ),
        ("{", "invalid configuration lint.json: EOF while parsing an object at line 1 column 1"),
    ] {
        sandbox.write("lint.json", config);
        let error = sandbox.run(&["openapi", "lint", "v1.json", "--config", "lint.json"]).expect_error();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = sandbox.run(&["openapi", "lint", "v1.json", "--config", "missing.json"]).expect_error();
    assert!(error.starts_with("cannot read missing.json: "), "{error}");
}

/// The table in docs/lint-rules.md has the same rules, severities and requirements as the command.
#[test]
fn documentation_lists_the_rules() {
    let printed = Sandbox::new().run(&["openapi", "rules"]).expect_success();
    let rows = printed.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let [rule, recommended, strict, requirement] = cells[..] else { panic!("{line}") };
        format!("| `{rule}` | {recommended} | {strict} | {requirement} |")
    });
    let page = fs::read_to_string(repository_root().join("docs/lint-rules.md")).unwrap();
    let (_, table) = page.split_once("## Rules").unwrap();
    let documented: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(documented, rows.collect::<Vec<_>>());
}
