//! `bucketlist openapi diff`, `lint` and `breaking`, `openapi check` with releases, and the page with the policy.

use std::{fs, process::Command};

use contract::{v1, v2};
use serde_json::{Value, json};

use crate::support::{Sandbox, repository_root};

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(repository_root().join("openapi/v1.json")).unwrap()).unwrap()
}

/// Creates a sandbox with a committed document as `old.json` and the changed one as `new.json`.
fn sandbox_with(change: impl FnOnce(&mut Value)) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut document = committed();
    sandbox.write("old.json", &document.to_string());
    change(&mut document);
    sandbox.write("new.json", &document.to_string());
    sandbox
}

/// A breaking change of the document, and the expected output.
type BreakingChange = (fn(&mut Value), &'static str);

/// Returns breaking changes that must be detected, with the expected output.
fn breaking_changes() -> Vec<BreakingChange> {
    vec![
        (
            |document| {
                let bucketlist = &mut document["components"]["schemas"]["Bucketlist"];
                bucketlist["properties"].as_object_mut().unwrap().shift_remove("items_done").unwrap();
                bucketlist["required"].as_array_mut().unwrap().retain(|name| name != "items_done");
            },
            "breaking: Bucketlist.items_done is no longer returned [response-field-removed]\n",
        ),
        (
            |document| document["paths"]["/bucketlists"]["get"]["operationId"] = json!("getBucketlists"),
            "breaking: the operationId was listBucketlists and is getBucketlists [operation-id-changed]\n  GET /bucketlists\n",
        ),
        (
            |document| {
                let codes = document["components"]["schemas"]["ErrorCode"]["enum"].as_array_mut().unwrap();
                codes.retain(|code| code != "UNKNOWN_FIELD");
            },
            "breaking: ErrorCode no longer has the value UNKNOWN_FIELD [response-enum-narrowed]\n",
        ),
        (
            |document| {
                let parameters = document["paths"]["/bucketlists"]["get"]["parameters"].as_array_mut().unwrap();
                parameters.push(json!({"name": "team", "in": "query", "required": true, "schema": {"type": "string"}}));
            },
            "breaking: team in the query is new and required [parameter-added-required]\n  GET /bucketlists, parameter team\n",
        ),
        (
            |document| {
                let responses = document["paths"]["/bucketlists"]["post"]["responses"].as_object_mut().unwrap();
                let created = responses.shift_remove("201").unwrap();
                responses.insert("200".to_owned(), created);
            },
            "breaking: the status 201 is now 200 [success-status-changed]\n  POST /bucketlists, response 201\n",
        ),
        (
            |document| {
                let name = &mut document["components"]["schemas"]["BucketlistCreate"]["properties"]["name"];
                name["maxLength"] = json!(name["maxLength"].as_i64().unwrap() - 1);
            },
            "[request-bound-narrowed]\n  POST /bucketlists, request body, application/json, name\n",
        ),
    ]
}

#[test]
fn breaking_changes_are_located_and_exit_with_4() {
    for (change, expected) in breaking_changes() {
        let sandbox = sandbox_with(change);
        let outcome = sandbox.run(&["openapi", "diff", "old.json", "new.json"]).expect_exit_code(4);
        assert!(outcome.out.contains(expected), "{expected}: {}", outcome.out);
        assert!(outcome.out.ends_with("1 breaking, 0 additive, 0 neutral\n"), "{}", outcome.out);
        assert_eq!(outcome.err, "");
    }
}

#[test]
fn repeated_changes_are_reported_once() {
    let sandbox = sandbox_with(|document| {
        document["components"]["schemas"]["ErrorCode"]["description"] = json!("A code.");
    });
    let out = sandbox.run(&["openapi", "diff", "old.json", "new.json"]).expect_success();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "neutral: description of ErrorCode has changed [text-changed]");
    assert!(lines[1].starts_with("  POST /auth/register, response ") && lines[4].starts_with("  and "), "{out}");
    assert_eq!(lines[5..], ["0 breaking, 0 additive, 1 neutral"]);
}

#[test]
fn json_output_lists_every_change_with_the_same_exit_code() {
    let (change, _) = breaking_changes()[1];
    let sandbox = sandbox_with(change);
    let outcome = sandbox.run(&["openapi", "diff", "old.json", "new.json", "--format", "json"]).expect_exit_code(4);
    let expected = json!([{
        "kind": "breaking",
        "rule": "operation-id-changed",
        "operation": "GET /bucketlists",
        "part": "",
        "sentence": "the operationId was listBucketlists and is getBucketlists",
    }]);
    assert_eq!(serde_json::from_str::<Value>(&outcome.out).unwrap(), expected);

    let out = sandbox.run(&["openapi", "diff", "old.json", "old.json", "--format", "json"]).expect_success();
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!([]));
}

#[test]
fn changelog_output_has_sections() {
    let sandbox = sandbox_with(|document| {
        document["components"]["schemas"]["Bucketlist"]["properties"]["color"] = json!({"type": "string"});
        document["paths"]["/bucketlists"]["get"]["summary"] = json!("List.");
        document["paths"]["/bucketlists"]["get"]["operationId"] = json!("getBucketlists");
    });
    let outcome = sandbox.run(&["openapi", "diff", "old.json", "new.json", "--format", "markdown"]).expect_exit_code(4);
    let expected = "### Breaking\n\n\
        - the operationId was listBucketlists and is getBucketlists (`GET /bucketlists`)\n\n\
        ### Added\n\n\
        - Bucketlist.color is new (`GET /bucketlists`, `POST /bucketlists`, `GET /bucketlists/{bucketlist_id}` and 1 more)\n\n\
        ### Changed\n\n\
        - summary of the operation has changed (`GET /bucketlists`)\n\n";
    assert_eq!(outcome.out, expected);
    let out = sandbox.run(&["openapi", "diff", "old.json", "old.json", "--format", "markdown"]).expect_success();
    assert_eq!(out, "no differences\n");
}

#[test]
fn additions_exit_with_0() {
    let sandbox = sandbox_with(|document| {
        document["components"]["schemas"]["Bucketlist"]["properties"]["color"] = json!({"type": "string"});
    });
    let out = sandbox.run(&["openapi", "diff", "old.json", "new.json"]).expect_success();
    assert!(out.starts_with("additive: Bucketlist.color is new [response-field-added]\n"), "{out}");
}

#[test]
fn documents_do_not_differ_from_themselves() {
    for document in [v1::document::document(), v2::document::document()] {
        assert_eq!(openapi_model::diff(document, document), []);
    }
    let files = repository_root().join("openapi");
    for name in ["v1.json", "v2.json"] {
        let file = files.join(name).to_str().unwrap().to_owned();
        assert_eq!(Sandbox::new().run(&["openapi", "diff", &file, &file]).expect_success(), "no differences\n");
    }
    // The documents of v1 and v2 differ.
    let found = openapi_model::diff(v1::document::document(), v2::document::document());
    assert!(found.iter().any(|change| change.rule == "parameter-removed"), "{found:#?}");
}

/// Files that are not OpenAPI 3.0 documents, with the expected errors.
#[test]
fn unusable_files_are_rejected_with_one_error_line() {
    let sandbox = Sandbox::new();
    let valid = committed().to_string();
    sandbox.write("valid.json", &valid);
    sandbox.write("truncated.json", &valid[..valid.len() / 2]);
    sandbox.write("empty.json", "");
    sandbox.write("text.json", "openapi: 3.0.3\n");
    sandbox.write("list.json", "[]");
    sandbox.write("other.json", r#"{"name": "bucketlist"}"#);
    sandbox.write("swagger.json", r#"{"swagger": "2.0", "info": {}, "paths": {}}"#);
    sandbox.write("3.1.json", r#"{"openapi": "3.1.0", "info": {}, "paths": {}}"#);
    sandbox.write("number.json", r#"{"openapi": 3, "info": {}, "paths": {}}"#);
    sandbox.write("incomplete.json", r#"{"openapi": "3.0.3", "info": {}}"#);
    sandbox.write("duplicate.json", r#"{"openapi": "3.0.3", "info": {}, "paths": {"/a": {}, "/a": {}}}"#);
    sandbox.write("deep.json", &"[".repeat(100_000));
    let external_reference =
        r#"{"openapi": "3.0.3", "info": {}, "paths": {"/a": {"get": {"responses": {"200": {"$ref": "b.json#/c"}}}}}}"#;
    sandbox.write("external.json", external_reference);
    fs::write(sandbox.path("latin.json"), b"{\"openapi\": \"3.0.3\xe9\"}").unwrap();
    fs::create_dir(sandbox.path("folder.json")).unwrap();
    for (file, expected) in [
        ("missing.json", "no such file or directory"),
        ("folder.json", "is a directory"),
        ("latin.json", "stream did not contain valid UTF-8"),
        ("truncated.json", "the document is not valid JSON: it ends before it is complete"),
        ("empty.json", "the document is not valid JSON: it ends before it is complete"),
        ("text.json", "the document is not valid JSON: "),
        ("list.json", "the document is not a JSON object"),
        ("other.json", "the document has no \"openapi\" field: this is not an OpenAPI document"),
        ("swagger.json", "this is a Swagger 2.0 document; only OpenAPI 3.0 is supported"),
        ("3.1.json", "the document has \"openapi\": \"3.1.0\"; only 3.0 is supported"),
        ("number.json", "the document has \"openapi\": 3; only 3.0 is supported"),
        ("incomplete.json", "the document has no \"paths\" object; is the file complete?"),
        ("duplicate.json", "the document has duplicate keys: /paths/~1a"),
        ("deep.json", "the document is nested more than "),
        ("external.json", "the reference b.json#/c does not resolve within the file"),
    ] {
        // The linter reports unresolved references as findings.
        let lints = file != "external.json";
        let commands = [&["diff", file, "valid.json"][..], &["diff", "valid.json", file], &["lint", file]];
        for command in commands.into_iter().filter(|command| lints || command[0] != "lint") {
            let error = sandbox.run(&[&["openapi"], command].concat()).expect_error();
            assert!(error.starts_with(&format!("cannot read {file}: {expected}")), "{error}");
        }
    }
}

/// Documents with invalid values in optional places are compared without a panic.
#[test]
fn unusual_documents_are_compared() {
    let invalid_values = r#"{"openapi": "3.0.3", "info": {}, "servers": 1, "security": {}, "x-webhooks": [],
        "paths": {"/a/{": 5, "/b}": {"parameters": [7], "get": [], "put": {"parameters": {}, "responses": [], "security": [3]},
        "post": {"requestBody": {"content": {"": {"schema": {"type": ["x"], "allOf": 3, "items": [], "required": [1], "enum": 2}}}}}}},
        "components": {"schemas": []}}"#;
    let sandbox = Sandbox::new();
    sandbox.write("nonsense.json", invalid_values);
    sandbox.write("valid.json", &committed().to_string());
    assert_eq!(
        sandbox.run(&["openapi", "diff", "nonsense.json", "nonsense.json"]).expect_success(),
        "no differences\n"
    );
    let _ = sandbox.run(&["openapi", "diff", "nonsense.json", "valid.json"]).expect_exit_code(4);
    let _ = sandbox.run(&["openapi", "diff", "valid.json", "nonsense.json"]).expect_exit_code(4);
    let _ = sandbox.run(&["openapi", "lint", "nonsense.json"]).expect_exit_code(4);
}

/// Creates a sandbox with current documents and a released v1 document with this change.
fn sandbox_with_release(change: impl FnOnce(&mut Value)) -> Sandbox {
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&["openapi", "write"]).expect_success();
    fs::create_dir(sandbox.path("openapi/released")).unwrap();
    let mut released = committed();
    change(&mut released);
    sandbox.write("openapi/released/v1.json", &released.to_string());
    sandbox
}

#[test]
fn check_fails_when_a_document_breaks_the_release() {
    let sandbox = sandbox_with_release(|released| {
        released["components"]["schemas"]["Bucketlist"]["properties"]["color"] = json!({"type": "string"});
        released["paths"]["/bucketlists"]["get"]["summary"] = json!("List.");
    });
    let outcome = sandbox.run(&["openapi", "check"]).expect_exit_code(4);
    let head = "openapi/v1.json has breaking changes compared with openapi/released/v1.json:\n\
        breaking: Bucketlist.color is no longer returned [response-field-removed]\n  ";
    assert!(outcome.out.starts_with(head), "{}", outcome.out);
    // Only breaking changes are listed.
    assert!(!outcome.out.contains("neutral"), "{}", outcome.out);
    let tail = "help: revert the change or add it to a new version of the API (docs/compatibility.md)\n";
    assert!(outcome.out.ends_with(tail), "{}", outcome.out);
}

#[test]
fn check_succeeds_when_the_contract_was_extended() {
    let sandbox = sandbox_with_release(|released| {
        released["paths"].as_object_mut().unwrap().shift_remove("/bucketlists/{bucketlist_id}").unwrap();
    });
    assert_eq!(sandbox.run(&["openapi", "check"]).expect_success(), "documents are current\n");
}

#[test]
fn check_reports_missing_or_unreadable_releases() {
    let sandbox = sandbox_with_release(|_| {});
    sandbox.write("openapi/released/v0.json", &committed().to_string());
    let outcome = sandbox.run(&["openapi", "check"]).expect_exit_code(4);
    assert!(outcome.out.starts_with("v0.json was released and is missing\n"), "{}", outcome.out);

    sandbox.write("openapi/released/v1.json", "");
    let outcome = sandbox.run(&["openapi", "check"]).expect_exit_code(1);
    assert!(
        outcome.err.starts_with("error: cannot read openapi/released/v1.json: the document is not valid JSON"),
        "{outcome:?}"
    );
}

#[test]
fn v1_release_is_committed() {
    let folder = repository_root().join("openapi");
    let of = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let out = Sandbox::new().run(&["openapi", "diff", &of("released/v1.json"), &of("v1.json")]).expect_success();
    assert!(out == "no differences\n" || out.contains("0 breaking, "), "{out}");
}

/// The page lists the rules that the code applies, with the same classes and texts.
#[test]
fn published_policy_matches_the_applied_rules() {
    let page = fs::read_to_string(repository_root().join("docs/compatibility.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |")).collect();
    let rules: Vec<String> = openapi_model::RULES
        .iter()
        .map(|rule| format!("| {} | {} | `{}` |", rule.change, rule.kind.name(), rule.id))
        .collect();
    assert_eq!(rows, rules);
    assert!(rows.len() > 70, "{}", rows.len());
}

/// Commits the documents of a sandbox to a new git repository.
fn commit_documents(sandbox: &Sandbox) {
    for arguments in [
        &["init", "--quiet", "--initial-branch", "main"][..],
        &["add", "openapi"],
        &["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message", "Add documents"],
    ] {
        let status = Command::new("git").args(arguments).current_dir(sandbox.path(".")).status().unwrap();
        assert!(status.success(), "git {arguments:?} failed");
    }
}

/// v2 has no release, so it is compared only with the merge base.
#[test]
fn breaking_compares_an_unreleased_version_with_the_merge_base() {
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&["openapi", "write"]).expect_success();
    // Not an OpenAPI document.
    sandbox.write("openapi/flows.arazzo.json", r#"{"arazzo": "1.0.1"}"#);
    commit_documents(&sandbox);
    assert_eq!(sandbox.run(&["openapi", "breaking"]).expect_success(), "no breaking changes\n");

    let mut document: Value = serde_json::from_str(&sandbox.read("openapi/v2.json")).unwrap();
    document["paths"]["/bucketlists"]["get"]["operationId"] = json!("getBucketlists");
    sandbox.write("openapi/v2.json", &document.to_string());
    let outcome = sandbox.run(&["openapi", "breaking"]).expect_exit_code(4);
    assert!(
        outcome.out.starts_with("openapi/v2.json has breaking changes compared with v2.json at "),
        "{}",
        outcome.out
    );
    assert!(outcome.out.contains("[operation-id-changed]\n  GET /bucketlists\n"), "{}", outcome.out);

    fs::remove_file(sandbox.path("openapi/v2.json")).unwrap();
    let outcome = sandbox.run(&["openapi", "breaking"]).expect_exit_code(4);
    assert!(outcome.out.starts_with("openapi/v2.json is missing; compared with v2.json at "), "{}", outcome.out);
}

#[test]
fn breaking_names_an_unknown_base() {
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&["openapi", "write"]).expect_success();
    commit_documents(&sandbox);
    let error = sandbox.run(&["openapi", "breaking", "--base", "no-such-branch"]).expect_error();
    assert!(error.starts_with("cannot run `git merge-base no-such-branch HEAD`: "), "{error}");
}

/// The merge base is in the history, of which a checkout contains only the last commit unless configured otherwise.
#[test]
fn continuous_integration_compares_every_change_with_the_merge_base() {
    let text = |path: &str| fs::read_to_string(repository_root().join(path)).unwrap();
    assert!(text("Makefile").contains("openapi breaking --base \"$${BASE:-main}\"\n"));
    assert!(text("scripts/contract").contains(" make breaking\n"));
    let workflow = text(".github/workflows/ci.yml");
    let job = workflow.split_once("\n  contract:\n").unwrap().1.split("\n\n").next().unwrap();
    for line in ["      BASE: ${{ ", "          fetch-depth: 0\n", "      - run: make contract"] {
        assert!(job.contains(line), "{line:?} is missing:\n{job}");
    }
}
