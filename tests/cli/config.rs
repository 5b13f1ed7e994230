//! The sources of settings: `.env`, the environment and defaults.

use std::fs;

use bucketlist::config::variables;
use serde_json::Value;

use crate::support::{Sandbox, repository_root};

/// Returns the value of a variable as `doctor` reports it, and whether it is the default.
fn setting(sandbox: &Sandbox, name: &str) -> (String, bool) {
    let report = sandbox.run(&["doctor", "--format", "json"]);
    let report: Value = serde_json::from_str(&report.out).unwrap_or_else(|_| panic!("{report:?}"));
    let settings = report["settings"].as_array().unwrap();
    let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
    (setting["value"].as_str().unwrap().to_owned(), setting["is_default"].as_bool().unwrap())
}

#[test]
fn printed_env_example_matches_the_committed_file() {
    let printed = Sandbox::new().run(&["config", "example"]).expect_success();
    let committed = fs::read_to_string(repository_root().join(".env.example")).unwrap();
    assert_eq!(printed, committed, "run `make env-example` and commit the result");
    for variable in variables::ALL {
        assert!(printed.contains(&format!("\n{}=", variable.name)), "{}", variable.name);
    }
}

#[test]
fn env_example_is_a_valid_env_file() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", &fs::read_to_string(repository_root().join(".env.example")).unwrap());
    let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
    assert!(sandbox.exists("data/bucketlist.db"));
    assert_eq!(setting(&sandbox, "MAIL_FROM"), ("BucketList <no-reply@localhost>".to_owned(), false));
}

#[test]
fn environment_overrides_the_env_file() {
    let sandbox = Sandbox::new();
    assert_eq!(setting(&sandbox, "REQUEST_TIMEOUT"), ("30s".to_owned(), true));
    sandbox.write(".env", "REQUEST_TIMEOUT=7s\nBODY_LIMIT=2048\nMAIL_FROM=\"Ada <ada@example.com>\"\n");
    assert_eq!(setting(&sandbox, "REQUEST_TIMEOUT"), ("7s".to_owned(), false));
    assert_eq!(setting(&sandbox, "MAIL_FROM"), ("Ada <ada@example.com>".to_owned(), false));
    let sandbox = sandbox.env("REQUEST_TIMEOUT", "9s");
    assert_eq!(setting(&sandbox, "REQUEST_TIMEOUT"), ("9s".to_owned(), false));
    assert_eq!(
        setting(&sandbox, "BODY_LIMIT"),
        ("2048".to_owned(), false),
        "values that the environment does not set are read from the file"
    );
}

#[test]
fn migrate_uses_the_database_of_the_env_file() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "DATABASE_URL=sqlite://elsewhere/lists.db\nDATA_DIR=things\n");
    let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
    assert!(sandbox.exists("elsewhere/lists.db") && sandbox.exists("things") && !sandbox.exists("data"));
    // An empty value counts as not set.
    let sandbox = sandbox.env("DATABASE_URL", "");
    let _ = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
    assert!(sandbox.exists("things/bucketlist.db"));
}

#[test]
fn invalid_env_file_error_contains_line_and_variable_but_not_the_value() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "PORT=8000\nJWT_SECRET=correct horse battery staple 1234567890\n");
    for command in [&["migrate", "status"][..], &["serve"], &["doctor"]] {
        let error = sandbox.run(command).expect_error();
        assert!(
            error.starts_with(".env:2: the value of JWT_SECRET cannot be parsed; put it in single quotes"),
            "{error}"
        );
        assert!(!error.contains("horse"), "{error}");
    }
    sandbox.write(".env", "PORT=8000\nthis assigns nothing\n");
    let error = sandbox.run(&["migrate", "status"]).expect_error();
    assert!(error.starts_with(".env:2: expected `NAME=value`"), "{error}");
    assert!(!sandbox.exists("data"));
}

#[test]
fn values_of_the_env_file_are_literal_and_a_byte_order_mark_is_ignored() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "\u{feff}MAIL_FROM=a$HOME@example.com\n");
    assert_eq!(setting(&sandbox, "MAIL_FROM"), ("a$HOME@example.com".to_owned(), false));
}

#[test]
fn only_the_env_file_of_the_current_directory_or_the_named_one_is_read() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "REQUEST_TIMEOUT=7s\n");
    sandbox.write("inner/other.env", "REQUEST_TIMEOUT=8s\n");
    let doctor = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        let output = command.current_dir(sandbox.path("inner")).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let value = |name: &str| {
            report["settings"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap()["value"].clone()
        };
        let source = report["checks"].as_array().unwrap().iter().find(|c| c["name"] == "configuration source").unwrap();
        (value("REQUEST_TIMEOUT"), source["detail"].as_str().unwrap().to_owned())
    };
    let (timeout, source) = doctor(&["doctor", "--format", "json"]);
    assert_eq!(
        (timeout, source.as_str()),
        ("30s".into(), "the environment; there is no .env in the current directory")
    );
    let (timeout, source) = doctor(&["doctor", "--format", "json", "--env-file", "other.env"]);
    assert_eq!((timeout, source.as_str()), ("8s".into(), "other.env and the environment"));
    let error = sandbox.run(&["--env-file", "missing.env", "doctor"]).expect_error();
    assert!(error.starts_with("cannot read missing.env: "), "{error}");
}

#[test]
fn misspelled_variable_is_reported() {
    let sandbox = Sandbox::new().env("DATABSE_URL", "postgres://localhost/app");
    let report = sandbox.run(&["doctor"]);
    assert!(report.out.contains("DATABSE_URL is ignored; did you mean DATABASE_URL?"), "{report:#?}");
}

#[test]
fn misspelled_and_duplicate_variables_are_reported_by_every_command() {
    let sandbox = Sandbox::new().env("DATABSE_URL", "postgres://localhost/app").env("BUCKETLIST_PORT", "8001");
    sandbox.write(".env", "PROT=8000\nDATA_DIR=one\nDATA_DIR=two\n");
    let expected = "warning: unknown variable BUCKETLIST_PORT is ignored; did you mean PORT?\n\
                    warning: unknown variable DATABSE_URL is ignored; did you mean DATABASE_URL?\n\
                    warning: unknown variable PROT is ignored; did you mean PORT?\n\
                    warning: DATA_DIR is set more than once in .env; the last value applies\n";
    for arguments in [&["migrate", "up"][..], &["migrate", "down"], &["job", "schedules"]] {
        let outcome = sandbox.run(arguments);
        assert!(outcome.err.starts_with(expected), "{outcome:#?}");
    }
    assert!(sandbox.exists("two/bucketlist.db") && !sandbox.exists("one"));
    let doctor = sandbox.run(&["doctor"]).out;
    assert!(doctor.contains("  warn  duplicate variable: DATA_DIR is set more than once in .env"), "{doctor}");
}

#[test]
fn duration_without_a_unit_is_rejected() {
    let outcome = Sandbox::new().env("HEADER_TIMEOUT", "10").run(&["migrate", "status"]).expect_exit_code(1);
    assert!(outcome.err.contains("HEADER_TIMEOUT: `10` is not a duration such as 500ms, 30s"), "{outcome:#?}");
}

#[test]
fn env_file_errors_are_reported_like_environment_errors() {
    let sandbox = Sandbox::new().env("PORT", "many");
    sandbox.write(".env", "BODY_LIMIT=none\nPORT=8000\n");
    let outcome = sandbox.run(&["migrate", "status"]).expect_exit_code(1);
    let expected = "error: invalid configuration\n  \
                    PORT: `many` is not a port number from 0 to 65535\n  \
                    BODY_LIMIT: `none` is not a whole number from 1024 to 1073741824\n\
                    help: see .env.example for every variable and its format\n";
    assert_eq!(outcome.err, expected);
}
