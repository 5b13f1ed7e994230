//! `bucketlist openapi`.

use std::{fs, process::Stdio};

use crate::support::{Sandbox, repository_root};

/// The files in the order in which they are written.
const NAMES: [&str; 10] = [
    "v1.json",
    "v1.yaml",
    "v1-3.1.json",
    "v1-3.1.yaml",
    "v1-samples.overlay.yaml",
    "v2.json",
    "v2.yaml",
    "v2-3.1.json",
    "v2-3.1.yaml",
    "v2-samples.overlay.yaml",
];

fn committed(name: &str) -> String {
    fs::read_to_string(repository_root().join("openapi").join(name)).unwrap()
}

#[test]
fn closed_pipe_is_not_an_error() {
    let mut child =
        Sandbox::new().command(&["openapi", "print"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // `head` closes its input like this.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn printed_documents_match_the_committed_files() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["openapi", "print"]).expect_success(), committed("v1.json"), "run `make openapi`");
    for contract in ["v1", "v2"] {
        for format in ["json", "yaml"] {
            let printed =
                sandbox.run(&["openapi", "print", "--contract", contract, "--format", format]).expect_success();
            assert_eq!(printed, committed(&format!("{contract}.{format}")), "run `make openapi`");
            let arguments = ["openapi", "print", "--contract", contract, "--format", format, "--openapi", "3.1"];
            let printed = sandbox.run(&arguments).expect_success();
            assert_eq!(printed, committed(&format!("{contract}-3.1.{format}")), "run `make openapi`");
        }
    }
}

/// `--json-only` is for generators that support one media type (docs/clients.md).
#[test]
fn json_format_prints_only_json() {
    let sandbox = Sandbox::new();
    // Merge patches are the only other media type of v1.
    let printed = sandbox.run(&["openapi", "print", "--json-only"]).expect_success();
    let merge_patch = "\"application/merge-patch+json\": {";
    assert!(committed("v1.json").contains(merge_patch) && !printed.contains(merge_patch));
    let printed = sandbox.run(&["openapi", "print", "--contract", "v2", "--json-only"]).expect_success();
    let committed = committed("v2.json");
    for media_type in ["\"application/problem+json\": {", "\"application/merge-patch+json\": {", "\"text/csv\": {"] {
        assert!(committed.contains(media_type) && !printed.contains(media_type), "{media_type}");
    }
    let responses = |text: &str| text.matches("\"description\": \"").count();
    assert_eq!(responses(&printed), responses(&committed));
    sandbox.write("v2.json", &printed);
    sandbox.run(&["openapi", "lint", "v2.json"]).expect_success();
}

#[test]
fn served_documents_match_the_committed_files() {
    let server = Sandbox::new().env("APP_ENV", "testing").serve();
    for name in NAMES {
        let (served, committed) = (server.get(&format!("/openapi/{name}"), None).expect(200).body, committed(name));
        // JSON is served without whitespace.
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let is_equal = match name.ends_with(".json") {
            true => parsed(&committed) == parsed(&served) && !served.trim_end().contains('\n'),
            false => committed == served,
        };
        assert!(is_equal, "{name}");
    }
}

#[test]
fn check_exits_with_0_when_documents_are_current_and_4_when_stale() {
    let sandbox = Sandbox::new();
    let folder = repository_root().join("openapi");
    let fresh = sandbox.run(&["openapi", "check", "--dir", folder.to_str().unwrap()]).expect_success();
    assert_eq!(fresh, "documents are current\n");

    let stale = |names: &str| {
        let outcome = sandbox.run(&["openapi", "check"]).expect_exit_code(4);
        let expected = format!("{names} in openapi is outdated; run `make openapi` and commit the result\n");
        assert_eq!((outcome.out, outcome.err), (expected, String::new()));
    };
    let (last, others) = NAMES.split_last().unwrap();
    stale(&format!("{} and {last}", others.join(", ")));
    let written = NAMES.map(|name| format!("wrote openapi/{name}\n")).concat();
    assert_eq!(sandbox.run(&["openapi", "write"]).expect_success(), written);
    assert_eq!(sandbox.run(&["openapi", "check"]).expect_success(), "documents are current\n");
    for name in NAMES {
        assert_eq!(sandbox.read(&format!("openapi/{name}")), committed(name));
    }
    // An additional line end is a difference.
    sandbox.write("openapi/v1.yaml", &format!("{}\n", committed("v1.yaml")));
    stale("v1.yaml");
    sandbox.write("openapi/v2.json", "{}");
    stale("v1.yaml and v2.json");
    sandbox.write("openapi/v2-3.1.yaml", "openapi: 3.1.0\n");
    stale("v1.yaml, v2.json and v2-3.1.yaml");
}

#[test]
fn unwritable_directory_is_rejected_with_one_error_line() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "");
    let error = sandbox.run(&["openapi", "write", "--dir", "file/below"]).expect_error();
    assert!(error.contains("Not a directory"), "{error}");
}

#[test]
fn openapi_needs_no_configuration() {
    let sandbox = Sandbox::new().env("PORT", "nonsense").env("DATABASE_URL", "mysql://x");
    assert_eq!(sandbox.run(&["openapi", "print"]).expect_success(), committed("v1.json"));
    assert!(!sandbox.exists("data"));
}
